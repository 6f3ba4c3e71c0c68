/* SPDX-License-Identifier: MIT
 *
 * ending: a child is ended, its reserve used up, with a report.
 *
 * A thread of its own takes the child's stack, where that can be had at once,
 * sends the signal, and hands the report to the capture thread.  The parent is
 * not stopped, not read and not signalled.
 */
#ifndef SURETY_ENGINE_SECCOMP_ENDING_H
#define SURETY_ENGINE_SECCOMP_ENDING_H

#include "engine/seccomp/watch.h"

/* Ends KIN by SIG.  FITTED: pages that were asked for and did not fit.  Group locked. */
void ending_start(struct watch *w, struct family *f, struct kin *kin, int sig, uint64_t wanted_pages);

/* The same without a stack and a report: it has had its SIGTERM. */
void ending_kill(struct kin *kin);

#endif
