/* SPDX-License-Identifier: MIT
 *
 * ask_map: calls that change the caller's own mappings.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/arith.h"
#include "base/bytes.h"
#include "engine/seccomp/ask.h"
#include "engine/seccomp/flight.h"
#include "engine/seccomp/object.h"
#include "engine/seccomp/promise.h"
#include "engine/seccomp/space.h"
#include "sys/procfs.h"
#include "sys/shmobj.h"

static enum overcommit mode_of(const struct ask *ask)
{
	return ask->g->ledger->limit.mode;
}

/* Pages of VMA inside the call's range. */
static uint64_t overlap_pages(const struct ask *ask, const struct vma *vma)
{
	uint64_t start = larger(vma->start, ask->start);
	uint64_t end = smaller(vma->end, ask->end);

	return end > start ? (end - start) >> PAGE_SHIFT : 0;
}

static void set_range(struct ask *ask, uint64_t addr, uint64_t len)
{
	uint64_t pages = bytes_to_pages(len + (addr & (PAGE_BYTES - 1)));

	ask->start = addr & ~(PAGE_BYTES - 1);
	if (__builtin_add_overflow(ask->start, pages_to_bytes(pages), &ask->end))
		ask->end = UINT64_MAX;
}

/* Whether somebody may change the caller's mappings while its call is under way. */
static bool others_run(const struct ask *ask)
{
	const struct proc *p = ask->t->proc;
	struct task_stat st;

	return LIST_NEXT(LIST_FIRST(&p->space->procs), in_space) || task_stat_read(p->pid, &st) < 0 || st.threads > 1;
}

static int sum_replaced(void *ctx, const struct vma *vma, const char *name)
{
	struct ask *ask = ctx;
	uint64_t overlap = vma ? overlap_pages(ask, vma) : 0;

	(void)name;
	if (!vma)
		ask->sum = 0;
	else if (overlap)
		ask->sum += rules_replaced_pages(mode_of(ask), vma, overlap);
	return 0;
}

/* A fixed mapping gives back what it covers; one of hugetlbfs is free. */
static bool refine_mmap(struct ask *ask)
{
	int flags = (int)ask->arg[3];
	bool counted = space_count(ask->g, ask->t->proc->space, sum_replaced, ask);
	struct object *obj;

	if (counted && (flags & MAP_FIXED) && !(flags & MAP_FIXED_NOREPLACE))
		ask->charge.pages = over(ask->most_pages, ask->sum);
	if (!(flags & MAP_ANONYMOUS) && object_of_fd(ask->g, ask->t->tid, (int)ask->arg[4], &obj) == FILE_HUGETLB)
		ask->charge.pages = 0;
	return counted;
}

bool ask_mmap(struct ask *ask)
{
	uint64_t len = ask->arg[1];
	int prot = (int)ask->arg[2], flags = (int)ask->arg[3];
	enum file_kind kind = flags & MAP_ANONYMOUS ? FILE_NONE : FILE_PLAIN;
	struct object *obj = NULL;

	if (!(flags & MAP_ANONYMOUS) && (flags & MAP_SHARED))
		kind = object_of_fd(ask->g, ask->t->tid, (int)ask->arg[4], &obj);
	if (obj) {
		ask_holes(ask, obj, (int)ask->arg[4], obj->size_pages, bytes_to_pages(len));
		return true;
	}
	if (kind == FILE_ZERO && !shmobj_fd_writable("/proc", ask->t->tid, (int)ask->arg[4]))
		kind = FILE_PLAIN; /* mapped shared it is an ordinary file */
	ask->op = OP_MMAP;
	ask->charge = rules_mmap(mode_of(ask), len, prot, flags, kind);
	/* What is shared is not in the counters, of whatever pages. */
	ask->odd = (flags & MAP_GROWSDOWN) || (flags & MAP_TYPE) == MAP_DROPPABLE ||
		   ((flags & MAP_HUGETLB) && !(flags & MAP_SHARED));
	if (len && (flags & MAP_SHARED) && (kind == FILE_NONE || kind == FILE_ZERO)) {
		ask->flight = FLIGHT_OBJECT; /* one that charges nothing yet is to be known too */
		return true;
	}
	if (ask->charge.pages == 0 && !ask->odd)
		return false;
	set_range(ask, ask->arg[0], len);
	ask->most_pages = ask->charge.pages;
	ask->flight = FLIGHT_SPACE;
	if ((flags & MAP_FIXED) || !(flags & MAP_ANONYMOUS))
		ask->refine = refine_mmap;
	return true;
}

struct heap {
	uint64_t start_brk, brk, end;
	bool holds_brk;
};

static int find_heap(void *ctx, const struct vma *vma, const char *name)
{
	struct heap *heap = ctx;

	if (strcmp(name, "[heap]") != 0)
		return 0;
	if (vma->end > heap->end)
		heap->end = vma->end;
	if (heap->brk > vma->start && heap->brk <= vma->end)
		heap->holds_brk = true;
	return 0;
}

/* Whether the request would fit even if no break that was granted had been
 * carried out: then it does not matter. */
static bool fits_anyhow(const struct ask *ask, const struct space *s)
{
	const struct ledger_group *ledger = ask->g->ledger;
	uint64_t most = rules_brk(s->start_brk, ask->arg[0]).pages, sum;

	return s->start_brk && !__builtin_add_overflow(ledger->committed + ask->g->reserved, most, &sum) &&
	       sum < limit_commit(&ledger->limit);
}

/* The break as the kernel has it.  We know what was granted; whether it was
 * carried out shows in the counters, or else in maps. */
static uint64_t current_brk(struct ask *ask, struct space *s)
{
	struct heap heap = { .brk = 0 };
	struct task_stat st;
	uint64_t expected;

	space_know_image(s);
	if (s->image_unsure)
		s->brk = 0; /* the old image's, perhaps */
	expected = s->data + s->landed;
	heap.brk = s->brk;
	if (s->brk && s->brk_unsure && fits_anyhow(ask, s))
		return s->brk;
	if (s->brk && s->brk_unsure && !s->exact_only) {
		space_look(ask->g, s);
		s->brk_unsure = s->data != expected;
	}
	if (s->brk && !s->brk_unsure)
		return s->brk;
	if (maps_walk("/proc", ask->t->tid, find_heap, &heap) < 0)
		return s->brk;
	if (!heap.holds_brk && heap.end) {
		s->brk = heap.end;
	} else if (!heap.end && task_stat_read(ask->t->proc->pid, &st) == 0) {
		s->brk = st.start_brk;
	}
	s->brk_unsure = false;
	return s->brk;
}

/* Another thread's growth, granted from CURRENT, may come to begin at WANTED. */
static void break_lowered(struct ask *ask, uint64_t current, uint64_t wanted)
{
	uint64_t pages = rules_brk(wanted, current).pages;
	struct space *s = ask->t->proc->space;
	struct proc *p;
	struct task *t;

	LIST_FOREACH(p, &s->procs, in_space)
		LIST_FOREACH(t, &p->tasks, in_proc)
			if (t->flight == FLIGHT_SPACE && t->flight_op == OP_BRK)
				flight_raise(t, pages);
	promise_add(ask->g, ask->t, 0, 0);
}

bool ask_brk(struct ask *ask)
{
	struct space *s = ask->t->proc->space;
	uint64_t current = current_brk(ask, s), wanted = ask->arg[0];

	ask->op = OP_BRK;
	/* Unknown: its files are not ours to read.  The growth shows in statm. */
	ask->charge = rules_brk(current ? current : wanted, wanted);
	ask->brk = wanted;
	if (ask->charge.pages == 0) {
		if (wanted < current && wanted >= s->start_brk) {
			s->brk = wanted; /* if it is not carried out, the next growth is over-estimated */
			s->brk_unsure = true;
			break_lowered(ask, current, wanted);
		}
		return false;
	}
	ask->flight = FLIGHT_SPACE;
	ask->error = 0;
	ask->value = (int64_t)current;
	return true;
}

static int sum_protected(void *ctx, const struct vma *vma, const char *name)
{
	struct ask *ask = ctx;
	uint64_t overlap = vma ? overlap_pages(ask, vma) : 0, pages;

	(void)name;
	if (!vma) {
		ask->sum = ask->largest = 0;
		ask->hole_pages = (ask->end - ask->start) >> PAGE_SHIFT;
	}
	if (!overlap)
		return 0;
	ask->hole_pages -= overlap;
	pages = rules_mprotect(mode_of(ask), vma, overlap, (int)ask->arg[2]).pages;
	if (pages > ask->largest)
		ask->largest = pages;
	ask->sum += pages;
	return 0;
}

/* Over a hole it fails, unless another thread maps something there first. */
static bool refine_mprotect(struct ask *ask)
{
	if (!space_count(ask->g, ask->t->proc->space, sum_protected, ask)) {
		ask->hole_pages = 0;
		return false;
	}
	if (!others_run(ask))
		ask->hole_pages = 0;
	if (ask->sum + ask->hole_pages < ask->charge.pages)
		ask->charge.pages = ask->sum + ask->hole_pages;
	return true;
}

bool ask_mprotect(struct ask *ask)
{
	struct space *s = ask->t->proc->space;
	uint64_t pages, writable = s->data + s->landed + s->inflight;

	set_range(ask, ask->arg[0], ask->arg[1]);
	pages = (ask->end - ask->start) >> PAGE_SHIFT;
	ask->op = OP_MPROTECT;
	ask->flight = FLIGHT_SPACE;
	if (!(ask->arg[2] & PROT_WRITE)) {
		/* It leaves statm's data and may keep its charge: at most what is
		 * writable now can do that.  It asks for nothing. */
		ask->charge = (struct charge){ HOLDER_SPACE, 0, RULE_MPROTECT_LOWER };
		ask->sticky = smaller(pages, writable);
		ask_granted(ask);
		return false;
	}
	ask->charge = (struct charge){ HOLDER_SPACE, pages, RULE_MPROTECT_WRITE };
	ask->writable_pages = pages;
	ask->refine = refine_mprotect;
	return pages > 0;
}

struct remap {
	const struct ask *ask;
	struct charge charge;
	bool found, several;
};

/* Whether VMA has the first byte of what mremap moves, and the whole of it. */
static bool has_first(const struct ask *ask, const struct vma *vma)
{
	return ask->arg[0] >= vma->start && ask->arg[0] < vma->end;
}

static bool has_all(const struct ask *ask, const struct vma *vma)
{
	return has_first(ask, vma) && ask->end <= vma->end;
}

/* KERNEL >= 6.17: of several mappings each is one that moves, and charged as such. */
static int sum_remapped(void *ctx, const struct vma *vma, const char *name)
{
	struct remap *remap = ctx;
	const struct ask *ask = remap->ask;
	uint64_t overlap = vma ? pages_to_bytes(overlap_pages(ask, vma)) : 0;
	struct charge part;

	(void)name;
	if (!vma) {
		remap->charge = (struct charge){ HOLDER_SPACE, 0, RULE_MREMAP_FREE };
		remap->found = remap->several = false;
		return 0;
	}
	remap->found |= has_first(ask, vma);
	if (has_all(ask, vma)) {
		remap->charge = rules_mremap(mode_of(ask), vma, ask->arg[1], ask->arg[2], (int)ask->arg[3]);
	} else if (overlap) {
		part = rules_mremap(mode_of(ask), vma, overlap, overlap, (int)ask->arg[3]);
		part.pages += remap->charge.pages;
		if (part.pages)
			remap->charge = part;
		remap->several = true;
	}
	return 0;
}

/* Where nothing is mapped it fails, unless another thread maps something there first. */
static bool refine_mremap(struct ask *ask)
{
	struct remap remap = { .ask = ask };

	ask->hole_pages = 0;
	if (!space_count(ask->g, ask->t->proc->space, sum_remapped, &remap))
		return false;
	if (remap.found) {
		ask->charge = remap.charge;
		ask->hole_pages = remap.several && !(ask->arg[3] & MREMAP_FIXED); /* fails as over a hole */
	} else if (others_run(ask)) {
		ask->charge.pages = ask->most_pages;
		ask->hole_pages = 1;
	} else {
		ask->charge.pages = 0;
	}
	return true;
}

struct at {
	const struct ask *ask;
	struct vma *ret;
};

static int find_at(void *ctx, const struct vma *vma, const char *name)
{
	const struct at *at = ctx;

	(void)name;
	if (!has_first(at->ask, vma))
		return 0;
	*at->ret = *vma;
	return 1;
}

/* What is mapped at the address; true when it is known. */
static bool find_vma(const struct ask *ask, struct vma *ret)
{
	struct at at = { ask, ret };
	int r = vma_at(ask->t->tid, ask->arg[0], ret);

	/* KERNEL < 6.11: read for what nobody else tells. */
	if (r == -ENOTTY && ask->g->has_shmem)
		r = maps_walk("/proc", ask->t->tid, find_at, &at) == 1 ? 0 : -ENOENT;
	return r == 0;
}

/* Pages that are mapped afterwards, and are not now. */
static uint64_t remap_more(const struct ask *ask)
{
	uint64_t old = bytes_to_pages(ask->arg[1]);

	return over(bytes_to_pages(ask->arg[2]), ask->arg[3] & MREMAP_DONTUNMAP ? 0 : old);
}

/* MORE pages of a memfd or tmpfs file are mapped: its holes can be filled by faults. */
static bool ask_remap_reserve(struct ask *ask, const struct vma *vma, uint64_t more)
{
	struct object *obj = more ? object_of_vma(ask->g, ask->t->tid, vma) : NULL;

	if (!obj)
		return false;
	ask_holes(ask, obj, -1, obj->size_pages, more);
	ask->op = OP_MREMAP;
	return true;
}

bool ask_mremap(struct ask *ask)
{
	uint64_t more = ask->g->has_shmem ? remap_more(ask) : 0;
	struct vma vma = { 0 };
	bool whole;

	set_range(ask, ask->arg[0], ask->arg[1]);
	ask->op = OP_MREMAP;
	ask->flight = FLIGHT_SPACE; /* also where it asks for nothing: who reads the mappings may miss one that moves */
	ask->charge = rules_mremap(mode_of(ask), NULL, ask->arg[1], ask->arg[2], (int)ask->arg[3]);
	whole = (ask->charge.pages || more) && find_vma(ask, &vma) && has_all(ask, &vma);
	if (whole && (vma.flags & VMA_SHARED)) {
		if (ask_remap_reserve(ask, &vma, more))
			return true;
		ask->charge.pages = 0; /* the object holds the charge, and does not grow */
	}
	if (!ask->charge.pages) {
		ask_granted(ask);
		return false;
	}
	if (!whole || !(vma.flags & VMA_WRITE))
		ask->sticky = ask->charge.pages; /* it may be read-only and charged: not in statm's data */
	ask->refine = refine_mremap;
	return true;
}

/* Not visible as PROT_WRITE, and charged all the same. */
bool ask_shadow_stack(struct ask *ask)
{
	ask->op = OP_MMAP;
	ask->charge = rules_mmap(mode_of(ask), ask->arg[1], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				 FILE_NONE);
	ask->flight = FLIGHT_SPACE;
	return ask->charge.pages > 0;
}
