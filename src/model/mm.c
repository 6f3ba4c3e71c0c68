/* SPDX-License-Identifier: MIT
 *
 * mm: see the header; mm/vma.c (can_vma_merge_*, is_mergeable_anon_vma),
 * mm/mmap.c dup_mmap.
 *
 * Decides which mappings become one.  The kernel merges neighbours of the same
 * flags when it changes one of them; their anon_vmas must be the same, or one of
 * them absent.  For one that came with a fork this depends on more than is kept
 * here: it is left apart, and what a merge would give another is ANON_VMA_MAYBE.
 */
#include "model/mm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

void mm_done(struct mm *mm)
{
	free(mm->vma);
	pageset_done(&mm->anon);
	*mm = (struct mm){ 0 };
}

int mm_copy(struct mm *to, const struct mm *from)
{
	*to = *from;
	to->hold = (struct ledger_holder){ 0 };
	to->anon = (struct pageset){ 0 };
	to->room = from->nr + 4;
	to->vma = malloc(to->room * sizeof(*to->vma));
	if (!to->vma || pageset_copy(&to->anon, &from->anon) < 0) {
		mm_done(to);
		return -ENOMEM;
	}
	if (from->nr)
		memcpy(to->vma, from->vma, from->nr * sizeof(*to->vma));
	return 0;
}

size_t mm_find(const struct mm *mm, uint64_t page)
{
	size_t low = 0, high = mm->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mm->vma[middle].end > page)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

bool mm_is_free(const struct mm *mm, uint64_t start, uint64_t end)
{
	size_t i = mm_find(mm, start);

	return i == mm->nr || mm->vma[i].start >= end;
}

bool mm_is_covered(const struct mm *mm, uint64_t start, uint64_t end)
{
	for (size_t i = mm_find(mm, start); start < end; start = mm->vma[i++].end)
		if (i == mm->nr || mm->vma[i].start > start)
			return false;
	return true;
}

/* A place for one mapping at index I. */
static int open_gap(struct mm *mm, size_t i)
{
	if (mm->nr == mm->room) {
		size_t room = mm->room ? mm->room * 2 : 8;
		struct mm_vma *vma = reallocarray(mm->vma, room, sizeof(*vma));

		if (!vma)
			return -ENOMEM;
		mm->vma = vma;
		mm->room = room;
	}
	memmove(mm->vma + i + 1, mm->vma + i, (mm->nr - i) * sizeof(*mm->vma));
	mm->nr++;
	return 0;
}

static void close_gap(struct mm *mm, size_t from, size_t to)
{
	memmove(mm->vma + from, mm->vma + to, (mm->nr - to) * sizeof(*mm->vma));
	mm->nr -= to - from;
}

/* Both halves keep the anon_vma.  *RET is where it was cut. */
static int split(struct mm *mm, uint64_t page, uint64_t *ret)
{
	size_t i = mm_find(mm, page);

	*ret = 0;
	if (i == mm->nr || mm->vma[i].start >= page)
		return 0;
	if (open_gap(mm, i) < 0)
		return -ENOMEM;
	mm->vma[i].end = page;
	mm->vma[i + 1].pgoff += page - mm->vma[i + 1].start;
	mm->vma[i + 1].start = page;
	*ret = page;
	return 0;
}

int mm_isolate(struct mm *mm, uint64_t start, uint64_t end)
{
	return split(mm, start, &mm->cut[0]) < 0 || split(mm, end, &mm->cut[1]) < 0 ? -ENOMEM : 0;
}

void mm_heal(struct mm *mm)
{
	for (int k = 0; k < 2; k++) {
		size_t i = mm->cut[k] ? mm_find(mm, mm->cut[k]) : 0;
		const struct mm_vma *a = &mm->vma[i ? i - 1 : 0], *b = &mm->vma[i];

		mm->cut[k] = 0;
		if (i == 0 || i == mm->nr || a->end != b->start || a->flags != b->flags || a->mm_flags != b->mm_flags ||
		    a->anon_vma != b->anon_vma || a->anon_id != b->anon_id || a->inode != b->inode)
			continue;
		mm->vma[i - 1].end = b->end;
		close_gap(mm, i, i + 1);
	}
}

int mm_unmap(struct mm *mm, uint64_t start, uint64_t end)
{
	size_t from, to;

	if (start >= end)
		return 0;
	if (mm_isolate(mm, start, end) < 0)
		return -ENOMEM;
	from = mm_find(mm, start);
	for (to = from; to < mm->nr && mm->vma[to].start < end; to++)
		;
	close_gap(mm, from, to);
	return pageset_remove(&mm->anon, start, end);
}

bool mm_vma_is_anonymous(const struct mm_vma *vma)
{
	return vma->inode == MM_NO_INODE;
}

/* Whether all but the anon_vma lets A and the B behind it become one. */
static bool match(const struct mm_vma *a, const struct mm_vma *b)
{
	return a->end == b->start && !(a->mm_flags & MM_SEGMENT) && a->flags == b->flags && a->mm_flags == b->mm_flags && a->inode == b->inode &&
	       a->zero == b->zero && (a->pgoff + (a->end - a->start) == b->pgoff || a->seam || b->seam);
}

/* Both are MAP_NORESERVE memory, and one where the kernel keeps no mark of a charge. */
static bool blurs(const struct mm_vma *a, const struct mm_vma *b)
{
	struct mm_vma x = *a, y = *b;

	if (!(a->mm_flags & b->mm_flags & MM_NORESERVE) || !((a->flags ^ b->flags) & VMA_ACCOUNT))
		return false;
	x.flags |= VMA_ACCOUNT;
	y.flags |= VMA_ACCOUNT;
	return match(&x, &y);
}

/* What B may have got from A. */
static void infect(const struct mm_vma *a, struct mm_vma *b)
{
	if (a->anon_vma != ANON_VMA_NO && b->anon_vma == ANON_VMA_NO)
		b->anon_vma = ANON_VMA_MAYBE;
}

/* Whether A and B, of which the kernel has changed the second or the first, become
 * one. */
enum joins { JOINS_NOT, JOINS_MAYBE, JOINS };

static enum joins joins_with(const struct mm *mm, const struct mm_vma *a, const struct mm_vma *b, bool second)
{
	const struct mm_vma *changed = second ? b : a, *other = second ? a : b;

	if (a->anon_vma == ANON_VMA_MAYBE || b->anon_vma == ANON_VMA_MAYBE || a->seam || b->seam)
		return JOINS_MAYBE;
	if (a->anon_vma == b->anon_vma)
		return a->anon_vma == ANON_VMA_NO || a->anon_id == b->anon_id ? JOINS : JOINS_NOT;
	/* KERNEL < 6.16: list_is_singular() of an empty chain says no */
	if (other->anon_vma == ANON_VMA_NO && !mm->merges_untouched)
		return JOINS_NOT;
	return changed->inherited || other->inherited ? JOINS_MAYBE : JOINS;
}

/* Makes one of A and B where that is certain; returns whether it did. */
static bool merge_pair(const struct mm *mm, struct mm_vma *a, struct mm_vma *b, bool second)
{
	enum joins join = match(a, b) ? joins_with(mm, a, b, second) : JOINS_NOT;

	if (join == JOINS_MAYBE) {
		infect(a, b);
		infect(b, a);
	}
	if (join != JOINS)
		return false;
	if (b->anon_vma == ANON_VMA_YES) {
		a->anon_vma = ANON_VMA_YES;
		a->anon_id = b->anon_id;
		a->inherited = b->inherited;
	}
	a->end = b->end;
	return true;
}

void mm_merge(struct mm *mm, uint64_t start, uint64_t end)
{
	size_t i = mm_find(mm, start);

	for (i = i ? i - 1 : 0; i + 1 < mm->nr && mm->vma[i].end <= end;) {
		mm->blurred |= blurs(&mm->vma[i], &mm->vma[i + 1]);
		if (merge_pair(mm, &mm->vma[i], &mm->vma[i + 1], mm->vma[i + 1].start < end))
			close_gap(mm, i + 1, i + 2);
		else
			i++;
	}
}

int mm_insert(struct mm *mm, const struct mm_vma *vma)
{
	size_t i = mm_find(mm, vma->start);
	struct mm_vma copy = *vma; /* it may lie in the list */

	if (open_gap(mm, i) < 0)
		return -ENOMEM;
	mm->vma[i] = copy;
	mm_merge(mm, copy.start, copy.end);
	return 0;
}

/* Whether a new anon_vma of one would be that of the other: anon_vma_compatible(). */
static bool compatible(const struct mm_vma *a, const struct mm_vma *b)
{
	struct mm_vma x = *a, y = *b;

	x.flags &= ~(uint32_t)(VMA_READ | VMA_WRITE | VMA_EXEC);
	y.flags &= ~(uint32_t)(VMA_READ | VMA_WRITE | VMA_EXEC);
	return match(&x, &y);
}

/* find_mergeable_anon_vma(): the next one's, else the last one's. */
static bool share_anon_vma(struct mm_vma *vma, const struct mm_vma *with)
{
	if (with->anon_vma == ANON_VMA_MAYBE || with->seam)
		vma->seam = true;
	if (with->anon_vma != ANON_VMA_YES || with->inherited)
		return false;
	vma->anon_id = with->anon_id;
	return true;
}

int mm_add_anon(struct mm *mm, size_t i, uint64_t start, uint64_t end)
{
	struct mm_vma *vma = &mm->vma[i];
	bool shared = false;

	if (vma->anon_vma == ANON_VMA_MAYBE)
		vma->seam = true; /* an earlier one may be another */
	if (vma->anon_vma != ANON_VMA_YES) {
		if (i + 1 < mm->nr && compatible(vma, vma + 1))
			shared = share_anon_vma(vma, vma + 1);
		if (!shared && i > 0 && compatible(vma - 1, vma))
			shared = share_anon_vma(vma, vma - 1);
		if (!shared)
			vma->anon_id = ++mm->anon_ids;
	}
	vma->anon_vma = ANON_VMA_YES;
	return pageset_add(&mm->anon, start, end);
}

struct vma mm_core_vma(const struct mm *mm, const struct mm_vma *vma)
{
	return (struct vma){
		.start = pages_to_bytes(vma->start),
		.end = pages_to_bytes(vma->end),
		.pgoff = pages_to_bytes(vma->pgoff),
		.ino = vma->inode != MM_NO_INODE || vma->zero,
		.flags = vma->flags,
		.anonymous_pages = pageset_count(&mm->anon, vma->start, vma->end),
	};
}

uint64_t mm_held(enum overcommit mode, const struct mm *mm)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < mm->nr; i++) {
		struct vma vma = mm_core_vma(mm, &mm->vma[i]);

		sum += rules_vma_pages(mode, &vma, NULL);
	}
	return sum;
}

uint64_t mm_forced(enum overcommit mode, const struct mm *mm)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < mm->nr; i++) {
		struct vma vma = mm_core_vma(mm, &mm->vma[i]);

		sum += rules_vma_forced_pages(mode, &vma);
	}
	return sum;
}

uint64_t mm_fork_pages(enum overcommit mode, const struct mm *mm, uint64_t *ret_largest, uint64_t *ret_joined)
{
	uint64_t sum = 0, joined = 0;

	*ret_largest = *ret_joined = 0;
	for (size_t i = 0; i < mm->nr; i++) {
		struct vma vma = mm_core_vma(mm, &mm->vma[i]);
		uint64_t pages = rules_vma_fork_pages(mode, &vma);

		sum += pages;
		joined = i && match(&mm->vma[i - 1], &mm->vma[i]) ? joined + pages : pages;
		if (pages > *ret_largest)
			*ret_largest = pages;
		if (joined > *ret_joined)
			*ret_joined = joined;
	}
	return sum;
}

uint64_t mm_noreserve_left_out(const struct mm *mm)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < mm->nr; i++)
		if (mm->vma[i].mm_flags & MM_NORESERVE && mm->vma[i].flags & VMA_ACCOUNT &&
		    mm->vma[i].flags & VMA_DONTCOPY)
			sum += mm->vma[i].end - mm->vma[i].start;
	return sum;
}

bool mm_is_blurred(const struct mm *mm)
{
	if (mm->blurred)
		return true;
	for (size_t i = 0; i < mm->nr; i++) {
		const struct mm_vma *vma = &mm->vma[i];
		enum anon_vma charged = vma->flags & VMA_ACCOUNT ? ANON_VMA_YES : ANON_VMA_NO;

		if (vma->mm_flags & MM_NORESERVE && !(vma->flags & (VMA_WRITE | VMA_SHARED | VMA_HUGETLB | VMA_DROPPABLE)) &&
		    vma->anon_vma != charged)
			return true;
	}
	return false;
}

uint64_t mm_total_vm(const struct mm *mm)
{
	uint64_t sum = mm->extra_total_vm;

	for (size_t i = 0; i < mm->nr; i++)
		sum += mm->vma[i].end - mm->vma[i].start;
	return sum;
}

int mm_fork(struct mm *to, const struct mm *from)
{
	if (mm_copy(to, from) < 0)
		return -ENOMEM;
	for (size_t i = to->nr; i-- > 0;) {
		struct mm_vma *vma = &to->vma[i];

		vma->mm_flags &= ~(uint32_t)MM_LOCKED;
		vma->inherited = vma->anon_vma != ANON_VMA_NO;
		vma->anon_id = ++to->anon_ids; /* each gets one of its own, before that of the parent */
		if (!(vma->flags & VMA_DONTCOPY) && !(vma->mm_flags & MM_WIPEONFORK))
			continue;
		vma->anon_vma = ANON_VMA_NO;
		vma->inherited = false;
		if (pageset_remove(&to->anon, vma->start, vma->end) < 0)
			return -ENOMEM;
		if (vma->flags & VMA_DONTCOPY)
			close_gap(to, i, i + 1);
	}
	return 0;
}
