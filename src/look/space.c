/* SPDX-License-Identifier: MIT
 *
 * space: what one address space holds, by the flags of its mappings.
 *
 * Decides when a reading counts.  Rests on: smaps is read piece by piece and is
 * no snapshot, so the sum of what statm calls data must agree with statm read
 * before and after; and a thread that is blocked or stopped shows its stack
 * pointer in /proc/TID/syscall.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/bytes.h"
#include "look/scan.h"
#include "sys/procfs.h"
#include "sys/smaps.h"

enum { TRIES = 4, STACKS_MAX = 1024 };

struct reading {
	const struct look_process *p;
	const struct scan_space *see;
	uint64_t committed, used, noreserve, stacks, data;
	uint64_t stack_limit;
	uint64_t guard_end; /* end of the last mapping, where nothing may be done with that one */
	bool some;          /* there was a mapping */
	uint64_t sp[STACKS_MAX];
	size_t nr_sp;
};

static uint64_t vma_pages(const struct vma *vma)
{
	return (vma->end - vma->start) >> PAGE_SHIFT;
}

/* A mapping that a thread stands in is its stack when a guard lies below it, or
 * when it is no longer than a stack is: threads of some run times stand in a heap. */
static bool is_stack(const struct reading *r, const struct vma *vma, const char *name)
{
	bool stands = false;

	if (name[0] == '[')
		return false; /* [stack] is there without threads, and [heap] is none */
	for (size_t i = 0; !stands && i < r->nr_sp; i++)
		stands = r->sp[i] >= vma->start && r->sp[i] < vma->end;
	return stands && (r->guard_end == vma->start || vma_pages(vma) <= r->stack_limit);
}

static int take_vma(void *ctx, const struct vma *vma, const char *name)
{
	struct reading *r = ctx;
	uint64_t held = rules_vma_pages(OVERCOMMIT_GUESS, vma, NULL);

	r->some = true;
	r->committed += held;
	if (held)
		r->used += smaller(vma->anonymous_pages, held);
	r->noreserve += rules_vma_pages(OVERCOMMIT_NEVER, vma, NULL) - held;
	if (rules_vma_in_data(vma))
		r->data += vma_pages(vma);
	if (held && r->nr_sp && is_stack(r, vma, name))
		r->stacks += held;
	r->guard_end = vma->flags & (VMA_READ | VMA_WRITE | VMA_EXEC) ? 0 : vma->end;
	if (r->see && r->see->mapping)
		r->see->mapping(r->see->ctx, r->p, vma, name);
	return 0;
}

static int take_thread(void *ctx, pid_t tid)
{
	struct reading *r = ctx;
	struct task_call call;

	if (r->nr_sp == STACKS_MAX)
		return 1;
	if (tid != r->p->pid && task_call_read(tid, &call) == 0 && call.where != TASK_RUNNING)
		r->sp[r->nr_sp++] = call.sp;
	return 0;
}

/* 1: it agrees with the counters, 0: it does not, or -errno. */
static int read_once(struct reading *r)
{
	struct statm before, after;
	int error = statm_of(r->p->pid, &before);

	r->committed = r->used = r->noreserve = r->stacks = r->data = r->guard_end = 0;
	r->some = false;
	if (!error)
		error = smaps_walk("/proc", r->p->pid, take_vma, r);
	if (!error && !r->some)
		error = -ESRCH; /* it has let go of its memory */
	if (!error)
		error = statm_of(r->p->pid, &after);
	if (error)
		return error;
	return before.data == after.data && before.size == after.size && r->data == after.data;
}

int scan_exact(struct look_process *p, const struct scan_space *see)
{
	struct reading *r = calloc(1, sizeof(*r));
	int agrees = 0;

	if (!r)
		return -ENOMEM;
	r->p = p;
	r->see = see;
	if (p->threads > 1) {
		r->stack_limit = scan_stack_pages(p->pid);
		(void)task_list(p->pid, take_thread, r); /* gone: smaps says so next */
	}
	for (int i = 0; !agrees && i < TRIES; i++)
		agrees = read_once(r);
	if (agrees >= 0) {
		p->committed = r->committed;
		p->used = r->used;
		p->noreserve = r->noreserve;
		p->stacks = r->stacks;
		p->flags |= agrees ? LOOK_EXACT : LOOK_EXACT | LOOK_MOVING;
	} else if (agrees == -EACCES || agrees == -EPERM) {
		p->flags |= LOOK_DENIED;
	}
	free(r);
	return agrees < 0 ? agrees : 0;
}
