/* SPDX-License-Identifier: MIT
 *
 * holdings: which request's memory is held at a moment of a recorded run.
 *
 * The record has every request, some with the place that they were given, and
 * now and then the charged memory of a process.  Where the kernel chose the place
 * it is found at the next such look: a new range of just that size, or else a
 * run of new ranges, filled from its end as the kernel does.  What was given back
 * shows there too.  Between two looks a request is taken as still held, and the
 * sum is brought down to what the group held in all.
 */
#ifndef SURETY_REPORT_HOLDINGS_H
#define SURETY_REPORT_HOLDINGS_H

#include "core/journal.h"

enum held_kind {
	HELD_REQUEST, /* by the request's stack, or one without a stack */
	HELD_STACK_AREA,
	HELD_HEAP,
	HELD_FILE,
	HELD_ANON,
	HELD_REST, /* of the group's sum: what no look has found yet */
};

struct held {
	uint32_t space; /* 0: shared memory, or the rest */
	uint32_t stack; /* 0: none was taken */
	enum held_kind kind;
	uint64_t pages, used;
};

struct holdings;

struct holdings *holdings_new(void); /* NULL without memory */
void holdings_free(struct holdings *h);

/* Takes an event.  Returns 0 or -ENOMEM. */
int holdings_note(struct holdings *h, const struct journal_event *event);

/* What is held now, COMMITTED pages in all.  The array is the holdings' own,
 * until the next call.  Returns how many, or -ENOMEM. */
long holdings_now(struct holdings *h, uint64_t committed, const struct held **ret);

#endif
