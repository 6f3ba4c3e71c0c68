/* SPDX-License-Identifier: MIT
 *
 * core/forkpolicy and base/duration: what is read, what a fork is charged
 * and what a child goes on to hold.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/duration.h"
#include "core/forkpolicy.h"

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t ms;
	} rows[] = {
		{ "0ms", 0, 0 },         { "200ms", 0, 200 },     { "2s", 0, 2000 },
		{ "3m", 0, 180000 },     { "", -EINVAL, 7 },      { "2", -EINVAL, 7 },
		{ "s", -EINVAL, 7 },     { "-1s", -EINVAL, 7 },   { "1.5s", -EINVAL, 7 },
		{ " 1s", -EINVAL, 7 },   { "1 s", -EINVAL, 7 },   { "1h", -EINVAL, 7 },
		{ "1S", -EINVAL, 7 },    { "1sec", -EINVAL, 7 },  { "9223372036854ms", 0, 9223372036854 },
		{ "9223372036855ms", -ERANGE, 7 },                { "18446744073709551616s", -ERANGE, 7 },
		{ "99999999999999999999999999s", -ERANGE, 7 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t ms = 7;

		assert_int_equal(duration_parse(rows[i].text, &ms), rows[i].r);
		assert_int_equal(ms, rows[i].ms);
	}
}

static void test_percent(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint32_t percent;
	} rows[] = {
		{ "1", 0, 1 },        { "25", 0, 25 },      { "25%", 0, 25 },     { "100%", 0, 100 },
		{ "0", -EINVAL, 7 },  { "101", -EINVAL, 7 }, { "", -EINVAL, 7 },  { "%", -EINVAL, 7 },
		{ "2%%", -EINVAL, 7 }, { "-1", -EINVAL, 7 }, { "2.5", -EINVAL, 7 }, { "4294967297", -EINVAL, 7 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t percent = 7;

		assert_int_equal(fork_percent_parse(rows[i].text, &percent), rows[i].r);
		assert_int_equal(percent, rows[i].percent);
	}
}

static void test_list(void **state)
{
	struct fork_policies p = { 0 };
	const char *at;

	(void)state;
	assert_null(fork_policies_add(&p, "redis-server:reserve=25%,sh:exec-grace=200ms,a:b:full,exec-grace=2s", &at));
	assert_int_equal(p.nr, 3);
	assert_string_equal(p.row[0].exe, "redis-server");
	assert_int_equal(p.row[0].policy.kind, FORK_RESERVE);
	assert_int_equal(p.row[0].policy.percent, 25);
	assert_int_equal(p.row[1].policy.kind, FORK_EXEC_GRACE);
	assert_int_equal(p.row[1].policy.grace_ms, 200);
	assert_string_equal(p.row[2].exe, "a:b"); /* the last colon counts */
	assert_int_equal(p.row[2].policy.kind, FORK_FULL);
	assert_int_equal(p.others.grace_ms, 2000);
	assert_true(fork_policies_active(&p));

	assert_ptr_equal(fork_policy_of(&p, "/usr/bin/redis-server"), &p.row[0].policy);
	assert_ptr_equal(fork_policy_of(&p, "/usr/bin/redis-server (deleted)"), &p.row[0].policy);
	assert_ptr_equal(fork_policy_of(&p, "/usr/bin/redis-server2"), &p.others);
	assert_ptr_equal(fork_policy_of(&p, "redis-server"), &p.row[0].policy);
	assert_ptr_equal(fork_policy_of(&p, "/redis-server/x"), &p.others);
	assert_ptr_equal(fork_policy_of(&p, ""), &p.others);
	assert_ptr_equal(fork_policy_of(&p, NULL), &p.others);
}

/* A list with a fault changes nothing, and says where it is. */
static void test_list_faults(void **state)
{
	static const struct {
		const char *list;
		size_t at;
	} rows[] = {
		{ "", 0 },
		{ "all", 0 },
		{ "full,", 5 },
		{ "a:full,,b:full", 7 },
		{ "reserve=", 0 },
		{ "reserve=0", 0 },
		{ "reserve=101", 0 },
		{ "Reserve=20", 0 },
		{ "exec-grace=0ms", 0 },
		{ "exec-grace=5", 0 },
		{ "full,reserve=3", 5 },
		{ "a:full,a:reserve=3", 7 },
		{ ":full", 0 },
		{ "/bin/sh:full", 0 },
		{ "a:full,1234567890123456789012345678901234567890123456789012345678901234:full", 7 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fork_policies p = { 0 };
		const char *at;

		assert_non_null(fork_policies_add(&p, rows[i].list, &at));
		assert_int_equal(at - rows[i].list, rows[i].at);
		assert_int_equal(p.nr, 0);
		assert_false(p.others_given);
		assert_false(fork_policies_active(&p));
	}
}

static void test_too_many(void **state)
{
	struct fork_policies p = { 0 };
	char entry[16];
	const char *at;

	(void)state;
	for (int i = 0; i < FORK_ROWS; i++) {
		(void)snprintf(entry, sizeof(entry), "p%d:full", i);
		assert_null(fork_policies_add(&p, entry, &at));
	}
	assert_false(fork_policies_active(&p)); /* all are the kernel's rule */
	assert_non_null(fork_policies_add(&p, "one:full", &at));
	assert_int_equal(p.nr, FORK_ROWS);
}

static void test_reserve(void **state)
{
	static const struct {
		struct fork_policy policy;
		uint64_t pages, want;
	} rows[] = {
		{ { .kind = FORK_FULL }, 1000, 1000 },
		{ { .kind = FORK_RESERVE, .percent = 25 }, 1000, 250 },
		{ { .kind = FORK_RESERVE, .percent = 25 }, 1001, 251 }, /* rounded up */
		{ { .kind = FORK_RESERVE, .percent = 25 }, 1004, 251 },
		{ { .kind = FORK_RESERVE, .percent = 1 }, 1, 1 },
		{ { .kind = FORK_RESERVE, .percent = 1 }, 0, 0 },
		{ { .kind = FORK_RESERVE, .percent = 100 }, 12345, 12345 },
		{ { .kind = FORK_RESERVE, .percent = 100 }, UINT64_MAX, UINT64_MAX },
		{ { .kind = FORK_RESERVE, .percent = 50 }, UINT64_MAX, UINT64_MAX / 2 + 1 },
		{ { .kind = FORK_EXEC_GRACE, .grace_ms = 5 }, 1000, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(fork_reserve_pages(&rows[i].policy, rows[i].pages), rows[i].want);
}

static void test_hold(void **state)
{
	static const struct {
		uint64_t pages, base, reserve, want;
	} rows[] = {
		{ 1000, 1000, 250, 250 },  /* as it was forked */
		{ 1100, 1000, 250, 350 },  /* what it asks for itself counts in full */
		{ 900, 1000, 250, 250 },   /* what it gives back is not its reserve */
		{ 750, 1000, 250, 250 },
		{ 250, 1000, 250, 250 },
		{ 249, 1000, 250, 249 },   /* it cannot copy more than it has */
		{ 0, 1000, 250, 0 },
		{ 1000, 1000, 0, 0 },      /* exec-grace */
		{ 1001, 1000, 0, 1 },
		{ 1000, 1000, 1000, 1000 },
		{ 1500, 1000, 1000, 1500 },
		{ 10, 1000, 1000, 10 },
		{ UINT64_MAX, 1000, 250, UINT64_MAX - 750 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(fork_hold_pages(rows[i].pages, rows[i].base, rows[i].reserve), rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_duration), cmocka_unit_test(test_percent),  cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_faults), cmocka_unit_test(test_too_many), cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
