/* SPDX-License-Identifier: MIT
 *
 * groups: the bpf engine on cgroups: limits that the kernel itself enforces,
 * with no process of ours running.
 *
 * Built without clang or bpftool every function fails with the reason.
 */
#ifndef SURETY_ENGINE_GROUPS_H
#define SURETY_ENGINE_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/limit.h"
#include "engine/engine.h"

struct groups; /* the loaded engine */

enum groups_open {
	GROUPS_LOADED, /* it must be there */
	GROUPS_LOAD,   /* it is loaded if it is not */
};

/* Opens the pinned maps.  Returns 0, 1 where nothing is loaded (GROUPS_LOADED
 * only), or -1 with ERR set. */
int groups_open(struct groups **ret, enum groups_open how, struct err *err);
void groups_close(struct groups *g);

/* Limits the cgroup at PATH (below the cgroup v2 mount, or absolute) and counts
 * what lives in it; for one that is limited already, changes the limit.
 * Returns 0 or -1 with ERR set. */
int groups_attach(struct groups *g, const char *path, const struct limit *limit, struct err *err);

/* Takes the limit away.  With the last group the engine leaves the kernel. */
int groups_detach(struct groups *g, const char *path, struct err *err);

/* Takes everything away, whatever version loaded it.  Returns 0, or -1. */
int groups_detach_all(struct err *err);

/* A row of `surety groups`; amounts are pages. */
struct groups_row {
	char path[4096]; /* below the mount; "" where the cgroup is gone */
	uint64_t cgroup_id;
	bool removed, seeded;
	enum overcommit mode;
	uint64_t limit;
	int64_t committed, peak, objects, debt;
	uint64_t charges, refusals, refused;
	uint32_t nr_spaces;
	int64_t drift; /* ledger less kernel, of the processes that can be read */
};

typedef void groups_row_fn(void *ctx, const struct groups_row *row);

/* Host-wide faults, see struct surety_faults. */
struct groups_faults {
	uint64_t lost_events, untracked, unseeded, underflow, resynced, corrected;
	uint64_t missed; /* runs that the kernel left out */
};

int groups_list(struct groups *g, groups_row_fn *fn, void *ctx, struct groups_faults *faults, struct err *err);

/* One process of a group: ledger and kernel, in pages. */
struct groups_process {
	pid_t pid;
	char comm[16];
	int64_t ledger, kernel;
	bool shared; /* its address space was a row already */
};

typedef void groups_process_fn(void *ctx, const struct groups_process *p);

/* Reads every process in the cgroup at PATH and below.  *RET_UNREAD counts those
 * that could not be read.  Returns 0 or -1 with ERR set. */
int groups_audit(struct groups *g, const char *path, groups_process_fn *fn, void *ctx, uint32_t *ret_unread,
		 struct err *err);

/* Refusals, as they come: a descriptor to poll, and its handler.  ONLY, the
 * number of a cgroup, leaves all others out; 0 takes all. */
struct groups_watch;
int groups_watch_open(struct groups_watch **ret, struct groups *g, uint64_t only, const struct engine_events *events,
		      struct err *err);
int groups_watch_fd(const struct groups_watch *w);
int groups_watch_dispatch(struct groups_watch *w);
void groups_watch_close(struct groups_watch *w);

/* Refusals so far that found no room for their report. */
uint64_t groups_lost(struct groups *g);

/* The id of the cgroup at PATH, and the path as it is told.  Returns 0 or -1. */
int groups_cgroup(const char *path, uint64_t *ret_id, char *absolute, size_t size, struct err *err);

#endif
