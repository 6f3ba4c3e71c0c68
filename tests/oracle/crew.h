/* SPDX-License-Identifier: MIT
 *
 * crew: the workers of a script as their director knows them: sockets, pids, and
 * how each ends.
 */
#ifndef TESTS_ORACLE_CREW_H
#define TESTS_ORACLE_CREW_H

#include "order.h"

struct member {
	pid_t pid; /* 0: not made */
	int pidfd;
	bool alive;
};

extern struct member crew[PROCESSES];
extern int crew_size; /* names; not all are made, nor alive */

/* Makes the sockets of NR processes. */
void crew_open(int nr);

/* Starts PROGRAM as process 0, and waits until it serves.  Its argument list is
 * what a worker gives itself at exec.  FIRST, if not NULL, is called in it before:
 * false ends it. */
void crew_start(const char *program, bool (*first)(void));

/* What came of an order. */
struct outcome {
	struct answer answer; /* where ended is not set */
	bool ended;	      /* the process is gone */
	int signal;	      /* that ended it; 0: it exited */
};

/* Has PROCESS do what ORDER says, and waits for its answer or its end. */
void crew_do(int process, const struct order *order, struct outcome *outcome);

/* PID was forked as PROCESS: waits until it serves. */
void crew_join(int process, pid_t pid);

int crew_living(void);

/* Ends all that lives and waits for it. */
void crew_end(void);

#endif
