/* SPDX-License-Identifier: MIT
 *
 * recorder_state: what recorder.c, recorder_stack.c and recorder_sampler.c share.
 */
#ifndef SURETY_ENGINE_SECCOMP_RECORDER_STATE_H
#define SURETY_ENGINE_SECCOMP_RECORDER_STATE_H

#include "engine/seccomp/recorder.h"

enum { STACK_SLOTS = 1 << 14, MAPS_SLOTS = 1 << 8 };

/* Stacks, and sets of mapped files, that were told already, by what they say. */
struct told {
	uint64_t hash;
	uint32_t id; /* 0: free */
};

struct recorder {
	const struct engine_recorder *to;
	struct group *group;
	uint64_t started_ns; /* CLOCK_MONOTONIC */
	uint64_t now_ns;     /* since then, when the request under way came */
	uint64_t requests, refusals;
	uint32_t nr_spaces;

	uint64_t peak;     /* highest need, pages: never below the truth */
	uint64_t floor;    /* and what it surely is */
	uint64_t close_ns; /* spent on reading closely */
	uint64_t looked_ms;
	uint64_t stack_at; /* need at the last new peak with a stack */

	uint64_t stack_ns; /* spent on stacks */
	uint32_t nr_stacks, nr_maps;
	struct told stack[STACK_SLOTS], maps[MAPS_SLOTS];
	char *text;                /* maps under way; with the other buffers, made with the recorder */
	uint8_t *bytes;            /* the stack under way */
	struct journal_word *word; /* what is kept of it */

	struct sampler *sampler;
};

/* Emits an event, its time now. */
void recorder_tell(struct recorder *r, struct journal_event *event);

/* The space with an id and an event of its own; NULL without memory. */
struct recorded *recorder_know(struct recorder *r, struct space *s);

/* recorder_stack.c: the stack of the caller, told if it is new.  Returns its id,
 * 0 where it cannot be had. */
uint32_t recorder_stack(struct recorder *r, const struct ask *ask, struct recorded *known);

/* recorder_sampler.c */
int sampler_start(struct recorder *r);
void sampler_stop(struct recorder *r);

#endif
