/* SPDX-License-Identifier: MIT
 *
 * promise: the copy of an address space that a granted fork is about to make.
 *
 * The child is known when it makes its first stopped call, or when the group
 * is searched; until then the fork's charge is held by its promise.  A promise
 * whose fork has returned and whose child is nowhere is let go: the child has
 * ended, or the kernel refused the fork.
 */
#ifndef SURETY_ENGINE_SECCOMP_PROMISE_H
#define SURETY_ENGINE_SECCOMP_PROMISE_H

#include "engine/seccomp/group.h"

/* A fork by T of a child of PARENT that the kernel charges PAGES, and the group
 * CHARGED; NULL without memory.  MOST: what it may charge, should more be copied than
 * was found to be. */
struct promise *promise_new(struct group *g, struct task *t, pid_t parent, uint64_t pages, uint64_t charged,
			    uint64_t most);

/* How many copies of T's address space other threads may be making: what T is
 * granted may be in each. */
uint64_t promise_copies(const struct group *g, const struct task *t);

/* T is granted PAGES, and STICKY of what it has becomes read-only, while another
 * thread copies its address space.  So is a change of the break (0, 0). */
void promise_add(struct group *g, const struct task *t, uint64_t pages, uint64_t sticky);

/* The promise that a new child of PARENT takes, or NULL.  Of several that it may be one
 * whose fork is over, with the pages of the smallest; under a fork policy with its own. */
struct promise *promise_of(struct group *g, pid_t parent);

/* The oldest promise under a fork policy to a parent that has ended, or NULL: that
 * of a child which was found with another parent. */
struct promise *promise_of_orphan(struct group *g);

/* The child is here: S holds what was promised, part of it read-only perhaps. */
void promise_keep(struct group *g, struct promise *promise, struct space *s);

void promise_drop(struct group *g, struct promise *promise);

/* Finds the processes that never made a stopped call, and lets go of the
 * promises whose children turn out to be gone. */
void promise_discover(struct group *g);

/* The same for the children of one process alone, and no promise is let go. */
void promise_find_children(struct group *g, pid_t parent);

#endif
