/* SPDX-License-Identifier: MIT
 *
 * do_process: fork, execve, vfork, threads and ends; kernel/fork.c, mm/mmap.c
 * dup_mmap, fs/exec.c.
 *
 * A program is what the model's configuration says: pages that it holds and its
 * size.  execve is asked in two steps, as the kernel makes it; a supervisor asks
 * once, before, and then nothing has changed when it refuses.  The bpf engine asks
 * at the first step for more, and grants a part of the rest whatever is held.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/bytes.h"
#include "model/state.h"

enum { ARGUMENT_PAGES = 1, BSS_GAP_PAGES = 16 };

/* src/bpf/space.bpf.h */
enum { EXEC_FIRST_PAGES = 33, EXEC_DEBT_PAGES = 64 };

static void copy_names(const struct model *m, struct process *child, const struct process *parent)
{
	size_t regions = (size_t)m->script->nr_regions, objects = (size_t)m->script->nr_objects;

	memcpy(child->region_bytes, parent->region_bytes, regions * sizeof(*child->region_bytes));
	memcpy(child->has_object, parent->has_object, objects * sizeof(*child->has_object));
}

void do_fork(struct turn *t)
{
	struct model *m = t->m;
	struct process *child = &m->process[t->op->other];
	enum overcommit mode = m->config.limit.mode;
	uint64_t largest, joined, pages = mm_fork_pages(mode, &t->p->mm, &largest, &joined);

	if (as_seccomp(m))
		pages += mm_forced(mode, &t->p->mm);
	if (charges_noreserve(m))
		pages += mm_noreserve_left_out(&t->p->mm); /* asked for, and not kept */
	if (turn_would_admit(t, &t->p->mm, largest) != turn_would_admit(t, &t->p->mm, joined))
		turn_unsure(t);
	if (!turn_admit_pieces(t, &t->p->mm, RULE_FORK, pages, largest))
		return;
	if (mm_fork(&child->mm, &t->p->mm) < 0) {
		turn_keep(t, -ENOMEM);
		return;
	}
	child->mm.unseen_pages = 0;
	ledger_join(&child->mm.hold, &m->group);
	child->alive = true;
	child->cap_sys_admin = t->p->cap_sys_admin;
	copy_names(m, child, t->p);
}

/* The program's bss, beyond what it has of its own. */
static int map_bss(struct mm *mm, uint64_t start, uint64_t pages)
{
	struct mm_vma vma = {
		.start = start,
		.end = start + pages,
		.pgoff = start,
		.flags = VMA_READ | VMA_WRITE | VMA_ACCOUNT,
		.inode = MM_NO_INODE,
	};

	return pages ? mm_insert(mm, &vma) : 0;
}

/* Old image out, names forgotten, an empty address space in.  Objects that nobody else
 * has go when the call returns (task_work). */
static void clear_image(struct turn *t)
{
	struct process *p = t->p;

	ledger_leave(&p->mm.hold);
	mm_done(&p->mm);
	ledger_join(&p->mm.hold, &t->m->group);
	for (int i = 0; i < t->m->script->nr_regions; i++)
		p->region_bytes[i] = UNMAPPED;
	memset(p->has_object, 0, (size_t)t->m->script->nr_objects * sizeof(*p->has_object));
	settle_mm(t->m, &p->mm);
}

/* The argument stack, while the old image is there. */
static bool admit_arguments(struct turn *t, const struct mm *fresh)
{
	return turn_admit(t, fresh, RULE_EXEC_STACK, as_bpf(t->m) ? EXEC_FIRST_PAGES : ARGUMENT_PAGES);
}

/* WHOLE past the point of no return.  Which parts of it the bpf engine grants past the
 * limit depends on how the program is laid out. */
static bool admit_image(struct turn *t, const struct mm *mm, uint64_t whole)
{
	struct outcome before = *t->out;

	t->out->request_pages = 0;
	if (turn_admit(t, mm, RULE_EXEC_IMAGE, whole))
		return true;
	if (!as_bpf(t->m) || t->m->own_limit.mode != OVERCOMMIT_NEVER ||
	    t->out->held_pages + whole >= t->out->allowed_pages + EXEC_DEBT_PAGES)
		return false;
	*t->out = before;
	turn_ok(t, RULE_EXEC_IMAGE);
	turn_unsure(t);
	return true;
}

/* First the argument stack beside the old image, then the rest in place of it. */
static bool admit_exec_kernel(struct turn *t, uint64_t whole)
{
	struct mm *mm = &t->p->mm;
	struct mm fresh = { 0 };

	if (!admit_arguments(t, &fresh))
		return false;
	clear_image(t);
	if (admit_image(t, mm, whole))
		return true;
	turn_kill(t, SIGSEGV, RULE_EXEC_IMAGE); /* past the point of no return */
	return false;
}

static bool admit_exec_seccomp(struct turn *t, uint64_t whole)
{
	uint64_t freed = t->p->mm.hold.pages, beside = ARGUMENT_PAGES + 1;
	uint64_t net = whole > freed ? whole - freed : 0;

	if (!turn_admit(t, &t->p->mm, RULE_EXEC_IMAGE, net > beside ? net : beside))
		return false;
	clear_image(t);
	return true;
}

void do_exec(struct turn *t)
{
	struct model *m = t->m;
	uint64_t bss = bytes_to_pages(t->op->size), start = PROGRAM_PAGE + m->config.program_pages + BSS_GAP_PAGES;
	uint64_t whole = m->config.program_pages + bss;

	if (start + bss > BREAK_PAGE) {
		turn_fail(t, ENOMEM, RULE_EMPTY);
		turn_unsure(t); /* no such program can be loaded */
		return;
	}
	if (!(as_seccomp(m) ? admit_exec_seccomp(t, whole) : admit_exec_kernel(t, whole)))
		return;
	turn_keep(t, program_map(m, &t->p->mm));
	turn_keep(t, map_bss(&t->p->mm, start, bss));
}

/* The child borrows its parent's address space until it has one of its own. */
void do_spawn(struct turn *t)
{
	struct mm fresh = { 0 };
	uint64_t whole = t->m->config.program_pages;

	if (as_seccomp(t->m)) {
		(void)turn_admit(t, &t->p->mm, RULE_EXEC_IMAGE, whole + ARGUMENT_PAGES); /* the outcome tells */
		return;
	}
	if (!admit_arguments(t, &fresh))
		return;
	if (admit_image(t, &fresh, whole + ARGUMENT_PAGES))
		return;
	t->out->kind = OUTCOME_SIGNAL; /* of the child */
	t->out->signal = SIGSEGV;
}

void do_thread(struct turn *t)
{
	turn_ok(t, RULE_FORK_SHARED_SPACE);
}

void do_exit(struct turn *t)
{
	turn_ok(t, RULE_EXIT);
	process_end(t, t->p);
}

void do_drop(struct turn *t)
{
	t->p->cap_sys_admin = false;
	turn_ok(t, RULE_ADMIN_RESERVE);
}
