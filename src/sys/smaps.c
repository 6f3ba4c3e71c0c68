/* SPDX-License-Identifier: MIT
 *
 * smaps: text of /proc/PID/smaps and /proc/PID/maps to struct vma.
 *
 * Decides what a line says, never what a mapping is charged.  Must not
 * allocate and must not guess: a text that ends inside a line is an error.
 * Rests on fs/proc/task_mmu.c: show_vma_header_prefix (lower-case hex, name
 * last with its newlines escaped, so no name can look like a line of its own),
 * show_smap (every field starts with a capital letter) and
 * show_smap_vma_flags (two-letter codes).  A read(2) of a seq_file returns
 * about a page, and the mappings may change between two of them: the sum over
 * a running process is no snapshot.
 *
 * Swap of a private mapping of tmpfs includes what the object itself has in
 * swap; anonymous_pages is an upper bound there.
 */
#include "sys/smaps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"

struct cursor {
	const char *at;
	const char *end;
	bool bad; /* sticky: something expected was not there */
};

static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static inline uint64_t take_hex(struct cursor *c, int max_digits)
{
	const char *first = c->at;
	uint64_t value = 0;
	int digit;

	while (c->at < c->end && (digit = hex_digit(*c->at)) >= 0) {
		value = value << 4 | (uint64_t)digit;
		c->at++;
	}
	if (c->at == first || c->at - first > max_digits)
		c->bad = true;
	return value;
}

/* Saturates, for a count; *RET_FITS (may be NULL) tells. */
static inline uint64_t take_decimal(struct cursor *c, bool *ret_fits)
{
	const char *first = c->at;
	uint64_t value = 0;
	bool fits = true;

	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*c->at - '0'), &value))
			fits = false;
	}
	if (c->at == first)
		c->bad = true;
	if (ret_fits)
		*ret_fits = fits;
	return fits ? value : UINT64_MAX;
}

static inline void take_char(struct cursor *c, char expected)
{
	if (c->at < c->end && *c->at == expected)
		c->at++;
	else
		c->bad = true;
}

static inline void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
		c->at++;
}

/* One of the letters of "rwxp": its flag, 0 for its opposite. */
static inline uint32_t take_permission(struct cursor *c, char yes, char no, uint32_t flag)
{
	char got = c->at < c->end ? *c->at++ : '\0';

	if (got == yes)
		return flag;
	if (got != no)
		c->bad = true;
	return 0;
}

static int parse_header(struct smaps_parser *p, const char *text, size_t len)
{
	struct cursor c = { .at = text, .end = text + len };
	struct vma vma = { 0 };
	size_t name_len;
	bool fits;

	vma.start = take_hex(&c, 16);
	take_char(&c, '-');
	vma.end = take_hex(&c, 16);
	take_char(&c, ' ');
	vma.flags |= take_permission(&c, 'r', '-', VMA_READ);
	vma.flags |= take_permission(&c, 'w', '-', VMA_WRITE);
	vma.flags |= take_permission(&c, 'x', '-', VMA_EXEC);
	vma.flags |= take_permission(&c, 's', 'p', VMA_SHARED);
	take_char(&c, ' ');
	vma.pgoff = take_hex(&c, 16);
	take_char(&c, ' ');
	vma.dev_major = (uint32_t)take_hex(&c, 8);
	take_char(&c, ':');
	vma.dev_minor = (uint32_t)take_hex(&c, 8);
	take_char(&c, ' ');
	vma.ino = take_decimal(&c, &fits);
	if (c.bad || !fits || (c.at < c.end && *c.at != ' '))
		return -EBADMSG;
	if (vma.start >= vma.end || (vma.start | vma.end) & (PAGE_BYTES - 1))
		return -EBADMSG;

	skip_blanks(&c);
	name_len = (size_t)(c.end - c.at);
	if (name_len >= sizeof(p->name))
		name_len = sizeof(p->name) - 1;
	memcpy(p->name, c.at, name_len);
	p->name[name_len] = '\0';
	p->vma = vma;
	p->have = 1;
	return 0;
}

/* "      1234 kB" behind a field's name: adds its pages. */
static void add_kib(struct smaps_parser *p, const char *text, size_t len)
{
	struct cursor c = { .at = text, .end = text + len };
	uint64_t kib, pages;

	skip_blanks(&c);
	kib = take_decimal(&c, NULL);
	if (c.bad)
		return;
	pages = (kib >> (PAGE_SHIFT - 10)) + ((kib & ((PAGE_BYTES >> 10) - 1)) != 0);
	if (__builtin_add_overflow(p->vma.anonymous_pages, pages, &p->vma.anonymous_pages))
		p->vma.anonymous_pages = UINT64_MAX;
}

#define CODE(a, b) ((unsigned int)(a) << 8 | (unsigned int)(b))

static uint32_t flag_of(unsigned int code)
{
	switch (code) {
	case CODE('a', 'c'):
		return VMA_ACCOUNT;
	case CODE('n', 'r'):
		return VMA_NORESERVE;
	case CODE('h', 't'):
		return VMA_HUGETLB;
	case CODE('d', 'p'):
		return VMA_DROPPABLE;
	case CODE('d', 'c'):
		return VMA_DONTCOPY;
	case CODE('g', 'd'):
		return VMA_GROWSDOWN;
	default:
		return 0;
	}
}

/* " rd wr mr mw me ac " behind "VmFlags:".  Codes of any other length are not ours. */
static void add_flags(struct smaps_parser *p, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *code = text;

		while (text < end && *text != ' ')
			text++;
		if (text - code == 2)
			p->vma.flags |= flag_of(CODE((unsigned char)code[0], (unsigned char)code[1]));
		while (text < end && *text == ' ')
			text++;
	}
}

static inline bool is_field(const char *text, size_t len, const char *name, size_t name_len)
{
	return len >= name_len && !memcmp(text, name, name_len);
}

#define IS_FIELD(text, len, name) is_field(text, len, name, sizeof(name) - 1)
#define FIELD_REST(text, len, name) (text) + sizeof(name) - 1, (len) - (sizeof(name) - 1)

static void parse_field(struct smaps_parser *p, const char *text, size_t len)
{
	switch (text[0]) {
	case 'A':
		if (IS_FIELD(text, len, "Anonymous:"))
			add_kib(p, FIELD_REST(text, len, "Anonymous:"));
		return;
	case 'S':
		/* a shared mapping's swap is the object's, not a copy of ours */
		if (!(p->vma.flags & VMA_SHARED) && IS_FIELD(text, len, "Swap:"))
			add_kib(p, FIELD_REST(text, len, "Swap:"));
		return;
	case 'V':
		if (IS_FIELD(text, len, "VmFlags:"))
			add_flags(p, FIELD_REST(text, len, "VmFlags:"));
		return;
	default:
		return;
	}
}

static int deliver(struct smaps_parser *p)
{
	if (!p->have)
		return 0;
	p->have = 0;
	return p->fn(p->ctx, &p->vma, p->name);
}

static int take_line(struct smaps_parser *p, const char *text, size_t len)
{
	int r;

	if (p->smaps && p->have && len && text[0] >= 'A' && text[0] <= 'Z') {
		parse_field(p, text, len);
		return 0;
	}
	r = deliver(p);
	if (r)
		return r;
	r = parse_header(p, text, len);
	if (r || p->smaps)
		return r;
	return deliver(p); /* nothing more will come for it */
}

/* Keeps what fits of an unfinished line; of a longer one only the name is cut. */
static void keep(struct smaps_parser *p, const char *text, size_t len)
{
	size_t room = sizeof(p->line) - p->used;

	if (len > room)
		len = room;
	memcpy(p->line + p->used, text, len);
	p->used += len;
}

void smaps_parser_init(struct smaps_parser *p, int smaps, vma_fn *fn, void *ctx)
{
	p->fn = fn;
	p->ctx = ctx;
	p->smaps = smaps;
	p->have = 0;
	p->stopped = 0;
	p->used = 0;
	p->name[0] = '\0';
}

int smaps_parser_feed(struct smaps_parser *p, const char *text, size_t len)
{
	const char *end = text + len;

	while (!p->stopped && text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t line_len = (size_t)((newline ? newline : end) - text);

		if (p->used || !newline)
			keep(p, text, line_len);
		if (!newline)
			break;
		if (p->used)
			p->stopped = take_line(p, p->line, p->used);
		else
			p->stopped = take_line(p, text, line_len < sizeof(p->line) ? line_len : sizeof(p->line));
		p->used = 0;
		text = newline + 1;
	}
	return p->stopped;
}

int smaps_parser_end(struct smaps_parser *p)
{
	if (p->stopped)
		return p->stopped;
	p->stopped = p->used ? -EBADMSG : deliver(p);
	return p->stopped;
}

/* Read at once.  A seq_file hands out at most a page, more only for one long line. */
enum { WALK_BYTES = 8192 };

static int walk(const char *proc_root, pid_t pid, int smaps, vma_fn *fn, void *ctx)
{
	char path[PATH_MAX], text[WALK_BYTES];
	struct smaps_parser p;
	autoclose int fd = -1;
	int r;

	r = snprintf(path, sizeof(path), "%s/%d/%s", proc_root, (int)pid, smaps ? "smaps" : "maps");
	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	smaps_parser_init(&p, smaps, fn, ctx);
	for (;;) {
		ssize_t n = read(fd, text, sizeof(text));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return smaps_parser_end(&p);
		r = smaps_parser_feed(&p, text, (size_t)n);
		if (r)
			return r;
	}
}

int smaps_walk(const char *proc_root, pid_t pid, vma_fn *fn, void *ctx)
{
	return walk(proc_root, pid, 1, fn, ctx);
}

int maps_walk(const char *proc_root, pid_t pid, vma_fn *fn, void *ctx)
{
	return walk(proc_root, pid, 0, fn, ctx);
}
