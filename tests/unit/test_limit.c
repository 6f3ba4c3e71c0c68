/* SPDX-License-Identifier: MIT
 *
 * core/limit: CommitLimit, the reserves and the decision, with every boundary
 * one page to either side.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/limit.h"

#define MAX UINT64_MAX

/* RAM, ratio and hugetlb have no part in it. */
static void test_commit_kbytes(void **state)
{
	static const struct {
		uint64_t pages, swap, want;
	} rows[] = {
		{ 0, 0, 0 },
		{ 1000, 0, 1000 },
		{ 1000, 24, 1024 },
		{ 0, 24, 24 },
		{ MAX, 0, MAX },
		{ MAX - 1, 1, MAX },
		{ MAX, 1, MAX },
		{ MAX, MAX, MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct limit limit = {
			.mode = OVERCOMMIT_NEVER, .limit_pages = rows[i].pages,
			.swap_pages = rows[i].swap, .ram_pages = 5, .ratio = 90,
			.hugetlb_pages = 3,
		};

		assert_int_equal(limit_commit(&limit), rows[i].want);
	}
}

/* */
static void test_commit_ratio(void **state)
{
	static const struct {
		uint64_t ram, hugetlb, ratio, swap, want;
	} rows[] = {
		{ 1000, 0, 50, 0, 500 },
		{ 1000, 0, 0, 0, 0 },
		{ 1000, 0, 0, 7, 7 },
		{ 1000, 0, 100, 24, 1024 },
		{ 1000, 0, 150, 0, 1500 },
		{ 1000, 200, 50, 100, 500 },
		{ 999, 0, 50, 0, 499 }, /* rounded down, as the kernel's division */
		{ 1, 0, 99, 0, 0 },
		{ 1000, 1000, 50, 10, 10 },
		{ 1000, 1001, 50, 10, 10 }, /* hugetlb beyond RAM is all of it */
		{ 1000, MAX, 50, 10, 10 },
		{ MAX, 0, 100, 0, MAX },
		{ MAX, 0, 50, 0, MAX / 2 },
		{ MAX, 0, 101, 0, MAX },
		{ MAX, 0, MAX, 0, MAX },
		{ MAX, 0, 50, MAX, MAX },
		{ MAX / 2, 0, 200, 1, MAX },
		{ MAX / 2, 0, 200, 2, MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct limit limit = {
			.mode = OVERCOMMIT_NEVER, .by_ratio = true, .limit_pages = 77,
			.ram_pages = rows[i].ram, .hugetlb_pages = rows[i].hugetlb,
			.ratio = rows[i].ratio, .swap_pages = rows[i].swap,
		};

		if (limit_commit(&limit) != rows[i].want)
			fail_msg("row %zu: %llu", i, (unsigned long long)limit_commit(&limit));
	}
}

/* */
static void test_allowed(void **state)
{
	static const struct {
		uint64_t limit, admin, user, total_vm;
		bool cap;
		uint64_t want;
	} rows[] = {
		{ 1000, 0, 0, 0, false, 1000 },
		{ 1000, 100, 0, 0, false, 900 },
		{ 1000, 100, 0, 0, true, 1000 },
		{ 1000, 0, 50, 31, false, 1000 }, /* 31 / 32 is no page */
		{ 1000, 0, 50, 32, false, 999 },
		{ 1000, 0, 50, 64, true, 998 },	/* the user reserve binds the privileged too */
		{ 1000, 0, 50, 1600, false, 950 },
		{ 1000, 0, 50, 1632, false, 950 }, /* capped */
		{ 1000, 0, 50, MAX, false, 950 },
		{ 1000, 0, 0, MAX, false, 1000 },
		{ 1000, 100, 50, MAX, false, 850 },
		{ 1000, 1000, 0, 0, false, 0 },
		{ 1000, 1001, 0, 0, false, 0 }, /* signed in the kernel: below 0 refuses all */
		{ 1000, MAX, MAX, MAX, false, 0 },
		{ 1000, 990, 20, MAX, false, 0 },
		{ 1000, 990, 20, MAX, true, 980 },
		{ 0, 0, 0, 0, true, 0 },
		{ MAX, 0, 0, 0, true, MAX },
		{ MAX, 1, MAX, MAX, false, MAX - 1 - MAX / 32 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct limit limit = {
			.mode = OVERCOMMIT_NEVER, .limit_pages = rows[i].limit,
			.admin_reserve_pages = rows[i].admin, .user_reserve_pages = rows[i].user,
		};
		struct requester who = {
			.cap_sys_admin = rows[i].cap, .total_vm_pages = rows[i].total_vm,
		};

		if (limit_allowed(&limit, &who) != rows[i].want)
			fail_msg("row %zu: %llu", i,
				 (unsigned long long)limit_allowed(&limit, &who));
	}
}

/* */
static void test_never(void **state)
{
	static const struct {
		uint64_t limit, committed, request;
		enum verdict want;
	} rows[] = {
		{ 100, 0, 99, VERDICT_GRANT },
		{ 100, 0, 100, VERDICT_OVER_LIMIT }, /* exactly on it is refused */
		{ 100, 0, 101, VERDICT_OVER_LIMIT },
		{ 100, 50, 49, VERDICT_GRANT },
		{ 100, 50, 50, VERDICT_OVER_LIMIT },
		{ 100, 99, 0, VERDICT_GRANT },
		{ 100, 100, 0, VERDICT_OVER_LIMIT }, /* nothing more asked, refused all the same */
		{ 100, 150, 0, VERDICT_OVER_LIMIT },
		{ 100, 98, 1, VERDICT_GRANT },
		{ 100, 99, 1, VERDICT_OVER_LIMIT },
		{ 0, 0, 0, VERDICT_OVER_LIMIT },
		{ 0, 0, 1, VERDICT_OVER_LIMIT },
		{ 1, 0, 0, VERDICT_GRANT },
		{ 100, MAX, 1, VERDICT_OVER_LIMIT }, /* wraps to 0 unchecked */
		{ 100, 1, MAX, VERDICT_OVER_LIMIT },
		{ 100, MAX, MAX, VERDICT_OVER_LIMIT },
		{ MAX, 0, MAX - 1, VERDICT_GRANT },
		{ MAX, 0, MAX, VERDICT_OVER_LIMIT },
		{ MAX, MAX, 2, VERDICT_OVER_LIMIT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* RAM and swap do not bound a request in mode 2. */
		struct limit limit = { .mode = OVERCOMMIT_NEVER, .limit_pages = rows[i].limit };
		struct requester who = { .cap_sys_admin = true };
		enum verdict got = limit_decide(&limit, rows[i].committed, rows[i].request, &who);

		if (got != rows[i].want)
			fail_msg("row %zu: %d", i, (int)got);
	}
}

/* together. */
static void test_never_reserves(void **state)
{
	struct limit limit = {
		.mode = OVERCOMMIT_NEVER, .limit_pages = 1000,
		.admin_reserve_pages = 100, .user_reserve_pages = 10,
	};
	struct requester user = { .total_vm_pages = 320 };
	struct requester admin = { .cap_sys_admin = true, .total_vm_pages = 64 };

	(void)state;
	assert_int_equal(limit_decide(&limit, 800, 89, &user), VERDICT_GRANT);
	assert_int_equal(limit_decide(&limit, 800, 90, &user), VERDICT_OVER_LIMIT);
	assert_int_equal(limit_decide(&limit, 800, 197, &admin), VERDICT_GRANT);
	assert_int_equal(limit_decide(&limit, 800, 198, &admin), VERDICT_OVER_LIMIT);

	/* Reserves beyond the limit must not wrap into a limit without end. */
	limit.admin_reserve_pages = 2000;
	assert_int_equal(limit_decide(&limit, 0, 1, &user), VERDICT_OVER_LIMIT);
	assert_int_equal(limit_decide(&limit, 0, 0, &user), VERDICT_OVER_LIMIT);
	assert_int_equal(limit_decide(&limit, 0, 1, &admin), VERDICT_GRANT);
}

/* */
static void test_guess(void **state)
{
	static const struct {
		uint64_t ram, swap, committed, request;
		enum verdict want;
	} rows[] = {
		{ 100, 20, 0, 119, VERDICT_GRANT },
		{ 100, 20, 0, 120, VERDICT_GRANT }, /* unlike mode 2: the whole may be asked */
		{ 100, 20, 0, 121, VERDICT_OBVIOUS },
		{ 100, 20, 100000, 120, VERDICT_GRANT }, /* the total is not looked at */
		{ 100, 20, MAX, 120, VERDICT_GRANT },
		{ 100, 20, 0, MAX, VERDICT_OBVIOUS },
		{ 0, 0, 0, 0, VERDICT_GRANT },
		{ 0, 0, 0, 1, VERDICT_OBVIOUS },
		{ MAX, 20, 0, MAX, VERDICT_GRANT }, /* RAM + swap wraps unchecked */
		{ 100, MAX, 0, MAX, VERDICT_GRANT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* A limit and reserves are set and must play no part. */
		struct limit limit = {
			.mode = OVERCOMMIT_GUESS, .limit_pages = 1, .admin_reserve_pages = 50,
			.user_reserve_pages = 50, .ram_pages = rows[i].ram,
			.swap_pages = rows[i].swap,
		};
		struct requester who = { .total_vm_pages = 6400 };
		enum verdict got = limit_decide(&limit, rows[i].committed, rows[i].request, &who);

		if (got != rows[i].want)
			fail_msg("row %zu: %d", i, (int)got);
	}
}

/* */
static void test_always(void **state)
{
	struct limit limit = { .mode = OVERCOMMIT_ALWAYS, .admin_reserve_pages = 5 };
	struct requester who = { .total_vm_pages = MAX };

	(void)state;
	assert_int_equal(limit_decide(&limit, 0, 0, &who), VERDICT_GRANT);
	assert_int_equal(limit_decide(&limit, 0, MAX, &who), VERDICT_GRANT);
	assert_int_equal(limit_decide(&limit, MAX, MAX, &who), VERDICT_GRANT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commit_kbytes), cmocka_unit_test(test_commit_ratio),
		cmocka_unit_test(test_allowed),	      cmocka_unit_test(test_never),
		cmocka_unit_test(test_never_reserves), cmocka_unit_test(test_guess),
		cmocka_unit_test(test_always),
	};

	return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
