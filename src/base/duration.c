/* SPDX-License-Identifier: MIT
 *
 * duration: see the header.  A number without a unit is none: whether it meant
 * seconds is not guessed.
 */
#include "base/duration.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

int duration_parse(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 } };
	size_t digits = strspn(text, "0123456789");
	char number[24];
	uint64_t n;
	int r;

	if (digits == 0)
		return -EINVAL;
	if (digits >= sizeof(number))
		return -ERANGE;
	memcpy(number, text, digits);
	number[digits] = '\0';
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text + digits, units[i].name) != 0)
			continue;
		r = number_parse(number, &n);
		if (r < 0)
			return r;
		if (n > INT64_MAX / 1000000 / units[i].ms)
			return -ERANGE;
		*ret_ms = n * units[i].ms;
		return 0;
	}
	return -EINVAL;
}
