/* SPDX-License-Identifier: MIT
 *
 * pins: the engine in the kernel, found again by its names in bpffs.
 *
 *	/sys/fs/bpf/surety/		made whole, then named: a crash leaves surety-new
 *		table cgroups spaces objects events
 *		control seed audit	programs that surety runs
 *		link-NAME		one a hook; removing them ends enforcement
 *
 * Rules of upgrade: who finds maps of another SURETY_ABI changes nothing and says
 * so; `surety detach --all` of any version takes them away.  Within one ABI the
 * programs stay those that were loaded until the last group is detached.
 */
#ifndef SURETY_ENGINE_BPF_PINS_H
#define SURETY_ENGINE_BPF_PINS_H

#include "base/err.h"
#include "bpf/abi.h"
#include "engine/groups.h"

#define PINS_ROOT "/sys/fs/bpf"
#define PINS_DIR PINS_ROOT "/surety"
#define PINS_NEW PINS_ROOT "/surety-new" /* a name may have no dot there */

struct groups {
	int lock; /* on PINS_ROOT while it is changed */
	int table, cgroups, spaces, objects, events;
	int control, seed, audit;
};

/* Loads the programs and pins them.  PINS_ROOT is locked.  Returns 0 or -1. */
int load_pinned(struct err *err);

/* Takes everything away: PINS_DIR, or what a crash left of PINS_NEW. */
void pins_remove(const char *dir);

/* Runs a program of ours.  Returns 0 or -errno. */
int pins_run(int prog, void *arg, uint32_t size);

/* A copy of the table, to free; NULL with ERR set. */
struct surety_table *pins_table(const struct groups *g, struct err *err);

/* Calls FN for the cgroup at PATH and all below it; non-zero stops. */
typedef int cgroup_fn(void *ctx, const char *path, uint64_t id);
int cgroup_walk(const char *path, cgroup_fn *fn, void *ctx);

/* Where cgroup v2 is mounted; "" where it is not. */
void cgroup_mount(char *buf, size_t size);

/* Calls FN for every process of the cgroup at PATH, not of those below. */
typedef int cgroup_pid_fn(void *ctx, pid_t pid);
int cgroup_pids(const char *path, cgroup_pid_fn *fn, void *ctx);

#endif
