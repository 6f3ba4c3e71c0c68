/* SPDX-License-Identifier: MIT
 *
 * watch: the thread that holds families to what they are charged.
 *
 * It is made at the first fork under a policy, and sleeps while there is no
 * family.  A look comes the sooner, the sooner the pages that are left could be
 * copied; see docs/ACCOUNTING.md for what holds between two looks.
 */
#ifndef SURETY_ENGINE_SECCOMP_WATCH_H
#define SURETY_ENGINE_SECCOMP_WATCH_H

#include <pthread.h>

#include "engine/seccomp/capture.h"
#include "engine/seccomp/family.h"

struct watch {
	struct group *group;
	const char *name; /* of the group */
	struct capture_thread *capture;
	pthread_t thread;
	bool started;
	pthread_cond_t wake;
	uint64_t until_ns; /* it sleeps till then; 0: till it is woken */
	uint32_t endings;  /* under way, see ending.h */
	pthread_cond_t ended;
};

void watch_init(struct watch *w, struct group *g, const char *name, struct capture_thread *capture);

/* Starts the thread where it is not there yet; false without memory for it. */
bool watch_ready(struct group *g);

/* A family has changed.  Group locked. */
void watch_wake(struct group *g);

/* Waits until the reports of ended children are handed on. */
void watch_stop(struct watch *w);

#endif
