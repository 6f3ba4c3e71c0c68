/* SPDX-License-Identifier: MIT
 *
 * core/refusal: the names that reports use for operations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/refusal.h"

static void test_operation_name(void **state)
{
	(void)state;
	assert_string_equal(operation_name(OP_MMAP), "mmap");
	assert_string_equal(operation_name(OP_BRK), "brk");
	assert_string_equal(operation_name(OP_FORK), "fork");
	assert_string_equal(operation_name(OP_EXEC), "execve");
	assert_string_equal(operation_name(OP_PTRACE), "ptrace");
	for (int i = 0; i < OP_NR; i++) {
		assert_true(strlen(operation_name(i)) > 0);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(operation_name(i), operation_name(j));
	}
	assert_string_equal(operation_name(OP_NR), "unknown");
	assert_string_equal(operation_name((enum operation)-1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_operation_name) };

	return cmocka_run_group_tests_name("refusal", tests, NULL, NULL);
}
