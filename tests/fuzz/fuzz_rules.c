/* SPDX-License-Identifier: MIT
 *
 * fuzz_rules: the rules against a small model of the kernel.
 *
 * The model knows only what the kernel does to a mapping's flags (which of ac
 * and nr a call sets).  What a call charges must then be what the mapping holds
 * after the call less what it held before.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "base/bytes.h"
#include "core/rules.h"
#include "fuzz.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
#ifndef MAP_TYPE
#define MAP_TYPE 0x0f
#endif

static const enum overcommit modes[] = { OVERCOMMIT_GUESS, OVERCOMMIT_ALWAYS, OVERCOMMIT_NEVER };

static uint64_t len_pages(const struct vma *vma)
{
	return vma->end < vma->start ? 0 : bytes_to_pages(vma->end - vma->start);
}

static uint64_t held(enum overcommit mode, const struct vma *vma)
{
	return rules_vma_pages(mode, vma, NULL);
}

/* accountable_mapping() */
static bool kernel_accounts(uint32_t flags)
{
	return !(flags & (VMA_HUGETLB | VMA_NORESERVE | VMA_SHARED)) && flags & VMA_WRITE;
}

/* A mapping as a kernel could show it. */
static struct vma any_vma(struct fuzz_input *in)
{
	struct vma vma = { .start = fuzz_number(in) & ~UINT64_C(4095) };

	vma.end = vma.start + (fuzz_number(in) & ~UINT64_C(4095));
	vma.flags = fuzz_byte(in) | (uint32_t)(fuzz_byte(in) & 3) << 8;
	vma.ino = fuzz_byte(in) & 1;
	vma.anonymous_pages = fuzz_byte(in) & 1 ? fuzz_number(in) : 0;
	if (vma.flags & VMA_DROPPABLE)
		vma.flags |= VMA_NORESERVE;
	if (vma.flags & (VMA_HUGETLB | VMA_NORESERVE | VMA_SHARED))
		vma.flags &= ~(uint32_t)VMA_ACCOUNT;
	if (kernel_accounts(vma.flags))
		vma.flags |= VMA_ACCOUNT;
	return vma;
}

static void check_vma(const struct vma *vma)
{
	uint64_t pages = len_pages(vma);
	enum rule rule;

	for (int i = 0; i < 3; i++) {
		uint64_t now = rules_vma_pages(modes[i], vma, &rule);
		uint64_t forced = rules_vma_forced_pages(modes[i], vma);

		FUZZ_CHECK(rule < RULE_NR);
		if (rule == RULE_NORESERVE_STICKY)
			FUZZ_CHECK(now <= pages && now <= vma->anonymous_pages);
		else
			FUZZ_CHECK(now == 0 || now == pages);
		FUZZ_CHECK(!(vma->flags & VMA_ACCOUNT) || now == pages);
		FUZZ_CHECK(now == 0 || forced == 0);
		FUZZ_CHECK(forced <= pages && forced <= vma->anonymous_pages);
		FUZZ_CHECK(rules_vma_fork_pages(modes[i], vma) ==
			   (vma->flags & VMA_DONTCOPY ? 0 : now));
	}
	/* The stricter mode never holds less, and the two others are the same. */
	FUZZ_CHECK(held(OVERCOMMIT_GUESS, vma) == held(OVERCOMMIT_ALWAYS, vma));
	FUZZ_CHECK(held(OVERCOMMIT_GUESS, vma) <= held(OVERCOMMIT_NEVER, vma));
}

/* statm's data+stack finds all that is charged, but what was made read-only. */
static void check_in_data(const struct vma *vma)
{
	if (vma->flags & VMA_WRITE && held(OVERCOMMIT_NEVER, vma))
		FUZZ_CHECK(rules_vma_in_data(vma));
	if (vma->flags & VMA_SHARED && !(vma->flags & VMA_GROWSDOWN))
		FUZZ_CHECK(!rules_vma_in_data(vma));
}

static void check_mprotect(const struct vma *vma, uint64_t overlap)
{
	struct vma after = *vma;

	after.flags |= VMA_WRITE;
	if (!(vma->flags & (VMA_ACCOUNT | VMA_WRITE | VMA_HUGETLB | VMA_SHARED | VMA_NORESERVE)))
		after.flags |= VMA_ACCOUNT;
	for (int i = 0; i < 3; i++) {
		struct charge all = rules_mprotect(modes[i], vma, UINT64_MAX, PROT_WRITE);
		struct charge some = rules_mprotect(modes[i], vma, overlap, PROT_WRITE);

		FUZZ_CHECK(all.pages == held(modes[i], &after) - held(modes[i], vma));
		FUZZ_CHECK(some.pages <= overlap);
		/* Part of what is there may lie outside: then more is asked for than it costs. */
		if (held(modes[i], vma) == 0 || vma->flags & (VMA_ACCOUNT | VMA_WRITE)) {
			FUZZ_CHECK(some.pages <= all.pages);
			FUZZ_CHECK(all.pages == 0 || overlap > all.pages || some.pages == overlap);
		}
		FUZZ_CHECK(all.holder == HOLDER_SPACE || all.pages == 0);
		FUZZ_CHECK(rules_mprotect(modes[i], vma, overlap, PROT_READ).pages == 0);
	}
}

static void check_mremap(const struct vma *vma, uint64_t new_len)
{
	uint64_t old_len = vma->end - vma->start;
	struct vma after = *vma;
	bool most = new_len > UINT64_MAX - vma->start - 4095;

	if (vma->end <= vma->start)
		return;
	after.end = vma->start + pages_to_bytes(bytes_to_pages(new_len));
	for (int i = 0; i < 3; i++) {
		uint64_t unknown = rules_mremap(modes[i], NULL, old_len, new_len, 0).pages;
		struct charge grow = rules_mremap(modes[i], vma, old_len, new_len, 0);
		struct charge keep = rules_mremap(modes[i], vma, old_len, old_len,
						  MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
		struct charge again = rules_mremap(modes[i], vma, 0, new_len, MREMAP_MAYMOVE);

		enum rule rule;

		FUZZ_CHECK(grow.pages <= unknown);
		FUZZ_CHECK(again.pages == 0);
		(void)rules_vma_pages(modes[i], vma, &rule);
		if (rule == RULE_NORESERVE_STICKY) {
			/* What is there moves, and nothing is added to it. */
			FUZZ_CHECK(grow.pages == 0 && keep.pages == 0);
			continue;
		}
		FUZZ_CHECK(keep.pages == held(modes[i], vma));
		if (most || new_len == 0)
			continue;
		if (held(modes[i], &after) > held(modes[i], vma))
			FUZZ_CHECK(grow.pages == held(modes[i], &after) - held(modes[i], vma));
		else
			FUZZ_CHECK(grow.pages == 0);
	}
}

/* The flags of the mapping that a kernel in mode HOST makes of a private call. */
static uint32_t kernel_private_flags(enum overcommit host, int prot, int flags,
				     enum file_kind kind)
{
	uint32_t vm = prot & PROT_WRITE ? VMA_WRITE : 0;

	if (flags & MAP_HUGETLB || kind == FILE_HUGETLB)
		vm |= VMA_HUGETLB;
	if ((flags & MAP_TYPE) == MAP_DROPPABLE)
		vm |= VMA_DROPPABLE | VMA_NORESERVE;
	if (flags & MAP_NORESERVE && host != OVERCOMMIT_NEVER)
		vm |= VMA_NORESERVE;
	return kernel_accounts(vm) ? vm | VMA_ACCOUNT : vm;
}

static void check_mmap(uint64_t len, int prot, int flags, enum file_kind kind)
{
	int type = flags & MAP_TYPE;

	for (int i = 0; i < 3; i++) {
		struct charge c = rules_mmap(modes[i], len, prot, flags, kind);
		struct vma vma = { .start = 0, .end = len };

		FUZZ_CHECK(c.pages == 0 || c.pages == bytes_to_pages(len));
		FUZZ_CHECK(c.pages == 0 || c.holder != HOLDER_NONE);
		FUZZ_CHECK(c.rule < RULE_NR);
		FUZZ_CHECK(c.pages <= rules_mmap(OVERCOMMIT_NEVER, len, prot, flags, kind).pages);
		if (type != MAP_PRIVATE && type != MAP_DROPPABLE) {
			FUZZ_CHECK(c.holder != HOLDER_SPACE);
			/* Protection has no part in what a shared object is charged. */
			FUZZ_CHECK(c.pages == rules_mmap(modes[i], len, ~prot, flags, kind).pages);
			continue;
		}
		FUZZ_CHECK(c.holder != HOLDER_OBJECT);
		/* On a host in the group's own mode, and on one in mode 0. */
		if (flags & MAP_ANONYMOUS)
			kind = FILE_NONE;
		vma.flags = kernel_private_flags(modes[i], prot, flags, kind);
		FUZZ_CHECK(c.pages == held(modes[i], &vma));
		vma.flags = kernel_private_flags(OVERCOMMIT_GUESS, prot, flags, kind);
		FUZZ_CHECK(c.pages == held(modes[i], &vma));
	}
}

/* Growth in two steps costs what it costs in one. */
static void check_brk(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t low = a < b ? a : b, high = a < b ? b : a;

	FUZZ_CHECK(rules_brk(high, low).pages == 0);
	FUZZ_CHECK(rules_brk(low, high).pages <= bytes_to_pages(high));
	if (low <= c && c <= high)
		FUZZ_CHECK(rules_brk(low, c).pages + rules_brk(c, high).pages ==
			   rules_brk(low, high).pages);
}

static void check_shmget(uint64_t size, int flags)
{
	for (int i = 0; i < 3; i++) {
		struct charge c = rules_shmget(modes[i], size, flags);

		FUZZ_CHECK(c.holder != HOLDER_SPACE);
		FUZZ_CHECK(c.pages == 0 || c.pages == bytes_to_pages(size));
		FUZZ_CHECK(!(flags & SHM_HUGETLB) || c.pages == 0);
		FUZZ_CHECK(flags & SHM_HUGETLB || c.pages == bytes_to_pages(size) ||
			   (flags & SHM_NORESERVE && modes[i] != OVERCOMMIT_NEVER));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct vma vma = any_vma(&in);
	uint64_t number = fuzz_number(&in);
	int prot = fuzz_byte(&in) & 7;
	int flags = (int)fuzz_number(&in);
	uint64_t other = fuzz_number(&in);

	check_vma(&vma);
	check_in_data(&vma);
	check_mprotect(&vma, number);
	check_mremap(&vma, number);
	for (int i = 0; i < 3; i++) {
		uint64_t back = rules_replaced_pages(modes[i], &vma, number);

		FUZZ_CHECK(back <= number && back <= held(modes[i], &vma));
		if (vma.flags & (VMA_ACCOUNT | VMA_WRITE))
			FUZZ_CHECK(back == number || back == held(modes[i], &vma));
	}
	check_mmap(number, prot, flags, (enum file_kind)(fuzz_byte(&in) % 5));
	check_brk(number, other, fuzz_number(&in));
	check_shmget(number, flags);
	return 0;
}
