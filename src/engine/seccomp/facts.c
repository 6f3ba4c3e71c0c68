/* SPDX-License-Identifier: MIT
 *
 * facts: see the header.
 */
#include "engine/seccomp/facts.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/engine.h"
#include "engine/seccomp/object.h"
#include "sys/clock.h"
#include "sys/procfs.h"

/* Puts a holder among the largest; the row that falls off is the least. */
static void add_holder(struct refusal *r, pid_t pid, uint64_t pages)
{
	struct refusal_holder row = { .pid = pid, .bytes = pages_to_bytes(pages) };
	uint32_t at = r->nr_holders;

	while (at > 0 && r->holders[at - 1].bytes < row.bytes)
		at--;
	if (at == REFUSAL_HOLDERS || pages == 0)
		return;
	if (r->nr_holders < REFUSAL_HOLDERS)
		r->nr_holders++;
	memmove(&r->holders[at + 1], &r->holders[at], (r->nr_holders - at - 1) * sizeof(row));
	r->holders[at] = row;
}

static void find_holders(struct refusal *r, const struct group *g)
{
	const struct space *s;

	LIST_FOREACH(s, &g->spaces, entry)
		if (!LIST_EMPTY(&s->procs))
			add_holder(r, LIST_FIRST(&s->procs)->pid, s->hold.pages);
	add_holder(r, 0, object_pages(g));
	for (uint32_t i = 0; i < r->nr_holders; i++)
		if (r->holders[i].pid)
			task_comm(r->holders[i].pid, r->holders[i].comm, sizeof(r->holders[i].comm));
}

void facts_of(const struct group *g, const char *name, pid_t pid, pid_t tid, struct refusal *r)
{
	const struct ledger_group *ledger = g->ledger;

	r->time_ns = clock_ns(CLOCK_REALTIME);
	snprintf(r->group, sizeof(r->group), "%s", name);
	snprintf(r->engine, sizeof(r->engine), "%s", engine_seccomp.name);
	r->mode = ledger->limit.mode;
	r->pid = pid;
	r->tid = tid;
	task_comm(tid, r->comm, sizeof(r->comm));
	task_exe(pid, r->exe, sizeof(r->exe));
	r->committed_bytes = pages_to_bytes(ledger->committed);
	r->limit_bytes = pages_to_bytes(limit_commit(&ledger->limit));
	r->reserved_bytes = pages_to_bytes(g->reserved);
	r->sequence = ledger->refusals;
	find_holders(r, g);
}
