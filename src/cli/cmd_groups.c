/* SPDX-License-Identifier: MIT
 *
 * surety groups: what each limited cgroup holds, as OpenVZ's user_beancounters
 * told it.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "cli/cmd.h"
#include "engine/groups.h"
#include "report/escape.h"

struct output {
	bool json;
	int nr;
};

static json_int_t bytes(int64_t pages)
{
	return (json_int_t)(pages * (int64_t)PAGE_BYTES);
}

static void print_json(const struct groups_row *row)
{
	autofree char *path = escape_utf8(row->path);
	json_t *object = json_pack("{s:s, s:s, s:I, s:b, s:b, s:i}", "schema", "surety.groups/1", "cgroup", path ? path : "",
				   "cgroup_id", (json_int_t)row->cgroup_id, "removed", row->removed, "seeded", row->seeded,
				   "overcommit_memory", (int)row->mode);

	json_object_set_new(object, "CommitLimit", json_integer(bytes((int64_t)row->limit)));
	json_object_set_new(object, "Committed_AS", json_integer(bytes(row->committed)));
	json_object_set_new(object, "Peak", json_integer(bytes(row->peak)));
	json_object_set_new(object, "Shmem", json_integer(bytes(row->objects)));
	json_object_set_new(object, "Debt", json_integer(bytes(row->debt)));
	json_object_set_new(object, "drift", json_integer(bytes(row->drift)));
	json_object_set_new(object, "processes", json_integer(row->nr_spaces));
	json_object_set_new(object, "charges", json_integer((json_int_t)row->charges));
	json_object_set_new(object, "refusals", json_integer((json_int_t)row->refusals));
	json_object_set_new(object, "refused", json_integer(bytes((int64_t)row->refused)));
	json_dumpf(object, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(object);
}

static void print_row(void *ctx, const struct groups_row *row)
{
	struct output *o = ctx;
	autofree char *path = escape_text(row->path);

	if (o->json) {
		print_json(row);
	} else {
		if (!o->nr)
			printf("%12s %12s %12s %8s %10s %8s  %s\n", "held", "maxheld", "limit", "failcnt", "debt", "drift",
			       "cgroup (kB)");
		printf("%12" PRId64 " %12" PRId64 " %12" PRIu64 " %8" PRIu64 " %10" PRId64 " %8" PRId64 "  %s%s%s\n",
		       row->committed * 4, row->peak * 4, row->limit * 4, row->refusals, row->debt * 4, row->drift * 4,
		       row->removed ? "(removed)" : path ? path : "", row->seeded ? "" : " (not all counted: attach it again)",
		       row->mode == OVERCOMMIT_NEVER ? "" : row->mode == OVERCOMMIT_ALWAYS ? " (mode 1)" : " (mode 0)");
	}
	o->nr++;
}

static void print_faults(const struct output *o, const struct groups_faults *f)
{
	const struct {
		const char *name, *text;
		uint64_t nr;
	} all[] = {
		{ "lost_events", "refusals without a report: it was not fetched in time", f->lost_events },
		{ "untracked", "charges refused because the ledger was full", f->untracked },
		{ "unseeded", "processes moved in that could not be counted (attach the cgroup again)", f->unseeded },
		{ "missed", "hooks that the kernel left out under preemption", f->missed },
		{ "underflow", "pages released that the ledger did not hold", f->underflow },
		{ "resynced", NULL, f->resynced },
		{ "corrected", NULL, f->corrected },
	};
	json_t *object = o->json ? json_pack("{s:s}", "schema", "surety.groups_faults/1") : NULL;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (object)
			json_object_set_new(object, all[i].name, json_integer((json_int_t)all[i].nr));
		else if (all[i].nr && all[i].text)
			printf("%" PRIu64 " %s\n", all[i].nr, all[i].text);
	}
	if (object) {
		json_dumpf(object, stdout, JSON_COMPACT);
		printf("\n");
		json_decref(object);
	}
}

int cmd_groups(const struct groups_opts *opts, struct err *err)
{
	struct output o = { opts->json, 0 };
	struct groups_faults faults;
	struct groups *g;
	int r = groups_open(&g, GROUPS_LOADED, err);

	if (r < 0)
		return -1;
	if (r == 0) {
		r = groups_list(g, print_row, &o, &faults, err);
		groups_close(g);
		if (r < 0)
			return -1;
		print_faults(&o, &faults);
	}
	if (!o.nr && !opts->json)
		printf("no cgroup is limited\n");
	if (fflush(stdout) || ferror(stdout))
		return err_set(err, EXIT_SURETY, "cannot write 'standard output': %s (is the disk full?)", strerror(errno));
	return 0;
}
