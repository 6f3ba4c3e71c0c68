/* SPDX-License-Identifier: MIT
 *
 * What the live view puts into so many columns.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "top/text.h"

static void test_bar(void **state)
{
	static const struct {
		uint64_t part, full;
		int columns;
		const char *bar;
	} row[] = {
		{ 0, 100, 12, "[..........]" },	  { 50, 100, 12, "[#####.....]" }, { 99, 100, 12, "[#########.]" },
		{ 100, 100, 12, "[##########]" }, { 500, 100, 12, "[##########]" }, { 1, 0, 4, "[##]" },
		{ 1, 2, 2, "" },		  { 1, 2, -5, "" },		    { 1, 2, 1000, "" },
		{ UINT64_MAX - 1, UINT64_MAX, 12, "[#########.]" },
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		text_bar(row[i].part, row[i].full, row[i].columns, buf, sizeof(buf));
		assert_string_equal(buf, row[i].bar);
	}
}

static void test_history(void **state)
{
	const uint64_t value[] = { 0, 10, 20, 30, 40, 50, 60, 70 }, flat[] = { 5, 5, 5 }, wide[] = { 0, UINT64_MAX };
	char buf[64];

	(void)state;
	text_history(value, 8, 80, 0, buf, sizeof(buf));
	assert_string_equal(buf, "_.:-=+*#");
	text_history(value, 8, 3, 0, buf, sizeof(buf)); /* the last three, between their own ends */
	assert_string_equal(buf, "_-#");
	text_history(flat, 3, 80, 0, buf, sizeof(buf));
	assert_string_equal(buf, "___");
	text_history(wide, 2, 80, 1, buf, sizeof(buf));
	assert_string_equal(buf, "\u2581\u2588");
	text_history(value, 8, 0, 0, buf, sizeof(buf));
	assert_string_equal(buf, "");
	text_history(value, 8, 80, 1, buf, 8); /* never half a character */
	assert_string_equal(buf, "\u2581\u2582");
}

static void test_name(void **state)
{
	char buf[64];

	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	text_name("plain", 80, buf, sizeof(buf));
	assert_string_equal(buf, "plain");
	text_name("plain", 3, buf, sizeof(buf));
	assert_string_equal(buf, "pla");
	text_name("\x1b[1m\n", 80, buf, sizeof(buf));
	assert_string_equal(buf, "\\x1b[1m\\x0a");
	text_name("\u20ac\u4e2d\u4e2d", 4, buf, sizeof(buf)); /* 1, 2 and 2 columns */
	assert_string_equal(buf, "\u20ac\u4e2d");
	text_name("x", 0, buf, sizeof(buf));
	assert_string_equal(buf, "");
	text_name("x", -3, buf, sizeof(buf));
	assert_string_equal(buf, "");
	text_name("\u20ac\u20ac\u20ac", 80, buf, 8);
	assert_string_equal(buf, "\u20ac\u20ac");
	assert_non_null(setlocale(LC_CTYPE, "C"));
	text_name("a\u20acb", 80, buf, sizeof(buf));
	assert_string_equal(buf, "a???b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bar),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
