/* SPDX-License-Identifier: MIT
 *
 * images: copies with a patched program header.
 */
#include "images.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "director.h"
#include "order.h"

enum { IMAGES = 16, HEADERS = 32 };

static char program[PATH_LEN];
static struct image {
	uint64_t bss;
	char path[PATH_LEN];
} images[IMAGES];
static int nr_images;

const char *image_path(uint64_t bss)
{
	for (int i = 0; i < nr_images; i++)
		if (images[i].bss == bss)
			return images[i].path;
	return program;
}

static void patch(int fd, uint64_t bss)
{
	Elf64_Phdr headers[HEADERS];
	Elf64_Ehdr elf;
	int last = -1;

	if (pread(fd, &elf, sizeof(elf), 0) != sizeof(elf) || elf.e_phnum > HEADERS ||
	    pread(fd, headers, elf.e_phnum * sizeof(headers[0]), (off_t)elf.e_phoff) < 0)
		fail("cannot read", program);
	for (int i = 0; i < elf.e_phnum; i++)
		if (headers[i].p_type == PT_LOAD)
			last = i;
	if (last < 0)
		fail("no PT_LOAD in", program);
	headers[last].p_memsz += bss;
	if (pwrite(fd, &headers[last], sizeof(headers[0]),
		   (off_t)(elf.e_phoff + (size_t)last * sizeof(headers[0]))) != sizeof(headers[0]))
		fail("cannot write an image", strerror(errno));
}

static void make_image(struct image *image)
{
	int from = open(program, O_RDONLY | O_CLOEXEC);
	int to = open(image->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);

	if (from < 0 || to < 0)
		fail(image->path, strerror(errno));
	while (sendfile(to, from, NULL, 1 << 20) > 0)
		;
	patch(to, image->bss);
	close(from);
	close(to);
}

void images_make(const struct script *script, const char *folder)
{
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (len < 0 || len == sizeof(program) - 1)
		fail("cannot read", "/proc/self/exe");
	for (size_t i = 0; i < script->nr_ops; i++) {
		const struct script_op *op = &script->ops[i];
		struct image *image = &images[nr_images];

		if (op->verb != VERB_EXEC || !op->size || image_path(op->size) != program)
			continue;
		if (nr_images == IMAGES)
			fail("cannot perform", "exec with too many sizes");
		image->bss = op->size;
		snprintf(image->path, sizeof(image->path), "%s/oracle-%d-image%d", folder, (int)getpid(), nr_images);
		nr_images++;
		make_image(image);
	}
}

void images_remove(void)
{
	for (int i = 0; i < nr_images; i++)
		(void)unlink(images[i].path); /* best effort */
}
