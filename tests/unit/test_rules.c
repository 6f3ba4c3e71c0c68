/* SPDX-License-Identifier: MIT
 *
 * core/rules: every rule of docs/ACCOUNTING.md that decides on one mapping or
 * one request, as rows; lengths up to the largest that a caller can write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/rules.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

#define MAX UINT64_MAX
#define MAX_PAGES ((UINT64_MAX >> 12) + 1) /* of UINT64_MAX bytes */
#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

#define R VMA_READ
#define W VMA_WRITE
#define X VMA_EXEC
#define S VMA_SHARED
#define AC VMA_ACCOUNT
#define NR VMA_NORESERVE
#define HT VMA_HUGETLB
#define DP VMA_DROPPABLE
#define DC VMA_DONTCOPY
#define GD VMA_GROWSDOWN

static const enum overcommit modes[] = { OVERCOMMIT_GUESS, OVERCOMMIT_ALWAYS, OVERCOMMIT_NEVER };

/* A mapping of 16 pages. */
static struct vma vma16(uint32_t flags, uint64_t ino, uint64_t anonymous_pages)
{
	return (struct vma){
		.start = 0x7f0000000000, .end = 0x7f0000010000, .flags = flags, .ino = ino,
		.anonymous_pages = anonymous_pages,
	};
}

struct vma_row {
	const char *what;
	uint32_t flags;
	uint64_t ino, anon;
	uint64_t pages, pages_never; /* held in modes 0 and 1; in mode 2 */
	enum rule rule, rule_never;
	uint64_t forced;
	bool in_data;
};

static const struct vma_row vma_rows[] = {
	{ "anonymous", R | W | AC, 0, 3, 16, 16, RULE_PRIVATE_ANON, RULE_PRIVATE_ANON, 0, true },
	{ "untouched", R | W | AC, 0, 0, 16, 16, RULE_PRIVATE_ANON, RULE_PRIVATE_ANON, 0, true },
	{ "write only", W | AC, 0, 0, 16, 16, RULE_PRIVATE_ANON, RULE_PRIVATE_ANON, 0, true },
	{ "file data", R | W | AC, 9, 3, 16, 16, RULE_PRIVATE_FILE, RULE_PRIVATE_FILE, 0, true },
	{ "code", R | X, 9, 0, 0, 0, RULE_PRIVATE_READONLY, RULE_PRIVATE_READONLY, 0, false },
	{ "reserved", 0, 0, 0, 0, 0, RULE_PRIVATE_READONLY, RULE_PRIVATE_READONLY, 0, false },
	{ "relro", R | AC, 9, 16, 16, 16, RULE_STICKY, RULE_STICKY, 0, false },
	{ "none again", AC, 0, 1, 16, 16, RULE_STICKY, RULE_STICKY, 0, false },
	{ "poked code", R | X, 9, 2, 0, 0, RULE_PRIVATE_READONLY, RULE_PRIVATE_READONLY, 2, false },
	{ "poked, odd", R, 9, 99, 0, 0, RULE_PRIVATE_READONLY, RULE_PRIVATE_READONLY, 16, false },
	{ "noreserve", R | W | NR, 0, 5, 0, 16, RULE_NORESERVE, RULE_NORESERVE_NEVER, 0, true },
	{ "nr unused", R | W | NR, 0, 0, 0, 16, RULE_NORESERVE, RULE_NORESERVE_NEVER, 0, true },
	{ "nr reserved", NR, 0, 0, 0, 0, RULE_NORESERVE, RULE_PRIVATE_READONLY, 0, false },
	{ "nr sticky", R | NR, 0, 1, 0, 1, RULE_NORESERVE, RULE_NORESERVE_STICKY, 0, false },
	{ "nr, odd", R | NR, 0, 99, 0, 16, RULE_NORESERVE, RULE_NORESERVE_STICKY, 0, false },
	{ "nr, ac", R | W | NR | AC, 0, 1, 16, 16, RULE_PRIVATE_ANON, RULE_PRIVATE_ANON, 0, true },
	{ "shared", R | W | S, 9, 0, 0, 0, RULE_SHARED, RULE_SHARED, 0, false },
	{ "shared none", S, 9, 0, 0, 0, RULE_SHARED, RULE_SHARED, 0, false },
	{ "shared nr", R | W | S | NR, 9, 0, 0, 0, RULE_SHARED, RULE_SHARED, 0, false },
	{ "shared anon", R | S, 9, 4, 0, 0, RULE_SHARED, RULE_SHARED, 0, false },
	{ "hugetlb", R | W | HT, 9, 8, 0, 0, RULE_HUGETLB, RULE_HUGETLB, 0, true },
	{ "hugetlb nr", R | W | HT | NR, 9, 8, 0, 0, RULE_HUGETLB, RULE_HUGETLB, 0, true },
	{ "hugetlb ro", R | HT, 9, 8, 0, 0, RULE_HUGETLB, RULE_HUGETLB, 0, false },
	{ "hugetlb shm", R | W | HT | S, 9, 0, 0, 0, RULE_HUGETLB, RULE_HUGETLB, 0, false },
	{ "droppable", R | W | NR | DP, 0, 4, 0, 0, RULE_DROPPABLE, RULE_DROPPABLE, 0, true },
	{ "droppable ro", R | NR | DP, 0, 4, 0, 0, RULE_DROPPABLE, RULE_DROPPABLE, 0, false },
	{ "stack", R | W | AC | GD, 0, 9, 16, 16, RULE_STACK, RULE_STACK, 0, true },
	/* R-054, as smaps shows a shadow stack: wr and ac, ss besides. */
	{ "shadow stack", R | W | AC, 0, 1, 16, 16, RULE_PRIVATE_ANON, RULE_PRIVATE_ANON, 0, true },
	{ "ro growable", R | GD, 0, 0, 0, 0, RULE_PRIVATE_READONLY, RULE_PRIVATE_READONLY, 0, true },
	{ "unmarked", R | W, 0, 4, 0, 0, RULE_UNACCOUNTED, RULE_UNACCOUNTED, 4, true },
};

static void expect_vma(const struct vma_row *row, enum overcommit mode, const struct vma *vma)
{
	bool never = mode == OVERCOMMIT_NEVER;
	uint64_t want = never ? row->pages_never : row->pages;
	enum rule want_rule = never ? row->rule_never : row->rule;
	enum rule rule = RULE_NR;

	if (rules_vma_pages(mode, vma, &rule) != want || rule != want_rule)
		fail_msg("%s, mode %d: %llu by %s", row->what, (int)mode,
			 (unsigned long long)rules_vma_pages(mode, vma, NULL), rule_id(rule));
	if (rules_vma_forced_pages(mode, vma) != row->forced)
		fail_msg("%s, mode %d: %llu forced", row->what, (int)mode,
			 (unsigned long long)rules_vma_forced_pages(mode, vma));
	if (rules_vma_fork_pages(mode, vma) != want)
		fail_msg("%s, mode %d: fork", row->what, (int)mode);
}

static void test_vma(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(vma_rows); i++) {
		struct vma vma = vma16(vma_rows[i].flags, vma_rows[i].ino, vma_rows[i].anon);

		for (size_t m = 0; m < ROWS(modes); m++)
			expect_vma(&vma_rows[i], modes[m], &vma);
		if (rules_vma_in_data(&vma) != vma_rows[i].in_data)
			fail_msg("%s: in data", vma_rows[i].what);
	}
}

static void test_fork_leaves_out_dontcopy(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(vma_rows); i++) {
		struct vma vma = vma16(vma_rows[i].flags | DC, vma_rows[i].ino, vma_rows[i].anon);

		for (size_t m = 0; m < ROWS(modes); m++)
			assert_int_equal(rules_vma_fork_pages(modes[m], &vma), 0);
		/* It is held by the parent all the same. */
		assert_int_equal(rules_vma_pages(OVERCOMMIT_NEVER, &vma, NULL),
				 vma_rows[i].pages_never);
	}
}

static void test_vma_hostile_bounds(void **state)
{
	struct vma vma = { .start = 0, .end = MAX, .flags = R | W | AC, .anonymous_pages = MAX };

	(void)state;
	assert_int_equal(rules_vma_pages(OVERCOMMIT_NEVER, &vma, NULL), MAX_PAGES);
	vma.flags = R;
	assert_int_equal(rules_vma_forced_pages(OVERCOMMIT_NEVER, &vma), MAX_PAGES);
	vma = (struct vma){ .start = 8192, .end = 4096, .flags = R | W | AC, .anonymous_pages = 1 };
	assert_int_equal(rules_vma_pages(OVERCOMMIT_NEVER, &vma, NULL), 0);
	assert_int_equal(rules_vma_fork_pages(OVERCOMMIT_NEVER, &vma), 0);
	vma.flags = R;
	assert_int_equal(rules_vma_forced_pages(OVERCOMMIT_NEVER, &vma), 0);
}

static void expect_charge(const char *what, enum overcommit mode, struct charge got,
			  enum holder holder, uint64_t pages, enum rule rule)
{
	if (got.holder != holder || got.pages != pages || got.rule != rule)
		fail_msg("%s, mode %d: holder %d, %llu pages, %s", what, (int)mode,
			 (int)got.holder, (unsigned long long)got.pages, rule_id(got.rule));
}

#define RW (PROT_READ | PROT_WRITE)
#define PRIV_ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHR_ANON (MAP_SHARED | MAP_ANONYMOUS)
#define NORES MAP_NORESERVE
#define NONE HOLDER_NONE
#define SPACE HOLDER_SPACE
#define OBJ HOLDER_OBJECT

/* Modes that a row is about, by bit. */
enum { LAX = 1 << OVERCOMMIT_GUESS | 1 << OVERCOMMIT_ALWAYS, NEVER = 1 << OVERCOMMIT_NEVER,
       ALL = LAX | NEVER };

struct mmap_row {
	const char *what;
	unsigned int modes;
	uint64_t len;
	int prot, flags;
	enum file_kind kind;
	enum holder holder;
	uint64_t pages;
	enum rule rule;
};

static const struct mmap_row mmap_rows[] = {
	{ "anon", ALL, 65536, RW, PRIV_ANON, FILE_NONE, SPACE, 16, RULE_PRIVATE_ANON },
	{ "1 byte", ALL, 1, RW, PRIV_ANON, FILE_NONE, SPACE, 1, RULE_PRIVATE_ANON },
	{ "page + 1", ALL, 4097, RW, PRIV_ANON, FILE_NONE, SPACE, 2, RULE_PRIVATE_ANON },
	{ "write", ALL, 4096, PROT_WRITE, PRIV_ANON, FILE_NONE, SPACE, 1, RULE_PRIVATE_ANON },
	{ "rwx", ALL, 4096, RW | PROT_EXEC, PRIV_ANON, FILE_NONE, SPACE, 1, RULE_PRIVATE_ANON },
	{ "huge", ALL, MAX, RW, PRIV_ANON, FILE_NONE, SPACE, MAX_PAGES, RULE_PRIVATE_ANON },
	{ "empty", ALL, 0, RW, PRIV_ANON, FILE_NONE, NONE, 0, RULE_EMPTY },
	{ "none", ALL, 65536, PROT_NONE, PRIV_ANON, FILE_NONE, NONE, 0, RULE_PRIVATE_READONLY },
	{ "read", ALL, 65536, PROT_READ, PRIV_ANON, FILE_NONE, NONE, 0, RULE_PRIVATE_READONLY },
	{ "populate", ALL, 4096, RW, PRIV_ANON | MAP_POPULATE | MAP_LOCKED, FILE_NONE, SPACE, 1,
	  RULE_PRIVATE_ANON },
	{ "stack", ALL, 4096, RW, PRIV_ANON | MAP_STACK | MAP_GROWSDOWN, FILE_NONE, SPACE, 1,
	  RULE_PRIVATE_ANON },
	{ "fixed", ALL, 4096, RW, PRIV_ANON | MAP_FIXED, FILE_NONE, SPACE, 1, RULE_PRIVATE_ANON },
	/* With MAP_ANONYMOUS the descriptor is not looked at. */
	{ "anon fd", ALL, 4096, RW, PRIV_ANON, FILE_HUGETLB, SPACE, 1, RULE_PRIVATE_ANON },
	{ "anon shm fd", ALL, 4096, RW, SHR_ANON, FILE_SHMEM, OBJ, 1, RULE_SHARED_ANON },

	{ "file", ALL, 65536, RW, MAP_PRIVATE, FILE_PLAIN, SPACE, 16, RULE_PRIVATE_FILE },
	{ "file ro", ALL, 65536, PROT_READ, MAP_PRIVATE, FILE_PLAIN, NONE, 0,
	  RULE_PRIVATE_READONLY },
	{ "memfd", ALL, 65536, RW, MAP_PRIVATE, FILE_SHMEM, SPACE, 16, RULE_PRIVATE_FILE },
	{ "zero", ALL, 65536, RW, MAP_PRIVATE, FILE_ZERO, SPACE, 16, RULE_PRIVATE_ANON },
	{ "zero ro", ALL, 65536, PROT_READ, MAP_PRIVATE, FILE_ZERO, NONE, 0,
	  RULE_PRIVATE_READONLY },

	{ "noreserve", LAX, 65536, RW, PRIV_ANON | NORES, FILE_NONE, NONE, 0, RULE_NORESERVE },
	{ "noreserve", NEVER, 65536, RW, PRIV_ANON | NORES, FILE_NONE, SPACE, 16,
	  RULE_NORESERVE_NEVER },
	{ "nr file", LAX, 65536, RW, MAP_PRIVATE | NORES, FILE_PLAIN, NONE, 0, RULE_NORESERVE },
	{ "nr file", NEVER, 65536, RW, MAP_PRIVATE | NORES, FILE_PLAIN, SPACE, 16,
	  RULE_NORESERVE_NEVER },
	{ "nr none", ALL, 65536, PROT_NONE, PRIV_ANON | NORES, FILE_NONE, NONE, 0,
	  RULE_PRIVATE_READONLY },
	{ "nr shared", LAX, 65536, RW, SHR_ANON | NORES, FILE_NONE, OBJ, 0,
	  RULE_SHARED_ANON_NORESERVE },
	{ "nr shared", NEVER, 65536, RW, SHR_ANON | NORES, FILE_NONE, OBJ, 16, RULE_SHARED_ANON },
	{ "nr sh zero", LAX, 65536, RW, MAP_SHARED | NORES, FILE_ZERO, OBJ, 0,
	  RULE_SHARED_ANON_NORESERVE },
	{ "nr sh zero", NEVER, 65536, RW, MAP_SHARED | NORES, FILE_ZERO, OBJ, 16,
	  RULE_SHARED_ANON },

	{ "shared", ALL, 65536, RW, SHR_ANON, FILE_NONE, OBJ, 16, RULE_SHARED_ANON },
	{ "sh none", ALL, 65536, PROT_NONE, SHR_ANON, FILE_NONE, OBJ, 16, RULE_SHARED_ANON },
	{ "sh huge", ALL, MAX, PROT_NONE, SHR_ANON, FILE_NONE, OBJ, MAX_PAGES, RULE_SHARED_ANON },
	{ "sh zero", ALL, 65536, PROT_READ, MAP_SHARED, FILE_ZERO, OBJ, 16, RULE_SHARED_ANON },
	{ "sh v zero", ALL, 65536, RW, MAP_SHARED_VALIDATE, FILE_ZERO, OBJ, 16, RULE_SHARED_ANON },
	{ "sh v anon", ALL, 65536, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, FILE_NONE, NONE, 0,
	  RULE_EMPTY },
	{ "sh file", ALL, 65536, RW, MAP_SHARED, FILE_PLAIN, NONE, 0, RULE_SHARED },
	{ "sh v file", ALL, 65536, RW, MAP_SHARED_VALIDATE, FILE_PLAIN, NONE, 0, RULE_SHARED },
	{ "sh memfd", ALL, MAX, RW, MAP_SHARED, FILE_SHMEM, NONE, 0, RULE_SHARED },
	{ "sh nr memfd", ALL, 65536, RW, MAP_SHARED | NORES, FILE_SHMEM, NONE, 0, RULE_SHARED },

	{ "hugetlb", ALL, 65536, RW, PRIV_ANON | MAP_HUGETLB, FILE_NONE, NONE, 0, RULE_HUGETLB },
	{ "sh hugetlb", ALL, 65536, RW, SHR_ANON | MAP_HUGETLB, FILE_NONE, NONE, 0, RULE_HUGETLB },
	{ "hugetlbfs", ALL, 65536, RW, MAP_PRIVATE, FILE_HUGETLB, NONE, 0, RULE_HUGETLB },
	{ "sh hugetlbfs", ALL, 65536, RW, MAP_SHARED, FILE_HUGETLB, NONE, 0, RULE_HUGETLB },
	{ "droppable", ALL, 65536, RW, MAP_DROPPABLE | MAP_ANONYMOUS, FILE_NONE, NONE, 0,
	  RULE_DROPPABLE },
	{ "no type", ALL, 65536, RW, MAP_ANONYMOUS, FILE_NONE, NONE, 0, RULE_EMPTY },
	{ "type 4", ALL, 65536, RW, MAP_ANONYMOUS | 4, FILE_NONE, NONE, 0, RULE_EMPTY },
	{ "type 15", ALL, 65536, RW, MAP_ANONYMOUS | 15, FILE_NONE, NONE, 0, RULE_EMPTY },
};

static void test_mmap(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(mmap_rows); i++) {
		const struct mmap_row *row = &mmap_rows[i];

		for (size_t m = 0; m < ROWS(modes); m++)
			if (row->modes & 1U << modes[m])
				expect_charge(row->what, modes[m],
					      rules_mmap(modes[m], row->len, row->prot, row->flags,
							 row->kind),
					      row->holder, row->pages, row->rule);
	}
}

static void test_replaced(void **state)
{
	struct vma held = vma16(R | W | AC, 0, 0);
	struct vma sticky = vma16(R | AC, 9, 0);
	struct vma nr = vma16(R | W | NR, 0, 0);
	struct vma readonly = vma16(R, 0, 0);

	(void)state;
	assert_int_equal(rules_replaced_pages(OVERCOMMIT_NEVER, &held, 0), 0);
	assert_int_equal(rules_replaced_pages(OVERCOMMIT_NEVER, &held, 5), 5);
	assert_int_equal(rules_replaced_pages(OVERCOMMIT_NEVER, &held, 16), 16);
	assert_int_equal(rules_replaced_pages(OVERCOMMIT_NEVER, &held, 17), 16);
	assert_int_equal(rules_replaced_pages(OVERCOMMIT_NEVER, &held, MAX), 16);
	assert_int_equal(rules_replaced_pages(OVERCOMMIT_GUESS, &held, 5), 5);
	assert_int_equal(rules_replaced_pages(OVERCOMMIT_NEVER, &sticky, 5), 5);
	assert_int_equal(rules_replaced_pages(OVERCOMMIT_NEVER, &nr, 5), 5);
	assert_int_equal(rules_replaced_pages(OVERCOMMIT_ALWAYS, &nr, 5), 0);
	assert_int_equal(rules_replaced_pages(OVERCOMMIT_NEVER, &readonly, 5), 0);
}

static void test_mprotect(void **state)
{
	static const struct {
		const char *what;
		uint32_t flags;
		uint64_t anon;
		uint64_t pages, pages_never; /* of an overlap of 5 */
		enum rule rule, rule_never;
	} rows[] = {
		{ "reserved", 0, 0, 5, 5, RULE_MPROTECT_WRITE, RULE_MPROTECT_WRITE },
		{ "code", R | X, 0, 5, 5, RULE_MPROTECT_WRITE, RULE_MPROTECT_WRITE },
		{ "poked", R, 3, 5, 5, RULE_MPROTECT_WRITE, RULE_MPROTECT_WRITE },
		{ "growable", R | GD, 0, 5, 5, RULE_MPROTECT_WRITE, RULE_MPROTECT_WRITE },
		{ "dontcopy", R | DC, 0, 5, 5, RULE_MPROTECT_WRITE, RULE_MPROTECT_WRITE },
		{ "charged", R | W | AC, 0, 0, 0, RULE_MPROTECT_HELD, RULE_MPROTECT_HELD },
		{ "sticky", R | AC, 0, 0, 0, RULE_MPROTECT_HELD, RULE_MPROTECT_HELD },
		{ "nr", NR, 0, 0, 5, RULE_NORESERVE, RULE_NORESERVE_NEVER },
		{ "nr sticky", R | NR, 1, 0, 5, RULE_NORESERVE, RULE_NORESERVE_NEVER },
		{ "nr, present", R | NR, 14, 0, 2, RULE_NORESERVE, RULE_NORESERVE_NEVER },
		{ "nr rw", R | W | NR, 0, 0, 0, RULE_NORESERVE, RULE_MPROTECT_HELD },
		{ "shared", R | S, 0, 0, 0, RULE_SHARED, RULE_SHARED },
		{ "shared nr", R | S | NR, 0, 0, 0, RULE_SHARED, RULE_SHARED },
		{ "hugetlb", R | HT, 0, 0, 0, RULE_HUGETLB, RULE_HUGETLB },
		{ "droppable", R | NR | DP, 0, 0, 0, RULE_DROPPABLE, RULE_DROPPABLE },
		{ "unmarked", R | W, 0, 0, 0, RULE_UNACCOUNTED, RULE_UNACCOUNTED },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct vma vma = vma16(rows[i].flags, 0, rows[i].anon);

		for (size_t m = 0; m < ROWS(modes); m++) {
			bool never = modes[m] == OVERCOMMIT_NEVER;
			uint64_t pages = never ? rows[i].pages_never : rows[i].pages;

			expect_charge(rows[i].what, modes[m], rules_mprotect(modes[m], &vma, 5, RW),
				      pages ? SPACE : NONE, pages,
				      never ? rows[i].rule_never : rows[i].rule);
			expect_charge(rows[i].what, modes[m],
				      rules_mprotect(modes[m], &vma, 5, PROT_READ | PROT_EXEC),
				      NONE, 0, RULE_MPROTECT_LOWER);
		}
	}
}

static void test_mprotect_overlap(void **state)
{
	struct vma vma = vma16(R, 0, 0);

	(void)state;
	expect_charge("none", 2, rules_mprotect(OVERCOMMIT_NEVER, &vma, 0, RW), NONE, 0,
		      RULE_EMPTY);
	expect_charge("all", 2, rules_mprotect(OVERCOMMIT_NEVER, &vma, 16, PROT_WRITE), SPACE, 16,
		      RULE_MPROTECT_WRITE);
	expect_charge("more", 2, rules_mprotect(OVERCOMMIT_NEVER, &vma, 17, RW), SPACE, 16,
		      RULE_MPROTECT_WRITE);
	expect_charge("most", 2, rules_mprotect(OVERCOMMIT_NEVER, &vma, MAX, RW), SPACE, 16,
		      RULE_MPROTECT_WRITE);
}

struct mremap_row {
	const char *what;
	uint32_t vma_flags; /* UNKNOWN: no mapping is given */
	uint64_t old_len, new_len;
	int flags;
	uint64_t pages, pages_never;
	enum rule rule, rule_never;
};

#define UNKNOWN UINT32_MAX
#define MAY MREMAP_MAYMOVE
#define DONT (MREMAP_MAYMOVE | MREMAP_DONTUNMAP)
#define GROW RULE_MREMAP_GROW
#define MOVE RULE_MREMAP_MOVE
#define FREE RULE_MREMAP_FREE
#define DUP RULE_MREMAP_DUPLICATE
#define KEEP RULE_MREMAP_DONTUNMAP

static const struct mremap_row mremap_rows[] = {
	{ "grow", R | W | AC, 65536, 131072, 0, 16, 16, GROW, GROW },
	{ "grow move", R | W | AC, 65536, 131072, MAY, 16, 16, GROW, GROW },
	{ "grow sticky", R | AC, 65536, 131072, 0, 16, 16, GROW, GROW },
	{ "grow 1", R | W | AC, 65536, 65537, 0, 1, 1, GROW, GROW },
	{ "in its page", R | W | AC, 65533, 65536, 0, 0, 0, MOVE, MOVE },
	{ "shrink", R | W | AC, 65536, 4096, 0, 0, 0, MOVE, MOVE },
	{ "move", R | W | AC, 65536, 65536, MAY | MREMAP_FIXED, 0, 0, MOVE, MOVE },
	{ "move grow", R | W | AC, 65536, 69632, MAY | MREMAP_FIXED, 1, 1, GROW, GROW },
	{ "dontunmap", R | W | AC, 65536, 65536, DONT, 16, 16, KEEP, KEEP },
	{ "dontunmap ro", R, 65536, 65536, DONT, 0, 0, FREE, FREE },
	{ "to most", R | W | AC, 4096, MAX, MAY, MAX_PAGES - 1, MAX_PAGES - 1, GROW, GROW },
	{ "from most", R | W | AC, MAX, 4096, MAY, 0, 0, MOVE, MOVE },
	{ "most", R | W | AC, MAX, MAX, DONT, MAX_PAGES, MAX_PAGES, KEEP, KEEP },
	{ "duplicate", R | W | S, 0, 65536, MAY, 0, 0, DUP, DUP },
	{ "dup private", R | W | AC, 0, 65536, MAY, 0, 0, DUP, DUP },
	{ "to nothing", R | W | AC, 65536, 0, 0, 0, 0, RULE_EMPTY, RULE_EMPTY },
	{ "shared", R | W | S, 65536, 131072, MAY, 0, 0, FREE, FREE },
	{ "read-only", R, 65536, 131072, MAY, 0, 0, FREE, FREE },
	{ "hugetlb", R | W | HT, 65536, 131072, MAY, 0, 0, FREE, FREE },
	{ "droppable", R | W | NR | DP, 65536, 131072, MAY, 0, 0, FREE, FREE },
	{ "nr", R | W | NR, 65536, 131072, MAY, 0, 16, FREE, GROW },
	{ "nr dontunmap", R | W | NR, 65536, 65536, DONT, 0, 16, FREE, KEEP },
	{ "nr reserved", NR, 65536, 131072, MAY, 0, 0, FREE, FREE },
	{ "? grow", UNKNOWN, 65536, 131072, MAY, 16, 16, GROW, GROW },
	{ "? dontunmap", UNKNOWN, 65536, 65536, DONT, 16, 16, KEEP, KEEP },
	{ "? move", UNKNOWN, 65536, 65536, MAY, 0, 0, MOVE, MOVE },
	{ "? shrink", UNKNOWN, 65536, 4096, 0, 0, 0, MOVE, MOVE },
	{ "? duplicate", UNKNOWN, 0, 65536, MAY, 0, 0, DUP, DUP },
};

static void test_mremap(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(mremap_rows); i++) {
		const struct mremap_row *row = &mremap_rows[i];
		struct vma vma = vma16(row->vma_flags, 0, 0);

		for (size_t m = 0; m < ROWS(modes); m++) {
			bool never = modes[m] == OVERCOMMIT_NEVER;
			uint64_t pages = never ? row->pages_never : row->pages;

			expect_charge(row->what, modes[m],
				      rules_mremap(modes[m],
						   row->vma_flags == UNKNOWN ? NULL : &vma,
						   row->old_len, row->new_len, row->flags),
				      pages ? SPACE : NONE, pages,
				      never ? row->rule_never : row->rule);
		}
	}
}

static void test_brk(void **state)
{
	static const struct {
		uint64_t current, wanted, pages;
	} rows[] = {
		{ 0x1000, 0x1000, 0 },
		{ 0x1000, 0x1001, 1 },
		{ 0x1000, 0x2000, 1 },
		{ 0x1000, 0x2001, 2 },
		{ 0x1001, 0x2000, 0 }, /* the last page is there already */
		{ 0x1fff, 0x2001, 1 },
		{ 0x5000, 0x1000, 0 },
		{ 0x5000, 0, 0 },
		{ 0, MAX, MAX_PAGES },
		{ 0x1000, MAX, MAX_PAGES - 1 }, /* PAGE_ALIGN of it wraps to 0 unchecked */
		{ MAX, MAX, 0 },
		{ MAX, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		expect_charge("brk", 2, rules_brk(rows[i].current, rows[i].wanted),
			      rows[i].pages ? SPACE : NONE, rows[i].pages,
			      rows[i].pages ? RULE_BRK_GROW : RULE_BRK_SHRINK);
}

static void test_shmget(void **state)
{
	static const struct {
		uint64_t size;
		int flags;
		enum holder holder;
		uint64_t pages, pages_never;
		enum rule rule, rule_never;
	} rows[] = {
		{ 65536, IPC_CREAT | 0600, OBJ, 16, 16, RULE_SHMGET, RULE_SHMGET },
		{ 1, 0, OBJ, 1, 1, RULE_SHMGET, RULE_SHMGET },
		{ 4097, 0, OBJ, 2, 2, RULE_SHMGET, RULE_SHMGET },
		{ MAX, 0, OBJ, MAX_PAGES, MAX_PAGES, RULE_SHMGET, RULE_SHMGET },
		{ 0, 0, NONE, 0, 0, RULE_EMPTY, RULE_EMPTY },
		{ 65536, SHM_NORESERVE, OBJ, 0, 16, RULE_SHMGET_NORESERVE, RULE_SHMGET },
		{ 65536, SHM_HUGETLB, NONE, 0, 0, RULE_HUGETLB, RULE_HUGETLB },
		{ 65536, SHM_HUGETLB | SHM_NORESERVE, NONE, 0, 0, RULE_HUGETLB, RULE_HUGETLB },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		for (size_t m = 0; m < ROWS(modes); m++) {
			bool never = modes[m] == OVERCOMMIT_NEVER;

			expect_charge("shmget", modes[m],
				      rules_shmget(modes[m], rows[i].size, rows[i].flags),
				      rows[i].holder, never ? rows[i].pages_never : rows[i].pages,
				      never ? rows[i].rule_never : rows[i].rule);
		}
	}
}

static void test_names(void **state)
{
	unsigned int number, last = 0;
	char end;

	(void)state;
	for (int i = 0; i < RULE_NR; i++) {
		assert_int_equal(sscanf(rule_id(i), "R-%3u%c", &number, &end), 1);
		assert_int_equal(strlen(rule_id(i)), 5);
		assert_true(number > last); /* in order, so each but once */
		last = number;
		assert_true(strlen(rule_text(i)) > 10);
		assert_null(strchr(rule_text(i), '\n'));
		assert_true(strlen(rule_source(i)) > 3);
	}
	/* Ids that comments and users know. */
	assert_string_equal(rule_id(RULE_NORESERVE_NEVER), "R-012");
	assert_string_equal(rule_id(RULE_REPLACED), "R-020");
	assert_string_equal(rule_id(RULE_FORCED), "R-070");
	/* Out of the table: from a damaged record. */
	assert_string_equal(rule_id(RULE_NR), "R-???");
	assert_string_equal(rule_text((enum rule)-1), "unknown rule");
	assert_string_equal(rule_source((enum rule)100000), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vma),
		cmocka_unit_test(test_fork_leaves_out_dontcopy),
		cmocka_unit_test(test_vma_hostile_bounds),
		cmocka_unit_test(test_mmap),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_mprotect),
		cmocka_unit_test(test_mprotect_overlap),
		cmocka_unit_test(test_mremap),
		cmocka_unit_test(test_brk),
		cmocka_unit_test(test_shmget),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
