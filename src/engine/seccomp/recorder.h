/* SPDX-License-Identifier: MIT
 *
 * recorder: tells a run as it goes, for src/core/journal.h.
 *
 * The least limit without a refusal is one page more than the highest need of
 * any request: what the group holds, what is reserved, and the request.  The
 * first request that a limit refuses is always one that needs more than any
 * before it.  So a request is read as closely as before a refusal only where its
 * bound passes the highest need so far; to all others the bound does.
 *
 * All of it under group.lock, but for what the watch reads of running processes.
 */
#ifndef SURETY_ENGINE_SECCOMP_RECORDER_H
#define SURETY_ENGINE_SECCOMP_RECORDER_H

#include "engine/engine.h"
#include "engine/seccomp/ask.h"

enum { RECORDED_CODE = 192 }; /* runs of code; a process with more has its stacks cut */

/* What was told of a space. */
struct recorded {
	uint32_t id;
	uint32_t maps;     /* id of what its stacks are read with, 0: none yet */
	bool maps_changed; /* a file or code may have been mapped since */
	uint64_t unsampled; /* pages asked for since a stack was taken */
	uint64_t told_committed, told_used; /* at its last ranges */
	uint64_t told_ns;
	uint32_t nr_code;
	struct {
		uint64_t start, end;
	} code[RECORDED_CODE];
};

/* Starts to record, with a thread of its own: as soon as the group has its first
 * process.  Returns 0 or -errno. */
int recorder_start(struct group *g, const struct engine_recorder *to);

/* Tells the end, and ends: what the group does after is told no more.  Without
 * the lock. */
void recorder_stop(struct group *g);

/* A request that was decided, before what follows from it is noted.  Makes the
 * charge exact where that matters. */
void recorder_request(struct ask *ask, bool refused);

/* Only where there is something that was told: */
void recorder_space_gone(struct group *g, struct space *s);
void recorder_forked(struct group *g, struct promise *promise, struct space *s);
void recorder_fork_gone(struct group *g, const struct promise *promise);

/* P runs a new program, in S. */
void recorder_execed(struct group *g, struct proc *p, struct space *s);

#endif
