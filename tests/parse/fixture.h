/* SPDX-License-Identifier: MIT
 *
 * fixture: texts under tests/fixtures, or under $FIXTURES where that is set.
 */
#ifndef TESTS_PARSE_FIXTURE_H
#define TESTS_PARSE_FIXTURE_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* Path of a fixture; exits when it does not fit.  One buffer: copy it to keep it. */
static inline const char *fixture_path(const char *name)
{
	static char path[PATH_MAX];
	const char *dir = getenv("FIXTURES");
	int n = snprintf(path, sizeof(path), "%s/%s", dir ? dir : "tests/fixtures", name);

	if (n < 0 || (size_t)n >= sizeof(path))
		exit(99);
	return path;
}

/* The whole of a fixture with a NUL behind it, to be freed; exits when it cannot be read. */
static inline char *fixture_read(const char *name, size_t *ret_len)
{
	const char *path = fixture_path(name);
	FILE *f = fopen(path, "r");
	char *text = malloc(1 << 20);
	size_t len;

	if (!f || !text) {
		fprintf(stderr, "fixture '%s' cannot be read\n", path);
		exit(99);
	}
	len = fread(text, 1, (1 << 20) - 1, f);
	fclose(f);
	text[len] = '\0';
	*ret_len = len;
	return text;
}

#endif
