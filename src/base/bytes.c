/* SPDX-License-Identifier: MIT
 *
 * bytes: reading and writing sizes.
 *
 * Decides which spellings are sizes.  Must not accept what it does not
 * understand in full: a limit read wrong is worse than a limit refused.
 * Does not depend on the locale.
 */
#include "base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static const char units[] = "KMGTP"; /* 1024 to the power of 1, 2, ... */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Reads digits; *RET_TEXT is what follows them.  -ERANGE still moves on, so
 * that the caller can tell a number that is too large from no number. */
static int digits_read(const char *text, uint64_t *ret, const char **ret_text)
{
	uint64_t value = 0;
	int r = 0;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			r = -ERANGE;
	}
	*ret = value;
	*ret_text = text;
	return r;
}

/* Reads K, KB or KiB and the like, or B, or nothing, up to the end of the text. */
static int unit_read(const char *text, unsigned int *ret_shift)
{
	unsigned int shift = 0;

	for (unsigned int i = 0; units[i] && *text; i++) {
		if (lower(*text) != lower(units[i]))
			continue;
		shift = 10 * (i + 1);
		text++;
		if (lower(text[0]) == 'i' && lower(text[1]) == 'b')
			text++;
		break;
	}
	if (lower(*text) == 'b')
		text++;
	if (*text)
		return -EINVAL;
	*ret_shift = shift;
	return 0;
}

int bytes_parse(const char *text, uint64_t *ret)
{
	unsigned int shift;
	uint64_t value;
	int range, r;

	range = digits_read(text, &value, &text);
	if (range == -EINVAL)
		return range;
	r = unit_read(text, &shift);
	if (r < 0)
		return r;
	if (range < 0 || value > UINT64_MAX >> shift)
		return -ERANGE;
	*ret = value << shift;
	return 0;
}

int number_parse(const char *text, uint64_t *ret)
{
	uint64_t value;
	int r = digits_read(text, &value, &text);

	if (r == -EINVAL || *text)
		return -EINVAL;
	if (r < 0)
		return r;
	*ret = value;
	return 0;
}

char *bytes_format(uint64_t bytes, char buf[BYTES_FORMAT_MAX])
{
	char letter[2] = "";
	unsigned int power = 0;
	uint64_t unit = 1;
	unsigned __int128 tenths;

	while (power < sizeof(units) - 1 && bytes >> (10 * (power + 1)))
		power++;
	unit <<= 10 * power;
	if (bytes % unit == 0) {
		letter[0] = power ? units[power - 1] : '\0';
		(void)snprintf(buf, BYTES_FORMAT_MAX, "%" PRIu64 "%s", bytes / unit, letter);
		return buf;
	}
	tenths = ((unsigned __int128)bytes * 10 + unit / 2) / unit;
	if (tenths >= 10240 && power < sizeof(units) - 1) { /* 1023.96K is 1.0M */
		tenths = 10;
		power++;
	}
	letter[0] = units[power - 1];
	(void)snprintf(buf, BYTES_FORMAT_MAX, "%" PRIu64 ".%u%s", (uint64_t)(tenths / 10),
		       (unsigned int)(tenths % 10), letter);
	return buf;
}
