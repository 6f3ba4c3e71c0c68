/* SPDX-License-Identifier: MIT
 *
 * amount: pages as a column of text, or as bytes in JSON.
 */
#ifndef SURETY_CLI_AMOUNT_H
#define SURETY_CLI_AMOUNT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/err.h"

/* kB without a unit, as /proc has it; or with the best unit. */
static inline const char *amount_text(uint64_t pages, bool human, char buf[BYTES_FORMAT_MAX])
{
	if (human)
		return bytes_format(pages_to_bytes(pages), buf);
	snprintf(buf, BYTES_FORMAT_MAX, "%llu", (unsigned long long)pages_to_kib(pages));
	return buf;
}

static inline json_t *amount_json(uint64_t pages)
{
	uint64_t n = pages_to_bytes(pages);

	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

/* One object on a line; the object is released. */
static inline void json_line(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

/* A name that a process chose, as valid UTF-8; null for "". */
json_t *name_json(const char *name);

/* Ends a command that has printed: 0, or -1 with ERR where that failed. */
int output_end(struct err *err);

#endif
