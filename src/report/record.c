/* SPDX-License-Identifier: MIT
 *
 * record: the pipe's format.
 *
 * One fixed header, the refusal as it stands in memory, the stack, the text of
 * /proc/PID/maps.  The reader believes nothing: every length, enumeration and
 * string is checked before it is used, so that a damaged stream ends in
 * -EBADMSG.  No formatting, and no library beyond libc: the supervisor links it.
 */
#include "report/record.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define RECORD_MAGIC "srty"

enum {
	RECORD_VERSION = 2,

	RECORD_CAPTURE = 1 << 0,
	RECORD_FULL_REGS = 1 << 1,
	RECORD_COMPAT = 1 << 2,
	RECORD_FLAGS = RECORD_CAPTURE | RECORD_FULL_REGS | RECORD_COMPAT,
};

/* A stack is cut to what fits, from the innermost frame outwards: 8 MiB is the
 * usual RLIMIT_STACK.  65530 mappings (vm.max_map_count) of a thousand bytes fit. */
static const uint64_t stack_bytes_max = UINT64_C(8) << 20;
static const uint64_t maps_bytes_max = UINT64_C(64) << 20;

struct record_header {
	char magic[4];
	uint16_t version;
	uint16_t flags;
	uint32_t header_bytes;
	uint32_t refusal_bytes;
	uint64_t stack_bytes;
	uint64_t maps_bytes;
	uint64_t sp, pc;
	uint64_t regs[CAPTURE_REGS];
};

_Static_assert(sizeof(struct record_header) == 16 + 8 * (4 + CAPTURE_REGS), "the header has no holes");

/* Sleeps until a descriptor that somebody made non-blocking is ready. */
static void wait_ready(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	(void)poll(&p, 1, -1); /* a failure shows at the call that is tried again */
}

static void iov_advance(struct iovec *iov, int nr, size_t done)
{
	for (int i = 0; i < nr; i++) {
		size_t part = done < iov[i].iov_len ? done : iov[i].iov_len;

		if (part)
			iov[i].iov_base = (char *)iov[i].iov_base + part;
		iov[i].iov_len -= part;
		done -= part;
	}
}

static int write_all(int fd, struct iovec *iov, int nr)
{
	size_t left = 0;

	for (int i = 0; i < nr; i++)
		left += iov[i].iov_len;

	while (left) {
		ssize_t n = writev(fd, iov, nr);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			wait_ready(fd, POLLOUT);
			continue;
		}
		if (n < 0)
			return -errno;
		iov_advance(iov, nr, (size_t)n);
		left -= (size_t)n;
	}
	return 0;
}

/* As much of the maps as may be sent, in whole lines. */
static size_t maps_len_cut(const struct capture *capture)
{
	const char *end;

	if (capture->maps_len <= maps_bytes_max)
		return capture->maps_len;
	end = memrchr(capture->maps, '\n', maps_bytes_max);
	return end ? (size_t)(end - capture->maps) + 1 : 0;
}

int record_write(int fd, const struct refusal *refusal, const struct capture *capture)
{
	struct record_header h = {
		.magic = RECORD_MAGIC,
		.version = RECORD_VERSION,
		.header_bytes = sizeof(h),
		.refusal_bytes = sizeof(*refusal),
	};
	struct iovec iov[] = {
		{ .iov_base = &h, .iov_len = sizeof(h) },
		{ .iov_base = (void *)refusal, .iov_len = sizeof(*refusal) },
		{ .iov_len = 0 },
		{ .iov_len = 0 },
	};

	if (capture) {
		h.flags = RECORD_CAPTURE | (capture->full_regs ? RECORD_FULL_REGS : 0) |
			  (capture->compat ? RECORD_COMPAT : 0);
		h.stack_bytes = capture->stack_len < stack_bytes_max ? capture->stack_len : stack_bytes_max;
		h.maps_bytes = maps_len_cut(capture);
		h.sp = capture->sp;
		h.pc = capture->pc;
		memcpy(h.regs, capture->regs, sizeof(h.regs));
		iov[2] = (struct iovec){ .iov_base = (void *)capture->stack, .iov_len = h.stack_bytes };
		iov[3] = (struct iovec){ .iov_base = (void *)capture->maps, .iov_len = h.maps_bytes };
	}
	return write_all(fd, iov, 4);
}

/* Returns the bytes read, fewer than LEN only at the end of the stream, or -errno. */
static ssize_t read_all(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			wait_ready(fd, POLLIN);
			continue;
		}
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int read_exactly(int fd, void *buf, size_t len)
{
	ssize_t n = read_all(fd, buf, len);

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EBADMSG;
}

static int header_valid(const struct record_header *h)
{
	if (memcmp(h->magic, RECORD_MAGIC, sizeof(h->magic)) || h->version != RECORD_VERSION)
		return 0;
	if (h->header_bytes != sizeof(*h) || h->refusal_bytes != sizeof(struct refusal))
		return 0;
	if (h->flags & ~RECORD_FLAGS)
		return 0;
	if (!(h->flags & RECORD_CAPTURE) && (h->flags || h->stack_bytes || h->maps_bytes))
		return 0;
	return h->stack_bytes <= stack_bytes_max && h->maps_bytes <= maps_bytes_max;
}

static int terminated(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static int refusal_valid(const struct refusal *r)
{
	if (!terminated(r->group, sizeof(r->group)) || !terminated(r->engine, sizeof(r->engine)) ||
	    !terminated(r->comm, sizeof(r->comm)) || !terminated(r->exe, sizeof(r->exe)))
		return 0;
	if ((unsigned int)r->mode > OVERCOMMIT_NEVER || (unsigned int)r->op >= OP_NR)
		return 0;
	if ((unsigned int)r->verdict > VERDICT_OBVIOUS || (unsigned int)r->rule >= RULE_NR)
		return 0;
	if (!terminated(r->parent_comm, sizeof(r->parent_comm)))
		return 0;
	if (r->nr_holders > REFUSAL_HOLDERS)
		return 0;
	for (uint32_t i = 0; i < r->nr_holders; i++)
		if (!terminated(r->holders[i].comm, sizeof(r->holders[i].comm)))
			return 0;
	return 1;
}

static int read_capture(int fd, const struct record_header *h, struct record *ret)
{
	struct capture *c = &ret->capture;
	char *storage = malloc(h->stack_bytes + h->maps_bytes + 1);
	int r;

	if (!storage)
		return -ENOMEM;
	r = read_exactly(fd, storage, h->stack_bytes + h->maps_bytes);
	if (r < 0) {
		free(storage);
		return r;
	}
	storage[h->stack_bytes + h->maps_bytes] = '\0';

	c->full_regs = !!(h->flags & RECORD_FULL_REGS);
	c->compat = !!(h->flags & RECORD_COMPAT);
	memcpy(c->regs, h->regs, sizeof(c->regs));
	c->sp = h->sp;
	c->pc = h->pc;
	c->stack = storage;
	c->stack_len = h->stack_bytes;
	c->maps = storage + h->stack_bytes;
	c->maps_len = h->maps_bytes;
	ret->have_capture = 1;
	ret->storage = storage;
	return 0;
}

int record_read(int fd, struct record *ret)
{
	struct record_header h;
	ssize_t n = read_all(fd, &h, sizeof(h));
	int r;

	memset(ret, 0, sizeof(*ret));
	if (n <= 0)
		return (int)n;
	if ((size_t)n != sizeof(h) || !header_valid(&h))
		return -EBADMSG;

	r = read_exactly(fd, &ret->refusal, sizeof(ret->refusal));
	if (r == 0 && !refusal_valid(&ret->refusal))
		r = -EBADMSG;
	if (r == 0 && (h.flags & RECORD_CAPTURE))
		r = read_capture(fd, &h, ret);
	return r < 0 ? r : 1;
}

void record_done(struct record *record)
{
	free(record->storage);
	memset(record, 0, sizeof(*record));
}
