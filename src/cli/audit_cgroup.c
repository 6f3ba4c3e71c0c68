/* SPDX-License-Identifier: MIT
 *
 * audit_cgroup: see the header.
 *
 * Each process is read and compared in the kernel, at one moment: the figures
 * agree also while the cgroup is at work.
 */
#include "cli/audit_cgroup.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "engine/groups.h"
#include "report/escape.h"

struct totals {
	bool json;
	int64_t ledger, kernel, drift;
	uint32_t nr;
};

static void print_process(void *ctx, const struct groups_process *p)
{
	struct totals *t = ctx;
	autofree char *comm = escape_text(p->comm);

	t->ledger += p->ledger;
	t->kernel += p->kernel;
	t->drift += p->ledger > p->kernel ? p->ledger - p->kernel : p->kernel - p->ledger;
	t->nr++;
	if (!t->json && p->ledger != p->kernel)
		printf("process %d (%s): ledger %" PRIu64 " kB, kernel %" PRIu64 " kB\n", p->pid, comm ? comm : "",
		       pages_to_kib((uint64_t)p->ledger), pages_to_kib((uint64_t)p->kernel));
}

int audit_cgroup(const char *path, bool json, struct err *err)
{
	struct totals t = { .json = json };
	struct groups *g;
	uint32_t unread = 0;
	int r = groups_open(&g, GROUPS_LOADED, err);

	if (r > 0)
		return err_set(err, EXIT_SURETY, "cannot audit '%s': no cgroup is limited (surety attach)", path);
	if (r < 0)
		return -1;
	r = groups_audit(g, path, print_process, &t, &unread, err);
	groups_close(g);
	if (r < 0)
		return -1;
	if (json) {
		json_t *object = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "schema", "surety.audit_cgroup/1", "cgroup",
					   path, "processes", (json_int_t)t.nr, "ledger_bytes",
					   (json_int_t)t.ledger * (json_int_t)PAGE_BYTES, "kernel_bytes",
					   (json_int_t)t.kernel * (json_int_t)PAGE_BYTES, "drift_bytes",
					   (json_int_t)t.drift * (json_int_t)PAGE_BYTES, "unreadable", (json_int_t)unread);

		json_dumpf(object, stdout, JSON_COMPACT);
		printf("\n");
		json_decref(object);
	} else {
		printf("cgroup %s: %u processes, ledger %" PRIu64 " kB, kernel %" PRIu64 " kB: drift %" PRIu64 " kB\n", path,
		       t.nr, pages_to_kib((uint64_t)t.ledger), pages_to_kib((uint64_t)t.kernel),
		       pages_to_kib((uint64_t)t.drift));
		if (unread)
			printf("%u processes could not be read\n", unread);
	}
	return t.drift || unread ? 1 : 0;
}
