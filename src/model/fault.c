/* SPDX-License-Identifier: MIT
 *
 * fault: pages that appear without a call for memory: by a touch, a forced write,
 * mlock and MAP_POPULATE, and stacks that grow.
 *
 * mm/memory.c, mm/gup.c (FOLL_FORCE), mm/vma.c expand_downwards, mm/shmem.c
 * shmem_inode_acct_blocks.  A supervisor sees none of these.
 *
 * Gets wrong: with transparent huge pages a read gives a mapping an anon_vma; the
 * processes of a script have them off.
 */
#include <errno.h>
#include <signal.h>

#include "base/bytes.h"
#include "model/state.h"

/* One mapping's part of what is touched. */
struct piece {
	size_t i;
	uint64_t start, end;
};

static bool may(const struct mm_vma *vma, enum access access)
{
	switch (access) {
	case ACCESS_READ:
		return vma->flags & (VMA_READ | VMA_WRITE | VMA_EXEC);
	case ACCESS_WRITE:
		return vma->flags & VMA_WRITE;
	case ACCESS_FORCE:
		return vma->flags & VMA_WRITE || !(vma->flags & VMA_SHARED);
	case ACCESS_POPULATE:
		break;
	}
	return vma->flags & (VMA_READ | VMA_WRITE | VMA_EXEC);
}

/* The access was no memory: what its maker is told. */
static bool stop(struct turn *t, enum access access, int signal, enum rule rule)
{
	switch (access) {
	case ACCESS_READ:
	case ACCESS_WRITE:
		turn_kill(t, signal, rule);
		break;
	case ACCESS_FORCE:
		turn_fail(t, EIO, rule);
		break;
	case ACCESS_POPULATE:
		break;
	}
	return false;
}

uint64_t fill_pages(struct turn *t, const struct mm *mm, int index, uint64_t start, uint64_t end, enum rule rule)
{
	struct model *m = t->m;
	struct inode *inode = &m->inode[index];
	uint64_t missing = end - start - pageset_count(&inode->pages, start, end), granted = missing;
	struct page_range gap;

	if (!inode->shmem || missing == 0)
		return end;
	if (!inode->whole && !as_seccomp(m))
		granted = turn_admit_each(t, mm, rule, missing);
	else if (!inode->whole) /* nobody asks a supervisor */
		inode->unseen_pages += missing;
	for (gap = pageset_gap(&inode->pages, start, end); gap.start < gap.end && granted;
	     gap = pageset_gap(&inode->pages, start, end)) {
		uint64_t nr = gap.end - gap.start < granted ? gap.end - gap.start : granted;

		turn_keep(t, pageset_add(&inode->pages, gap.start, gap.start + nr));
		if (m->failed)
			break;
		granted -= nr;
	}
	settle_inode(m, inode);
	return gap.start < gap.end ? pageset_gap(&inode->pages, start, end).start : end;
}

/* A shared mapping of a file or an object. */
static bool fault_shared(struct turn *t, struct process *p, const struct piece *at, enum access access)
{
	const struct mm_vma *vma = &p->mm.vma[at->i];
	const struct inode *inode;
	uint64_t from, to, size, end;

	if (vma->inode == MM_NO_INODE) /* /dev/zero that is open for reading */
		return true;
	inode = &t->m->inode[vma->inode];
	size = bytes_to_pages(inode->size_bytes);
	from = vma->pgoff + (at->start - vma->start);
	to = vma->pgoff + (at->end - vma->start);
	end = to < size ? to : size > from ? size : from;
	if (fill_pages(t, &p->mm, vma->inode, from, end, RULE_SHMEM_PAGES) < end)
		return stop(t, access, SIGBUS, RULE_SHMEM_PAGES);
	return end < to ? stop(t, access, SIGBUS, RULE_EMPTY) : true;
}

/* The pages that a private mapping copies from: up to where they could be had. */
static uint64_t fill_under(struct turn *t, struct process *p, const struct piece *at)
{
	const struct mm_vma vma = p->mm.vma[at->i];
	uint64_t size = bytes_to_pages(t->m->inode[vma.inode].size_bytes);
	struct page_range gap = pageset_gap(&p->mm.anon, at->start, at->end);

	while (gap.start < gap.end) {
		uint64_t from = vma.pgoff + (gap.start - vma.start), to = from + (gap.end - gap.start), done;

		if (from >= size)
			return gap.start;
		done = fill_pages(t, &p->mm, vma.inode, from, to < size ? to : size, RULE_SHMEM_PRIVATE);
		if (done < to)
			return gap.start + (done - from);
		gap = pageset_gap(&p->mm.anon, gap.end, at->end);
	}
	return at->end;
}

static bool fault_private(struct turn *t, struct process *p, const struct piece *at, enum access access)
{
	struct mm *mm = &p->mm;
	struct mm_vma *vma = &mm->vma[at->i];
	bool write = access == ACCESS_WRITE || access == ACCESS_FORCE ||
		     (access == ACCESS_POPULATE && vma->flags & VMA_WRITE);
	uint64_t end = at->end;

	if (vma->inode != MM_NO_INODE)
		end = fill_under(t, p, at);
	if (write && end > at->start) {
		if (vma->inode != MM_NO_INODE && t->m->inode[vma->inode].shmem && !t->out->asked)
			turn_ok(t, RULE_SHMEM_PRIVATE);
		turn_keep(t, mm_add_anon(mm, at->i, at->start, end));
	}
	if (end < at->end)
		return stop(t, access, SIGBUS, t->out->asked ? RULE_SHMEM_PRIVATE : RULE_EMPTY);
	return true;
}

static bool fault_piece(struct turn *t, struct process *p, const struct piece *at, enum access access)
{
	const struct mm_vma *vma = &p->mm.vma[at->i];

	if (!may(vma, access))
		return stop(t, access, SIGSEGV, RULE_EMPTY);
	if (access == ACCESS_FORCE && !(vma->flags & VMA_WRITE))
		turn_ok(t, RULE_FORCED);
	if (vma->flags & VMA_SHARED)
		return fault_shared(t, p, at, access);
	return fault_private(t, p, at, access);
}

/* stack_guard_gap: unmapped pages between a stack and what is below it. */
static bool keeps_gap(const struct mm *mm, const struct mm_vma *vma, uint64_t page)
{
	enum { GUARD_PAGES = 256 };
	const struct mm_vma *below = vma - 1;

	if (vma == mm->vma || below->flags & VMA_GROWSDOWN || !(below->flags & (VMA_READ | VMA_WRITE | VMA_EXEC)))
		return true;
	return page - below->end >= GUARD_PAGES;
}

/* A mapping that grows down to PAGE: charged whatever its flags (acct_stack_growth).
 * Where it is not marked ac, the kernel never gives the growth back; the bpf engine
 * does not count it. */
static bool grow_down(struct turn *t, struct process *p, struct mm_vma *vma, uint64_t page)
{
	struct model *m = t->m;
	uint64_t pages = vma->start - page;
	bool free = as_bpf(m) && !(vma->flags & VMA_ACCOUNT);

	if (vma->end - page > m->config.stack_limit_pages || !keeps_gap(&p->mm, vma, page))
		return false;
	if (as_seccomp(m))
		p->mm.unseen_pages += pages;
	else if (!free && !turn_admit(t, &p->mm, RULE_STACK, pages))
		return false;
	if (!t->out->asked)
		turn_ok(t, RULE_STACK);
	vma->start = page;
	vma->pgoff -= pages;
	turn_keep(t, mm_add_anon(&p->mm, (size_t)(vma - p->mm.vma), page, page)); /* it wants an anon_vma to grow */
	if (!as_seccomp(m) && !free && !(vma->flags & VMA_ACCOUNT))
		ledger_set(&m->leak, m->leak.pages + pages);
	settle_mm(m, &p->mm);
	return true;
}

/* Whether both pages lie in the place of one region. */
static bool same_region(const struct model *m, uint64_t a, uint64_t b)
{
	for (int i = 0; i < m->script->nr_regions; i++) {
		const struct script_region *region = &m->script->regions[i];
		uint64_t start = m->region_page[i] - bytes_to_pages(region->below);
		uint64_t end = m->region_page[i] + bytes_to_pages(region->above);

		if (a >= start && a < end)
			return b >= start && b < end;
	}
	return false;
}

static bool has_growing(const struct mm *mm)
{
	for (size_t i = 0; i < mm->nr; i++)
		if (mm->vma[i].flags & VMA_GROWSDOWN && mm->vma[i].end != STACK_PAGE)
			return true;
	return false;
}

/* The mapping at PAGE, made to reach it where it grows down. */
static bool find_piece(struct turn *t, struct process *p, uint64_t page, uint64_t end, enum access access,
		       struct piece *ret)
{
	struct mm *mm = &p->mm;
	size_t i = mm_find(mm, page);

	if (i == mm->nr)
		return false;
	if (mm->vma[i].start > page) {
		if (!same_region(t->m, page, mm->vma[i].start) && has_growing(mm))
			turn_unsure(t); /* other programs lay regions out otherwise */
		if (!(mm->vma[i].flags & VMA_GROWSDOWN) || access == ACCESS_POPULATE)
			return false;
		if (access == ACCESS_FORCE)
			turn_unsure(t);
		if (!grow_down(t, p, &mm->vma[i], page))
			return false;
	}
	*ret = (struct piece){ i, page, mm->vma[i].end < end ? mm->vma[i].end : end };
	return true;
}

bool fault_pages(struct turn *t, struct process *p, uint64_t start, uint64_t end, enum access access)
{
	struct piece at;

	while (start < end && !t->m->failed) {
		if (!find_piece(t, p, start, end, access, &at))
			return stop(t, access, SIGSEGV, t->out->asked ? t->out->rule : RULE_EMPTY);
		if (!fault_piece(t, p, &at, access))
			return false;
		start = at.end;
	}
	return true;
}

void do_touch(struct turn *t)
{
	struct page_range at;

	if (turn_range(t, t->p, &at))
		(void)fault_pages(t, t->p, at.start, at.end, t->op->read ? ACCESS_READ : ACCESS_WRITE); /* told */
}

/* The seccomp engine is asked for each page that ptrace writes, not for /proc/PID/mem. */
static bool admit_pokes(struct turn *t, struct process *whose, const struct page_range *at)
{
	const struct mm *mm = &whose->mm;
	uint64_t pages = 0;

	for (size_t i = mm_find(mm, at->start); i < mm->nr && mm->vma[i].start < at->end; i++) {
		const struct mm_vma *vma = &mm->vma[i];
		uint64_t a = vma->start > at->start ? vma->start : at->start;
		uint64_t b = vma->end < at->end ? vma->end : at->end;
		struct vma core = mm_core_vma(mm, vma);

		if (!(vma->flags & VMA_SHARED) && rules_vma_pages(t->m->config.limit.mode, &core, NULL) == 0)
			pages += b - a;
	}
	return pages == 0 || turn_admit(t, &t->p->mm, RULE_FORCED, pages);
}

void do_poke(struct turn *t)
{
	struct process *whose = t->p;
	struct page_range at;

	if (t->op->other != SCRIPT_NONE) {
		whose = &t->m->process[t->op->other];
		if (!whose->alive) {
			t->out->kind = OUTCOME_SKIPPED;
			return;
		}
	}
	if (!turn_range(t, t->p, &at)) /* a place is the same everywhere */
		return;
	if (as_seccomp(t->m) && whose != t->p && !admit_pokes(t, whose, &at))
		return;
	(void)fault_pages(t, whose, at.start, at.end, ACCESS_FORCE); /* the outcome tells */
}

void do_stack(struct turn *t)
{
	enum { FIRST_PAGES = 34 }; /* what execve gives: 128 KiB, the arguments and their page */
	struct mm *mm = &t->p->mm;
	uint64_t pages = bytes_to_pages(t->op->size), now = FIRST_PAGES + mm->stack_pages;
	struct mm_vma vma = {
		.start = STACK_PAGE - mm->stack_pages - pages,
		.end = STACK_PAGE,
		.flags = VMA_READ | VMA_WRITE | VMA_ACCOUNT | VMA_GROWSDOWN,
		.inode = MM_NO_INODE,
		.anon_vma = ANON_VMA_YES,
	};

	if (now + pages > t->m->config.stack_limit_pages) {
		turn_kill(t, SIGSEGV, RULE_STACK);
		turn_unsure(t); /* RLIMIT_STACK may be another */
		return;
	}
	turn_ok(t, RULE_STACK);
	if (pages == 0)
		return;
	if (as_seccomp(t->m)) {
		mm->unseen_pages += pages;
	} else if (!as_bpf(t->m) && !turn_admit(t, mm, RULE_STACK, pages)) {
		turn_kill(t, SIGSEGV, RULE_STACK);
		return;
	}
	turn_keep(t, mm_unmap(mm, vma.start, vma.end));
	turn_keep(t, mm_insert(mm, &vma));
	turn_keep(t, pageset_add(&mm->anon, vma.start, vma.end));
	mm->stack_pages += pages;
}
