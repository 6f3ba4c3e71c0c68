/* SPDX-License-Identifier: MIT
 *
 * guard: the process that the user started, while another supervises.
 *
 * The chain is guard -> supervisor -> job, and both of ours are subreapers, so
 * that either can end the job when the other is killed: it never runs on
 * without its supervisor.
 */
#ifndef SURETY_CLI_GUARD_H
#define SURETY_CLI_GUARD_H

#include <signal.h>

/* Signals that are handed down to the job, blocked in both processes. */
void guard_signals(sigset_t *ret);

/* Forks.  Returns -1 in the child, which is to become the supervisor: *RET_ALIVE
 * is then a descriptor that hangs up when the guard is gone.  In the guard it
 * returns when the supervisor has ended, with the exit status to end with.
 * GROUP is for the message; ORIGINAL the signal mask before guard_signals().
 * Returns -2 when it cannot fork, with errno set. */
int guard_split(const char *group, int *ret_alive);

#endif
