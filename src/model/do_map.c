/* SPDX-License-Identifier: MIT
 *
 * do_map: mmap, mprotect and munmap, as mm/mmap.c do_mmap, mm/vma.c
 * __mmap_region and mm/mprotect.c do them.
 *
 * Decides the order of things: what the kernel rejects before it asks for
 * commitment, what it has taken away by then, what it keeps when it is refused.
 */
#include <errno.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "model/state.h"

static enum file_kind kind_of(const struct turn *t)
{
	const struct script_op *op = t->op;

	if (op->zero) /* open for reading it can only be read: an ordinary file */
		return op->read_only && (op->flags & MAP_TYPE) == MAP_SHARED ? FILE_PLAIN : FILE_ZERO;
	if (op->object == SCRIPT_NONE)
		return FILE_NONE;
	return t->m->inode[op->object].shmem ? FILE_SHMEM : FILE_PLAIN;
}

/* What do_mmap() says before any mapping is touched; 0: nothing. */
static int rejected(const struct turn *t, uint64_t start, uint64_t end)
{
	const struct script_op *op = t->op;
	int type = op->flags & MAP_TYPE;
	bool file = !(op->flags & MAP_ANONYMOUS);

	if (op->size == 0)
		return EINVAL;
	if (op->flags & MAP_FIXED_NOREPLACE && !mm_is_free(&t->p->mm, start, end))
		return EEXIST;
	if (op->read_only && type == MAP_SHARED && op->prot & PROT_WRITE)
		return EACCES;
	if (op->flags & MAP_GROWSDOWN && (file || type != MAP_PRIVATE))
		return EINVAL;
	if (type == MAP_DROPPABLE && (file || op->flags & (MAP_LOCKED | MAP_HUGETLB) || !kernel_since(t->m, 6, 11)))
		return EINVAL;
	return 0;
}

static uint32_t vma_flags(const struct turn *t, const struct charge *host)
{
	const struct script_op *op = t->op;
	int type = op->flags & MAP_TYPE;
	uint32_t flags = 0;

	flags |= op->prot & PROT_READ ? VMA_READ : 0;
	flags |= op->prot & PROT_WRITE ? VMA_WRITE : 0;
	flags |= op->prot & PROT_EXEC ? VMA_EXEC : 0;
	flags |= type == MAP_SHARED ? VMA_SHARED : 0;
	flags |= host->holder == HOLDER_SPACE && host->pages ? VMA_ACCOUNT : 0;
	flags |= op->flags & MAP_NORESERVE && host_mode(t->m) != OVERCOMMIT_NEVER ? VMA_NORESERVE : 0;
	flags |= op->flags & MAP_HUGETLB ? VMA_HUGETLB : 0;
	flags |= type == MAP_DROPPABLE ? VMA_DROPPABLE | VMA_NORESERVE : 0;
	flags |= op->flags & MAP_GROWSDOWN ? VMA_GROWSDOWN : 0;
	return flags;
}

static uint32_t mm_flags(const struct turn *t)
{
	const struct script_op *op = t->op;
	uint32_t flags = 0;

	if ((op->flags & MAP_TYPE) == MAP_DROPPABLE)
		flags |= MM_WIPEONFORK;
	if (op->flags & MAP_LOCKED)
		flags |= MM_LOCKED;
	if (op->flags & MAP_STACK && kernel_since(t->m, 6, 7))
		flags |= MM_NOHUGEPAGE;
	if (op->read_only && (op->flags & MAP_TYPE) == MAP_SHARED)
		flags |= MM_NEVER_WRITE;
	if (op->flags & MAP_NORESERVE && charges_noreserve(t->m))
		flags |= MM_NORESERVE;
	return flags;
}

/* What the mappings from START to END hold of a charge that a fixed mapping takes over:
 * the kernel's own charge. */
static uint64_t replaced_pages(const struct turn *t, uint64_t start, uint64_t end)
{
	const struct mm *mm = &t->p->mm;
	uint64_t sum = 0;

	for (size_t i = mm_find(mm, start); i < mm->nr && mm->vma[i].start < end; i++) {
		struct vma vma = mm_core_vma(mm, &mm->vma[i]);
		uint64_t a = mm->vma[i].start > start ? mm->vma[i].start : start;
		uint64_t b = mm->vma[i].end < end ? mm->vma[i].end : end;

		if (mm->vma[i].mm_flags & MM_NORESERVE)
			continue;
		sum += rules_replaced_pages(t->m->config.limit.mode, &vma, b - a);
	}
	return sum;
}

/* Asks for a private mapping's charge. */
static bool admit_private(struct turn *t, const struct charge *charge, uint64_t start, uint64_t end)
{
	struct mm *mm = &t->p->mm;
	uint64_t pages = charge->pages, back;
	enum rule rule = charge->rule;

	back = replaced_pages(t, start, end);
	if (back && charge->pages) {
		pages -= back < pages ? back : pages;
		rule = RULE_REPLACED;
	}
	if (back && !charge->pages)
		turn_ok(t, RULE_REPLACED_RELEASE);
	if (pages == 0) /* not tested at all */
		return true;
	return turn_admit(t, mm, rule, pages);
}

/* The bpf engine asks for MAP_NORESERVE memory itself, before the kernel looks at
 * anything: security_mmap_file(). */
static bool is_promised(const struct turn *t)
{
	const struct script_op *op = t->op;
	int type = op->flags & MAP_TYPE;

	if (!charges_noreserve(t->m) || !(op->flags & MAP_NORESERVE) || op->flags & MAP_HUGETLB)
		return false;
	return type == MAP_SHARED ? op->object == SCRIPT_NONE && !(op->zero && op->read_only) :
				    type == MAP_PRIVATE && op->prot & PROT_WRITE;
}

/* Shared memory without a file is an object that is charged when it is made. */
static int make_shared(struct turn *t, const struct charge *charge)
{
	struct inode *inode;
	int i;

	if (charge->pages && !is_promised(t) && !turn_admit(t, &t->p->mm, charge->rule, charge->pages))
		return MM_NO_INODE;
	i = inode_new(t->m);
	if (i == MM_NO_INODE)
		return i;
	inode = &t->m->inode[i];
	inode->shmem = true;
	inode->whole = charge->pages > 0;
	inode->size_bytes = pages_to_bytes(bytes_to_pages(t->op->size));
	return i;
}

/* The inode of the mapping in *RET; false where it was refused. */
static bool admit_map(struct turn *t, const struct charge *charge, struct page_range at, int *ret)
{
	const struct script_op *op = t->op;
	bool shared = (op->flags & MAP_TYPE) == MAP_SHARED;

	*ret = op->object == SCRIPT_NONE ? MM_NO_INODE : op->object;
	if (charge->holder == HOLDER_OBJECT) {
		*ret = make_shared(t, charge);
		if (*ret == MM_NO_INODE && !as_seccomp(t->m))
			turn_keep(t, mm_unmap(&t->p->mm, at.start, at.end)); /* made too late to put the old one back */
		return *ret != MM_NO_INODE;
	}
	if (shared && as_seccomp(t->m) && op->object != SCRIPT_NONE && t->m->inode[op->object].shmem)
		return turn_admit_holes(t, op->object, bytes_to_pages(t->m->inode[op->object].size_bytes),
					bytes_to_pages(op->size));
	return is_promised(t) || admit_private(t, charge, at.start, at.end);
}

void do_map(struct turn *t)
{
	const struct script_op *op = t->op;
	struct model *m = t->m;
	struct mm *mm = &t->p->mm;
	enum file_kind kind = kind_of(t);
	struct charge charge = rules_mmap(m->config.limit.mode, op->size, op->prot, op->flags, kind);
	struct charge host = rules_mmap(host_mode(m), op->size, op->prot, op->flags, kind);
	uint64_t start = m->region_page[op->region] + (uint64_t)(op->offset / (int64_t)PAGE_BYTES);
	struct page_range at = { start, start + bytes_to_pages(op->size) };
	struct mm_vma vma = { .start = at.start, .end = at.end, .flags = vma_flags(t, &host), .mm_flags = mm_flags(t) };
	int error = rejected(t, at.start, at.end);

	if (is_promised(t) && charge.pages && !turn_admit(t, mm, charge.rule, charge.pages))
		return;
	if (error) {
		turn_fail(t, error, RULE_EMPTY);
		return;
	}
	turn_ok(t, charge.rule);
	if (!as_seccomp(m) && !kernel_since(m, 6, 12)) {
		turn_keep(t, mm_unmap(mm, at.start, at.end)); /* KERNEL < 6.12: gone, also when it is refused */
		settle_mm(m, mm); /* objects go when the call returns */
	}
	if (!admit_map(t, &charge, at, &vma.inode)) {
		/* Since 6.12 what was there is put back, in the pieces that it was cut into. */
		if (!as_seccomp(m))
			turn_keep(t, mm_isolate(mm, at.start, at.end));
		return;
	}
	if (op->flags & MAP_HUGETLB)
		turn_unsure(t); /* its pool is not ours to know */
	if (op->zero && vma.inode == MM_NO_INODE)
		vma.zero = ++m->zero_maps;
	vma.pgoff = vma.inode == MM_NO_INODE && !vma.zero ? vma.start : 0;
	turn_keep(t, mm_unmap(mm, at.start, at.end));
	turn_keep(t, mm_insert(mm, &vma));
	settle(m);
	if (op->flags & MAP_FIXED_NOREPLACE)
		t->p->region_bytes[op->region] = op->size;
	if (op->flags & (MAP_POPULATE | MAP_LOCKED))
		(void)fault_pages(t, t->p, at.start, at.end, ACCESS_POPULATE); /* mmap does not tell */
}

void do_unmap(struct turn *t)
{
	struct page_range at;

	if (!turn_range(t, t->p, &at))
		return;
	if (at.start == at.end) {
		turn_fail(t, EINVAL, RULE_EMPTY);
		return;
	}
	turn_ok(t, RULE_MUNMAP);
	turn_keep(t, mm_unmap(&t->p->mm, at.start, at.end));
	if (t->op->whole)
		t->p->region_bytes[t->op->region] = UNMAPPED;
}

static uint32_t with_prot(uint32_t flags, int prot)
{
	flags &= ~(uint32_t)(VMA_READ | VMA_WRITE | VMA_EXEC);
	flags |= prot & PROT_READ ? VMA_READ : 0;
	flags |= prot & PROT_WRITE ? VMA_WRITE : 0;
	flags |= prot & PROT_EXEC ? VMA_EXEC : 0;
	return flags;
}

/* mprotect_fixup() without the test: the kernel's own mode marks the mapping. */
static void change_prot(struct turn *t, struct mm_vma *vma)
{
	struct vma core = mm_core_vma(&t->p->mm, vma);
	struct charge host = rules_mprotect(host_mode(t->m), &core, vma->end - vma->start, t->op->prot);
	uint32_t flags = with_prot(vma->flags, t->op->prot);

	if (flags == vma->flags)
		return;
	if (host.pages)
		flags |= VMA_ACCOUNT;
	/* KERNEL < 6.7: never released */
	if (!(flags & VMA_WRITE) && flags & VMA_ACCOUNT && kernel_since(t->m, 6, 7) &&
	    (mm_vma_is_anonymous(vma) || vma->mm_flags & MM_NORESERVE)) {
		if (vma->anon_vma == ANON_VMA_NO)
			flags &= ~(uint32_t)VMA_ACCOUNT;
		else if (vma->anon_vma == ANON_VMA_MAYBE)
			turn_unsure(t);
	}
	vma->flags = flags;
}

static struct charge protect_charge(const struct turn *t, const struct mm_vma *vma)
{
	struct vma core = mm_core_vma(&t->p->mm, vma);

	return rules_mprotect(t->m->config.limit.mode, &core, vma->end - vma->start, t->op->prot);
}

/* A supervisor refuses the call before it begins. */
static bool admit_all(struct turn *t, struct page_range at)
{
	const struct mm *mm = &t->p->mm;
	enum rule rule = RULE_MPROTECT_WRITE;
	uint64_t pages = 0, largest = 0;

	for (size_t i = mm_find(mm, at.start); i < mm->nr && mm->vma[i].start < at.end; i++) {
		struct charge charge = protect_charge(t, &mm->vma[i]);

		pages += charge.pages;
		largest = charge.pages > largest ? charge.pages : largest;
		rule = charge.pages ? charge.rule : rule;
	}
	return pages == 0 || turn_admit_pieces(t, mm, rule, pages, largest);
}

/* Locked private memory is copied when it becomes writable, not at the first write. */
static bool becomes_writable(const struct mm_vma *vma, int prot)
{
	return vma->mm_flags & MM_LOCKED && !(vma->flags & (VMA_WRITE | VMA_SHARED)) && prot & PROT_WRITE;
}

/* One mapping, FIRST of the call; false where the call ends with it. */
static bool protect_piece(struct turn *t, size_t i, bool first)
{
	struct mm *mm = &t->p->mm;
	struct mm_vma before = mm->vma[i];
	struct charge charge = protect_charge(t, &before);

	if (t->op->prot & PROT_WRITE && before.mm_flags & MM_NEVER_WRITE) {
		turn_fail(t, EACCES, RULE_EMPTY);
		return false;
	}
	if (!t->out->asked || charge.pages)
		turn_ok(t, charge.rule);
	if (!as_seccomp(t->m) && charge.pages && !turn_admit(t, mm, charge.rule, charge.pages)) {
		t->out->rule = first ? charge.rule : RULE_MPROTECT_PIECES;
		t->out->unsure |= before.seam;
		return false;
	}
	change_prot(t, &mm->vma[i]);
	if (mm->vma[i].flags != before.flags)
		mm_merge(mm, before.start, before.end);
	if (becomes_writable(&before, t->op->prot)) /* mprotect does not tell whether that could be done */
		(void)fault_pages(t, t->p, before.start, before.end, ACCESS_POPULATE);
	settle_mm(t->m, mm);
	return true;
}

static void protect_pieces(struct turn *t, struct page_range at)
{
	struct mm *mm = &t->p->mm;
	uint64_t page = at.start;

	while (page < at.end) {
		size_t i = mm_find(mm, page);

		if (i == mm->nr || mm->vma[i].start > page) {
			turn_fail(t, ENOMEM, RULE_EMPTY);
			return;
		}
		if (!protect_piece(t, i, page == at.start))
			return;
		page = mm->vma[mm_find(mm, page)].end; /* what it was merged with is done as well */
	}
}

void do_protect(struct turn *t)
{
	struct mm *mm = &t->p->mm;
	struct page_range at;

	if (!turn_range(t, t->p, &at))
		return;
	if (at.start == at.end) {
		turn_ok(t, RULE_EMPTY);
		return;
	}
	if (mm_isolate(mm, at.start, at.end) < 0) {
		turn_keep(t, -ENOMEM);
		return;
	}
	if (mm_is_free(mm, at.start, at.start + 1))
		turn_fail(t, ENOMEM, RULE_EMPTY);
	else if (!as_seccomp(t->m) || admit_all(t, at))
		protect_pieces(t, at);
	mm_heal(mm);
}
