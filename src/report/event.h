/* SPDX-License-Identifier: MIT
 *
 * event: one failed allocation, of the refused calls that it made.
 *
 * An allocator that is refused tries again in other ways: a failing malloc of
 * glibc makes three refused calls on the main thread (mmap, brk, mmap) and four
 * on another.  They are one event: same thread, within EVENT_WINDOW_MS of the
 * first, reached from the same place outside the allocator, each by another
 * way within it.  A stack that was already seen is the next allocation.
 */
#ifndef SURETY_REPORT_EVENT_H
#define SURETY_REPORT_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/refusal.h"
#include "report/stack.h"

enum {
	EVENT_CALLS = 8, /* twice what any allocator is known to try */
	EVENT_WINDOW_MS = 100,
	EVENT_IDLE_MS = 20,
	EVENT_OPEN = 32, /* threads that fail at the same moment */
};

struct event_call {
	struct refusal refusal;
	struct stack stack; /* no frames where it could not be had */
};

struct event {
	int nr; /* 0: this slot is free */
	uint64_t touched_ms;
	struct event_call call[EVENT_CALLS]; /* in the order they were refused */
};

/* Called once for each finished event; it does not keep E. */
typedef void event_fn(void *ctx, const struct event *e);

struct event_queue {
	event_fn *fn;
	void *ctx;
	struct event open[EVENT_OPEN];
};

/* Adds a refused call and takes STACK over.  NOW_MS: any clock that does not
 * jump.  Events that this call ends are delivered first. */
void event_add(struct event_queue *q, const struct refusal *refusal, struct stack *stack, uint64_t now_ms);

/* Delivers what had no further call for EVENT_IDLE_MS: to be called only when
 * no record waits to be read.  Returns the milliseconds until the next event
 * ends, -1 when none is open. */
int event_expire(struct event_queue *q, uint64_t now_ms);

/* Delivers everything, in the order of first calls. */
void event_flush(struct event_queue *q);

/* Calls refused just before and alike, that had no record of their own. */
uint64_t event_suppressed(const struct event *e);

#endif
