/* SPDX-License-Identifier: MIT
 *
 * listener: the seccomp filter and its notification descriptor
 * (kernel/seccomp.c).
 *
 * Rests on these facts: a second listener in one filter chain is EBUSY; the
 * kernel may use larger structures than we were compiled with, so their sizes
 * are asked for; a reply may find its caller gone (ENOENT), which is normal.
 */
#ifndef SURETY_ENGINE_SECCOMP_LISTENER_H
#define SURETY_ENGINE_SECCOMP_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/uapi.h"

/* Loads the filter on the calling thread, which must hold CAP_SYS_ADMIN or
 * have set no_new_privs.  Returns the listener or -errno; *RET_WAIT_KILLABLE
 * tells whether a waiting call can be interrupted by fatal signals only
 * (Linux 5.19), without which Go's preemption signals restart it for ever. */
int listener_install(bool *ret_wait_killable);

/* No kernel has an answer larger than this (24 bytes in 6.18). */
#define LISTENER_RESP_MAX 256

struct listener {
	int fd;
	bool wait_killable; /* see listener_install() */
	bool sync_wake;     /* Linux 6.6: the caller runs on this CPU at once */
	size_t req_size;
	struct seccomp_notif *req; /* of the kernel's size */
	bool queued;        /* it had been waiting, while another caller was answered */
	uint32_t caller;    /* its thread */
	uint32_t others;    /* calls till no other thread is reckoned with; 0: none is */
};

/* Takes ownership of FD.  Returns 0 or -errno. */
int listener_init(struct listener *l, int fd, bool wait_killable);
void listener_done(struct listener *l);

/* Waits for a call.  Returns 0 with l->req filled, or -errno: -EINTR, -ENOENT
 * (the caller died meanwhile, or the last one is gone). */
int listener_receive(struct listener *l);

/* Lets call ID go on, or gives it VALUE with ERROR (0 or a positive errno).
 * Safe from any thread.  -ENOENT when the caller is gone. */
int listener_continue(const struct listener *l, uint64_t id);
int listener_answer(const struct listener *l, uint64_t id, int64_t value, int error);

/* The same, but the caller is woken wherever there is room.  For fork and execve, at
 * which the scheduler looks for a processor (SD_BALANCE_FORK, SD_BALANCE_EXEC): on
 * this one the caller would find the thread that answers, and be moved in the middle
 * of the call.  And for a call that was queued: its caller sleeps on another
 * processor, and would leave that idle to wait for this one. */
int listener_continue_apart(const struct listener *l, uint64_t id);

/* Whether call ID still waits, so that what was read of its process was read
 * of the right one.  Without a listener->req; safe from any thread. */
bool listener_valid(const struct listener *l, uint64_t id);

#endif
