/* SPDX-License-Identifier: MIT
 *
 * do_object: files, memfds, files on tmpfs and SysV segments; mm/shmem.c,
 * ipc/shm.c.
 *
 * A file of an ordinary filesystem is charged nothing; it is here to be mapped.
 */
#include <errno.h>
#include <sys/shm.h>

#include "base/arith.h"
#include "base/bytes.h"
#include "model/state.h"

static struct inode *inode_of(const struct turn *t)
{
	return &t->m->inode[t->op->object];
}

void do_make_file(struct turn *t)
{
	struct inode *inode = inode_of(t);

	inode->exists = true;
	inode->shmem = t->op->verb != VERB_FILE;
	inode->linked = t->op->verb == VERB_TMPFS;
	inode->known = t->op->size > 0; /* by the ftruncate */
	inode->size_bytes = t->op->size;
	t->p->has_object[t->op->object] = true;
	turn_ok(t, inode->shmem ? RULE_SHMEM_SIZE : RULE_NR);
}

/* Beyond its new end a truncated file is unmapped, private copies with the rest:
 * mm/truncate.c truncate_pagecache. */
static void unmap_beyond(struct turn *t, int object, uint64_t pages)
{
	for (int p = 0; p < t->m->script->nr_processes; p++) {
		struct mm *mm = &t->m->process[p].mm;

		for (size_t i = 0; t->m->process[p].alive && i < mm->nr; i++) {
			const struct mm_vma *vma = &mm->vma[i];
			uint64_t kept = pages > vma->pgoff ? pages - vma->pgoff : 0;

			if (vma->inode == object && !(vma->flags & VMA_SHARED) && kept < vma->end - vma->start)
				turn_keep(t, pageset_remove(&mm->anon, vma->start + kept, vma->end));
		}
	}
}

void do_resize(struct turn *t)
{
	struct inode *inode = inode_of(t);
	uint64_t pages = bytes_to_pages(t->op->size);

	turn_ok(t, inode->shmem ? RULE_SHMEM_SIZE : RULE_NR);
	if (inode->shmem && as_seccomp(t->m) && !turn_admit_holes(t, t->op->object, pages, 0))
		return;
	if (inode->pages.nr && inode->pages.range[inode->pages.nr - 1].end > pages)
		turn_ok(t, RULE_SHMEM_RELEASE);
	turn_keep(t, pageset_remove(&inode->pages, pages, UINT64_MAX));
	if (pages < bytes_to_pages(inode->size_bytes))
		unmap_beyond(t, t->op->object, pages);
	inode->size_bytes = t->op->size;
}

/* What the seccomp engine asks for: it knows how many pages are there, not which.  A
 * longer object has more holes under its mappings. */
static uint64_t estimate(const struct turn *t, uint64_t size_bytes)
{
	const struct script_op *op = t->op;
	const struct inode *inode = &t->m->inode[op->object];
	uint64_t span = bytes_to_pages(op->size + (op->object_offset & (PAGE_BYTES - 1)));
	uint64_t holes = inode_holes(t->m, op->object, bytes_to_pages(size_bytes), UINT64_MAX);
	uint64_t mapped = inode_mapped_pages(t->m, op->object), filled = smaller(span, holes);
	uint64_t promised = inode_holes(t->m, op->object, bytes_to_pages(inode->size_bytes), mapped);

	if (t->m->config.limit.mode != OVERCOMMIT_NEVER)
		return filled;
	return over(filled + smaller(holes - filled, mapped), promised);
}

/* All or nothing: shmem_fallocate() takes back what it had added. */
static bool admit_allocate(struct turn *t, struct page_range at, uint64_t size_bytes)
{
	struct inode *inode = inode_of(t);
	uint64_t missing = at.end - at.start - pageset_count(&inode->pages, at.start, at.end);

	turn_ok(t, RULE_SHMEM_PAGES);
	if (as_seccomp(t->m)) {
		inode->known = true;
		missing = estimate(t, size_bytes);
	}
	if (missing == 0)
		return true;
	if (t->m->config.limit.mode != OVERCOMMIT_NEVER && !as_seccomp(t->m)) {
		if (turn_admit_each(t, &t->p->mm, RULE_SHMEM_PAGES, missing) == missing)
			return true;
	} else if (turn_admit(t, &t->p->mm, RULE_SHMEM_PAGES, missing)) {
		return true;
	}
	turn_fail(t, ENOSPC, RULE_SHMEM_PAGES);
	return false;
}

void do_allocate(struct turn *t)
{
	const struct script_op *op = t->op;
	struct inode *inode = inode_of(t);
	uint64_t end = op->object_offset + op->size, size = inode->size_bytes > end ? inode->size_bytes : end;
	struct page_range at = { op->object_offset >> PAGE_SHIFT, bytes_to_pages(end) };

	if (op->size == 0) {
		turn_fail(t, EINVAL, RULE_EMPTY);
		return;
	}
	if (inode->shmem) {
		if (!admit_allocate(t, at, size))
			return;
		turn_keep(t, pageset_add(&inode->pages, at.start, at.end));
	}
	inode->size_bytes = size;
}

/* Only whole pages are freed; parts are zeroed. */
void do_punch(struct turn *t)
{
	const struct script_op *op = t->op;
	struct inode *inode = inode_of(t);
	uint64_t start = bytes_to_pages(op->object_offset), end = (op->object_offset + op->size) >> PAGE_SHIFT;

	if (op->size == 0) {
		turn_fail(t, EINVAL, RULE_EMPTY);
		return;
	}
	if (!inode->shmem)
		return;
	turn_ok(t, RULE_SHMEM_RELEASE);
	turn_keep(t, pageset_remove(&inode->pages, start, end));
}

void do_write(struct turn *t)
{
	const struct script_op *op = t->op;
	struct inode *inode = inode_of(t);
	uint64_t end = op->object_offset + op->size, pages = bytes_to_pages(end), done;

	if (op->size == 0)
		return;
	if (inode->shmem) {
		turn_ok(t, RULE_SHMEM_PAGES);
		done = fill_pages(t, &t->p->mm, op->object, op->object_offset >> PAGE_SHIFT, pages, RULE_SHMEM_PAGES);
		if (done < pages) {
			turn_fail(t, ENOSPC, RULE_SHMEM_PAGES);
			end = done > op->object_offset >> PAGE_SHIFT ? pages_to_bytes(done) : 0;
		}
	}
	if (end > inode->size_bytes)
		inode->size_bytes = end;
}

void do_read(struct turn *t)
{
	turn_ok(t, inode_of(t)->shmem ? RULE_SHMEM_SIZE : RULE_NR);
}

void do_close(struct turn *t)
{
	struct inode *inode = inode_of(t);

	t->p->has_object[t->op->object] = false;
	inode->linked = false;
	turn_ok(t, inode->shmem ? RULE_SHMEM_RELEASE : RULE_NR);
}

void do_segment(struct turn *t)
{
	const struct script_op *op = t->op;
	/* The bpf engine leaves SHM_NORESERVE to the host: page by page. */
	enum overcommit mode = as_bpf(t->m) ? OVERCOMMIT_GUESS : t->m->config.limit.mode;
	struct charge charge = rules_shmget(mode, op->size, op->flags);
	struct inode *inode = inode_of(t);

	turn_ok(t, charge.rule);
	if (op->size == 0) {
		turn_fail(t, EINVAL, RULE_EMPTY);
		return;
	}
	if (charge.pages && !turn_admit(t, &t->p->mm, charge.rule, charge.pages))
		return;
	if (op->flags & SHM_HUGETLB)
		turn_unsure(t); /* its pool is not ours to know */
	*inode = (struct inode){
		.exists = true,
		.shmem = charge.holder == HOLDER_OBJECT,
		.whole = charge.pages > 0,
		.linked = true,
		.segment = true,
		.size_bytes = op->size,
		.hold = inode->hold,
	};
}

void do_attach(struct turn *t)
{
	const struct inode *inode = inode_of(t);
	uint64_t start = t->m->region_page[t->op->region];
	struct mm_vma vma = {
		.start = start,
		.end = start + bytes_to_pages(inode->size_bytes),
		.flags = VMA_READ | VMA_WRITE | VMA_SHARED | (inode->shmem ? 0 : VMA_HUGETLB),
		.mm_flags = MM_SEGMENT,
		.inode = t->op->object,
	};

	/* KERNEL: a segment that is gone has no id, and shmat takes no place that is taken. */
	if (!inode->exists || !mm_is_free(&t->p->mm, vma.start, vma.end)) {
		turn_fail(t, EINVAL, RULE_EMPTY);
		return;
	}
	turn_ok(t, RULE_SHARED);
	turn_keep(t, mm_insert(&t->p->mm, &vma));
	t->p->region_bytes[t->op->region] = inode->size_bytes;
}

/* shmdt() finds the mapping that begins the segment at this address, and takes with
 * it what is left of the rest. */
void do_detach(struct turn *t)
{
	struct mm *mm = &t->p->mm;
	struct page_range at;
	size_t i;
	int inode;

	if (!turn_range(t, t->p, &at))
		return;
	for (i = mm_find(mm, at.start); i < mm->nr; i++)
		if (mm->vma[i].inode != MM_NO_INODE && t->m->inode[mm->vma[i].inode].segment &&
		    mm->vma[i].start - at.start == mm->vma[i].pgoff)
			break;
	if (i == mm->nr) {
		turn_fail(t, EINVAL, RULE_EMPTY);
		return;
	}
	turn_ok(t, RULE_MUNMAP);
	inode = mm->vma[i].inode;
	at.end = at.start + bytes_to_pages(t->m->inode[inode].size_bytes);
	turn_keep(t, mm_unmap(mm, mm->vma[i].start, mm->vma[i].end)); /* all of the first, also where it was made larger */
	while (i < mm->nr && mm->vma[i].end <= at.end) {
		if (mm->vma[i].inode == inode && mm->vma[i].start - at.start == mm->vma[i].pgoff)
			turn_keep(t, mm_unmap(mm, mm->vma[i].start, mm->vma[i].end));
		else
			i++;
	}
	t->p->region_bytes[t->op->region] = UNMAPPED;
}

void do_destroy(struct turn *t)
{
	struct inode *inode = inode_of(t);

	if (!inode->exists) {
		turn_fail(t, EINVAL, RULE_EMPTY);
		return;
	}
	inode->linked = false;
	turn_ok(t, RULE_SHMEM_RELEASE);
}
