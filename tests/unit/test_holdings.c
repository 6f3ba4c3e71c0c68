/* SPDX-License-Identifier: MIT
 *
 * Whose memory is held: places that are known, places that are found at the next
 * look, forks, what is given back, and what nobody has looked at.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "report/holdings.h"

enum { MS = 1000000 };

struct run {
	struct holdings *h;
	uint64_t ms;
	uint64_t number;
};

static struct run begin(void)
{
	struct run run = { .h = holdings_new() };
	struct journal_event space = { .kind = JOURNAL_SPACE, .space = { .id = 1, .origin = JOURNAL_EXECED } };

	assert_non_null(run.h);
	assert_int_equal(holdings_note(run.h, &space), 0);
	return run;
}

static void request(struct run *run, enum operation op, uint32_t stack, uint64_t pages, uint64_t start)
{
	struct journal_event e = { .kind = JOURNAL_REQUEST, .time_ns = ++run->ms * 100 * MS };

	e.request = (struct journal_request){ .number = ++run->number, .space = 1, .stack = stack, .op = op,
					      .rule = RULE_PRIVATE_ANON, .pages = pages };
	if (start) {
		e.request.flags = JOURNAL_RANGE;
		e.request.start = start;
		e.request.end = start + pages;
	}
	assert_int_equal(holdings_note(run->h, &e), 0);
}

static void look(struct run *run, uint32_t space, const struct journal_range *range, uint32_t nr)
{
	struct journal_event e = { .kind = JOURNAL_RANGES, .time_ns = ++run->ms * 100 * MS, .ranges = { space, nr, range } };

	assert_int_equal(holdings_note(run->h, &e), 0);
}

/* Pages that are held from STACK now; of KIND where STACK is 0. */
static uint64_t held(struct run *run, uint64_t committed, uint32_t stack, enum held_kind kind, uint64_t *ret_used)
{
	const struct held *row;
	long nr = holdings_now(run->h, committed, &row);
	uint64_t pages = 0, used = 0;

	assert_true(nr >= 0);
	for (long i = 0; i < nr; i++) {
		if (row[i].stack != stack || (!stack && row[i].kind != kind))
			continue;
		pages += row[i].pages;
		used += row[i].used;
	}
	if (ret_used)
		*ret_used = used;
	return pages;
}

static void a_known_place_is_its_callers(void **state)
{
	struct run run = begin();
	uint64_t used;

	(void)state;
	request(&run, OP_BRK, 1, 10, 100);
	request(&run, OP_BRK, 1, 5, 110);
	request(&run, OP_BRK, 2, 5, 115);
	request(&run, OP_MPROTECT, 3, 4, 108); /* over the first's */
	assert_int_equal(held(&run, 20, 1, HELD_REQUEST, NULL), 11);
	assert_int_equal(held(&run, 20, 2, HELD_REQUEST, NULL), 5);
	assert_int_equal(held(&run, 20, 3, HELD_REQUEST, NULL), 4);
	look(&run, 1, (struct journal_range[]){ { 100, 118, 18, 9, JOURNAL_HEAP } }, 1); /* two pages were given back */
	assert_int_equal(held(&run, 18, 2, HELD_REQUEST, &used), 3);
	assert_int_equal(used, 1);
	assert_int_equal(held(&run, 18, 1, HELD_REQUEST, NULL), 11);
	holdings_free(run.h);
}

static void an_unknown_place_is_found_by_size_and_order(void **state)
{
	struct run run = begin();
	static const struct journal_range ranges[] = {
		{ 1000, 1030, 30, 30, JOURNAL_ANON }, { 2000, 2064, 64, 0, JOURNAL_ANON }, { 9000, 9033, 33, 0, JOURNAL_STACK_AREA },
	};

	(void)state;
	request(&run, OP_MMAP, 1, 20, 0); /* with the next one a run: this one above */
	request(&run, OP_MMAP, 2, 8, 0);
	request(&run, OP_MMAP, 3, 64, 0);
	request(&run, OP_MMAP, 4, 50, 0); /* given back before anybody looked */
	assert_int_equal(held(&run, 142, 4, HELD_REQUEST, NULL), 50);
	look(&run, 1, ranges, 3);
	assert_int_equal(held(&run, 127, 1, HELD_REQUEST, NULL), 20);
	assert_int_equal(held(&run, 127, 2, HELD_REQUEST, NULL), 8);
	assert_int_equal(held(&run, 127, 3, HELD_REQUEST, NULL), 64);
	assert_int_equal(held(&run, 127, 4, HELD_REQUEST, NULL), 0);
	assert_int_equal(held(&run, 127, 0, HELD_STACK_AREA, NULL), 33);
	assert_int_equal(held(&run, 127, 0, HELD_ANON, NULL), 2);
	holdings_free(run.h);
}

static void a_moved_mapping_is_its_movers(void **state)
{
	struct run run = begin();
	struct journal_event e = { .kind = JOURNAL_REQUEST, .time_ns = 1 };

	(void)state;
	request(&run, OP_MPROTECT, 1, 100, 500);
	e.request = (struct journal_request){ .number = 2, .space = 1, .stack = 2, .op = OP_MREMAP, .rule = RULE_MREMAP_GROW,
					      .pages = 50, .flags = JOURNAL_RANGE, .start = 500, .end = 600 };
	assert_int_equal(holdings_note(run.h, &e), 0);
	assert_int_equal(held(&run, 150, 1, HELD_REQUEST, NULL), 0);
	assert_int_equal(held(&run, 150, 2, HELD_REQUEST, NULL), 150);
	holdings_free(run.h);
}

static void a_fork_copies_and_an_execve_lets_go(void **state)
{
	struct run run = begin();
	struct journal_event child = { .kind = JOURNAL_SPACE, .space = { .id = 2, .from = 1, .origin = JOURNAL_FORKED } };
	struct journal_event image = { .kind = JOURNAL_SPACE, .space = { .id = 3, .from = 2, .origin = JOURNAL_EXECED } };
	struct journal_event gone = { .kind = JOURNAL_GONE, .gone = 1 };

	(void)state;
	request(&run, OP_BRK, 1, 10, 100);
	assert_int_equal(holdings_note(run.h, &child), 0);
	assert_int_equal(held(&run, 20, 1, HELD_REQUEST, NULL), 20);
	assert_int_equal(holdings_note(run.h, &image), 0);
	assert_int_equal(held(&run, 14, 1, HELD_REQUEST, NULL), 10);
	assert_int_equal(held(&run, 14, 0, HELD_REST, NULL), 4);
	assert_int_equal(holdings_note(run.h, &gone), 0);
	assert_int_equal(held(&run, 4, 1, HELD_REQUEST, NULL), 0);
	holdings_free(run.h);
}

static void the_sum_is_that_of_the_group(void **state)
{
	struct run run = begin();
	const struct held *row;
	uint64_t sum = 0;
	long nr;

	(void)state;
	request(&run, OP_MMAP, 1, 300, 0);
	request(&run, OP_MMAP, 2, 100, 0);
	nr = holdings_now(run.h, 200, &row); /* most of it was given back */
	for (long i = 0; i < nr; i++)
		sum += row[i].pages;
	assert_int_equal(sum, 200);
	assert_int_equal(held(&run, 200, 1, HELD_REQUEST, NULL), 150);
	holdings_free(run.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_place_is_its_callers),
		cmocka_unit_test(an_unknown_place_is_found_by_size_and_order),
		cmocka_unit_test(a_moved_mapping_is_its_movers),
		cmocka_unit_test(a_fork_copies_and_an_execve_lets_go),
		cmocka_unit_test(the_sum_is_that_of_the_group),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
