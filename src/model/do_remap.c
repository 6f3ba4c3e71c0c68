/* SPDX-License-Identifier: MIT
 *
 * do_remap: mremap and brk; mm/mremap.c (vma_to_resize, move_vma; since 6.17
 * check_prep_vma, expand_vma_in_place), mm/mmap.c brk.
 *
 * A script's remap without NEWNAME is mremap without a flag: the mapping grows
 * where it is or not at all.
 */
#include <errno.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "model/state.h"

/* One mremap that is being made. */
struct remap {
	struct page_range old;
	uint64_t old_pages, new_pages;
	uint64_t to; /* where it goes; old.start in place */
	bool move, dontunmap;
};

static struct charge remap_charge(const struct turn *t, const struct mm_vma *vma, const struct remap *r)
{
	struct vma core = mm_core_vma(&t->p->mm, vma);

	return rules_mremap(t->m->config.limit.mode, &core, pages_to_bytes(r->old_pages), pages_to_bytes(r->new_pages),
			    t->op->flags);
}

/* What a region is afterwards: see docs/SCRIPTS.md. */
static void note_regions(struct turn *t, const struct remap *r)
{
	const struct script_op *op = t->op;
	uint64_t *old = &t->p->region_bytes[op->region];

	if (!r->move) {
		*old = op->offset + (int64_t)op->size > 0 ? (uint64_t)op->offset + op->size : UNMAPPED;
		return;
	}
	t->p->region_bytes[op->new_region] = op->size;
	if (op->whole && !r->dontunmap)
		*old = UNMAPPED;
}

/* To grow or to move, all of the old range has to be in one mapping. */
static size_t find_old(struct turn *t, const struct remap *r)
{
	struct mm *mm = &t->p->mm;
	size_t i = mm_find(mm, r->old.start);

	if (mm->vma[i].end < r->old.end) {
		/* The kernel may have merged what is two here, and since 6.17 it moves several. */
		turn_fail(t, EFAULT, RULE_EMPTY);
		turn_unsure(t);
		return mm->nr;
	}
	return i;
}

/* More of a memfd or tmpfs file is mapped. */
static bool admit_more(struct turn *t, const struct mm_vma *vma, const struct remap *r)
{
	uint64_t mapped = r->dontunmap ? 0 : r->old_pages;
	const struct inode *inode = vma->inode == MM_NO_INODE ? NULL : &t->m->inode[vma->inode];

	if (!as_seccomp(t->m) || !(vma->flags & VMA_SHARED) || r->new_pages <= mapped || !inode || !inode->shmem ||
	    inode->whole || inode->segment)
		return true;
	return turn_admit_holes(t, vma->inode, bytes_to_pages(inode->size_bytes), r->new_pages - mapped);
}

static void shrink(struct turn *t, const struct remap *r)
{
	turn_keep(t, mm_unmap(&t->p->mm, r->old.start + r->new_pages, r->old.start + r->old_pages));
}

static void grow_in_place(struct turn *t, const struct remap *r, size_t i)
{
	struct mm *mm = &t->p->mm;
	struct mm_vma *vma = &mm->vma[i];
	struct charge charge = remap_charge(t, vma, r);
	uint64_t end = r->old.start + r->new_pages;

	if (vma->seam || (i + 1 < mm->nr && vma->end == vma[1].start))
		turn_unsure(t); /* where the kernel's mapping ends is not certain */
	if (r->old.end != vma->end || !mm_is_free(mm, vma->end, end)) {
		turn_fail(t, ENOMEM, RULE_EMPTY);
		return;
	}
	turn_ok(t, charge.rule);
	if (charge.pages && !(vma->mm_flags & MM_NORESERVE) && !turn_admit(t, mm, charge.rule, charge.pages))
		return;
	if (!admit_more(t, vma, r))
		return;
	vma->end = end;
	if (vma->mm_flags & MM_LOCKED)
		(void)fault_pages(t, t->p, r->old.end, end, ACCESS_POPULATE); /* mremap does not tell */
	mm_merge(mm, r->old.start, end);
}

static void remap_in_place(struct turn *t, const struct remap *r)
{
	size_t i = mm_find(&t->p->mm, r->old.start);

	if (r->old_pages == 0) {
		/* Without an old length only a move can be meant, of shared memory. */
		turn_fail(t, t->p->mm.vma[i].flags & VMA_SHARED ? ENOMEM : EINVAL, RULE_EMPTY);
		return;
	}
	if (r->new_pages <= r->old_pages) {
		turn_ok(t, RULE_MREMAP_MOVE);
		shrink(t, r);
	} else if (find_old(t, r) == i) {
		grow_in_place(t, r, i);
	}
	if (t->out->kind == OUTCOME_OK)
		note_regions(t, r);
}

/* The pages move; MREMAP_DONTUNMAP leaves an empty mapping behind, without an
 * anon_vma if it is the whole of one. */
static void carry_over(struct turn *t, const struct remap *r, const struct mm_vma *old, size_t i)
{
	struct mm *mm = &t->p->mm;
	bool whole = mm->vma[i].start == r->old.start && mm->vma[i].end == r->old.end;
	struct mm_vma vma = *old;

	vma.pgoff = old->pgoff + (r->old.start - old->start);
	if (old->inode == MM_NO_INODE && !old->zero && old->anon_vma == ANON_VMA_NO)
		vma.pgoff = r->to;
	vma.seam |= old->anon_vma == ANON_VMA_MAYBE;
	vma.start = r->to;
	vma.end = r->to + r->new_pages;
	turn_keep(t, pageset_move(&mm->anon, r->old.start, r->old.end, r->to));
	if (r->dontunmap) {
		if (mm->vma[i].mm_flags & MM_LOCKED && !whole)
			turn_unsure(t); /* 6.12 and before unlock the part that moves, not all of it */
		mm->vma[i].mm_flags &= ~(uint32_t)MM_LOCKED;
		if (whole)
			mm->vma[i].anon_vma = old->seam ? ANON_VMA_MAYBE : ANON_VMA_NO;
	} else if (r->old_pages) {
		turn_keep(t, mm_unmap(mm, r->old.start, r->old.end));
	}
	turn_keep(t, mm_insert(mm, &vma));
}

/* move_vma() asks for the growth even where that is nothing; a supervisor
 * does not. */
static bool admit_move(struct turn *t, const struct mm_vma *vma, const struct charge *charge)
{
	turn_ok(t, charge->rule);
	if (vma->mm_flags & MM_NORESERVE) /* the host's: granted, and counted after */
		return true;
	if (charge->pages)
		return turn_admit(t, &t->p->mm, charge->rule, charge->pages);
	if (as_seccomp(t->m) || !(vma->flags & VMA_ACCOUNT) || t->m->config.limit.mode != OVERCOMMIT_NEVER)
		return true;
	if (turn_admit(t, &t->p->mm, charge->rule, 0))
		return true;
	t->out->rule = RULE_ZERO_REQUEST;
	return false;
}

/* MREMAP_FIXED has unmapped the target before it asks; a supervisor refuses first, where
 * the move does not fail for its range. */
static bool clear_target(struct turn *t, const struct remap *r)
{
	struct mm *mm = &t->p->mm;
	const struct mm_vma *old = &mm->vma[mm_find(mm, r->old.start)];
	struct charge charge = remap_charge(t, old, r);

	if (as_seccomp(t->m) && charge.pages && old->end >= r->old.end && !turn_admit(t, mm, charge.rule, charge.pages))
		return false;
	if (!admit_more(t, old, r))
		return false;
	turn_keep(t, mm_unmap(mm, r->to, r->to + r->new_pages));
	settle_mm(t->m, mm);
	return true;
}

static void remap_move(struct turn *t, struct remap *r)
{
	struct mm *mm = &t->p->mm;
	struct mm_vma old;
	struct charge charge;
	size_t i;

	/* Whether the target is unmapped before this is seen depends on the kernel. */
	if (r->old_pages == 0 && !(mm->vma[mm_find(mm, r->old.start)].flags & VMA_SHARED)) {
		turn_fail(t, EINVAL, RULE_EMPTY);
		t->out->unsure |= !mm_is_free(mm, r->to, r->to + r->new_pages);
		return;
	}
	if (!clear_target(t, r))
		return;
	if (r->new_pages < r->old_pages) {
		shrink(t, r);
		r->old_pages = r->new_pages;
		r->old.end = r->old.start + r->old_pages;
		settle_mm(t->m, mm);
	}
	i = find_old(t, r);
	if (i == mm->nr)
		return;
	old = mm->vma[i];
	charge = remap_charge(t, &old, r);
	if (!as_seccomp(t->m) && !admit_move(t, &old, &charge))
		return;
	if (as_seccomp(t->m) && !t->out->asked)
		turn_ok(t, charge.rule);
	carry_over(t, r, &old, i);
	if (old.mm_flags & MM_LOCKED)
		(void)fault_pages(t, t->p, r->to + r->old_pages, r->to + r->new_pages, ACCESS_POPULATE); /* the same */
	note_regions(t, r);
}

/* KERNEL < 6.17: compared before they are made whole pages. */
static bool same_length(const struct turn *t, const struct remap *r)
{
	const struct script_op *op = t->op;

	if (kernel_since(t->m, 6, 17))
		return r->old_pages == r->new_pages;
	return op->size == (op->whole ? pages_to_bytes(r->old_pages) : op->length);
}

void do_remap(struct turn *t)
{
	const struct script_op *op = t->op;
	struct remap r = { .move = op->new_region != SCRIPT_NONE, .dontunmap = op->flags & MREMAP_DONTUNMAP };

	if (!turn_range(t, t->p, &r.old))
		return;
	r.old_pages = r.old.end - r.old.start;
	r.new_pages = bytes_to_pages(op->size);
	r.to = r.move ? t->m->region_page[op->new_region] : r.old.start;
	if (r.new_pages == 0 || (r.dontunmap && !same_length(t, &r)))
		turn_fail(t, EINVAL, RULE_EMPTY);
	else if (mm_is_free(&t->p->mm, r.old.start, r.old.start + 1))
		turn_fail(t, EFAULT, RULE_EMPTY); /* before anything is unmapped */
	else if (r.move)
		remap_move(t, &r);
	else
		remap_in_place(t, &r);
}

static void break_up(struct turn *t, uint64_t from, uint64_t to)
{
	struct mm *mm = &t->p->mm;
	struct charge charge = rules_brk(pages_to_bytes(BREAK_PAGE) + from, pages_to_bytes(BREAK_PAGE) + to);
	struct mm_vma vma = {
		.start = BREAK_PAGE + bytes_to_pages(from),
		.end = BREAK_PAGE + bytes_to_pages(to),
		.flags = VMA_READ | VMA_WRITE | VMA_ACCOUNT,
		.inode = MM_NO_INODE,
	};

	vma.pgoff = vma.start;
	if (from == 0)
		vma.anon_vma = ANON_VMA_MAYBE; /* behind what the program's libc has there */
	turn_ok(t, charge.rule);
	if (charge.pages && !turn_admit(t, mm, charge.rule, charge.pages))
		return;
	if (vma.end > vma.start)
		turn_keep(t, mm_insert(mm, &vma));
	mm->break_bytes = to;
}

void do_break(struct turn *t)
{
	struct mm *mm = &t->p->mm;
	uint64_t from = mm->break_bytes, to = from + t->op->size;

	if (!t->op->shrink) {
		if (bytes_to_pages(to) > BREAK_PAGES_MAX) {
			turn_fail(t, ENOMEM, RULE_EMPTY); /* runs into what is mapped above it */
			turn_unsure(t);
			return;
		}
		break_up(t, from, to);
		return;
	}
	if (t->op->size > from) {
		turn_fail(t, ENOMEM, RULE_EMPTY); /* below the first break, if libc has not raised it */
		turn_unsure(t);
		return;
	}
	to = from - t->op->size;
	turn_ok(t, RULE_BRK_SHRINK);
	turn_keep(t, mm_unmap(mm, BREAK_PAGE + bytes_to_pages(to), BREAK_PAGE + bytes_to_pages(from)));
	mm->break_bytes = to;
}
