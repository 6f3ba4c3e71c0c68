/* SPDX-License-Identifier: MIT
 *
 * program: see the header.  The file is found as the caller would find it: from
 * its root and its working directory, which need not be ours.
 */
#include "engine/seccomp/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/elfload.h"
#include "sys/procfs.h"

enum { NAME_USUAL = 128 };

static int open_link(pid_t tid, const char *link)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%d/%s", tid, link);
	return open(path, O_PATH | O_CLOEXEC);
}

/* RESOLVE_CACHED (Linux 5.12): EAGAIN where the name would have to be looked up. */
static int open_path(int base, const char *path, uint64_t resolve)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = resolve };

	return (int)syscall(SYS_openat2, base, path, &how, sizeof(how));
}

/* As a path only: a device or a pipe must not be opened for reading. */
static int open_program(pid_t tid, int dirfd, const char *path, int root, uint64_t resolve)
{
	char link[64];
	autoclose int base = -1;

	/* A link that only the caller can follow; programs run themselves by it. */
	if (strcmp(path, "/proc/self/exe") == 0)
		return open_link(tid, "exe");
	if (path[0] == '/')
		return open_path(root, path, RESOLVE_IN_ROOT | resolve);
	if (dirfd == AT_FDCWD) {
		base = open_link(tid, "cwd");
	} else {
		snprintf(link, sizeof(link), "fd/%d", dirfd);
		base = open_link(tid, link);
	}
	return path[0] ? open_path(base, path, resolve) : steal_fd(&base);
}

static bool same(const struct program *a, const struct program *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->root_ino == b->root_ino && a->root_dev == b->root_dev &&
	       a->ctime.tv_sec == b->ctime.tv_sec && a->ctime.tv_nsec == b->ctime.tv_nsec &&
	       a->stack_rlimit == b->stack_rlimit;
}

static struct program *slot_of(struct programs *known, const struct program *program)
{
	return &known->slot[(program->ino ^ program->dev) % (sizeof(known->slot) / sizeof(known->slot[0]))];
}

/* What identifies the program open at FD.  Attributes that a server would have
 * to be asked for are taken as they are known. */
static bool identify(int fd, uint64_t stack_rlimit, struct program *ret)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &sx) < 0 || !S_ISREG(sx.stx_mode))
		return false;
	*ret = (struct program){ .dev = makedev(sx.stx_dev_major, sx.stx_dev_minor),
				 .ino = sx.stx_ino,
				 .ctime = { .tv_sec = sx.stx_ctime.tv_sec, .tv_nsec = sx.stx_ctime.tv_nsec },
				 .stack_rlimit = stack_rlimit };
	return true;
}

/* Where its interpreter is looked up. */
static bool identify_root(int root, dev_t *ret_dev, ino_t *ret_ino)
{
	struct stat st;

	if (fstat(root, &st) < 0)
		return false;
	*ret_dev = st.st_dev;
	*ret_ino = st.st_ino;
	return true;
}

/* Most names are short, and pages are dear to reach into. */
static bool read_name(pid_t tid, uint64_t addr, char path[PATH_MAX])
{
	ssize_t n = remote_read(tid, addr, path, NAME_USUAL);

	if (n == NAME_USUAL && !memchr(path, '\0', NAME_USUAL))
		n = remote_read(tid, addr, path, PATH_MAX - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	return true;
}

static int open_named(pid_t tid, int dirfd, uint64_t path_addr, int root, uint64_t resolve)
{
	char path[PATH_MAX];

	if (root < 0 || !read_name(tid, path_addr, path)) {
		errno = EFAULT;
		return -1;
	}
	return open_program(tid, dirfd, path, root, resolve);
}

void programs_init(struct programs *known)
{
	known->root = open("/", O_PATH | O_CLOEXEC);
	known->roots_vary = known->root < 0 || !identify_root(known->root, &known->root_dev, &known->root_ino);
}

void programs_done(struct programs *known)
{
	close_fd(&known->root);
}

uint64_t program_known(struct programs *known, pid_t tid, int dirfd, uint64_t path_addr, uint64_t stack_rlimit,
		       struct program **ret)
{
	autoclose int own_root = known->roots_vary ? open_link(tid, "root") : -1;
	int root = known->roots_vary ? own_root : known->root;
	autoclose int fd = open_named(tid, dirfd, path_addr, root, RESOLVE_CACHED);
	struct program *slot;
	struct program now;

	*ret = NULL;
	if (fd < 0)
		return errno == EAGAIN || errno == EINVAL ? PROGRAM_COLD : PROGRAM_UNKNOWN;
	if (!identify(fd, stack_rlimit, &now))
		return PROGRAM_UNKNOWN;
	now.root_dev = known->root_dev;
	now.root_ino = known->root_ino;
	if (known->roots_vary && !identify_root(root, &now.root_dev, &now.root_ino))
		return PROGRAM_UNKNOWN;
	slot = slot_of(known, &now);
	if (!same(slot, &now))
		return PROGRAM_COLD;
	*ret = slot;
	return slot->pages;
}

/* Reads the program that PATH_FD leads to. */
static uint64_t read_open(int path_fd, int root, int cwd, uint64_t stack_rlimit, struct program *ret)
{
	autoclose int fd = -1;
	struct elfload load;
	char path[64];

	ret->ino = 0;
	if (cwd < 0 || !identify(path_fd, stack_rlimit, ret))
		return PROGRAM_UNKNOWN;
	if (!identify_root(root, &ret->root_dev, &ret->root_ino)) {
		ret->ino = 0;
		return PROGRAM_UNKNOWN;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || elfload_estimate(fd, root, cwd, stack_rlimit, &load) < 0) {
		ret->ino = 0;
		return PROGRAM_UNKNOWN;
	}
	ret->pages = load.image_pages + load.stack_pages;
	return ret->pages;
}

uint64_t program_read(pid_t tid, int dirfd, uint64_t path_addr, uint64_t stack_rlimit, struct program *ret)
{
	autoclose int root = open_link(tid, "root");
	autoclose int cwd = open_link(tid, "cwd");
	autoclose int path_fd = open_named(tid, dirfd, path_addr, root, 0);

	ret->ino = 0;
	return path_fd < 0 ? PROGRAM_UNKNOWN : read_open(path_fd, root, cwd, stack_rlimit, ret);
}

void program_preload(struct programs *known, const char *path, uint64_t stack_rlimit)
{
	autoclose int root = open("/", O_PATH | O_CLOEXEC);
	autoclose int cwd = open(".", O_PATH | O_CLOEXEC);
	autoclose int fd = open(path, O_PATH | O_CLOEXEC);
	struct program program = { 0 };

	if (fd >= 0 && root >= 0)
		(void)read_open(fd, root, cwd, stack_rlimit, &program); /* unknown: it is read again */
	program_remember(known, &program);
}

void program_remember(struct programs *known, const struct program *program)
{
	if (program->ino)
		*slot_of(known, program) = *program;
}
