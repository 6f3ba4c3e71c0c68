/* SPDX-License-Identifier: MIT
 *
 * The limit that a host would need, by rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/forecast.h"

static const struct limit half = {
	.by_ratio = true, .ratio = 50, .ram_pages = 1000, .swap_pages = 200, .admin_reserve_pages = 10, .user_reserve_pages = 20,
};

static struct forecast at(const struct limit *limit, uint64_t committed, uint64_t noreserve, uint64_t largest, uint64_t room)
{
	const struct forecast_in in = { *limit, committed, noreserve, largest, room };

	return forecast(&in);
}

static void test_boundaries(void **state)
{
	struct forecast f;

	(void)state;
	/* 700 pages of limit: 10 for the admin, 20 for the user, one because the test is strict */
	f = at(&half, 669, 0, 10000, 0);
	assert_int_equal(f.limit_pages, 700);
	assert_int_equal(f.needed_pages, 700);
	assert_int_equal(f.outlook, OUTLOOK_LIVES);
	f = at(&half, 670, 0, 10000, 0);
	assert_int_equal(f.outlook, OUTLOOK_RAISE);
	assert_int_equal(f.kbytes, 501 * 4);
	assert_int_equal(f.ratio, 51);
	f = at(&half, 600, 69, 10000, 0);
	assert_int_equal(f.promised_pages, 669);
	assert_int_equal(f.outlook, OUTLOOK_LIVES);
	/* the user's reserve is at most 1/32 of the largest process */
	f = at(&half, 679, 0, 320, 0);
	assert_int_equal(f.reserve_pages, 20);
	assert_int_equal(f.outlook, OUTLOOK_LIVES);
	/* all of RAM and swap: 1200 */
	f = at(&half, 1169, 0, 10000, 0);
	assert_int_equal(f.outlook, OUTLOOK_RAISE);
	assert_int_equal(f.ratio, 100);
	f = at(&half, 1170, 0, 10000, 0);
	assert_int_equal(f.outlook, OUTLOOK_BEYOND);
	assert_int_equal(f.ratio, 101);
}

static void test_headroom(void **state)
{
	struct forecast f = at(&half, 101, 100, 0, 20);

	(void)state;
	assert_int_equal(f.headroom_pages, 41); /* 40.2, rounded up */
	assert_int_equal(f.needed_pages, 201 + 41 + 10 + 1);
}

static void test_what_it_says_works(void **state)
{
	(void)state;
	/* The proposed ratio and kbytes make a limit that admits what is promised. */
	for (uint64_t committed = 0; committed < 3000; committed += 7) {
		struct forecast f = at(&half, committed, 0, 5000, 10);
		struct limit by_ratio = half, by_kbytes = half;
		const struct requester who = { .total_vm_pages = 5000 };

		by_ratio.mode = by_kbytes.mode = OVERCOMMIT_NEVER;
		by_ratio.ratio = f.ratio;
		by_kbytes.by_ratio = false;
		by_kbytes.limit_pages = f.kbytes / 4;
		assert_true(limit_commit(&by_ratio) >= f.needed_pages);
		assert_true(limit_commit(&by_kbytes) >= f.needed_pages);
		assert_int_equal(limit_decide(&by_kbytes, committed, 0, &who), VERDICT_GRANT);
		assert_int_equal(limit_decide(&by_ratio, committed, 0, &who), VERDICT_GRANT);
	}
}

static void test_extremes(void **state)
{
	struct limit limit = half;
	struct forecast f;

	(void)state;
	f = at(&half, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX);
	assert_int_equal(f.needed_pages, UINT64_MAX);
	assert_int_equal(f.outlook, OUTLOOK_BEYOND);
	limit.hugetlb_pages = 2000; /* more than RAM */
	f = at(&limit, 5, 0, 0, 0);
	assert_int_equal(f.ratio, UINT64_MAX);
	assert_int_equal(f.outlook, OUTLOOK_LIVES); /* by swap alone */
	f = at(&half, 0, 0, 0, 0);
	assert_int_equal(f.kbytes, 4);
	assert_int_equal(f.ratio, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_boundaries),
		cmocka_unit_test(test_headroom),
		cmocka_unit_test(test_what_it_says_works),
		cmocka_unit_test(test_extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
