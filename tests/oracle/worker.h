/* SPDX-License-Identifier: MIT
 *
 * worker: a process of a script.  It makes the calls that it is told to.
 *
 * Between orders it holds nothing that it did not hold at its start but what the
 * orders made: no allocation, no growth of the stack.  Its state is static, so
 * that fork hands it on and execve drops it.
 */
#ifndef TESTS_ORACLE_WORKER_H
#define TESTS_ORACLE_WORKER_H

#include "order.h"

struct worker {
	int process;
	uint64_t length[REGIONS]; /* bytes; 0: not mapped here */
	bool open[OBJECTS];
	uint64_t stack; /* where the main stack starts, lowest address */
	uint64_t brk;	/* the break */
	uint64_t first_brk; /* at the start: whole pages, above what libc has taken */
};

extern struct worker worker;

/* Serves the orders to process PROCESS until there is none; never returns. */
_Noreturn void worker_serve(int process);

/* Says on the socket of this process. */
void worker_say(const struct answer *answer);

/* What each group of operations does with an order that is its own.  Returns 0 or
 * errno; NOT_HERE for a region or an object that this process has not. */
enum { NOT_HERE = -1 };
int do_mapping(const struct order *order);
int do_process(const struct order *order, struct answer *answer);
int do_object(const struct order *order, struct answer *answer);

#endif
