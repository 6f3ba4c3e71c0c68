/* SPDX-License-Identifier: MIT
 *
 * notify: system call -> ask -> verdict -> system call, one call at a time.
 */
#ifndef SURETY_ENGINE_SECCOMP_NOTIFY_H
#define SURETY_ENGINE_SECCOMP_NOTIFY_H

#include "engine/engine.h"
#include "engine/seccomp/ask.h"
#include "engine/seccomp/capture.h"
#include "engine/seccomp/slow.h"

enum { REPEAT_SLOTS = 64 };

/* A refusal that was reported lately: a program in a loop is not captured and
 * reported each time, but counted. */
struct repeat {
	pid_t tid;
	int32_t nr;
	uint64_t ip, pages, until_ms;
};

struct notifier {
	struct group *group;
	const char *name; /* of the group */
	struct capture_thread *capture;
	enum on_refusal on_refusal;
	struct repeat repeat[REPEAT_SLOTS];
	uint64_t tokens, tokens_ms; /* reports that may be made now */
	uint64_t suppressed;        /* refusals since the last report */
	struct slow slow;

	/* The first program, until its own code runs: a limit that is too low
	 * for it to load is the user's mistake, told as such. */
	pid_t main_pid;
	bool starting;
	uint64_t loader_ip; /* of its first call */
	bool start_refused;
	uint64_t start_needed_pages; /* at least */
};

/* Makes ready what is set in N already. */
void notify_init(struct notifier *n);

/* Serves calls until the last task of the group is gone. */
void notify_serve(struct notifier *n);

#endif
