/* SPDX-License-Identifier: MIT
 *
 * pageset: which pages are there, as ranges.
 *
 * Numbers are pages; a range does not contain its end.
 */
#ifndef SURETY_MODEL_PAGESET_H
#define SURETY_MODEL_PAGESET_H

#include <stddef.h>
#include <stdint.h>

struct page_range {
	uint64_t start, end;
};

/* Zeroed is empty. */
struct pageset {
	struct page_range *range; /* sorted, apart from one another */
	size_t nr, room;
	uint64_t pages; /* in all */
};

void pageset_done(struct pageset *set);

/* All return 0, or -ENOMEM with the set as it was. */
int pageset_copy(struct pageset *to, const struct pageset *from); /* TO is empty before */
int pageset_add(struct pageset *set, uint64_t start, uint64_t end);
int pageset_remove(struct pageset *set, uint64_t start, uint64_t end);

/* Takes what is at START to END to TO, where nothing is; the ranges are apart. */
int pageset_move(struct pageset *set, uint64_t start, uint64_t end, uint64_t to);

uint64_t pageset_count(const struct pageset *set, uint64_t start, uint64_t end);

/* The first pages of START to END that are not there: *RET is empty, at END, where
 * all are. */
struct page_range pageset_gap(const struct pageset *set, uint64_t start, uint64_t end);

#endif
