/* SPDX-License-Identifier: MIT
 *
 * known: see known.h.
 */
#include "report/known.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->left_out = true)
#include <uthash.h>

enum { KNOWN_KEY = 128 }; /* a build-id is 20 bytes; what does not fit is not kept */

struct known {
	char key[KNOWN_KEY];
	int nr;
	struct frame *frame;
	bool left_out; /* the table had no memory to add it */
	UT_hash_handle hh;
};

static bool make_key(char key[KNOWN_KEY], const struct known_place *p)
{
	int len = snprintf(key, KNOWN_KEY, "%s %" PRIx64 ":%" PRIx64 "%c%" PRIx64, p->build_id, p->dev, p->ino,
			   p->exact ? '=' : '+', p->offset);

	return len > 0 && len < KNOWN_KEY;
}

static void entry_free(struct known *entry)
{
	for (int i = 0; i < entry->nr; i++)
		frame_done(&entry->frame[i]);
	free(entry->frame);
	free(entry);
}

void known_free(struct known **known)
{
	struct known *entry, *next;

	HASH_ITER(hh, *known, entry, next) {
		HASH_DEL(*known, entry);
		entry_free(entry);
	}
}

int known_get(struct known *known, const struct known_place *place, struct frame *ret, int room)
{
	char key[KNOWN_KEY];
	struct known *entry = NULL;

	if (!make_key(key, place))
		return 0;
	HASH_FIND_STR(known, key, entry);
	if (!entry || entry->nr > room)
		return 0;
	for (int i = 0; i < entry->nr; i++)
		frame_copy(&ret[i], &entry->frame[i]);
	return entry->nr;
}

void known_put(struct known **known, const struct known_place *place, const struct frame *frames, int nr)
{
	struct known *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return;
	entry->frame = calloc((size_t)nr, sizeof(*entry->frame));
	if (!entry->frame || !make_key(entry->key, place)) {
		entry_free(entry);
		return;
	}
	for (; entry->nr < nr; entry->nr++) {
		struct frame *f = &entry->frame[entry->nr];

		frame_copy(f, &frames[entry->nr]);
		free(f->module); /* its name is the process's */
		f->module = NULL;
	}
	if (HASH_COUNT(*known) >= KNOWN_MAX)
		known_free(known);
	HASH_ADD_STR(*known, key, entry);
	if (entry->left_out)
		entry_free(entry);
}
