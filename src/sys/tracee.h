/* SPDX-License-Identifier: MIT
 *
 * tracee: a thread that is held for a moment by ptrace(2).
 */
#ifndef SURETY_SYS_TRACEE_H
#define SURETY_SYS_TRACEE_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/wait.h>

/* Stops thread TID of process TGID and lets it go on.  True when it has stopped,
 * or has ended: it is out of any call that it was in before.  False when it has
 * another tracer, when we may not, or when it has not stopped in 100 ms. */
bool tracee_pass(pid_t tid, pid_t tgid);

/* The signal on its way to a thread that wait(2) reports as stopped, to be handed
 * on at the detach; a stop that was asked for has none. */
static inline int tracee_signal(int status)
{
	return status >> 16 ? 0 : WSTOPSIG(status);
}

/* Lets go of a thread that the caller has seized and seen stopped, handing SIG
 * on to it (0: none).  One that was killed meanwhile is released to its parent. */
void tracee_detach(pid_t tid, int sig);

#endif
