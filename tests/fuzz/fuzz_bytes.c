/* SPDX-License-Identifier: MIT
 *
 * fuzz_bytes: the size parser against a slow one that works on the written
 * form, and bytes_format() against the parser.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"

/* Every spelling of a unit, written out. */
static int naive_shift(const char *unit)
{
	static const struct {
		char letter;
		int shift;
	} units[] = { { 'K', 10 }, { 'M', 20 }, { 'G', 30 }, { 'T', 40 }, { 'P', 50 } };
	char upper[8] = "";

	if (strlen(unit) > 3)
		return -1;
	for (size_t i = 0; unit[i]; i++)
		upper[i] = unit[i] >= 'a' && unit[i] <= 'z' ? (char)(unit[i] & ~0x20) : unit[i];
	if (!strcmp(upper, "") || !strcmp(upper, "B"))
		return 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (upper[0] == units[i].letter &&
		    (!strcmp(upper + 1, "") || !strcmp(upper + 1, "B") || !strcmp(upper + 1, "IB")))
			return units[i].shift;
	return -1;
}

/* Without overflow by counting digits: 20 of them fit 128 bits with any unit. */
static int naive_parse(const char *text, bool with_unit, uint64_t *ret)
{
	size_t digits = strspn(text, "0123456789");
	size_t zeros = strspn(text, "0");
	int shift = with_unit ? naive_shift(text + digits) : text[digits] ? -1 : 0;
	unsigned __int128 value = 0;

	if (digits == 0 || shift < 0)
		return -EINVAL;
	if (digits - zeros > 20)
		return -ERANGE;
	for (size_t i = zeros; i < digits; i++)
		value = value * 10 + (unsigned int)(text[i] - '0');
	for (int i = 0; i < shift; i++)
		value *= 2;
	if (value > UINT64_MAX)
		return -ERANGE;
	*ret = (uint64_t)value;
	return 0;
}

static void check_parse(const char *text)
{
	uint64_t got = 1, want = 1;

	FUZZ_CHECK(bytes_parse(text, &got) == naive_parse(text, true, &want));
	FUZZ_CHECK(got == want);
	FUZZ_CHECK(number_parse(text, &got) == naive_parse(text, false, &want));
	FUZZ_CHECK(got == want);
}

/* What is written without a point is exact; with one it is the nearest tenth. */
static void check_format(uint64_t bytes)
{
	char buf[BYTES_FORMAT_MAX], *point;
	unsigned __int128 tenths, exact;
	uint64_t value, unit;

	memset(buf, 'x', sizeof(buf));
	bytes_format(bytes, buf);
	FUZZ_CHECK(memchr(buf, '\0', sizeof(buf)));
	point = strchr(buf, '.');
	if (!point) {
		FUZZ_CHECK(bytes_parse(buf, &value) == 0 && value == bytes);
		return;
	}
	FUZZ_CHECK(strlen(point) == 3);
	unit = UINT64_C(1) << naive_shift(point + 2);
	tenths = (unsigned __int128)strtoull(buf, NULL, 10) * 10 + (unsigned int)(point[1] - '0');
	exact = (unsigned __int128)bytes * 10;
	FUZZ_CHECK(bytes % unit != 0 && tenths >= 10);
	FUZZ_CHECK(tenths * unit <= exact + unit / 2 && exact <= tenths * unit + unit / 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	char *text = malloc(size + 1); /* exact, so that a sanitizer sees a byte too far */

	FUZZ_CHECK(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	check_parse(text);
	free(text);
	check_format(fuzz_number(&in));
	return 0;
}
