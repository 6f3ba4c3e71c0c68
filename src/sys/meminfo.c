/* SPDX-License-Identifier: MIT
 *
 * meminfo: see the header.  A figure that is not there is an error where every
 * kernel has it, and never 0 by guess.
 */
#include "sys/meminfo.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"

/* The file as text with a NUL; its length or -errno. */
static ssize_t read_text(const char *proc_root, const char *name, char *buf, size_t size)
{
	char path[PATH_MAX];
	autoclose int fd = -1;
	size_t used = 0;
	int r = snprintf(path, sizeof(path), "%s/%s", proc_root, name);

	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (used < size - 1) {
		ssize_t n = read(fd, buf + used, size - 1 - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	buf[used] = '\0';
	return (ssize_t)used;
}

static int digits(const char *text, uint64_t *ret)
{
	char number[24];
	size_t len;

	text += strspn(text, " \t");
	len = strspn(text, "0123456789");
	if (!len || len >= sizeof(number))
		return -EBADMSG;
	memcpy(number, text, len);
	number[len] = '\0';
	return number_parse(number, ret) ? -EBADMSG : 0;
}

/* -ENOENT: no such line. */
static int field(const char *text, const char *name, uint64_t *ret_bytes)
{
	size_t len = strlen(name);
	const char *line = text;
	uint64_t kib;
	int r;

	while (strncmp(line, name, len) != 0) {
		line = strchr(line, '\n');
		if (!line++)
			return -ENOENT;
	}
	r = digits(line + len, &kib);
	if (!r && __builtin_mul_overflow(kib, UINT64_C(1024), ret_bytes))
		r = -EBADMSG;
	return r;
}

int meminfo_read(const char *proc_root, struct meminfo *ret)
{
	struct meminfo info = { 0 };
	char text[8192];
	ssize_t n = read_text(proc_root, "meminfo", text, sizeof(text));
	int r;

	if (n < 0)
		return (int)n;
	r = field(text, "Hugetlb:", &info.hugetlb_bytes);
	if (r && r != -ENOENT)
		return r;
	if (field(text, "MemTotal:", &info.ram_bytes) || field(text, "SwapTotal:", &info.swap_bytes) ||
	    field(text, "CommitLimit:", &info.commit_limit_bytes) || field(text, "Committed_AS:", &info.committed_bytes))
		return -EBADMSG;
	*ret = info;
	return 0;
}

static int sysctl(const char *proc_root, const char *name, uint64_t *ret)
{
	char path[64], text[64];
	ssize_t n;

	snprintf(path, sizeof(path), "sys/vm/%s", name);
	n = read_text(proc_root, path, text, sizeof(text));
	return n < 0 ? (int)n : digits(text, ret);
}

int meminfo_limit(const char *proc_root, const struct meminfo *info, struct limit *ret)
{
	uint64_t mode, ratio, kbytes, admin, user;
	int r = sysctl(proc_root, "overcommit_memory", &mode);

	if (!r)
		r = sysctl(proc_root, "overcommit_ratio", &ratio);
	if (!r)
		r = sysctl(proc_root, "overcommit_kbytes", &kbytes);
	if (!r)
		r = sysctl(proc_root, "admin_reserve_kbytes", &admin);
	if (!r)
		r = sysctl(proc_root, "user_reserve_kbytes", &user);
	if (r)
		return r;
	if (mode > OVERCOMMIT_NEVER)
		return -EBADMSG;
	*ret = (struct limit){
		.mode = (enum overcommit)mode,
		.by_ratio = kbytes == 0,
		.limit_pages = kbytes >> (PAGE_SHIFT - 10),
		.ratio = ratio,
		.ram_pages = info->ram_bytes >> PAGE_SHIFT,
		.swap_pages = info->swap_bytes >> PAGE_SHIFT,
		.hugetlb_pages = info->hugetlb_bytes >> PAGE_SHIFT,
		.admin_reserve_pages = admin >> (PAGE_SHIFT - 10),
		.user_reserve_pages = user >> (PAGE_SHIFT - 10),
	};
	return 0;
}
