/* SPDX-License-Identifier: MIT
 *
 * surety audit: a group's ledger against the kernel's own count, to the page.
 *
 * Both are read one after the other, so a group that is at work may differ: it
 * is tried a few times, and the difference is called drift only when it stays.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "cli/audit.h"
#include "cli/audit_cgroup.h"
#include "cli/cmd.h"
#include "cli/control.h"
#include "cli/figures.h"

enum { TRIES = 5, EXIT_DRIFT = 1 };

struct outcome {
	uint64_t ledger_bytes, kernel_bytes;
	uint64_t uncharged_bytes, kept_bytes; /* what fork policies make of a fork's charge */
	struct audit kernel;
	char group[FIGURES_LABEL_MAX];
};

static int compare(const struct control_ref *ref, const json_t *figures, struct outcome *out, struct err *err)
{
	json_t *rows, *row;
	autofree pid_t *all = NULL;
	autofree pid_t *distinct = NULL;
	uint32_t nr_all = 0, nr_distinct = 0;
	size_t i, n;
	int r = -ENOMEM;

	if (figures_check(figures, err) < 0)
		return -1;
	if (!control_same_pids(figures))
		return err_set(err, EXIT_SURETY, "cannot audit group '%s': it lives in another PID namespace (run surety audit "
			       "there)", ref->name);
	rows = json_object_get(figures, "processes");
	n = json_array_size(rows) + 1;
	all = calloc(n, sizeof(*all));
	distinct = calloc(n, sizeof(*distinct));
	json_array_foreach(rows, i, row) {
		pid_t pid = (pid_t)json_integer_value(json_object_get(row, "pid"));

		if (!all || !distinct)
			break;
		all[nr_all++] = pid;
		if (!json_is_true(json_object_get(row, "shared")))
			distinct[nr_distinct++] = pid;
	}
	figures_label(figures, out->group);
	out->ledger_bytes = figures_bytes(figures, "Committed_AS");
	out->uncharged_bytes = figures_bytes(figures, "ForkUncharged");
	out->kept_bytes = figures_bytes(figures, "ForkKept");
	if (all && distinct)
		r = audit_count((enum overcommit)figures_bytes(figures, "overcommit_memory"), distinct, nr_distinct, all, nr_all,
				figures_bytes(figures, "started_ns"), &out->kernel);
	if (r < 0)
		return err_set(err, EXIT_SURETY, "cannot audit group '%s': %s (free some memory)", ref->name, strerror(-r));
	out->kernel_bytes =
		pages_to_bytes(out->kernel.space_pages + out->kernel.forced_pages + out->kernel.shmem_pages);
	return 0;
}

/* What the ledger says beyond the kernel, by more or less than a fork policy makes it. */
static int64_t drift_bytes(const struct outcome *out)
{
	return (int64_t)(out->ledger_bytes + out->uncharged_bytes - out->kept_bytes - out->kernel_bytes);
}

static void print_outcome(const struct outcome *out, bool json)
{
	int64_t drift = drift_bytes(out);
	char forks[96] = "";
	json_t *object;

	if (!json) {
		if (out->uncharged_bytes || out->kept_bytes)
			snprintf(forks, sizeof(forks), ", of which not charged for forks %" PRIu64 " kB, kept %" PRIu64 " kB",
				 out->uncharged_bytes >> 10, out->kept_bytes >> 10);
		printf("group %s: ledger %" PRIu64 " kB, kernel %" PRIu64 " kB (mappings %" PRIu64 ", copies %" PRIu64
		       ", shared memory %" PRIu64 ")%s: drift %" PRId64 " kB\n",
		       out->group, out->ledger_bytes >> 10, out->kernel_bytes >> 10, pages_to_kib(out->kernel.space_pages),
		       pages_to_kib(out->kernel.forced_pages), pages_to_kib(out->kernel.shmem_pages), forks, drift / 1024);
		if (out->kernel.unreadable)
			printf("%" PRIu32 " processes could not be read: run it as their user\n", out->kernel.unreadable);
		return;
	}
	object = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "schema", "surety.audit/1", "group", out->group,
			   "ledger_bytes", (json_int_t)out->ledger_bytes, "kernel_bytes", (json_int_t)out->kernel_bytes,
			   "mappings_bytes", (json_int_t)pages_to_bytes(out->kernel.space_pages), "copies_bytes",
			   (json_int_t)pages_to_bytes(out->kernel.forced_pages), "shmem_bytes",
			   (json_int_t)pages_to_bytes(out->kernel.shmem_pages), "drift_bytes", (json_int_t)drift, "unreadable",
			   (json_int_t)out->kernel.unreadable, "fork_uncharged_bytes", (json_int_t)out->uncharged_bytes,
			   "fork_kept_bytes", (json_int_t)out->kept_bytes);
	json_dumpf(object, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(object);
}

/* FIGURES, the group's first answer, are taken over; NULL where there is none. */
static int audit_one(const struct control_ref *ref, json_t *figures, bool json, struct err *err)
{
	struct outcome out;

	for (int i = 1;; i++) {
		int r = figures ? compare(ref, figures, &out, err) : -1;

		json_decref(figures);
		if (r < 0)
			return -1;
		if (drift_bytes(&out) == 0 || i == TRIES)
			break;
		figures = control_ask(ref, err);
	}
	print_outcome(&out, json);
	return drift_bytes(&out) == 0 ? 0 : EXIT_DRIFT;
}

struct audits {
	const struct audit_opts *opts;
	int status, nr;
};

static void audit_group(void *ctx, const struct control_ref *ref)
{
	struct audits *all = ctx;
	struct err ignored; /* it ended meanwhile, or its supervisor was killed */
	int r = audit_one(ref, control_ask(ref, &ignored), all->opts->json, &ignored);

	all->nr += r >= 0;
	if (r > 0)
		all->status = r;
}

int cmd_audit(const struct audit_opts *opts, struct err *err)
{
	struct audits all = { opts, 0, 0 };
	struct control_ref ref;

	if (opts->target && strchr(opts->target, '/')) {
		all.status = audit_cgroup(opts->target, opts->json, err);
	} else if (opts->target) {
		all.status = audit_one(&ref, control_find(opts->target, &ref, err), opts->json, err);
	} else {
		control_list(audit_group, &all);
		if (!all.nr && !opts->json)
			printf("no group is running\n");
	}
	if (all.status >= 0 && (fflush(stdout) || ferror(stdout)))
		return err_set(err, EXIT_SURETY, "cannot write 'standard output': %s (is the disk full?)", strerror(errno));
	return all.status;
}
