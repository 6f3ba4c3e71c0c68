/* SPDX-License-Identifier: MIT
 *
 * loader: see the header.
 */
#include "engine/seccomp/loader.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/smaps.h"

/* AT_BASE, from an auxiliary vector of 64-bit or, for an i386 task, 32-bit pairs. */
static uint64_t auxv_base(const void *buf, size_t len)
{
	const Elf64_auxv_t *wide = buf;
	const Elf32_auxv_t *narrow = buf;

	/* The first pair is small numbers: in the 32-bit form both share 8 bytes. */
	if (len >= sizeof(*wide) && wide->a_type <= UINT32_MAX) {
		for (; (const char *)(wide + 1) <= (const char *)buf + len && wide->a_type != AT_NULL; wide++)
			if (wide->a_type == AT_BASE)
				return wide->a_un.a_val;
		return 0;
	}
	for (; (const char *)(narrow + 1) <= (const char *)buf + len && narrow->a_type != AT_NULL; narrow++)
		if (narrow->a_type == AT_BASE)
			return narrow->a_un.a_val;
	return 0;
}

struct image {
	uint64_t base, ino, start, end;
};

static int extend_image(void *ctx, const struct vma *vma, const char *name)
{
	struct image *image = ctx;

	(void)name;
	if (image->base >= vma->start && image->base < vma->end) {
		image->ino = vma->ino;
		image->start = vma->start;
	}
	if (image->ino && vma->ino == image->ino && vma->start >= image->start)
		image->end = vma->end;
	return 0;
}

bool loader_range(pid_t pid, uint64_t *ret_start, uint64_t *ret_end)
{
	_Alignas(Elf64_auxv_t) char buf[1024];
	struct image image = { 0 };
	char path[64];
	autoclose int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));
	if (n <= 0)
		return false;
	image.base = auxv_base(buf, (size_t)n);
	if (!image.base || maps_walk("/proc", pid, extend_image, &image) < 0 || !image.end)
		return false;
	*ret_start = image.start;
	*ret_end = image.end;
	return true;
}
