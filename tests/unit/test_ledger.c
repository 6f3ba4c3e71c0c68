/* SPDX-License-Identifier: MIT
 *
 * core/ledger: sums over holders and nested groups.
 *
 * The tree of most tests:  top <- left <- leaf, top <- right; other stands alone.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/ledger.h"

#define MAX UINT64_MAX

struct tree {
	struct ledger_group top, left, leaf, right, other;
};

static const struct limit never_1000 = { .mode = OVERCOMMIT_NEVER, .limit_pages = 1000 };
static const struct requester anyone;

static void tree_init(struct tree *t)
{
	ledger_group_init(&t->top, NULL, &never_1000);
	ledger_group_init(&t->left, &t->top, &never_1000);
	ledger_group_init(&t->leaf, &t->left, &never_1000);
	ledger_group_init(&t->right, &t->top, &never_1000);
	ledger_group_init(&t->other, NULL, &never_1000);
}

static void expect(const struct tree *t, uint64_t top, uint64_t left, uint64_t leaf,
		   uint64_t right, uint64_t other)
{
	assert_int_equal(t->top.committed, top);
	assert_int_equal(t->left.committed, left);
	assert_int_equal(t->leaf.committed, leaf);
	assert_int_equal(t->right.committed, right);
	assert_int_equal(t->other.committed, other);
}

static void test_group_init(void **state)
{
	struct ledger_group top, child;

	(void)state;
	memset(&child, 0xff, sizeof(child));
	ledger_group_init(&top, NULL, &never_1000);
	ledger_group_init(&child, &top, &never_1000);
	assert_null(top.parent);
	assert_ptr_equal(child.parent, &top);
	assert_int_equal(child.limit.limit_pages, 1000);
	assert_int_equal(child.limit.mode, OVERCOMMIT_NEVER);
	assert_int_equal(child.committed | child.peak | child.holders | child.charges |
				 child.refusals | child.refused_pages, 0);
}

static void test_set_counts_in_every_ancestor(void **state)
{
	struct ledger_holder a = { 0 }, b = { 0 }, c = { 0 };
	struct tree t;

	(void)state;
	tree_init(&t);
	ledger_join(&a, &t.leaf);
	ledger_join(&b, &t.left);
	ledger_join(&c, &t.right);
	expect(&t, 0, 0, 0, 0, 0);
	ledger_set(&a, 10);
	ledger_set(&b, 200);
	ledger_set(&c, 3000);
	expect(&t, 3210, 210, 10, 3000, 0);
	ledger_set(&a, 4);
	expect(&t, 3204, 204, 4, 3000, 0);
	ledger_set(&a, 4);
	expect(&t, 3204, 204, 4, 3000, 0);
	ledger_set(&b, 0);
	expect(&t, 3004, 4, 4, 3000, 0);
	assert_int_equal(t.top.holders, 0);
	assert_int_equal(t.left.holders, 1);
	assert_int_equal(t.leaf.holders, 1);
	ledger_leave(&a);
	ledger_leave(&b);
	ledger_leave(&c);
	expect(&t, 0, 0, 0, 0, 0);
	assert_int_equal(t.left.holders + t.leaf.holders + t.right.holders, 0);
}

static void test_leave_and_join_again(void **state)
{
	struct ledger_holder a = { 0 };
	struct tree t;

	(void)state;
	tree_init(&t);
	ledger_leave(&a); /* not in a ledger: nothing */
	ledger_join(&a, &t.leaf);
	ledger_set(&a, 7);
	ledger_leave(&a);
	assert_null(a.group);
	assert_int_equal(a.pages, 0);
	ledger_leave(&a);
	ledger_join(&a, &t.right);
	assert_int_equal(a.pages, 0);
	expect(&t, 0, 0, 0, 0, 0);
	ledger_set(&a, 5);
	expect(&t, 5, 0, 0, 5, 0);
}

static void test_move(void **state)
{
	struct ledger_holder a = { 0 }, b = { 0 };
	struct tree t;

	(void)state;
	tree_init(&t);
	ledger_join(&a, &t.leaf);
	ledger_join(&b, &t.leaf);
	ledger_set(&a, 10);
	ledger_set(&b, 1);
	ledger_move(&a, &t.right);
	expect(&t, 11, 1, 1, 10, 0);
	ledger_move(&a, &t.left);
	expect(&t, 11, 11, 1, 0, 0);
	ledger_move(&a, &t.leaf);
	expect(&t, 11, 11, 11, 0, 0);
	ledger_move(&a, &t.leaf);
	expect(&t, 11, 11, 11, 0, 0);
	assert_int_equal(t.leaf.holders, 2);
	ledger_move(&a, &t.top);
	expect(&t, 11, 1, 1, 0, 0);
	ledger_move(&a, &t.other);
	expect(&t, 1, 1, 1, 0, 10);
	assert_int_equal(t.other.holders, 1);
	assert_int_equal(t.top.holders, 0);
	assert_int_equal(t.leaf.holders, 1);
	assert_ptr_equal(a.group, &t.other);
	assert_int_equal(a.pages, 10);
	ledger_leave(&a);
	ledger_leave(&b);
	expect(&t, 0, 0, 0, 0, 0);
}

static void test_move_under_a_full_ancestor(void **state)
{
	struct ledger_holder a = { 0 };
	struct tree t;

	(void)state;
	tree_init(&t);
	ledger_join(&a, &t.leaf);
	ledger_set(&a, MAX);
	ledger_move(&a, &t.right); /* top stays full; right must get all of it */
	expect(&t, MAX, 0, 0, MAX, 0);
	assert_int_equal(a.pages, MAX);
}

static void test_sums_saturate(void **state)
{
	struct ledger_holder a = { 0 }, b = { 0 }, c = { 0 };
	struct tree t;

	(void)state;
	tree_init(&t);
	ledger_join(&a, &t.leaf);
	ledger_join(&b, &t.right);
	ledger_join(&c, &t.other);
	ledger_set(&a, MAX - 5);
	ledger_set(&b, 100);
	expect(&t, MAX, MAX - 5, MAX - 5, 5, 0);
	assert_int_equal(b.pages, 5);
	ledger_set(&b, MAX);
	assert_int_equal(b.pages, 5);
	ledger_set(&c, 50);
	ledger_move(&c, &t.left); /* no room left: it keeps none */
	assert_int_equal(c.pages, 0);
	expect(&t, MAX, MAX - 5, MAX - 5, 5, 0);
	ledger_leave(&a);
	expect(&t, 5, 0, 0, 5, 0);
	ledger_set(&b, 100);
	expect(&t, 100, 0, 0, 100, 0);
	ledger_leave(&b);
	ledger_leave(&c);
	expect(&t, 0, 0, 0, 0, 0);
}

static void test_decide_asks_every_ancestor(void **state)
{
	struct ledger_holder a = { 0 }, b = { 0 };
	const struct ledger_group *at = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	t.leaf.limit.limit_pages = 100;
	t.left.limit.limit_pages = 200;
	t.top.limit.limit_pages = 300;
	ledger_join(&a, &t.left);
	ledger_join(&b, &t.right);

	at = &t.other;
	assert_int_equal(ledger_decide(&t.leaf, 99, &anyone, &at), VERDICT_GRANT);
	assert_null(at);
	assert_int_equal(ledger_decide(&t.leaf, 100, &anyone, &at), VERDICT_OVER_LIMIT);
	assert_ptr_equal(at, &t.leaf);
	ledger_set(&a, 150);
	assert_int_equal(ledger_decide(&t.leaf, 49, &anyone, NULL), VERDICT_GRANT);
	assert_int_equal(ledger_decide(&t.leaf, 50, &anyone, &at), VERDICT_OVER_LIMIT);
	assert_ptr_equal(at, &t.left);
	ledger_set(&b, 140); /* over-promised elsewhere: the top has 10 pages left */
	assert_int_equal(ledger_decide(&t.leaf, 9, &anyone, NULL), VERDICT_GRANT);
	assert_int_equal(ledger_decide(&t.leaf, 10, &anyone, &at), VERDICT_OVER_LIMIT);
	assert_ptr_equal(at, &t.top);
	assert_int_equal(ledger_decide(&t.leaf, 10, &anyone, NULL), VERDICT_OVER_LIMIT);

	/* Deciding counts nothing. */
	expect(&t, 290, 150, 0, 140, 0);
	assert_int_equal(t.leaf.refusals + t.top.refusals + t.leaf.charges, 0);
}

static void test_decide_mixes_modes(void **state)
{
	const struct ledger_group *at = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	t.leaf.limit = (struct limit){ .mode = OVERCOMMIT_ALWAYS };
	t.left.limit = (struct limit){ .mode = OVERCOMMIT_GUESS, .ram_pages = 500 };
	assert_int_equal(ledger_decide(&t.leaf, 500, &anyone, &at), VERDICT_GRANT);
	assert_int_equal(ledger_decide(&t.leaf, 501, &anyone, &at), VERDICT_OBVIOUS);
	assert_ptr_equal(at, &t.left);
	t.left.limit.ram_pages = 5000;
	assert_int_equal(ledger_decide(&t.leaf, 1000, &anyone, &at), VERDICT_OVER_LIMIT);
	assert_ptr_equal(at, &t.top);
}

static void test_decide_passes_the_requester(void **state)
{
	struct requester admin = { .cap_sys_admin = true };
	struct tree t;

	(void)state;
	tree_init(&t);
	t.top.limit.admin_reserve_pages = 100;
	assert_int_equal(ledger_decide(&t.leaf, 899, &anyone, NULL), VERDICT_GRANT);
	assert_int_equal(ledger_decide(&t.leaf, 900, &anyone, NULL), VERDICT_OVER_LIMIT);
	assert_int_equal(ledger_decide(&t.leaf, 900, &admin, NULL), VERDICT_GRANT);
}

static void test_counters(void **state)
{
	struct tree t;

	(void)state;
	tree_init(&t);
	ledger_count_charge(&t.leaf);
	ledger_count_charge(&t.leaf);
	ledger_count_charge(&t.right);
	ledger_count_refusal(&t.leaf, 5);
	ledger_count_refusal(&t.right, MAX);
	ledger_count_refusal(&t.right, 7);
	assert_int_equal(t.leaf.charges, 2);
	assert_int_equal(t.left.charges, 2);
	assert_int_equal(t.right.charges, 1);
	assert_int_equal(t.top.charges, 3);
	assert_int_equal(t.leaf.refusals, 1);
	assert_int_equal(t.leaf.refused_pages, 5);
	assert_int_equal(t.right.refusals, 2);
	assert_int_equal(t.right.refused_pages, MAX);
	assert_int_equal(t.top.refusals, 3);
	assert_int_equal(t.top.refused_pages, MAX);
	assert_int_equal(t.other.charges + t.other.refusals, 0);
}

static void test_peak_is_noted_only_when_told(void **state)
{
	struct ledger_holder a = { 0 }, b = { 0 };
	struct tree t;

	(void)state;
	tree_init(&t);
	ledger_join(&a, &t.leaf);
	ledger_join(&b, &t.right);
	ledger_set(&a, 500); /* an upper bound, tightened before anyone looks */
	ledger_set(&a, 50);
	ledger_set(&b, 7);
	assert_int_equal(t.leaf.peak, 0);
	ledger_note_peak(&t.leaf, 0);
	assert_int_equal(t.leaf.peak, 50);
	assert_int_equal(t.left.peak, 50);
	assert_int_equal(t.top.peak, 57);
	assert_int_equal(t.right.peak, 0);
	ledger_set(&a, 60);
	ledger_note_peak(&t.leaf, 10); /* 50 for sure */
	ledger_note_peak(&t.leaf, 100);
	assert_int_equal(t.leaf.peak, 50);
	ledger_set(&a, 20);
	ledger_note_peak(&t.leaf, 0);
	assert_int_equal(t.leaf.peak, 50);
	assert_int_equal(t.top.peak, 57);
}

/* Runs FN in a child and tells whether an assertion stopped it. */
static int stopped_by_assertion(void (*fn)(struct tree *))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = { 0 };
		struct tree t;

		(void)setrlimit(RLIMIT_CORE, &none);
		(void)signal(SIGABRT, SIG_DFL);
		(void)close(STDERR_FILENO); /* the assertion's own message is expected */
		tree_init(&t);
		fn(&t);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void take_more_than_held(struct tree *t)
{
	struct ledger_holder a = { 0 };

	ledger_join(&a, &t->leaf);
	ledger_set(&a, 10);
	a.pages = 11;
	ledger_set(&a, 0);
}

static void join_twice(struct tree *t)
{
	struct ledger_holder a = { 0 };

	ledger_join(&a, &t->leaf);
	ledger_join(&a, &t->right);
}

static void set_outside(struct tree *t)
{
	struct ledger_holder a = { 0 };

	(void)t;
	ledger_set(&a, 1);
}

static void no_bug(struct tree *t)
{
	struct ledger_holder a = { 0 };

	ledger_join(&a, &t->leaf);
	ledger_set(&a, 1);
	ledger_leave(&a);
}

static void test_bugs_are_stopped(void **state)
{
	(void)state;
	assert_true(stopped_by_assertion(take_more_than_held));
	assert_true(stopped_by_assertion(join_twice));
	assert_true(stopped_by_assertion(set_outside));
	assert_false(stopped_by_assertion(no_bug));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_group_init),
		cmocka_unit_test(test_set_counts_in_every_ancestor),
		cmocka_unit_test(test_leave_and_join_again),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_move_under_a_full_ancestor),
		cmocka_unit_test(test_sums_saturate),
		cmocka_unit_test(test_decide_asks_every_ancestor),
		cmocka_unit_test(test_decide_mixes_modes),
		cmocka_unit_test(test_decide_passes_the_requester),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_peak_is_noted_only_when_told),
		cmocka_unit_test(test_bugs_are_stopped),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
