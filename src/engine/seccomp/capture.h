/* SPDX-License-Identifier: MIT
 *
 * capture: answers refused calls, and takes the caller's stack first.
 *
 * A thread of its own, so that a refusal never delays a grant.  The caller is
 * stopped at the call (SEIZE, INTERRUPT, answer): nothing of the program runs
 * before its registers and stack are copied.  A caller that already has a
 * tracer keeps it; then stack pointer and pc are all there is.
 */
#ifndef SURETY_ENGINE_SECCOMP_CAPTURE_H
#define SURETY_ENGINE_SECCOMP_CAPTURE_H

#include <pthread.h>

#include "engine/engine.h"
#include "engine/seccomp/listener.h"

enum { CAPTURE_QUEUE = 64 };

struct refused_call {
	uint64_t id;    /* the notification to answer */
	int64_t value;
	int error;
	struct refusal refusal;
};

struct capture_thread {
	pthread_t thread;
	bool started, stopping;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct listener *listener;
	enum on_refusal on_refusal;
	const struct engine_events *events;
	unsigned int head, nr;
	struct refused_call queue[CAPTURE_QUEUE];
	struct refused_call now; /* the one at work */
	char *stack, *maps; /* buffers, made with the thread */
};

/* The thread itself starts with the first refusal: a job without one is not
 * made to wait for it. */
void capture_init(struct capture_thread *c, struct listener *l, enum on_refusal on_refusal,
		  const struct engine_events *events);

/* Hands over a refused call; false when the queue is full, or there is no memory
 * for the thread: then the caller has to be answered here and now. */
bool capture_put(struct capture_thread *c, const struct refused_call *call);

/* Finishes what is queued. */
void capture_stop(struct capture_thread *c);

#endif
