/* SPDX-License-Identifier: MIT
 *
 * journal_read: see the header, and docs/RECORD.md for the format.
 */
#include "report/journal_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/journal_format.h"

struct journal_reader {
	int fd;
	struct journal_head head;
	uint64_t offset, next_offset; /* of the block under way, and of the one after */
	bool cut, finished;
	bool bad; /* the block under way does not hold what it should */
	const uint8_t *at, *end;
	struct {
		uint64_t time_us, number, committed, start;
		uint64_t space, tid, stack;
	} last;
	uint32_t nr_spaces, nr_stacks, nr_maps; /* so far, over all blocks */
	uint64_t number, time_us;
	struct journal_word word[JOURNAL_WORDS_MAX];
	struct journal_range range[JOURNAL_RANGES_MAX];
	uint8_t block[JOURNAL_BLOCK_MAX];
};

/* Returns the bytes read, fewer only at the end of the file, or -errno. */
static ssize_t read_all(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static uint32_t get32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Whether nothing but the rest of a block that was being written follows. */
static bool at_end(const struct journal_reader *r)
{
	uint8_t byte;

	return read_all(r->fd, &byte, 1) == 0;
}

/* Returns 1, 0 at the end, -errno. */
static int next_block(struct journal_reader *r)
{
	uint8_t head[JOURNAL_BLOCK_HEAD];
	ssize_t n = read_all(r->fd, head, sizeof(head));
	uint32_t len;

	r->offset = r->next_offset;
	r->at = r->end = r->block;
	if (n < 0)
		return (int)n;
	if (n < JOURNAL_BLOCK_HEAD) {
		r->cut = n > 0 || !r->finished;
		return 0;
	}
	len = get32(head);
	if (len == 0 || len > JOURNAL_BLOCK_MAX)
		return -EBADMSG;
	n = read_all(r->fd, r->block, len);
	if (n < 0)
		return (int)n;
	if ((size_t)n < len) {
		r->cut = true;
		return 0;
	}
	if (journal_checksum(r->block, len) != get32(head + 4)) {
		r->cut = at_end(r);
		return r->cut ? 0 : -EBADMSG;
	}
	r->end = r->block + len;
	r->next_offset += JOURNAL_BLOCK_HEAD + len;
	memset(&r->last, 0, sizeof(r->last));
	return 1;
}

static uint8_t get_byte(struct journal_reader *r)
{
	if (r->at == r->end) {
		r->bad = true;
		return 0;
	}
	return *r->at++;
}

static uint64_t get(struct journal_reader *r)
{
	uint64_t value = 0;

	for (int shift = 0; shift < 64; shift += 7) {
		uint8_t byte = get_byte(r);

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	r->bad = true;
	return 0;
}

/* A number that is at most MAX. */
static uint64_t get_most(struct journal_reader *r, uint64_t max)
{
	uint64_t value = get(r);

	if (value <= max)
		return value;
	r->bad = true;
	return 0;
}

static uint64_t get_change(struct journal_reader *r, uint64_t *last)
{
	uint64_t coded = get(r);

	return *last += coded >> 1 ^ (coded & 1 ? UINT64_MAX : 0);
}

static uint64_t get_change_most(struct journal_reader *r, uint64_t *last, uint64_t max)
{
	if (get_change(r, last) > max) {
		r->bad = true;
		*last = 0;
	}
	return *last;
}

static const char *get_bytes(struct journal_reader *r, size_t max, size_t *ret_len)
{
	uint64_t len = get_most(r, max);
	const uint8_t *text = r->at;

	if (len > (size_t)(r->end - r->at)) {
		r->bad = true;
		len = 0;
	}
	r->at += len;
	*ret_len = len;
	return (const char *)text;
}

static void get_text(struct journal_reader *r, char *buf, size_t size)
{
	size_t len;
	const char *text = get_bytes(r, size - 1, &len);

	memcpy(buf, text, len);
	buf[len] = '\0';
}

static void get_space(struct journal_reader *r, struct journal_space *s)
{
	s->id = (uint32_t)get_most(r, JOURNAL_SPACES_MAX);
	s->from = (uint32_t)get_most(r, r->nr_spaces);
	s->fork = get_most(r, r->number);
	s->origin = (enum journal_origin)get_most(r, JOURNAL_EXECED);
	s->pid = (pid_t)get_most(r, INT32_MAX);
	get_text(r, s->comm, sizeof(s->comm));
	get_text(r, s->exe, sizeof(s->exe));
	if (s->id != r->nr_spaces + 1)
		r->bad = true;
	else
		r->nr_spaces++;
}

static void get_maps(struct journal_reader *r, struct journal_maps *m)
{
	m->id = (uint32_t)get_most(r, UINT32_MAX);
	m->text = get_bytes(r, JOURNAL_MAPS_MAX, &m->len);
	if (m->id != r->nr_maps + 1)
		r->bad = true;
	else
		r->nr_maps++;
}

static void get_stack(struct journal_reader *r, struct journal_stack *s)
{
	uint64_t offset = 0, value;

	s->id = (uint32_t)get_most(r, JOURNAL_STACKS_MAX);
	s->maps = (uint32_t)get_most(r, r->nr_maps);
	s->compat = (int)get_most(r, 1);
	s->pc = get(r);
	s->sp = value = get(r);
	s->len = (uint32_t)get_most(r, JOURNAL_STACK_BYTES);
	s->nr = (uint32_t)get_most(r, JOURNAL_WORDS_MAX);
	s->word = r->word;
	for (uint32_t i = 0; i < s->nr && !r->bad; i++) {
		offset += get_most(r, JOURNAL_STACK_BYTES);
		r->word[i] = (struct journal_word){ (uint32_t)offset, get_change(r, &value) };
		if (offset + (s->compat ? 4 : 8) > s->len)
			r->bad = true;
	}
	if (s->id != r->nr_stacks + 1 || s->maps == 0)
		r->bad = true;
	else
		r->nr_stacks++;
}

/* Rules are written by the number in their name, which is never given anew. */
static enum rule get_rule(struct journal_reader *r)
{
	uint8_t number = get_byte(r);

	for (int rule = 0; rule < RULE_NR; rule++)
		if (strtoul(rule_id((enum rule)rule) + 2, NULL, 10) == number)
			return (enum rule)rule;
	r->bad = true;
	return RULE_MODEL;
}

static void get_request(struct journal_reader *r, struct journal_request *q)
{
	q->flags = (uint32_t)get_most(r, JOURNAL_REQUEST_FLAGS);
	q->number = get_change_most(r, &r->last.number, INT64_MAX);
	q->space = (uint32_t)get_change_most(r, &r->last.space, r->nr_spaces);
	q->tid = (pid_t)get_change_most(r, &r->last.tid, INT32_MAX);
	q->stack = (uint32_t)get_change_most(r, &r->last.stack, r->nr_stacks);
	q->op = (enum operation)get_byte(r);
	q->rule = get_rule(r);
	q->pages = get_most(r, JOURNAL_PAGES_MAX);
	q->committed = get_change_most(r, &r->last.committed, JOURNAL_PAGES_MAX);
	q->reserved = get_most(r, JOURNAL_PAGES_MAX);
	if (q->flags & JOURNAL_RANGE) {
		q->start = get_change_most(r, &r->last.start, JOURNAL_PAGES_MAX);
		q->end = q->start + get_most(r, JOURNAL_PAGES_MAX);
	}
	if (q->op >= OP_NR || q->number <= r->number)
		r->bad = true;
	else
		r->number = q->number;
}

static void get_ranges(struct journal_reader *r, struct journal_ranges *ranges)
{
	uint64_t end = 0;

	ranges->space = (uint32_t)get_most(r, r->nr_spaces);
	ranges->nr = (uint32_t)get_most(r, JOURNAL_RANGES_MAX);
	ranges->range = r->range;
	for (uint32_t i = 0; i < ranges->nr && !r->bad; i++) {
		struct journal_range *range = &r->range[i];
		uint64_t pages;

		range->start = end + get_most(r, JOURNAL_PAGES_MAX);
		pages = get_most(r, JOURNAL_PAGES_MAX);
		range->end = end = range->start + pages;
		range->charged = get_most(r, pages);
		range->used = get_most(r, range->charged);
		range->kind = (enum journal_range_kind)get_byte(r);
		if (pages == 0 || range->end > JOURNAL_PAGES_MAX || range->kind >= JOURNAL_RANGE_KINDS)
			r->bad = true;
	}
	if (ranges->space == 0)
		r->bad = true;
}

static void get_total(struct journal_reader *r, struct journal_total *t)
{
	t->committed = get_most(r, JOURNAL_PAGES_MAX);
	t->reserved = get_most(r, JOURNAL_PAGES_MAX);
	t->used = get_most(r, JOURNAL_PAGES_MAX);
	t->objects = get_most(r, JOURNAL_PAGES_MAX);
	t->processes = (uint32_t)get_most(r, UINT32_MAX);
}

static void get_finish(struct journal_reader *r, struct journal_finish *f)
{
	f->status = (int)(uint32_t)get_most(r, UINT32_MAX);
	f->requests = get(r);
	f->refusals = get(r);
	r->finished = true;
}

static void get_event(struct journal_reader *r, struct journal_event *e)
{
	e->kind = (enum journal_kind)get_byte(r);
	e->time_ns = get_change_most(r, &r->last.time_us, INT64_MAX / 1000) * 1000;
	switch (e->kind) {
	case JOURNAL_SPACE: get_space(r, &e->space); break;
	case JOURNAL_GONE: e->gone = (uint32_t)get_most(r, r->nr_spaces); break;
	case JOURNAL_FORK_GONE: e->fork_gone = get_most(r, r->number); break;
	case JOURNAL_MAPS: get_maps(r, &e->maps); break;
	case JOURNAL_STACK: get_stack(r, &e->stack); break;
	case JOURNAL_REQUEST: get_request(r, &e->request); break;
	case JOURNAL_TOTAL: get_total(r, &e->total); break;
	case JOURNAL_RANGES: get_ranges(r, &e->ranges); break;
	case JOURNAL_FINISH: get_finish(r, &e->finish); break;
	default: r->bad = true; break;
	}
}

int journal_next(struct journal_reader *r, struct journal_event *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (r->bad)
		return -EBADMSG;
	if (r->at == r->end) {
		int n = next_block(r);

		if (n <= 0)
			return n;
	}
	get_event(r, ret);
	return r->bad ? -EBADMSG : 1;
}

bool journal_cut(const struct journal_reader *r)
{
	return r->cut;
}

uint64_t journal_offset(const struct journal_reader *r)
{
	return r->offset;
}

const struct journal_head *journal_head(const struct journal_reader *r)
{
	return &r->head;
}

static void get_head(struct journal_reader *r, struct journal_head *h)
{
	if (get_byte(r) != JOURNAL_HEAD)
		r->bad = true;
	h->started_ns = get(r);
	h->limit.mode = (enum overcommit)get_most(r, OVERCOMMIT_NEVER);
	h->limit.limit_pages = get_most(r, UINT64_MAX);
	h->limit.ram_pages = get_most(r, UINT64_MAX);
	h->limit.swap_pages = get_most(r, UINT64_MAX);
	get_text(r, h->group, sizeof(h->group));
	get_text(r, h->engine, sizeof(h->engine));
	get_text(r, h->kernel, sizeof(h->kernel));
	get_text(r, h->command, sizeof(h->command));
}

static int read_front(struct journal_reader *r)
{
	char magic[JOURNAL_MAGIC_LEN];
	ssize_t n = read_all(r->fd, magic, sizeof(magic));
	int got;

	if (n < 0)
		return (int)n;
	if (n < JOURNAL_MAGIC_LEN || memcmp(magic, JOURNAL_MAGIC, JOURNAL_MAGIC_LEN) != 0)
		return n == JOURNAL_MAGIC_LEN && !memcmp(magic, JOURNAL_MAGIC, JOURNAL_MAGIC_LEN - 2) ? -EPROTO : -EBADMSG;
	r->next_offset = JOURNAL_MAGIC_LEN;
	got = next_block(r);
	if (got <= 0)
		return got < 0 ? got : -EBADMSG;
	get_head(r, &r->head);
	return r->bad ? -EBADMSG : 0;
}

int journal_reader_new(struct journal_reader **ret, int fd)
{
	struct journal_reader *r = malloc(sizeof(*r));
	int error;

	if (!r)
		return -ENOMEM;
	memset(r, 0, offsetof(struct journal_reader, word));
	r->fd = fd;
	r->at = r->end = r->block;
	error = read_front(r);
	if (error < 0) {
		free(r);
		return error;
	}
	*ret = r;
	return 0;
}

void journal_reader_free(struct journal_reader *r)
{
	free(r);
}
