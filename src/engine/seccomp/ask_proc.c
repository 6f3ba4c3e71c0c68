/* SPDX-License-Identifier: MIT
 *
 * ask_proc: calls that make or replace an address space, and pokes into one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "engine/seccomp/ask.h"
#include "engine/seccomp/space.h"
#include "sys/elfload.h"
#include "sys/procfs.h"

static int sum_fork(void *ctx, const struct vma *vma, const char *name)
{
	struct ask *ask = ctx;
	enum overcommit mode = ask->g->ledger->limit.mode;

	(void)name;
	ask->sum += rules_vma_fork_pages(mode, vma);
	if (!(vma->flags & VMA_DONTCOPY))
		ask->sum += rules_vma_forced_pages(mode, vma);
	return 0;
}

/* What is not copied (MADV_DONTFORK) only shows in smaps. */
static void refine_fork(struct ask *ask)
{
	ask->sum = 0;
	space_count(ask->g, ask->t->proc->space, sum_fork, ask);
	if (!ask->t->proc->space->unreadable)
		ask->charge.pages = ask->sum;
}

bool ask_fork(struct ask *ask)
{
	ask->op = OP_FORK;
	ask->charge = (struct charge){ HOLDER_SPACE, ask->t->proc->space->hold.pages, RULE_FORK };
	ask->flight = FLIGHT_FORK;
	ask->refine = refine_fork;
	return true;
}

/* The flags are in memory that another thread may change: what is really made
 * is found when it is next heard of or searched for. */
bool ask_clone3(struct ask *ask)
{
	uint64_t flags;

	if (remote_read(ask->t->tid, ask->arg[0], &flags, sizeof(flags)) != (ssize_t)sizeof(flags))
		return false; /* EFAULT will tell it */
	return flags & CLONE_VM ? false : ask_fork(ask);
}

enum {
	ARG_STRINGS_MAX = 6 * 1024 * 1024, /* fs/exec.c bprm_stack_limits: 3/4 of _STK_LIM */
	STRING_MAX = 131072,               /* MAX_ARG_STRLEN */
	POINTERS = 64,
};

static uint64_t string_length(pid_t tid, uint64_t addr)
{
	char buf[512];
	uint64_t len = 0;

	while (len < STRING_MAX) {
		ssize_t n = remote_read(tid, addr + len, buf, sizeof(buf));
		const char *nul;

		if (n <= 0)
			break;
		nul = memchr(buf, 0, (size_t)n);
		if (nul)
			return len + (uint64_t)(nul - buf) + 1;
		len += (uint64_t)n;
	}
	return len;
}

/* Bytes of a NULL-terminated array of strings, its pointers included. */
static uint64_t strings_bytes(const struct ask *ask, uint64_t array)
{
	uint64_t bytes = 0, pointer[POINTERS];
	size_t width = ask->compat ? 4 : 8;

	while (array && bytes < ARG_STRINGS_MAX) {
		ssize_t n = remote_read(ask->t->tid, array, pointer, POINTERS * width);
		size_t got = n > 0 ? (size_t)n / width : 0;

		if (got == 0)
			return bytes;
		for (size_t i = 0; i < got; i++) {
			uint64_t addr = ask->compat ? ((uint32_t *)pointer)[i] : pointer[i];

			bytes += 8;
			if (!addr)
				return bytes;
			bytes += string_length(ask->t->tid, addr);
		}
		array += got * width;
	}
	return bytes;
}

static uint64_t stack_rlimit(pid_t tid)
{
	struct rlimit lim;

	return prlimit(tid, RLIMIT_STACK, NULL, &lim) == 0 ? lim.rlim_cur : 8 * 1024 * 1024;
}

static int open_link(pid_t tid, const char *link)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%d/%s", tid, link);
	return open(path, O_PATH | O_CLOEXEC);
}

static int open_in_root(int root, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Only a regular file is opened for reading: a device or a pipe has effects. */
static int reopen_regular(int fd)
{
	char path[64];
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EACCES;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = open(path, O_RDONLY | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

static int open_program(const struct ask *ask, int dirfd, const char *path, int root, int cwd)
{
	char link[64];
	autoclose int base = -1;
	autoclose int fd = -1;

	if (path[0] == '/') {
		fd = open_in_root(root, path);
	} else if (dirfd == AT_FDCWD) {
		fd = openat(cwd, path, O_PATH | O_CLOEXEC);
	} else {
		snprintf(link, sizeof(link), "fd/%d", dirfd);
		base = open_link(ask->t->tid, link);
		fd = path[0] ? openat(base, path, O_PATH | O_CLOEXEC) : steal_fd(&base);
	}
	return fd < 0 ? -ENOENT : reopen_regular(fd);
}

/* What the new image needs, arguments apart.  0 with nothing set where the
 * program cannot be read: the call will fail, or shows when next looked at. */
static bool estimate(struct ask *ask, int dirfd, uint64_t path_addr)
{
	char path[4096];
	struct elfload load;
	ssize_t n = remote_read(ask->t->tid, path_addr, path, sizeof(path) - 1);
	autoclose int root = open_link(ask->t->tid, "root");
	autoclose int cwd = open_link(ask->t->tid, "cwd");
	autoclose int exe = -1;

	if (n <= 0 || root < 0 || cwd < 0)
		return false;
	path[n] = '\0';
	exe = open_program(ask, dirfd, path, root, cwd);
	if (exe < 0 || elfload_estimate(exe, root, cwd, stack_rlimit(ask->t->tid), &load) < 0)
		return false;
	ask->exec_pages = load.image_pages + load.stack_pages;
	return true;
}

/* The new image's first pages stand beside the old one; the rest is charged
 * when the old is gone, if nobody else uses it. */
static uint64_t exec_request(const struct ask *ask)
{
	const struct space *s = ask->t->proc->space;
	uint64_t beside = ask->exec_args + 1, whole = ask->exec_pages + ask->exec_args;
	bool sole = LIST_NEXT(LIST_FIRST(&s->procs), in_space) == NULL;
	uint64_t freed = sole ? s->hold.pages : 0;
	uint64_t net = whole > freed ? whole - freed : 0;

	return net > beside ? net : beside;
}

static void refine_exec(struct ask *ask)
{
	uint64_t argv = ask->op == OP_EXEC && ask->start ? ask->start : 0;

	ask->exec_args = bytes_to_pages(strings_bytes(ask, argv) + strings_bytes(ask, ask->end)) + 1;
	space_count(ask->g, ask->t->proc->space, NULL, NULL);
	ask->charge.pages = exec_request(ask);
}

static bool exec_asks(struct ask *ask, int dirfd, uint64_t path, uint64_t argv, uint64_t envp)
{
	uint64_t most;

	ask->op = OP_EXEC;
	ask->start = argv;
	ask->end = envp;
	if (!estimate(ask, dirfd, path))
		ask->exec_pages = 1;
	/* The arguments are measured only when their greatest length does not fit. */
	most = stack_rlimit(ask->t->tid) / 4;
	ask->exec_args = bytes_to_pages(most < ARG_STRINGS_MAX ? most : ARG_STRINGS_MAX);
	ask->charge = (struct charge){ HOLDER_SPACE, exec_request(ask), RULE_EXEC_IMAGE };
	ask->flight = FLIGHT_EXEC;
	ask->refine = refine_exec;
	return true;
}

bool ask_execve(struct ask *ask)
{
	return exec_asks(ask, AT_FDCWD, ask->arg[0], ask->arg[1], ask->arg[2]);
}

bool ask_execveat(struct ask *ask)
{
	return exec_asks(ask, (int)ask->arg[0], ask->arg[1], ask->arg[2], ask->arg[3]);
}

struct poked {
	struct ask *ask;
	bool free; /* a page that nothing charges yet */
};

static int find_poked(void *ctx, const struct vma *vma, const char *name)
{
	struct poked *poked = ctx;
	uint64_t addr = poked->ask->arg[2];

	(void)name;
	if (addr >= vma->start && addr < vma->end && !(vma->flags & VMA_SHARED))
		poked->free = rules_vma_pages(poked->ask->g->ledger->limit.mode, vma, NULL) == 0;
	return 0;
}

static void refine_poke(struct ask *ask)
{
	struct poked poked = { ask, false };

	space_count(ask->g, ask->forced, find_poked, &poked);
	ask->charge.pages = poked.free;
}

/* ptrace(POKE): the page is copied, charged by nobody but us. */
bool ask_poke(struct ask *ask)
{
	struct proc *target = group_find_proc(ask->g, (pid_t)ask->arg[1]);

	if (!target)
		return false;
	ask->op = OP_PTRACE;
	ask->charge = (struct charge){ HOLDER_SPACE, 1, RULE_FORCED };
	ask->forced = target->space;
	ask->refine = refine_poke;
	return true;
}
