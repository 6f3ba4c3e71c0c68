/* SPDX-License-Identifier: MIT
 *
 * base/bytes: which spellings are sizes, at and around every boundary.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

#define K (UINT64_C(1) << 10)
#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)
#define T (UINT64_C(1) << 40)
#define P (UINT64_C(1) << 50)

struct parse_row {
	const char *text;
	int r;
	uint64_t value;
};

static const struct parse_row sizes[] = {
	{ "0", 0, 0 },
	{ "1", 0, 1 },
	{ "007", 0, 7 },
	{ "4096", 0, 4096 },
	{ "64K", 0, 64 * K },
	{ "64k", 0, 64 * K },
	{ "64KB", 0, 64 * K },
	{ "64kb", 0, 64 * K },
	{ "64KiB", 0, 64 * K },
	{ "64kib", 0, 64 * K },
	{ "64KIB", 0, 64 * K },
	{ "256M", 0, 256 * M },
	{ "3GiB", 0, 3 * G },
	{ "2t", 0, 2 * T },
	{ "1P", 0, P },
	{ "0P", 0, 0 },
	{ "12B", 0, 12 },
	{ "12b", 0, 12 },
	{ "18446744073709551615", 0, UINT64_MAX },
	{ "000000000000000000000000000000000000001", 0, 1 },
	{ "18014398509481983K", 0, UINT64_MAX - 1023 },
	{ "16383P", 0, 16383 * P },

	{ "18446744073709551616", -ERANGE, 0 },
	{ "18014398509481984K", -ERANGE, 0 },
	{ "17592186044416M", -ERANGE, 0 },
	{ "17179869184G", -ERANGE, 0 },
	{ "16777216T", -ERANGE, 0 },
	{ "16384P", -ERANGE, 0 },
	{ "99999999999999999999999999999999", -ERANGE, 0 },
	{ "99999999999999999999999999999999K", -ERANGE, 0 },
	{ "36893488147419103232", -ERANGE, 0 }, /* 2^65: wraps to 0 unchecked */

	{ "", -EINVAL, 0 },
	{ " ", -EINVAL, 0 },
	{ "K", -EINVAL, 0 },
	{ "B", -EINVAL, 0 },
	{ "iB", -EINVAL, 0 },
	{ "-5", -EINVAL, 0 },
	{ "+5", -EINVAL, 0 },
	{ " 5", -EINVAL, 0 },
	{ "5 ", -EINVAL, 0 },
	{ "5 K", -EINVAL, 0 },
	{ "5\n", -EINVAL, 0 },
	{ "12Q", -EINVAL, 0 },
	{ "12E", -EINVAL, 0 },
	{ "1.5M", -EINVAL, 0 },
	{ "1,5M", -EINVAL, 0 },
	{ "0x10", -EINVAL, 0 },
	{ "1e3", -EINVAL, 0 },
	{ "5KK", -EINVAL, 0 },
	{ "5KM", -EINVAL, 0 },
	{ "5MK", -EINVAL, 0 },
	{ "5Ki", -EINVAL, 0 },
	{ "5iB", -EINVAL, 0 },
	{ "5i", -EINVAL, 0 },
	{ "5KiBs", -EINVAL, 0 },
	{ "5BB", -EINVAL, 0 },
	{ "5BK", -EINVAL, 0 },
	{ "5K5", -EINVAL, 0 },
	{ "5KBiB", -EINVAL, 0 },
	{ "1\xc2\xa0K", -EINVAL, 0 },
	{ "\xff", -EINVAL, 0 },
	{ "unlimited", -EINVAL, 0 },
	{ "99999999999999999999999999999999Q", -EINVAL, 0 }, /* no size comes before too large */
};

static void test_bytes_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t value = 0xdead;
		int r = bytes_parse(sizes[i].text, &value);

		if (r != sizes[i].r)
			fail_msg("'%s': %d, not %d", sizes[i].text, r, sizes[i].r);
		if (value != (r ? 0xdead : sizes[i].value))
			fail_msg("'%s': value %llu", sizes[i].text, (unsigned long long)value);
	}
}

static const struct parse_row numbers[] = {
	{ "0", 0, 0 },
	{ "95", 0, 95 },
	{ "18446744073709551615", 0, UINT64_MAX },
	{ "18446744073709551616", -ERANGE, 0 },
	{ "184467440737095516150", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "5K", -EINVAL, 0 },
	{ "5B", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 },
	{ "+1", -EINVAL, 0 },
	{ "50%", -EINVAL, 0 },
	{ "5 ", -EINVAL, 0 },
	{ " 5", -EINVAL, 0 },
	{ "184467440737095516150x", -EINVAL, 0 },
};

static void test_number_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t value = 0xdead;
		int r = number_parse(numbers[i].text, &value);

		if (r != numbers[i].r)
			fail_msg("'%s': %d, not %d", numbers[i].text, r, numbers[i].r);
		if (value != (r ? 0xdead : numbers[i].value))
			fail_msg("'%s': value %llu", numbers[i].text, (unsigned long long)value);
	}
}

static void test_bytes_format(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ 1, "1" },
		{ 1023, "1023" },
		{ K, "1K" },
		{ K + 1, "1.0K" },
		{ 1536, "1.5K" },
		{ 4 * K, "4K" },
		{ M - 1, "1.0M" },
		{ M - 52, "1023.9K" },
		{ M - 51, "1.0M" }, /* 1023.95 rounds to 1024.0 */
		{ M, "1M" },
		{ 256 * M, "256M" },
		{ M + M / 2, "1.5M" },
		{ 1000 * K, "1000K" },
		{ G - K, "1.0G" },
		{ 3 * T, "3T" },
		{ P, "1P" },
		{ P + P / 4, "1.3P" },
		{ 16383 * P, "16383P" },
		{ UINT64_MAX, "16384.0P" },
	};
	char buf[BYTES_FORMAT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_ptr_equal(bytes_format(rows[i].bytes, buf), buf);
		assert_string_equal(buf, rows[i].text);
	}
}

static void test_exact_sizes_read_back(void **state)
{
	char buf[BYTES_FORMAT_MAX];
	uint64_t value;

	(void)state;
	for (unsigned int shift = 0; shift < 64; shift++) {
		assert_int_equal(bytes_parse(bytes_format(UINT64_C(1) << shift, buf), &value), 0);
		assert_int_equal(value, UINT64_C(1) << shift);
	}
}

static void test_pages(void **state)
{
	static const struct {
		uint64_t bytes, pages;
	} rows[] = {
		{ 0, 0 },
		{ 1, 1 },
		{ 4095, 1 },
		{ 4096, 1 },
		{ 4097, 2 },
		{ UINT64_MAX - 4095, UINT64_MAX >> 12 },
		{ UINT64_MAX - 4094, (UINT64_MAX >> 12) + 1 },
		{ UINT64_MAX, (UINT64_MAX >> 12) + 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(bytes_to_pages(rows[i].bytes), rows[i].pages);

	assert_int_equal(pages_to_bytes(0), 0);
	assert_int_equal(pages_to_bytes(3), 12288);
	assert_int_equal(pages_to_bytes(UINT64_MAX >> 12), UINT64_MAX - 4095);
	assert_int_equal(pages_to_bytes((UINT64_MAX >> 12) + 1), UINT64_MAX);
	assert_int_equal(pages_to_bytes(UINT64_MAX), UINT64_MAX);
	assert_int_equal(pages_to_kib(3), 12);
	assert_int_equal(pages_to_kib(UINT64_MAX), UINT64_MAX >> 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_parse),
		cmocka_unit_test(test_number_parse),
		cmocka_unit_test(test_bytes_format),
		cmocka_unit_test(test_exact_sizes_read_back),
		cmocka_unit_test(test_pages),
	};

	return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
