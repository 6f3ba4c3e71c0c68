/* SPDX-License-Identifier: MIT
 *
 * list: the groups with their figures, and each process's mappings against the
 * ledger.  Reads only.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "engine/bpf/pins.h"
#include "sys/procfs.h"

enum { AUDIT_TRIES = 100, AUDIT_WAIT_US = 500 };

/* Runs of our programs that the kernel left out, by the programs' own count. */
static uint64_t missed_runs(void)
{
	autoclosedir DIR *d = opendir(PINS_DIR);
	struct dirent *entry;
	uint64_t missed = 0;

	while (d && (entry = readdir(d))) {
		struct bpf_link_info link = { 0 };
		struct bpf_prog_info prog = { 0 };
		uint32_t link_size = sizeof(link), prog_size = sizeof(prog);
		autoclose int link_fd = -1;
		autoclose int prog_fd = -1;
		char path[300];

		if (strncmp(entry->d_name, "link-", 5) != 0)
			continue;
		snprintf(path, sizeof(path), PINS_DIR "/%s", entry->d_name);
		link_fd = bpf_obj_get(path);
		if (link_fd < 0 || bpf_obj_get_info_by_fd(link_fd, &link, &link_size) < 0)
			continue;
		prog_fd = bpf_prog_get_fd_by_id(link.prog_id);
		if (prog_fd >= 0 && bpf_obj_get_info_by_fd(prog_fd, &prog, &prog_size) == 0)
			missed += prog.recursion_misses;
	}
	return missed;
}

struct auditing {
	const struct groups *g;
	groups_process_fn *fn;
	void *ctx;
	uint32_t unread;
	uint64_t *seen; /* address spaces so far */
	size_t nr, room;
};

static bool seen_before(struct auditing *a, uint64_t mm)
{
	for (size_t i = 0; i < a->nr; i++)
		if (a->seen[i] == mm)
			return true;
	if (a->nr == a->room) {
		uint64_t *more = realloc(a->seen, (a->room * 2 + 64) * sizeof(*more));

		if (!more)
			return false; /* counted twice: told as drift */
		a->seen = more;
		a->room = a->room * 2 + 64;
	}
	a->seen[a->nr++] = mm;
	return false;
}

static int audit_pid(void *ctx, pid_t pid)
{
	struct auditing *a = ctx;
	struct surety_reading r = { .pid = (uint32_t)pid };
	struct groups_process p = { .pid = pid };

	for (int i = 0; i < AUDIT_TRIES; i++) {
		if (pins_run(a->g->audit, &r, sizeof(r)) < 0)
			return 0;
		if (r.result != -EAGAIN)
			break;
		usleep(AUDIT_WAIT_US);
	}
	if (r.result == -ESRCH)
		return 0; /* a zombie holds nothing */
	if (r.result < 0 || !r.known) {
		a->unread++;
		return 0;
	}
	task_comm(pid, p.comm, sizeof(p.comm));
	p.shared = seen_before(a, r.mm);
	if (!p.shared) {
		p.ledger = r.ledger_ac + r.ledger_nr;
		p.kernel = r.kernel_ac + r.kernel_nr;
	}
	a->fn(a->ctx, &p);
	return 0;
}

static int audit_cgroup(void *ctx, const char *path, uint64_t id)
{
	(void)id;
	return cgroup_pids(path, audit_pid, ctx);
}

static uint32_t audit_path(const struct groups *g, const char *path, groups_process_fn *fn, void *ctx)
{
	struct auditing a = { .g = g, .fn = fn, .ctx = ctx };

	(void)cgroup_walk(path, audit_cgroup, &a);
	free(a.seen);
	return a.unread;
}

int groups_audit(struct groups *g, const char *path, groups_process_fn *fn, void *ctx, uint32_t *ret_unread,
		 struct err *err)
{
	autofree struct surety_table *t = pins_table(g, err);
	char absolute[4096];
	uint64_t id;

	if (!t || groups_cgroup(path, &id, absolute, sizeof(absolute), err) < 0)
		return -1;
	for (uint32_t i = 1; i < t->used && i < GROUPS_MAX; i++) {
		if (t->group[i].state == GROUP_LIVE && t->group[i].cgroup_id == id) {
			*ret_unread = audit_path(g, absolute, fn, ctx);
			return 0;
		}
	}
	return err_set(err, EXIT_SURETY, "cannot audit '%s': it has no limit (surety groups lists those that have)", path);
}

struct sum {
	int64_t drift;
	uint32_t nr;
};

static void add_process(void *ctx, const struct groups_process *p)
{
	struct sum *sum = ctx;

	sum->drift += p->ledger - p->kernel;
	sum->nr += !p->shared;
}

struct listing {
	struct groups *g;
	const struct surety_table *t;
	groups_row_fn *fn;
	void *ctx;
	size_t mount_len;
};

static void tell(const struct listing *l, const struct surety_group *g, const char *path)
{
	struct groups_row row = {
		.cgroup_id = g->cgroup_id,
		.removed = g->state == GROUP_REMOVED,
		.seeded = g->flags & GROUP_SEEDED,
		.mode = (enum overcommit)g->mode,
		.limit = g->limit,
		.committed = g->committed,
		.peak = g->peak,
		.objects = g->objects,
		.debt = g->debt,
		.charges = g->charges,
		.refusals = g->refusals,
		.refused = g->refused,
	};
	struct sum sum = { 0, 0 };

	if (path) {
		snprintf(row.path, sizeof(row.path), "%s", path[l->mount_len] ? path + l->mount_len : "/");
		(void)audit_path(l->g, path, add_process, &sum);
	}
	row.drift = sum.drift;
	row.nr_spaces = sum.nr;
	l->fn(l->ctx, &row);
}

static int tell_live(void *ctx, const char *path, uint64_t id)
{
	struct listing *l = ctx;

	for (uint32_t i = 1; i < l->t->used && i < GROUPS_MAX; i++)
		if (l->t->group[i].state == GROUP_LIVE && l->t->group[i].cgroup_id == id)
			tell(l, &l->t->group[i], path);
	return 0;
}

int groups_list(struct groups *g, groups_row_fn *fn, void *ctx, struct groups_faults *faults, struct err *err)
{
	autofree struct surety_table *t = pins_table(g, err);
	struct listing l = { g, t, fn, ctx, 0 };
	char mount[4096];

	if (!t)
		return -1;
	cgroup_mount(mount, sizeof(mount));
	l.mount_len = strlen(mount);
	(void)cgroup_walk(mount, tell_live, &l);
	for (uint32_t i = 1; i < t->used && i < GROUPS_MAX; i++)
		if (t->group[i].state == GROUP_REMOVED && t->group[i].committed)
			tell(&l, &t->group[i], NULL);
	*faults = (struct groups_faults){
		.lost_events = t->faults.lost_events,
		.untracked = t->faults.untracked,
		.unseeded = t->faults.unseeded,
		.underflow = t->faults.underflow,
		.resynced = t->faults.resynced,
		.corrected = t->faults.corrected,
		.missed = missed_runs(),
	};
	return 0;
}

uint64_t groups_lost(struct groups *g)
{
	autofree struct surety_table *t = pins_table(g, NULL);

	return t ? t->faults.lost_events : 0;
}
