/* SPDX-License-Identifier: MIT
 *
 * flight: granted calls whose outcome is not known yet.
 *
 * A continued call runs when its thread is scheduled, and may then fail.  It is
 * known to be over when the thread makes its next stopped call, is found
 * blocked elsewhere, or is gone; a thread that just runs has to be stopped for
 * a moment (ptrace) to know, and that is done only before a refusal.
 */
#ifndef SURETY_ENGINE_SECCOMP_FLIGHT_H
#define SURETY_ENGINE_SECCOMP_FLIGHT_H

#include "engine/seccomp/group.h"

/* T's call is granted PAGES and about to be continued.  REQ is its
 * notification.  PROMISE for a fork, OBJECT for growth of a known object. */
void flight_start(struct group *g, struct task *t, enum flight kind, enum operation op, uint64_t pages,
		  const struct seccomp_notif *req);

/* The call of T in flight may come to charge PAGES more than it was asked for. */
void flight_raise(struct task *t, uint64_t pages);

/* T's call is over: what it was granted becomes part of what its holder may have. */
void flight_land(struct group *g, struct task *t);

/* T has ended, in its call or not. */
void flight_abandon(struct group *g, struct task *t);

/* An execve of P may be over: called when TID of P makes another call. */
void flight_exec_heard(struct group *g, struct proc *p, pid_t tid);

/* Lands the calls in flight, SELF's apart, that can be seen to be over without
 * waiting or stopping anybody. */
void flight_settle_seen(struct group *g, const struct task *self);

/* Finds out about every call in flight but SELF's; waits up to a few
 * milliseconds for those that are in the kernel. */
void flight_settle_all(struct group *g, const struct task *self);

#endif
