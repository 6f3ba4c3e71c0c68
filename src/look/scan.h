/* SPDX-License-Identifier: MIT
 *
 * scan: the parts of one look, for look.c and the terminal view.
 */
#ifndef SURETY_LOOK_SCAN_H
#define SURETY_LOOK_SCAN_H

#include "core/rules.h"
#include "look/look.h"
#include "sys/status.h"

/* A row from a status file: the counters' figures. */
void scan_counters(const struct task_status *st, pid_t pid, struct look_process *ret);

/* The size that glibc gives the stack of a thread of PID, in pages. */
uint64_t scan_stack_pages(pid_t pid);

/* Sees each mapping; FN may be NULL. */
struct scan_space {
	void (*mapping)(void *ctx, const struct look_process *p, const struct vma *vma, const char *name);
	void *ctx;
};

/* The exact figures of P, by smaps.  Returns 0, or -errno with P as it was but
 * for LOOK_DENIED. */
int scan_exact(struct look_process *p, const struct scan_space *see);

/* Sets space_of of all: one row of an address space that several share counts. */
void scan_share(struct look *l);

/* The shared-memory objects. */
struct objects;
struct objects *objects_new(struct look *l);
/* One mapping of a process, from maps or smaps: a struct scan_space's. */
void objects_mapping(void *objects, const struct look_process *p, const struct vma *vma, const char *name);
/* Descriptors and mount namespace of a process. */
void objects_process(struct objects *o, const struct look_process *p);
/* SysV segments and filesystems; moves all to the look.  0 or -ENOMEM; frees O. */
int objects_finish(struct objects *o);

#endif
