/* SPDX-License-Identifier: MIT
 *
 * event: see event.h.  Never merges what it cannot tell apart from a second
 * failure, and never holds a report back for longer than EVENT_WINDOW_MS while
 * records keep coming.
 */
#include "report/event.h"

#include <string.h>

#include "report/allocator.h"

static const uint64_t ms_ns = 1000000;

static bool same_frames(const struct stack *a, int from_a, const struct stack *b, int from_b)
{
	if (a->nr - from_a != b->nr - from_b)
		return false;
	for (int i = 0; i < a->nr - from_a; i++)
		if (a->frame[from_a + i].pc != b->frame[from_b + i].pc)
			return false;
	return true;
}

/* Whether A and B are the same step of an allocator.  Without stacks only the
 * arguments can tell. */
static bool same_call(const struct event_call *a, const struct refusal *refusal, const struct stack *stack)
{
	if (!same_frames(&a->stack, 0, stack, 0))
		return false;
	return stack->nr || (a->refusal.syscall_nr == refusal->syscall_nr &&
			     !memcmp(a->refusal.args, refusal->args, sizeof(refusal->args)));
}

static bool belongs(const struct event *e, const struct refusal *refusal, const struct stack *stack)
{
	const struct event_call *first = &e->call[0];

	if (e->nr == EVENT_CALLS || first->refusal.pid != refusal->pid)
		return false;
	/* Unsigned: a clock that was set back is outside too. */
	if (refusal->time_ns - first->refusal.time_ns > EVENT_WINDOW_MS * ms_ns)
		return false;
	if (!same_frames(&first->stack, allocator_outer(&first->stack), stack, allocator_outer(stack)))
		return false;
	for (int i = 0; i < e->nr; i++)
		if (same_call(&e->call[i], refusal, stack))
			return false;
	return true;
}

static void deliver(struct event_queue *q, struct event *e)
{
	q->fn(q->ctx, e);
	for (int i = 0; i < e->nr; i++)
		stack_done(&e->call[i].stack);
	e->nr = 0;
}

static struct event *oldest_open(struct event_queue *q)
{
	struct event *oldest = NULL;

	for (int i = 0; i < EVENT_OPEN; i++) {
		struct event *e = &q->open[i];

		if (e->nr && (!oldest || e->call[0].refusal.time_ns < oldest->call[0].refusal.time_ns))
			oldest = e;
	}
	return oldest;
}

static struct event *free_slot(struct event_queue *q)
{
	struct event *e;

	for (int i = 0; i < EVENT_OPEN; i++)
		if (!q->open[i].nr)
			return &q->open[i];
	e = oldest_open(q);
	deliver(q, e);
	return e;
}

/* Other threads' events that are over by the time of this record, however late
 * the record is read: while records wait, the clock here says nothing. */
static void deliver_passed(struct event_queue *q, const struct refusal *refusal)
{
	for (int i = 0; i < EVENT_OPEN; i++) {
		struct event *e = &q->open[i];
		uint64_t last_ns;

		if (!e->nr || e->call[0].refusal.tid == refusal->tid)
			continue;
		last_ns = e->call[e->nr - 1].refusal.time_ns;
		if (refusal->time_ns > last_ns && refusal->time_ns - last_ns > EVENT_WINDOW_MS * ms_ns)
			deliver(q, e);
	}
}

void event_add(struct event_queue *q, const struct refusal *refusal, struct stack *stack, uint64_t now_ms)
{
	struct event *e = NULL;

	deliver_passed(q, refusal);
	for (int i = 0; i < EVENT_OPEN && !e; i++)
		if (q->open[i].nr && q->open[i].call[0].refusal.tid == refusal->tid)
			e = &q->open[i];
	if (e && !belongs(e, refusal, stack)) {
		deliver(q, e);
		e = NULL;
	}
	if (!e)
		e = free_slot(q);

	e->call[e->nr++] = (struct event_call){ .refusal = *refusal, .stack = *stack };
	e->touched_ms = now_ms;
	*stack = (struct stack){ .end = UNWIND_LOST };
}

int event_expire(struct event_queue *q, uint64_t now_ms)
{
	int next = -1;

	for (int i = 0; i < EVENT_OPEN; i++) {
		struct event *e = &q->open[i];
		uint64_t idle = now_ms - e->touched_ms;

		if (!e->nr)
			continue;
		if (idle >= EVENT_IDLE_MS)
			deliver(q, e);
		else if (next < 0 || (int)(EVENT_IDLE_MS - idle) < next)
			next = (int)(EVENT_IDLE_MS - idle);
	}
	return next;
}

void event_flush(struct event_queue *q)
{
	struct event *e;

	while ((e = oldest_open(q)))
		deliver(q, e);
}

uint64_t event_suppressed(const struct event *e)
{
	uint64_t sum = 0;

	for (int i = 0; i < e->nr; i++)
		if (__builtin_add_overflow(sum, e->call[i].refusal.suppressed, &sum))
			return UINT64_MAX;
	return sum;
}
