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

enum {
	CAPTURE_QUEUE = 64,
	CAPTURE_STACK_MAX = 512 * 1024,     /* deep recursion is cut at its outer end */
	CAPTURE_MAPS_MAX = 8 * 1024 * 1024, /* 60,000 mappings */
};

/* What another thread has captured: no call waits for its answer. */
struct taken {
	struct capture capture; /* maps_len 0: there is no stack */
	char *stack, *maps;     /* CAPTURE_STACK_MAX and CAPTURE_MAPS_MAX bytes, or NULL */
};

struct refused_call {
	struct taken *taken; /* mostly NULL; freed with taken_free() when it has been told */
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

/* Registers, stack and map of a thread that the caller has stopped by ptrace. */
void capture_stopped(pid_t tid, char *stack, char *maps, struct capture *ret);

/* The same of one that sleeps, by its stack pointer and pc alone. */
void capture_at(pid_t tid, uint64_t sp, uint64_t pc, char *stack, char *maps, struct capture *ret);

void taken_free(struct taken *taken);

/* Finishes what is queued. */
void capture_stop(struct capture_thread *c);

#endif
