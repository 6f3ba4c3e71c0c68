/* SPDX-License-Identifier: MIT
 *
 * holdings: see the header.
 */
#include "report/holdings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { FRESH_MS = 5 }; /* a request may not be in a look that was told that soon after it */

struct piece {
	uint64_t start, end; /* page numbers */
	uint64_t charged, used;
	uint32_t stack;
	enum held_kind kind;
	bool open; /* whose it is remains to be found */
};

struct pieces {
	struct piece *at; /* in address order */
	size_t nr, room;
};

struct waiting {
	uint64_t pages, time_ns;
	uint32_t stack;
};

struct waitings {
	struct waiting *at; /* oldest first */
	size_t nr, room;
};

struct space_held {
	bool live;
	struct pieces pieces;
	struct waitings waiting;
};

struct holdings {
	struct space_held *space; /* by id; 0 is shared memory */
	size_t nr, room;
	struct held *row;
	size_t nr_rows, rows_room;
};

/* Room for one more in an array of *ROOM; also where there is some. */
static int grow(void *array, size_t nr, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 16;
	void *grown;

	if (nr < *room)
		return 0;
	grown = reallocarray(*(void **)array, more, size);
	if (!grown)
		return -ENOMEM;
	memset((char *)grown + *room * size, 0, (more - *room) * size);
	*(void **)array = grown;
	*room = more;
	return 0;
}

struct holdings *holdings_new(void)
{
	struct holdings *h = calloc(1, sizeof(*h));

	if (h && grow(&h->space, 0, &h->room, sizeof(*h->space)) < 0) {
		free(h);
		return NULL;
	}
	if (h)
		h->nr = h->space[0].live = 1;
	return h;
}

static void space_empty(struct space_held *s)
{
	free(s->pieces.at);
	free(s->waiting.at);
	memset(s, 0, sizeof(*s));
}

void holdings_free(struct holdings *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->nr; i++)
		space_empty(&h->space[i]);
	free(h->space);
	free(h->row);
	free(h);
}

static int add_piece(struct pieces *p, const struct piece *piece)
{
	if (grow(&p->at, p->nr, &p->room, sizeof(*p->at)) < 0)
		return -ENOMEM;
	p->at[p->nr++] = *piece;
	return 0;
}

static int add_waiting(struct waitings *w, uint64_t pages, uint64_t time_ns, uint32_t stack)
{
	if (grow(&w->at, w->nr, &w->room, sizeof(*w->at)) < 0)
		return -ENOMEM;
	w->at[w->nr++] = (struct waiting){ pages, time_ns, stack };
	return 0;
}

static void drop_waiting(struct waitings *w, size_t at, size_t nr)
{
	if (nr == 0)
		return;
	memmove(&w->at[at], &w->at[at + nr], (w->nr - at - nr) * sizeof(*w->at));
	w->nr -= nr;
}

/* The part of PIECE within START to END, its amounts by its length. */
static struct piece clip(const struct piece *piece, uint64_t start, uint64_t end)
{
	struct piece part = *piece;
	uint64_t len = piece->end - piece->start;

	if (part.start < start)
		part.start = start;
	if (part.end > end)
		part.end = end;
	if (part.end <= part.start || len == 0)
		return (struct piece){ 0 };
	part.charged = (uint64_t)((unsigned __int128)piece->charged * (part.end - part.start) / len);
	part.used = (uint64_t)((unsigned __int128)piece->used * (part.end - part.start) / len);
	return part;
}

/* Takes START to END out.  *RET_PAGES (may be NULL): what was charged there. */
static int cut_out(struct pieces *p, uint64_t start, uint64_t end, uint64_t *ret_pages)
{
	struct pieces kept = { 0 };
	uint64_t pages = 0;
	int r = 0;

	for (size_t i = 0; i < p->nr && r == 0; i++) {
		const struct piece *piece = &p->at[i];
		struct piece below = clip(piece, 0, start), above = clip(piece, end, UINT64_MAX);

		pages += clip(piece, start, end).charged;
		if (below.end)
			r = add_piece(&kept, &below);
		if (above.end && r == 0)
			r = add_piece(&kept, &above);
	}
	if (r < 0) {
		free(kept.at);
		return r;
	}
	free(p->at);
	*p = kept;
	if (ret_pages)
		*ret_pages = pages;
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* Where a piece that begins at START belongs. */
static size_t place(const struct pieces *p, uint64_t start)
{
	size_t low = 0, high = p->nr;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (p->at[middle].start < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool overlaps(const struct pieces *p, uint64_t start, uint64_t end)
{
	size_t at = place(p, start);

	return (at < p->nr && p->at[at].start < end) || (at > 0 && p->at[at - 1].end > start);
}

static int assign(struct pieces *p, const struct journal_request *q)
{
	const struct piece piece = { .start = q->start, .end = q->end, .charged = q->end - q->start, .stack = q->stack };
	bool free_there = !overlaps(p, q->start, q->end);
	size_t at = place(p, q->start);

	/* A heap that grows from one place, again and again. */
	if (free_there && at > 0 && p->at[at - 1].end == q->start && p->at[at - 1].stack == q->stack) {
		p->at[at - 1].end = q->end;
		p->at[at - 1].charged += piece.charged;
		return 0;
	}
	if ((!free_there && cut_out(p, q->start, q->end, NULL) < 0) || grow(&p->at, p->nr, &p->room, sizeof(*p->at)) < 0)
		return -ENOMEM;
	at = place(p, q->start);
	memmove(&p->at[at + 1], &p->at[at], (p->nr - at) * sizeof(*p->at));
	p->at[at] = piece;
	p->nr++;
	return 0;
}

/* The whole of what is moved is its caller's from now on. */
static int remap(struct space_held *s, const struct journal_request *q, uint64_t time_ns)
{
	uint64_t old = 0, len = q->end - q->start;

	if (cut_out(&s->pieces, q->start, q->end, &old) < 0)
		return -ENOMEM;
	for (size_t i = s->waiting.nr; i-- > 0 && old == 0;) {
		if (s->waiting.at[i].pages == len) {
			drop_waiting(&s->waiting, i, 1);
			old = len;
		}
	}
	return add_waiting(&s->waiting, old + q->pages, time_ns, q->stack);
}

/* */
static bool of_object(enum rule rule)
{
	return rule >= RULE_SHARED_ANON && rule <= RULE_SHMEM_RESERVE;
}

static int note_request(struct holdings *h, const struct journal_request *q, uint64_t time_ns)
{
	struct space_held *s = &h->space[q->space];

	if ((q->flags & JOURNAL_REFUSED) || q->pages == 0 || q->op == OP_FORK || q->op == OP_EXEC || q->space >= h->nr)
		return 0;
	if (of_object(q->rule))
		return q->rule == RULE_SHMEM_RESERVE ? 0 : add_waiting(&h->space[0].waiting, q->pages, time_ns, q->stack);
	if (q->space == 0 || !s->live)
		return 0;
	if (q->op == OP_MREMAP && (q->flags & JOURNAL_RANGE))
		return remap(s, q, time_ns);
	if (q->flags & JOURNAL_RANGE)
		return assign(&s->pieces, q);
	return add_waiting(&s->waiting, q->pages, time_ns, q->stack);
}

static int note_space(struct holdings *h, const struct journal_space *n)
{
	struct space_held *s, *from;

	if (grow(&h->space, h->nr, &h->room, sizeof(*h->space)) < 0)
		return -ENOMEM;
	s = &h->space[n->id];
	from = &h->space[n->from];
	h->nr = (size_t)n->id + 1;
	s->live = true;
	if (n->from == 0)
		return 0;
	if (n->origin == JOURNAL_EXECED) {
		space_empty(from);
		return 0;
	}
	for (size_t i = 0; i < from->pieces.nr; i++)
		if (add_piece(&s->pieces, &from->pieces.at[i]) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < from->waiting.nr; i++)
		if (add_waiting(&s->waiting, from->waiting.at[i].pages, from->waiting.at[i].time_ns, from->waiting.at[i].stack))
			return -ENOMEM;
	return 0;
}

static enum held_kind kind_of(enum journal_range_kind kind)
{
	switch (kind) {
	case JOURNAL_FILE: return HELD_FILE;
	case JOURNAL_HEAP: return HELD_HEAP;
	case JOURNAL_STACK_AREA: return HELD_STACK_AREA;
	default: return HELD_ANON;
	}
}

/* RANGE as pieces: what is known of it stays, the rest is open.  *AT is the
 * first old piece that may reach into it. */
static int split_range(struct pieces *ret, const struct pieces *old, size_t *at, const struct journal_range *range)
{
	/* A stack grows by itself, and where a heap grows is known. */
	bool open = range->kind == JOURNAL_ANON || range->kind == JOURNAL_FILE;
	const struct piece whole = { range->start, range->end, range->charged, range->used, 0, kind_of(range->kind), open };
	uint64_t from = range->start;

	while (*at < old->nr && old->at[*at].end <= range->start)
		(*at)++;
	for (size_t i = *at; i < old->nr && old->at[i].start < range->end; i++) {
		struct piece gap = clip(&whole, from, old->at[i].start > from ? old->at[i].start : from);
		struct piece known = clip(&whole, old->at[i].start, old->at[i].end);

		known.stack = old->at[i].stack;
		known.kind = old->at[i].kind;
		known.open = false;
		if (gap.end && add_piece(ret, &gap) < 0)
			return -ENOMEM;
		if (known.end && add_piece(ret, &known) < 0)
			return -ENOMEM;
		if (known.end)
			from = known.end;
	}
	if (from < range->end) {
		struct piece gap = clip(&whole, from, range->end);

		return add_piece(ret, &gap);
	}
	return 0;
}

static void close_piece(struct piece *piece, uint32_t stack)
{
	piece->stack = stack;
	piece->kind = HELD_REQUEST;
	piece->open = false;
}

/* New ranges of just the size of a request. */
static void match_sizes(struct pieces *p, struct waitings *w)
{
	for (size_t i = 0; i < p->nr; i++) {
		for (size_t j = w->nr; p->at[i].open && j-- > 0;) {
			if (w->at[j].pages != p->at[i].end - p->at[i].start)
				continue;
			close_piece(&p->at[i], w->at[j].stack);
			drop_waiting(w, j, 1);
		}
	}
}

/* The others, from the end of a range downwards. */
static int match_runs(struct pieces *p, struct waitings *w)
{
	size_t nr = p->nr;

	for (size_t i = nr; i-- > 0;) {
		for (size_t j = 0; j < w->nr && p->at[i].open;) {
			struct piece whole = p->at[i], part;

			if (w->at[j].pages >= whole.end - whole.start || w->at[j].pages == 0) {
				j++;
				continue;
			}
			part = clip(&whole, whole.end - w->at[j].pages, whole.end);
			close_piece(&part, w->at[j].stack);
			p->at[i] = clip(&whole, whole.start, part.start);
			drop_waiting(w, j, 1);
			if (add_piece(p, &part) < 0)
				return -ENOMEM;
		}
	}
	if (p->nr > 1)
		qsort(p->at, p->nr, sizeof(*p->at), by_address);
	return 0;
}

static int note_ranges(struct holdings *h, const struct journal_ranges *ranges, uint64_t time_ns)
{
	struct space_held *s = &h->space[ranges->space];
	struct pieces found = { 0 };
	size_t at = 0, old = 0;
	int r = 0;

	if (!s->live)
		return 0;
	for (uint32_t i = 0; i < ranges->nr && r == 0; i++)
		r = split_range(&found, &s->pieces, &at, &ranges->range[i]);
	if (r == 0) {
		match_sizes(&found, &s->waiting);
		r = match_runs(&found, &s->waiting);
	}
	if (r < 0) {
		free(found.at);
		return r;
	}
	free(s->pieces.at);
	s->pieces = found;
	while (old < s->waiting.nr && s->waiting.at[old].time_ns + FRESH_MS * 1000000 < time_ns)
		old++;
	drop_waiting(&s->waiting, 0, old);
	return 0;
}

/* Shared memory that is gone: the oldest is taken to be it. */
static void note_objects(struct waitings *w, uint64_t pages)
{
	uint64_t sum = 0;
	size_t keep = w->nr;

	while (keep > 0 && sum + w->at[keep - 1].pages <= pages)
		sum += w->at[--keep].pages;
	drop_waiting(w, 0, keep);
}

int holdings_note(struct holdings *h, const struct journal_event *event)
{
	switch (event->kind) {
	case JOURNAL_SPACE: return note_space(h, &event->space);
	case JOURNAL_GONE:
		if (event->gone)
			space_empty(&h->space[event->gone]);
		return 0;
	case JOURNAL_REQUEST: return note_request(h, &event->request, event->time_ns);
	case JOURNAL_RANGES: return note_ranges(h, &event->ranges, event->time_ns);
	case JOURNAL_TOTAL: note_objects(&h->space[0].waiting, event->total.objects); return 0;
	default: return 0;
	}
}

static int add_row(struct holdings *h, const struct held *row)
{
	if (row->pages == 0)
		return 0;
	if (grow(&h->row, h->nr_rows, &h->rows_room, sizeof(*h->row)) < 0)
		return -ENOMEM;
	h->row[h->nr_rows++] = *row;
	return 0;
}

static int add_space_rows(struct holdings *h, uint32_t id)
{
	const struct space_held *s = &h->space[id];

	for (size_t i = 0; i < s->pieces.nr; i++) {
		const struct piece *p = &s->pieces.at[i];
		struct held row = { id, p->stack, p->kind, p->charged, p->used };

		if (add_row(h, &row) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < s->waiting.nr; i++) {
		const struct waiting *w = &s->waiting.at[i];
		struct held row = { id, w->stack, HELD_REQUEST, w->pages, id ? 0 : w->pages };

		if (add_row(h, &row) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The sum of what is thought to be held is brought to what is held. */
static int fit_rows(struct holdings *h, uint64_t sum, uint64_t committed)
{
	struct held rest = { .kind = HELD_REST, .pages = committed > sum ? committed - sum : 0 };
	unsigned __int128 before = 0; /* what the rows so far were, and what they are */
	uint64_t fitted = 0;

	for (size_t i = 0; i < h->nr_rows && sum > committed; i++) {
		struct held *row = &h->row[i];

		before += row->pages;
		row->pages = (uint64_t)(before * committed / sum) - fitted;
		fitted += row->pages;
		if (row->used > row->pages)
			row->used = row->pages;
	}
	return add_row(h, &rest);
}

long holdings_now(struct holdings *h, uint64_t committed, const struct held **ret)
{
	uint64_t sum = 0;

	h->nr_rows = 0;
	for (uint32_t id = 0; id < h->nr; id++)
		if (h->space[id].live && add_space_rows(h, id) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < h->nr_rows; i++)
		sum += h->row[i].pages;
	if (fit_rows(h, sum, committed) < 0)
		return -ENOMEM;
	*ret = h->row;
	return (long)h->nr_rows;
}
