/* SPDX-License-Identifier: MIT
 *
 * status: see the header.
 *
 * Decides what a line says; an unknown one is skipped.  Rests on the kernel
 * escaping newline and backslash in the name, so that no name can look like a
 * line of its own, and on Vm lines being there exactly for a task with an mm.
 */
#include "sys/status.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"

enum {
	HAVE_NAME = 1 << 0,
	HAVE_STATE = 1 << 1,
	HAVE_PPID = 1 << 2,
	HAVE_UID = 1 << 3,
	HAVE_THREADS = 1 << 4,
	HAVE_ALL = (1 << 5) - 1,
};

struct line {
	const char *at, *end;
};

static void skip_blanks(struct line *l)
{
	while (l->at < l->end && (*l->at == '\t' || *l->at == ' '))
		l->at++;
}

/* Saturates.  -EBADMSG where no digit is. */
static int take_number(struct line *l, uint64_t *ret)
{
	const char *first;
	uint64_t n = 0;

	skip_blanks(l);
	for (first = l->at; l->at < l->end && *l->at >= '0' && *l->at <= '9'; l->at++)
		if (__builtin_mul_overflow(n, UINT64_C(10), &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*l->at - '0'), &n))
			n = UINT64_MAX / 10;
	if (l->at == first)
		return -EBADMSG;
	*ret = n;
	return 0;
}

/* "\n" and "\\" are all that the kernel escapes. */
static void take_name(struct line *l, char *buf, size_t size)
{
	size_t used = 0;

	if (l->at < l->end && *l->at == '\t')
		l->at++;
	while (l->at < l->end && used < size - 1) {
		if (*l->at == '\\' && l->at + 1 < l->end && (l->at[1] == 'n' || l->at[1] == '\\')) {
			buf[used++] = l->at[1] == 'n' ? '\n' : '\\';
			l->at += 2;
		} else {
			buf[used++] = *l->at++;
		}
	}
	buf[used] = '\0';
}

static bool is(struct line *l, const char *name)
{
	size_t len = strlen(name);

	if ((size_t)(l->end - l->at) < len || memcmp(l->at, name, len) != 0)
		return false;
	l->at += len;
	return true;
}

static int take_pages(struct line *l, uint64_t *ret)
{
	uint64_t kib;
	int r = take_number(l, &kib);

	if (!r)
		*ret += (kib >> (PAGE_SHIFT - 10)) + ((kib & ((PAGE_BYTES >> 10) - 1)) != 0);
	return r;
}

static int take_memory(struct line *l, struct task_status *st)
{
	if (is(l, "VmSize:")) {
		st->has_space = true;
		return take_pages(l, &st->size);
	}
	if (is(l, "VmData:") || is(l, "VmStk:"))
		return take_pages(l, &st->data);
	if (is(l, "VmSwap:"))
		return take_pages(l, &st->swap);
	if (is(l, "RssAnon:"))
		return take_pages(l, &st->anon);
	return 0;
}

static int take_line(struct line *l, struct task_status *st, unsigned int *have)
{
	uint64_t n = 0;
	int r = 0;

	if (is(l, "Name:")) {
		take_name(l, st->comm, sizeof(st->comm));
		*have |= HAVE_NAME;
	} else if (is(l, "State:")) {
		skip_blanks(l);
		st->state = l->at < l->end ? *l->at : '?';
		*have |= HAVE_STATE;
	} else if (is(l, "PPid:")) {
		r = take_number(l, &n);
		st->ppid = (pid_t)n;
		*have |= HAVE_PPID;
	} else if (is(l, "Uid:")) {
		r = take_number(l, &n); /* real */
		if (!r)
			r = take_number(l, &n);
		st->uid = (uid_t)n;
		*have |= HAVE_UID;
	} else if (is(l, "Threads:")) {
		r = take_number(l, &n);
		st->threads = (uint32_t)n;
		*have |= HAVE_THREADS;
	} else {
		r = take_memory(l, st);
	}
	return r;
}

int task_status_parse(const char *text, size_t len, struct task_status *ret)
{
	struct task_status st = { 0 };
	const char *end = text + len;
	unsigned int have = 0;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		struct line l = { text, newline ? newline : end };
		int r = take_line(&l, &st, &have);

		if (r)
			return r;
		/* threads are told after all that is wanted */
		if (!newline || have == HAVE_ALL)
			break;
		text = newline + 1;
	}
	if (have != HAVE_ALL)
		return -EBADMSG;
	*ret = st;
	return 0;
}

/* A list of 65536 groups stands before what is wanted: what of it is there and
 * unfinished is dropped.  Returns the length that is left. */
static size_t drop_groups(const char *text, size_t used)
{
	static const char name[] = "\nGroups:";
	const char *groups = memmem(text, used, name, sizeof(name) - 1);
	size_t keep = groups ? (size_t)(groups - text) + sizeof(name) - 1 : used;

	return memchr(text + keep, '\n', used - keep) ? used : keep;
}

int task_status_read(const char *proc_root, pid_t pid, struct task_status *ret)
{
	char path[PATH_MAX], text[4096];
	autoclose int fd = -1;
	size_t used = 0;
	int r = snprintf(path, sizeof(path), "%s/%d/status", proc_root, (int)pid);

	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (used < sizeof(text)) {
		ssize_t n = read(fd, text + used, sizeof(text) - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		used += (size_t)n;
		if (n == 0 || memmem(text, used, "\nThreads:", 9))
			break;
		used = drop_groups(text, used);
	}
	return task_status_parse(text, used, ret);
}
