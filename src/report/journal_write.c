/* SPDX-License-Identifier: MIT
 *
 * journal_write: see the header.
 *
 * Figures that change little are written as differences, anew in each block, so
 * that a block can be read without those before it.  The supervisor links this:
 * nothing beyond libc.
 */
#include "report/journal_write.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "report/journal_format.h"

static const uint64_t bytes_thin = UINT64_C(64) << 20; /* file size from which only the needful is kept */
static const uint64_t bytes_max = UINT64_C(128) << 20; /* and nothing but the end */
static const uint64_t flush_after_ns = 100000000;

struct journal_writer {
	int fd, error;
	uint64_t written;
	uint64_t block_ns; /* time of the block's first event */
	size_t used;       /* of buf, head included; JOURNAL_BLOCK_HEAD: empty */
	struct {
		uint64_t time_us, number, committed, start;
		uint64_t space, tid, stack;
	} last; /* what the next event of the block is told from */
	uint8_t buf[JOURNAL_BLOCK_HEAD + JOURNAL_BLOCK_MAX];
};

uint32_t journal_checksum(const void *data, size_t len)
{
	static const uint32_t nibble[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const uint8_t *p = data;
	uint32_t crc = ~UINT32_C(0);

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return ~crc;
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static void put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static void flush(struct journal_writer *w)
{
	size_t len = w->used - JOURNAL_BLOCK_HEAD;

	if (len == 0)
		return;
	put32(w->buf, (uint32_t)len);
	put32(w->buf + 4, journal_checksum(w->buf + JOURNAL_BLOCK_HEAD, len));
	if (!w->error)
		w->error = write_all(w->fd, w->buf, w->used);
	w->written += w->used;
	w->used = JOURNAL_BLOCK_HEAD;
	memset(&w->last, 0, sizeof(w->last));
}

/* Room was made sure of, see fits(). */
static void put_byte(struct journal_writer *w, uint8_t byte)
{
	w->buf[w->used++] = byte;
}

static void put(struct journal_writer *w, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		put_byte(w, (uint8_t)(value | 0x80));
	put_byte(w, (uint8_t)value);
}

/* The difference to *LAST: small either way is short. */
static void put_change(struct journal_writer *w, uint64_t value, uint64_t *last)
{
	uint64_t change = value - *last;

	put(w, change << 1 ^ (change >> 63 ? UINT64_MAX : 0));
	*last = value;
}

static void put_bytes(struct journal_writer *w, const char *text, size_t len)
{
	put(w, len);
	memcpy(w->buf + w->used, text, len);
	w->used += len;
}

static void put_text(struct journal_writer *w, const char *text)
{
	put_bytes(w, text, strlen(text));
}

static void put_space(struct journal_writer *w, const struct journal_space *s)
{
	put(w, s->id);
	put(w, s->from);
	put(w, s->fork);
	put(w, s->origin);
	put(w, (uint64_t)s->pid);
	put_text(w, s->comm);
	put_text(w, s->exe);
}

static void put_stack(struct journal_writer *w, const struct journal_stack *s)
{
	uint64_t offset = 0, value = s->sp;

	put(w, s->id);
	put(w, s->maps);
	put(w, (uint64_t)s->compat);
	put(w, s->pc);
	put(w, s->sp);
	put(w, s->len);
	put(w, s->nr);
	for (uint32_t i = 0; i < s->nr; i++) {
		put(w, s->word[i].offset - offset);
		put_change(w, s->word[i].value, &value);
		offset = s->word[i].offset;
	}
}

static void put_request(struct journal_writer *w, const struct journal_request *r)
{
	put(w, r->flags);
	put_change(w, r->number, &w->last.number);
	put_change(w, r->space, &w->last.space);
	put_change(w, (uint64_t)r->tid, &w->last.tid);
	put_change(w, r->stack, &w->last.stack);
	put_byte(w, (uint8_t)r->op);
	put_byte(w, (uint8_t)strtoul(rule_id(r->rule) + 2, NULL, 10)); /* "R-045" */
	put(w, r->pages);
	put_change(w, r->committed, &w->last.committed);
	put(w, r->reserved);
	if (r->flags & JOURNAL_RANGE) {
		put_change(w, r->start, &w->last.start);
		put(w, r->end - r->start);
	}
}

static void put_ranges(struct journal_writer *w, const struct journal_ranges *r)
{
	uint64_t end = 0;

	put(w, r->space);
	put(w, r->nr);
	for (uint32_t i = 0; i < r->nr; i++) {
		const struct journal_range *range = &r->range[i];

		put(w, range->start - end);
		put(w, range->end - range->start);
		put(w, range->charged);
		put(w, range->used);
		put_byte(w, (uint8_t)range->kind);
		end = range->end;
	}
}

/* Bytes that EVENT takes at most: ten for a number of 64 bits. */
static size_t size_of(const struct journal_event *event)
{
	size_t numbers = 32;

	switch (event->kind) {
	case JOURNAL_MAPS: return 10 * numbers + event->maps.len;
	case JOURNAL_STACK: return 10 * (numbers + 2 * (size_t)event->stack.nr);
	case JOURNAL_RANGES: return 10 * (numbers + 5 * (size_t)event->ranges.nr);
	default: return 10 * numbers + REFUSAL_COMM + REFUSAL_EXE;
	}
}

/* What a replay needs, however long the run: the requests that may decide, and
 * all that tells what they are. */
static bool needful(const struct journal_event *event)
{
	switch (event->kind) {
	case JOURNAL_REQUEST:
		return (event->request.flags & (JOURNAL_PEAK | JOURNAL_REFUSED)) || event->request.op == OP_FORK;
	case JOURNAL_RANGES:
	case JOURNAL_TOTAL:
		return false;
	default:
		return true;
	}
}

static bool wanted(const struct journal_writer *w, const struct journal_event *event)
{
	if (event->kind == JOURNAL_FINISH || w->written < bytes_thin)
		return true;
	return w->written < bytes_max && needful(event);
}

static void begin(struct journal_writer *w, uint64_t time_ns)
{
	w->block_ns = time_ns;
}

void journal_put(struct journal_writer *w, const struct journal_event *event)
{
	size_t size = size_of(event);

	if (w->error || size > JOURNAL_BLOCK_MAX || !wanted(w, event))
		return;
	if (w->used + size > sizeof(w->buf))
		flush(w);
	if (w->used == JOURNAL_BLOCK_HEAD)
		begin(w, event->time_ns);
	put_byte(w, (uint8_t)event->kind);
	put_change(w, event->time_ns / 1000, &w->last.time_us);
	switch (event->kind) {
	case JOURNAL_SPACE: put_space(w, &event->space); break;
	case JOURNAL_GONE: put(w, event->gone); break;
	case JOURNAL_FORK_GONE: put(w, event->fork_gone); break;
	case JOURNAL_MAPS:
		put(w, event->maps.id);
		put_bytes(w, event->maps.text, event->maps.len);
		break;
	case JOURNAL_STACK: put_stack(w, &event->stack); break;
	case JOURNAL_REQUEST: put_request(w, &event->request); break;
	case JOURNAL_TOTAL:
		put(w, event->total.committed);
		put(w, event->total.reserved);
		put(w, event->total.used);
		put(w, event->total.objects);
		put(w, event->total.processes);
		break;
	case JOURNAL_RANGES: put_ranges(w, &event->ranges); break;
	case JOURNAL_FINISH:
		put(w, (uint32_t)event->finish.status);
		put(w, event->finish.requests);
		put(w, event->finish.refusals);
		break;
	case JOURNAL_END_OF_FILE:
	case JOURNAL_NR:
		break;
	}
	if (w->used > JOURNAL_BLOCK_USUAL)
		flush(w);
	else
		journal_tick(w, event->time_ns);
}

void journal_tick(struct journal_writer *w, uint64_t time_ns)
{
	if (w->used > JOURNAL_BLOCK_HEAD && time_ns - w->block_ns > flush_after_ns)
		flush(w);
}

static void put_head(struct journal_writer *w, const struct journal_head *h)
{
	put_byte(w, JOURNAL_HEAD);
	put(w, h->started_ns);
	put(w, h->limit.mode);
	put(w, limit_commit(&h->limit));
	put(w, h->limit.ram_pages);
	put(w, h->limit.swap_pages);
	put_text(w, h->group);
	put_text(w, h->engine);
	put_text(w, h->kernel);
	put_text(w, h->command);
}

struct journal_writer *journal_writer_new(int fd, const struct journal_head *head)
{
	struct journal_writer *w = malloc(sizeof(*w));

	if (!w) {
		close_fd(&fd);
		return NULL;
	}
	memset(w, 0, offsetof(struct journal_writer, buf));
	w->fd = fd;
	w->used = JOURNAL_BLOCK_HEAD;
	w->error = write_all(fd, (const uint8_t *)JOURNAL_MAGIC, JOURNAL_MAGIC_LEN);
	put_head(w, head);
	flush(w);
	return w;
}

int journal_writer_close(struct journal_writer *w)
{
	int r;

	flush(w);
	r = w->error;
	if (close(w->fd) < 0 && !r)
		r = -errno;
	free(w);
	return r;
}
