/* SPDX-License-Identifier: MIT
 *
 * program: see the header.  The file is found as the caller would find it: from
 * its root and its working directory, which need not be ours.
 */
#include "engine/seccomp/program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/elfload.h"
#include "sys/procfs.h"

enum { UNKNOWN_PAGES = 1 };

static int open_link(pid_t tid, const char *link)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%d/%s", tid, link);
	return open(path, O_PATH | O_CLOEXEC);
}

static int open_in_root(int root, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };

	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/* As a path only: a device or a pipe must not be opened for reading. */
static int open_program(pid_t tid, int dirfd, const char *path, int root)
{
	char link[64];
	autoclose int base = -1;

	if (path[0] == '/')
		return open_in_root(root, path);
	if (dirfd == AT_FDCWD) {
		base = open_link(tid, "cwd");
	} else {
		snprintf(link, sizeof(link), "fd/%d", dirfd);
		base = open_link(tid, link);
	}
	return path[0] ? openat(base, path, O_PATH | O_CLOEXEC) : steal_fd(&base);
}

static bool same(const struct program *a, const struct program *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->root_ino == b->root_ino && a->root_dev == b->root_dev &&
	       a->ctime.tv_sec == b->ctime.tv_sec && a->ctime.tv_nsec == b->ctime.tv_nsec &&
	       a->stack_rlimit == b->stack_rlimit;
}

static uint64_t read_program(pid_t tid, int path_fd, int root, uint64_t stack_rlimit)
{
	autoclose int cwd = open_link(tid, "cwd");
	autoclose int fd = -1;
	struct elfload load;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || cwd < 0 || elfload_estimate(fd, root, cwd, stack_rlimit, &load) < 0)
		return 0;
	return load.image_pages + load.stack_pages;
}

uint64_t program_pages(struct programs *known, pid_t tid, int dirfd, uint64_t path_addr, uint64_t stack_rlimit)
{
	char path[4096];
	ssize_t n = remote_read(tid, path_addr, path, sizeof(path) - 1);
	autoclose int root = open_link(tid, "root");
	autoclose int fd = -1;
	struct stat st, root_st;
	struct program now, *slot;

	if (n <= 0 || root < 0)
		return UNKNOWN_PAGES;
	path[n] = '\0';
	fd = open_program(tid, dirfd, path, root);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || fstat(root, &root_st) < 0)
		return UNKNOWN_PAGES;
	now = (struct program){ .dev = st.st_dev,
				.ino = st.st_ino,
				.root_dev = root_st.st_dev,
				.root_ino = root_st.st_ino,
				.ctime = st.st_ctim,
				.stack_rlimit = stack_rlimit };
	slot = &known->slot[(st.st_ino ^ st.st_dev) % (sizeof(known->slot) / sizeof(known->slot[0]))];
	if (same(slot, &now))
		return slot->pages;
	now.pages = read_program(tid, fd, root, stack_rlimit);
	if (!now.pages)
		return UNKNOWN_PAGES;
	*slot = now;
	return now.pages;
}
