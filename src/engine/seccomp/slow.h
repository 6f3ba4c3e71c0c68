/* SPDX-License-Identifier: MIT
 *
 * slow: execve calls whose program has to be read from a filesystem first.
 *
 * That may wait for a server (FUSE, NFS), and the server may be a process of
 * the group that waits for an answer.  So it is done by a thread of its own,
 * without the group's lock; then the call is decided like any other.
 */
#ifndef SURETY_ENGINE_SECCOMP_SLOW_H
#define SURETY_ENGINE_SECCOMP_SLOW_H

#include <pthread.h>

#include "engine/seccomp/listener.h"
#include "engine/seccomp/program.h"

enum { SLOW_QUEUE = 256 };

/* Decides REQ, whose program needs PAGES, and remembers PROGRAM. */
typedef void slow_decide_fn(void *ctx, const struct seccomp_notif *req, uint64_t pages, const struct program *program);

struct slow {
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	slow_decide_fn *decide;
	void *ctx;
	unsigned int head, nr;
	struct seccomp_notif queue[SLOW_QUEUE];
};

void slow_init(struct slow *slow, slow_decide_fn *decide, void *ctx);

/* Takes over an execve or execveat call.  False when there is no room, or no
 * memory for the thread: then it has to be decided as it is. */
bool slow_put(struct slow *slow, const struct seccomp_notif *req);

#endif
