/* SPDX-License-Identifier: MIT
 *
 * names: see the header.  Thousands of processes are in tens of cgroups.
 */
#include "look/names.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct name {
	UT_hash_handle hh;
	uint32_t number;
	char text[];
};

uint32_t names_add(struct names *n, const char *text)
{
	size_t len = strlen(text);
	struct name *name;

	if (!len)
		return 0;
	HASH_FIND(hh, n->by_text, text, len, name);
	if (name)
		return name->number;
	if (n->nr == n->room) {
		struct name **more = realloc(n->by_number, (n->room + 64) * sizeof(struct name *));

		if (!more)
			return 0;
		n->by_number = more;
		n->room += 64;
	}
	name = malloc(sizeof(*name) + len + 1);
	if (!name)
		return 0;
	memcpy(name->text, text, len + 1);
	n->by_number[n->nr++] = name;
	name->number = n->nr;
	HASH_ADD_KEYPTR(hh, n->by_text, name->text, len, name);
	return name->number;
}

const char *names_text(const struct names *n, uint32_t number)
{
	return number ? n->by_number[number - 1]->text : "";
}

void names_free(struct names *n)
{
	HASH_CLEAR(hh, n->by_text);
	for (uint32_t i = 0; i < n->nr; i++)
		free(n->by_number[i]);
	free(n->by_number);
	memset(n, 0, sizeof(*n));
}
