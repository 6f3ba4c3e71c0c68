/* SPDX-License-Identifier: MIT
 *
 * do_advise: madvise and mlock; mm/madvise.c, mm/mlock.c.
 *
 * They change no charge, but what a fork copies, and MADV_REMOVE frees
 * pages of an object.  A hole in the range is ENOMEM, after the rest was done.
 */
#include <errno.h>

#include "base/bytes.h"
#include "model/state.h"

/* Does EACH on every mapping of the range, cut to it, until one fails.  Only what
 * has changed is merged. */
static int advise_pieces(struct turn *t, struct page_range at, int (*each)(struct turn *t, struct mm_vma *vma))
{
	struct mm *mm = &t->p->mm;
	int error = 0;
	size_t i;

	for (i = mm_find(mm, at.start); error == 0 && i < mm->nr && mm->vma[i].start < at.end; i = mm_find(mm, at.start)) {
		struct mm_vma before = mm->vma[i];

		error = each(t, &mm->vma[i]);
		if (before.flags != mm->vma[i].flags || before.mm_flags != mm->vma[i].mm_flags)
			mm_merge(mm, before.start, before.end);
		at.start = before.end;
	}
	mm_heal(mm);
	return error;
}

static void advise(struct turn *t, enum rule rule, int (*each)(struct turn *t, struct mm_vma *vma))
{
	struct mm *mm = &t->p->mm;
	struct page_range at;
	bool covered;
	int error;

	if (!turn_range(t, t->p, &at))
		return;
	turn_ok(t, rule);
	covered = mm_is_covered(mm, at.start, at.end);
	if (mm_isolate(mm, at.start, at.end) < 0) {
		turn_keep(t, -ENOMEM);
		return;
	}
	error = advise_pieces(t, at, each);
	if (error || !covered)
		turn_fail(t, error ? error : ENOMEM, RULE_EMPTY);
}

static int discard(struct turn *t, struct mm_vma *vma)
{
	if (vma->mm_flags & MM_LOCKED)
		return EINVAL;
	turn_keep(t, pageset_remove(&t->p->mm.anon, vma->start, vma->end));
	return 0;
}

void do_discard(struct turn *t)
{
	advise(t, RULE_NO_RELEASE, discard);
}

/* Object pages START to END are freed; one that is charged whole keeps its charge. */
static int remove_pages(struct turn *t, struct mm_vma *vma)
{
	struct inode *inode;

	if (vma->mm_flags & MM_LOCKED || (vma->inode == MM_NO_INODE && !vma->zero))
		return EINVAL;
	if (!(vma->flags & VMA_SHARED) || vma->mm_flags & MM_NEVER_WRITE || vma->inode == MM_NO_INODE)
		return EACCES;
	inode = &t->m->inode[vma->inode];
	if (!(vma->flags & VMA_WRITE) || !inode->shmem)
		turn_unsure(t); /* older kernels want it writable; not every filesystem punches holes */
	turn_keep(t, pageset_remove(&inode->pages, vma->pgoff, vma->pgoff + (vma->end - vma->start)));
	if (inode->whole)
		turn_ok(t, RULE_NO_RELEASE);
	return 0;
}

void do_remove(struct turn *t)
{
	advise(t, RULE_SHMEM_RELEASE, remove_pages);
}

static int copy_advice(struct turn *t, struct mm_vma *vma)
{
	switch (t->op->verb) {
	case VERB_DONTFORK:
		vma->flags |= VMA_DONTCOPY;
		return 0;
	case VERB_DOFORK:
		vma->flags &= ~(uint32_t)VMA_DONTCOPY;
		return 0;
	default:
		break;
	}
	if (vma->inode != MM_NO_INODE || vma->zero || vma->flags & VMA_SHARED)
		return EINVAL;
	vma->mm_flags |= MM_WIPEONFORK;
	return 0;
}

void do_copy_advice(struct turn *t)
{
	advise(t, t->op->verb == VERB_WIPEONFORK ? RULE_FORK : RULE_FORK_DONTCOPY, copy_advice);
}

static int lock(struct turn *t, struct mm_vma *vma)
{
	(void)t;
	vma->mm_flags |= MM_LOCKED;
	return 0;
}

void do_lock(struct turn *t)
{
	struct page_range at;

	advise(t, RULE_NO_RELEASE, lock);
	if (t->out->kind != OUTCOME_OK || !turn_range(t, t->p, &at))
		return;
	if (!fault_pages(t, t->p, at.start, at.end, ACCESS_POPULATE))
		turn_fail(t, ENOMEM, t->out->asked ? t->out->rule : RULE_EMPTY);
}
