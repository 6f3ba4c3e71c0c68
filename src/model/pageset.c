/* SPDX-License-Identifier: MIT
 *
 * pageset: see the header.  Sets are small: a script touches in ranges.
 */
#include "model/pageset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void pageset_done(struct pageset *set)
{
	free(set->range);
	*set = (struct pageset){ 0 };
}

int pageset_copy(struct pageset *to, const struct pageset *from)
{
	struct page_range *range;

	if (from->nr == 0)
		return 0;
	range = malloc(from->nr * sizeof(*range));
	if (!range)
		return -ENOMEM;
	memcpy(range, from->range, from->nr * sizeof(*range));
	*to = (struct pageset){ range, from->nr, from->nr, from->pages };
	return 0;
}

/* The first range that ends beyond PAGE. */
static size_t find(const struct pageset *set, uint64_t page)
{
	size_t low = 0, high = set->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->range[middle].end > page)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static int make_room(struct pageset *set)
{
	size_t room = set->room ? set->room * 2 : 4;
	struct page_range *range;

	if (set->nr < set->room)
		return 0;
	range = reallocarray(set->range, room, sizeof(*range));
	if (!range)
		return -ENOMEM;
	set->range = range;
	set->room = room;
	return 0;
}

/* Puts WITH (none where it is empty) in the place of the ranges FROM to TO. */
static void replace(struct pageset *set, size_t from, size_t to, struct page_range with)
{
	size_t nr = with.end > with.start;

	memmove(set->range + from + nr, set->range + to, (set->nr - to) * sizeof(*set->range));
	if (nr)
		set->range[from] = with;
	set->nr = set->nr - (to - from) + nr;
}

int pageset_add(struct pageset *set, uint64_t start, uint64_t end)
{
	struct page_range with = { start, end };
	size_t from, to;

	if (start >= end)
		return 0;
	if (make_room(set) < 0)
		return -ENOMEM;
	set->pages += end - start - pageset_count(set, start, end);
	from = find(set, start);
	if (from > 0 && set->range[from - 1].end == start)
		from--;
	for (to = from; to < set->nr && set->range[to].start <= end; to++) {
		if (set->range[to].start < with.start)
			with.start = set->range[to].start;
		if (set->range[to].end > with.end)
			with.end = set->range[to].end;
	}
	replace(set, from, to, with);
	return 0;
}

int pageset_remove(struct pageset *set, uint64_t start, uint64_t end)
{
	struct page_range first, last;
	size_t from, to;

	if (start >= end)
		return 0;
	if (make_room(set) < 0)
		return -ENOMEM;
	from = find(set, start);
	for (to = from; to < set->nr && set->range[to].start < end; to++)
		;
	if (to == from)
		return 0;
	set->pages -= pageset_count(set, start, end);
	first = (struct page_range){ set->range[from].start, start };
	last = (struct page_range){ end, set->range[to - 1].end };
	replace(set, from, to, last);
	replace(set, from, from, first);
	return 0;
}

uint64_t pageset_count(const struct pageset *set, uint64_t start, uint64_t end)
{
	uint64_t sum = 0;

	for (size_t i = find(set, start); i < set->nr && set->range[i].start < end; i++) {
		uint64_t a = set->range[i].start > start ? set->range[i].start : start;
		uint64_t b = set->range[i].end < end ? set->range[i].end : end;

		sum += b - a;
	}
	return sum;
}

int pageset_move(struct pageset *set, uint64_t start, uint64_t end, uint64_t to)
{
	struct pageset all = { 0 };
	int r = pageset_copy(&all, set);

	if (r == 0)
		r = pageset_remove(&all, start, end);
	for (size_t i = find(set, start); r == 0 && i < set->nr && set->range[i].start < end; i++) {
		uint64_t a = set->range[i].start > start ? set->range[i].start : start;
		uint64_t b = set->range[i].end < end ? set->range[i].end : end;

		r = pageset_add(&all, a - start + to, b - start + to);
	}
	if (r < 0) {
		pageset_done(&all);
		return r;
	}
	pageset_done(set);
	*set = all;
	return 0;
}

struct page_range pageset_gap(const struct pageset *set, uint64_t start, uint64_t end)
{
	size_t i = find(set, start);

	if (i < set->nr && set->range[i].start <= start)
		start = set->range[i++].end;
	if (start >= end)
		return (struct page_range){ end, end };
	if (i < set->nr && set->range[i].start < end)
		end = set->range[i].start;
	return (struct page_range){ start, end };
}
