/* SPDX-License-Identifier: MIT
 *
 * rules: the kernel's accountable_mapping() and its relatives, per group.
 *
 * Decides how many pages one mapping or one request is worth, and by which
 * rule.  Must not look at limits (limit.c) or at sums (ledger.c).
 *
 * Rests on: VM_ACCOUNT is state that a mapping keeps, not a function of its
 * protection.  So an existing mapping is judged by the flag that the kernel
 * shows (ac), and only a request is judged by the predicate.  The one place
 * where a group departs from what the kernel marked is MAP_NORESERVE in mode 2,
 * where the host, itself in mode 0 or 1, marked nr what mode 2 would have charged.
 *
 * Gets wrong: a nr mapping made read-only again keeps its charge while it has
 * private pages; mode 2 would decide by anon_vma, which nobody outside
 * the kernel can see.
 */
#include "core/rules.h"

#include <stddef.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "base/bytes.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08 /* a MAP_TYPE value, since 6.11 */
#endif
#ifndef MAP_TYPE
#define MAP_TYPE 0x0f
#endif

static const struct {
	const char *id, *text, *source;
} rules[RULE_NR] = {
#define RULE(name, id, text, source) [RULE_##name] = { id, text, source },
#include "core/rules.def"
#undef RULE
};

/* A rule may come from a record that another process wrote. */
static bool rule_known(enum rule rule)
{
	return (unsigned int)rule < RULE_NR;
}

const char *rule_id(enum rule rule)
{
	return rule_known(rule) ? rules[rule].id : "R-???";
}

const char *rule_text(enum rule rule)
{
	return rule_known(rule) ? rules[rule].text : "unknown rule";
}

const char *rule_source(enum rule rule)
{
	return rule_known(rule) ? rules[rule].source : "unknown";
}

static uint64_t min_pages(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t vma_len_pages(const struct vma *vma)
{
	return vma->end > vma->start ? bytes_to_pages(vma->end - vma->start) : 0;
}

/* The rule under which the kernel charged a mapping that it marked ac. */
static enum rule vma_rule_accounted(const struct vma *vma)
{
	if (vma->flags & VMA_GROWSDOWN)
		return RULE_STACK;
	if (!(vma->flags & VMA_WRITE))
		return RULE_STICKY;
	return vma->ino ? RULE_PRIVATE_FILE : RULE_PRIVATE_ANON;
}

/* The rule for a mapping that the kernel marked nr and not ac. */
static enum rule vma_rule_noreserve(enum overcommit mode, const struct vma *vma)
{
	if (mode != OVERCOMMIT_NEVER)
		return RULE_NORESERVE;
	if (vma->flags & VMA_WRITE)
		return RULE_NORESERVE_NEVER;
	return vma->anonymous_pages ? RULE_NORESERVE_STICKY : RULE_PRIVATE_READONLY;
}

static enum rule vma_rule(enum overcommit mode, const struct vma *vma)
{
	if (vma->flags & VMA_ACCOUNT)
		return vma_rule_accounted(vma);
	if (vma->flags & VMA_HUGETLB)
		return RULE_HUGETLB;
	if (vma->flags & VMA_DROPPABLE)
		return RULE_DROPPABLE;
	if (vma->flags & VMA_SHARED)
		return RULE_SHARED;
	if (vma->flags & VMA_NORESERVE)
		return vma_rule_noreserve(mode, vma);
	return vma->flags & VMA_WRITE ? RULE_UNACCOUNTED : RULE_PRIVATE_READONLY;
}

uint64_t rules_vma_pages(enum overcommit mode, const struct vma *vma, enum rule *ret_rule)
{
	enum rule rule = vma_rule(mode, vma);

	if (ret_rule)
		*ret_rule = rule;
	if (rule == RULE_NORESERVE_STICKY)
		return min_pages(vma->anonymous_pages, vma_len_pages(vma));
	return vma->flags & VMA_ACCOUNT || rule == RULE_NORESERVE_NEVER ? vma_len_pages(vma) : 0;
}

/* Of what a mapping holds, the part that surely lies in OVERLAP pages of it:
 * where only its present pages count, they may lie elsewhere. */
static uint64_t held_within(uint64_t held, enum rule rule, const struct vma *vma, uint64_t overlap)
{
	uint64_t outside = vma_len_pages(vma) - overlap;

	if (rule != RULE_NORESERVE_STICKY)
		return min_pages(held, overlap);
	return held > outside ? held - outside : 0;
}

uint64_t rules_vma_forced_pages(enum overcommit mode, const struct vma *vma)
{
	if (vma->flags & (VMA_SHARED | VMA_NORESERVE | VMA_HUGETLB | VMA_DROPPABLE))
		return 0;
	if (rules_vma_pages(mode, vma, NULL))
		return 0;
	return min_pages(vma->anonymous_pages, vma_len_pages(vma));
}

uint64_t rules_vma_fork_pages(enum overcommit mode, const struct vma *vma)
{
	return vma->flags & VMA_DONTCOPY ? 0 : rules_vma_pages(mode, vma, NULL);
}

bool rules_vma_in_data(const struct vma *vma)
{
	/* The kernel asks for VM_SHARED where 's' shows VM_MAYSHARE.  They differ
	 * for MAP_SHARED of a read-only file, which can never be writable. */
	return vma->flags & VMA_GROWSDOWN ||
	       (vma->flags & (VMA_WRITE | VMA_SHARED)) == VMA_WRITE;
}

static struct charge charge_none(enum rule rule)
{
	return (struct charge){ .holder = HOLDER_NONE, .rule = rule };
}

static struct charge charge_space(uint64_t pages, enum rule rule)
{
	return (struct charge){ .holder = HOLDER_SPACE, .pages = pages, .rule = rule };
}

static struct charge charge_object(uint64_t pages, enum rule rule)
{
	return (struct charge){ .holder = HOLDER_OBJECT, .pages = pages, .rule = rule };
}

static struct charge mmap_private(enum overcommit mode, uint64_t len, int prot, int flags,
				  enum file_kind kind)
{
	enum rule rule = kind == FILE_NONE || kind == FILE_ZERO ? RULE_PRIVATE_ANON :
								  RULE_PRIVATE_FILE;

	if (!(prot & PROT_WRITE))
		return charge_none(RULE_PRIVATE_READONLY);
	if (flags & MAP_NORESERVE) {
		if (mode != OVERCOMMIT_NEVER)
			return charge_none(RULE_NORESERVE);
		rule = RULE_NORESERVE_NEVER;
	}
	return charge_space(bytes_to_pages(len), rule);
}

static struct charge mmap_shared(enum overcommit mode, uint64_t len, int flags, enum file_kind kind)
{
	if (kind != FILE_NONE && kind != FILE_ZERO)
		return charge_none(RULE_SHARED);
	if (flags & MAP_NORESERVE && mode != OVERCOMMIT_NEVER)
		return charge_object(0, RULE_SHARED_ANON_NORESERVE);
	return charge_object(bytes_to_pages(len), RULE_SHARED_ANON);
}

struct charge rules_mmap(enum overcommit mode, uint64_t len, int prot, int flags,
			 enum file_kind kind)
{
	if (flags & MAP_ANONYMOUS)
		kind = FILE_NONE; /* the kernel does not look at the descriptor then */
	if (len == 0)
		return charge_none(RULE_EMPTY);
	/* MAP_HUGETLB on another file than hugetlbfs is EINVAL: nothing either way. */
	if (flags & MAP_HUGETLB || kind == FILE_HUGETLB)
		return charge_none(RULE_HUGETLB);

	switch (flags & MAP_TYPE) {
	case MAP_PRIVATE:
		return mmap_private(mode, len, prot, flags, kind);
	case MAP_SHARED:
		return mmap_shared(mode, len, flags, kind);
	case MAP_SHARED_VALIDATE: /* only for files: EINVAL with MAP_ANONYMOUS */
		return kind == FILE_NONE ? charge_none(RULE_EMPTY) :
					   mmap_shared(mode, len, flags, kind);
	case MAP_DROPPABLE:
		return charge_none(RULE_DROPPABLE);
	default:
		return charge_none(RULE_EMPTY);
	}
}

uint64_t rules_replaced_pages(enum overcommit mode, const struct vma *old, uint64_t overlap_pages)
{
	enum rule rule;
	uint64_t held = rules_vma_pages(mode, old, &rule);

	return held_within(held, rule, old, min_pages(overlap_pages, vma_len_pages(old)));
}

struct charge rules_mprotect(enum overcommit mode, const struct vma *vma, uint64_t overlap_pages,
			     int prot)
{
	uint64_t pages = min_pages(overlap_pages, vma_len_pages(vma)), held;
	enum rule rule;

	if (!(prot & PROT_WRITE))
		return charge_none(RULE_MPROTECT_LOWER);
	if (pages == 0)
		return charge_none(RULE_EMPTY);
	held = rules_vma_pages(mode, vma, &rule);
	if (rule == RULE_NORESERVE_STICKY)
		return charge_space(pages - held_within(held, rule, vma, pages), RULE_NORESERVE_NEVER);
	if (held)
		return charge_none(RULE_MPROTECT_HELD);
	if (rule != RULE_PRIVATE_READONLY)
		return charge_none(rule); /* shared, hugetlb, droppable, nr in modes 0 and 1 */
	return charge_space(pages, vma->flags & VMA_NORESERVE ? RULE_NORESERVE_NEVER :
								RULE_MPROTECT_WRITE);
}

struct charge rules_mremap(enum overcommit mode, const struct vma *vma, uint64_t old_len,
			   uint64_t new_len, int flags)
{
	uint64_t old_pages = bytes_to_pages(old_len);
	uint64_t new_pages = bytes_to_pages(new_len);
	enum rule rule;

	if (new_pages == 0)
		return charge_none(RULE_EMPTY);
	if (old_pages == 0)
		return charge_none(RULE_MREMAP_DUPLICATE);
	if (vma && (!rules_vma_pages(mode, vma, &rule) || rule == RULE_NORESERVE_STICKY))
		return charge_none(RULE_MREMAP_FREE); /* its pages may move; they are as many as before */
	if (flags & MREMAP_DONTUNMAP)
		return charge_space(new_pages, RULE_MREMAP_DONTUNMAP);
	if (new_pages <= old_pages)
		return charge_none(RULE_MREMAP_MOVE);
	return charge_space(new_pages - old_pages, RULE_MREMAP_GROW);
}

struct charge rules_brk(uint64_t current, uint64_t wanted)
{
	uint64_t from = bytes_to_pages(current);
	uint64_t to = bytes_to_pages(wanted);

	return to > from ? charge_space(to - from, RULE_BRK_GROW) : charge_none(RULE_BRK_SHRINK);
}

struct charge rules_shmget(enum overcommit mode, uint64_t size, int shmflg)
{
	if (size == 0)
		return charge_none(RULE_EMPTY);
	if (shmflg & SHM_HUGETLB)
		return charge_none(RULE_HUGETLB);
	if (shmflg & SHM_NORESERVE && mode != OVERCOMMIT_NEVER)
		return charge_object(0, RULE_SHMGET_NORESERVE);
	return charge_object(bytes_to_pages(size), RULE_SHMGET);
}
