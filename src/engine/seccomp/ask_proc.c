/* SPDX-License-Identifier: MIT
 *
 * ask_proc: calls that make or replace an address space, and pokes into one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/seccomp/ask.h"
#include "engine/seccomp/family.h"
#include "engine/seccomp/program.h"
#include "engine/seccomp/space.h"
#include "sys/procfs.h"

static int sum_fork(void *ctx, const struct vma *vma, const char *name)
{
	struct ask *ask = ctx;
	enum overcommit mode = ask->g->ledger->limit.mode;
	uint64_t pages;

	(void)name;
	if (!vma) {
		ask->sum = ask->largest = 0;
		return 0;
	}
	pages = rules_vma_fork_pages(mode, vma);
	if (pages > ask->largest)
		ask->largest = pages;
	ask->sum += pages;
	if (!(vma->flags & VMA_DONTCOPY))
		ask->sum += rules_vma_forced_pages(mode, vma);
	return 0;
}

/* The kernel will charge PAGES; a fork policy may take less. */
static void charge_fork(struct ask *ask, uint64_t pages)
{
	ask->fork_pages = ask->charge.pages = pages;
	if (ask->g->forks)
		ask->charge.pages = family_fork_pages(ask->g, ask->t, pages, &ask->charge.rule);
}

/* What is not copied (MADV_DONTFORK) only shows in smaps; what other threads have
 * in flight may be there before the copy is made. */
static bool refine_fork(struct ask *ask)
{
	struct space *s = ask->t->proc->space;

	if (!space_count(ask->g, s, sum_fork, ask))
		return false;
	charge_fork(ask, ask->sum + s->inflight + s->exposed);
	return s->inflight + s->exposed == 0; /* some of it may be counted already */
}

bool ask_fork(struct ask *ask)
{
	/* Its stack may have grown since it was last looked at. */
	space_look(ask->g, ask->t->proc->space);
	ask->op = OP_FORK;
	ask->charge = (struct charge){ HOLDER_SPACE, 0, RULE_FORK };
	charge_fork(ask, space_kernel_pages(ask->t->proc->space));
	ask->flight = FLIGHT_FORK;
	ask->refine = refine_fork;
	return true;
}

/* Never asked for: from now on, processes are asked for their roots. */
bool ask_root(struct ask *ask)
{
	ask->g->programs.roots_vary = true;
	return false;
}

static bool ask_clone_flags(struct ask *ask, uint64_t flags)
{
	struct task_stat st;

	ask->g->programs.roots_vary |= (flags & CLONE_NEWNS) != 0;
	if (flags & CLONE_VM)
		return false;
	if (flags & CLONE_PARENT && task_stat_read(ask->t->tid, &st) == 0 && st.ppid != ask->g->supervisor)
		ask->child_of = st.ppid; /* ours are those whose parents have ended, too */
	return ask_fork(ask);
}

bool ask_clone(struct ask *ask)
{
	return ask_clone_flags(ask, ask->arg[0]);
}

/* The flags are in memory that another thread may change: what is really made
 * is found when it is next heard of or searched for. */
bool ask_clone3(struct ask *ask)
{
	uint64_t flags;

	if (remote_read(ask->t->tid, ask->arg[0], &flags, sizeof(flags)) != (ssize_t)sizeof(flags))
		return false; /* EFAULT will tell it */
	return ask_clone_flags(ask, flags);
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

static bool refine_exec(struct ask *ask)
{
	uint64_t argv = ask->op == OP_EXEC && ask->start ? ask->start : 0;

	ask->exec_args = bytes_to_pages(strings_bytes(ask, argv) + strings_bytes(ask, ask->end)) + 1;
	(void)space_count(ask->g, ask->t->proc->space, NULL, NULL);
	ask->charge.pages = exec_request(ask);
	return true;
}

static bool exec_asks(struct ask *ask, int dirfd, uint64_t path, uint64_t argv, uint64_t envp)
{
	uint64_t stack = task_stack_rlimit(ask->t->tid), most = stack / 4;

	ask->op = OP_EXEC;
	ask->start = argv;
	ask->end = envp;
	if (!ask->exec_pages)
		ask->exec_pages = program_known(&ask->g->programs, ask->t->tid, dirfd, path, stack, &ask->program);
	if (ask->exec_pages == PROGRAM_COLD) {
		ask->cold = true;
		return false;
	}
	/* The arguments are measured only when their greatest length does not fit. */
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
	if (!vma)
		poked->free = false;
	else if (addr >= vma->start && addr < vma->end && !(vma->flags & VMA_SHARED))
		poked->free = rules_vma_pages(poked->ask->g->ledger->limit.mode, vma, NULL) == 0;
	return 0;
}

static bool refine_poke(struct ask *ask)
{
	struct space *s = ask_poked_space(ask);
	struct poked poked = { ask, false };

	if (s && !space_count(ask->g, s, find_poked, &poked))
		return false;
	ask->charge.pages = poked.free;
	return true;
}

struct space *ask_poked_space(const struct ask *ask)
{
	struct proc *p = ask->poked ? group_find_proc(ask->g, ask->poked) : NULL;

	return p ? p->space : NULL;
}

/* ptrace(POKE): the page is copied, charged by nobody but us. */
bool ask_poke(struct ask *ask)
{
	ask->poked = (pid_t)ask->arg[1];
	if (!ask_poked_space(ask))
		return false;
	ask->op = OP_PTRACE;
	ask->charge = (struct charge){ HOLDER_SPACE, 1, RULE_FORCED };
	ask->refine = refine_poke;
	return true;
}
