/* SPDX-License-Identifier: MIT
 *
 * report/event, report/allocator: which refused calls are one failed allocation.
 *
 * Stacks are written as a string, innermost frame first: a lower-case letter is
 * a frame in libc, an upper-case one a frame of the program, its character the
 * place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/allocator.h"
#include "report/event.h"

static struct event_queue queue;
static char delivered[256]; /* "tid:calls " for each event */

static void deliver(void *ctx, const struct event *e)
{
	size_t used = strlen(delivered);

	(void)ctx;
	snprintf(delivered + used, sizeof(delivered) - used, "%d:%d ", (int)e->call[0].refusal.tid, e->nr);
}

static int setup(void **state)
{
	(void)state;
	memset(&queue, 0, sizeof(queue));
	queue.fn = deliver;
	delivered[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	event_flush(&queue);
	return 0;
}

static struct stack make_stack(const char *places)
{
	struct stack s = { .end = UNWIND_OUTERMOST };

	if (!*places)
		return s;
	s.frame = calloc(STACK_FRAMES, sizeof(*s.frame));
	assert_non_null(s.frame);
	for (; *places; places++) {
		struct frame *f = &s.frame[s.nr++];

		f->pc = (uint64_t)*places;
		f->module = strdup(islower(*places) ? "/lib/libc.so.6" : "/bin/program");
	}
	return s;
}

static void add(int tid, uint64_t ms, const char *places, uint64_t arg)
{
	struct refusal r = { .pid = 1, .tid = tid, .time_ns = (1000 + ms) * 1000000, .args = { arg } };
	struct stack s = make_stack(places);

	event_add(&queue, &r, &s, ms);
	assert_int_equal(s.nr, 0); /* taken over */
}

static const char *flushed(void)
{
	event_flush(&queue);
	return delivered;
}

static void test_one_malloc(void **state)
{
	(void)state;
	add(1, 0, "abcMZ", 0);
	add(1, 1, "dbcMZ", 0);
	add(1, 2, "aecMZ", 0);
	assert_string_equal(delivered, "");
	assert_string_equal(flushed(), "1:3 ");
}

static void test_same_stack_again(void **state)
{
	(void)state;
	add(1, 0, "abcMZ", 0);
	add(1, 1, "dbcMZ", 0);
	add(1, 2, "abcMZ", 0); /* the first step again: the next malloc */
	assert_string_equal(delivered, "1:2 ");
	add(1, 3, "dbcMZ", 0);
	assert_string_equal(flushed(), "1:2 1:2 ");
}

static void test_other_caller(void **state)
{
	(void)state;
	add(1, 0, "abcMZ", 0);
	add(1, 1, "dbcNZ", 0);
	assert_string_equal(flushed(), "1:1 1:1 ");
}

/* A libc frame beyond the program's is not the allocator's. */
static void test_other_depth(void **state)
{
	(void)state;
	add(1, 0, "abMqZ", 0);
	add(1, 1, "cbMrZ", 0);
	assert_string_equal(flushed(), "1:1 1:1 ");
}

static void test_threads(void **state)
{
	(void)state;
	add(1, 0, "abMZ", 0);
	add(2, 0, "abMZ", 0);
	add(1, 1, "cbMZ", 0);
	add(2, 1, "cbMZ", 0);
	assert_string_equal(flushed(), "1:2 2:2 ");
}

static void test_window(void **state)
{
	(void)state;
	add(1, 0, "abMZ", 0);
	add(1, EVENT_WINDOW_MS, "bbMZ", 0);
	add(1, EVENT_WINDOW_MS + 1, "cbMZ", 0);
	assert_string_equal(flushed(), "1:2 1:1 ");
}

static void test_clock_set_back(void **state)
{
	(void)state;
	add(1, 50, "abMZ", 0);
	add(1, 0, "bbMZ", 0);
	assert_string_equal(flushed(), "1:1 1:1 ");
}

static void test_expiry(void **state)
{
	(void)state;
	assert_int_equal(event_expire(&queue, 0), -1);
	add(1, 0, "abMZ", 0);
	add(2, 5, "abMZ", 0);
	assert_int_equal(event_expire(&queue, 6), EVENT_IDLE_MS - 6);
	assert_string_equal(delivered, "");
	assert_int_equal(event_expire(&queue, EVENT_IDLE_MS), 5);
	assert_string_equal(delivered, "1:1 ");
	add(2, 22, "bbMZ", 0); /* puts the end off */
	assert_int_equal(event_expire(&queue, 40), 2);
	assert_int_equal(event_expire(&queue, 22 + EVENT_IDLE_MS), -1);
	assert_string_equal(delivered, "1:1 2:2 ");
}

/* While other threads' records keep coming nothing waits for ever. */
static void test_passed_by_others(void **state)
{
	(void)state;
	add(1, 0, "abMZ", 0);
	add(2, EVENT_WINDOW_MS, "abMZ", 0);
	assert_string_equal(delivered, "");
	add(2, EVENT_WINDOW_MS + 1, "bbMZ", 0);
	assert_string_equal(delivered, "1:1 ");
}

static void test_without_stacks(void **state)
{
	(void)state;
	add(1, 0, "", 100);
	add(1, 1, "", 200);
	add(1, 2, "", 100);
	assert_string_equal(flushed(), "1:2 1:1 ");
}

static void test_many_calls(void **state)
{
	char places[] = "?bMZ";

	(void)state;
	for (int i = 0; i < EVENT_CALLS + 1; i++) {
		places[0] = (char)('c' + i);
		add(1, 0, places, 0);
	}
	assert_string_equal(flushed(), "1:8 1:1 ");
}

static void test_many_threads(void **state)
{
	(void)state;
	for (int tid = 1; tid <= EVENT_OPEN + 1; tid++)
		add(tid, (uint64_t)tid, "abMZ", 0);
	assert_string_equal(delivered, "1:1 "); /* the oldest made room */
}

static void test_suppressed(void **state)
{
	static struct event e = { .nr = 2 };

	(void)state;
	e.call[0].refusal.suppressed = 3;
	e.call[1].refusal.suppressed = 4;
	assert_int_equal(event_suppressed(&e), 7);
	e.call[1].refusal.suppressed = UINT64_MAX;
	assert_true(event_suppressed(&e) == UINT64_MAX);
}

static bool allocator(const char *module, const char *symbol)
{
	struct frame f = { .module = (char *)module, .symbol = (char *)symbol };

	return allocator_frame(&f);
}

static void test_allocator(void **state)
{
	(void)state;
	assert_true(allocator("/lib/x86_64-linux-gnu/libc.so.6", NULL));
	assert_true(allocator("/lib64/ld-linux-x86-64.so.2", NULL));
	assert_true(allocator("/usr/lib/libjemalloc.so.2", "anything"));
	assert_true(allocator("/usr/lib/libstdc++.so.6", "_Znwm"));
	assert_true(allocator("/bin/static", "sysmalloc_mmap.constprop.0"));
	assert_true(allocator("/bin/static", "__libc_malloc"));
	assert_true(allocator(NULL, "mmap"));
	assert_true(allocator("/usr/lib/libpython3.11.so.1.0", "PyMem_RawMalloc"));
	assert_true(allocator("/bin/program", "xmalloc"));
	assert_false(allocator("/bin/program", "xmalloc_pool"));
	assert_false(allocator("/bin/static", "__libc_start_main_impl"));
	assert_false(allocator("/usr/lib/libstdc++.so.6", "_ZNSs7reserveEm"));
	assert_false(allocator("/usr/lib/libcairo.so.2", "cairo_create"));
	assert_false(allocator("/bin/program", "malloc_everything"));
	assert_false(allocator("/bin/program", NULL));
	assert_false(allocator(NULL, NULL));
	assert_false(allocator("/home/libc.so/program", "main"));
}

#define EVENT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVENT_TEST(test_one_malloc),   EVENT_TEST(test_same_stack_again), EVENT_TEST(test_other_caller),
		EVENT_TEST(test_other_depth),  EVENT_TEST(test_threads),          EVENT_TEST(test_window),
		EVENT_TEST(test_clock_set_back), EVENT_TEST(test_expiry),         EVENT_TEST(test_passed_by_others),
		EVENT_TEST(test_without_stacks), EVENT_TEST(test_many_calls),     EVENT_TEST(test_many_threads),
		EVENT_TEST(test_suppressed),   EVENT_TEST(test_allocator),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
