/* SPDX-License-Identifier: MIT
 *
 * vault: see the header.
 */
#include "engine/seccomp/vault.h"

#include <linux/capability.h>

#include "base/arith.h"
#include "engine/seccomp/family.h"
#include "engine/seccomp/flight.h"
#include "engine/seccomp/object.h"
#include "engine/seccomp/promise.h"
#include "engine/seccomp/space.h"
#include "sys/procfs.h"

enum {
	STACK_PAGES = 2048, /* 8 MiB, the usual RLIMIT_STACK: the growth of a process between two looks */
	LOOK_EVERY_MS = 10,
	ASK_HUGETLB_MS = 100,
};

/* The reserves ask for more about the caller; without them nothing is read. */
static struct requester requester_of(const struct ask *ask)
{
	const struct limit *limit = &ask->g->ledger->limit;
	struct requester who = { 0 };
	struct task_ids ids;
	struct statm m;

	if (limit->user_reserve_pages && statm_of(ask->t->tid, &m) == 0)
		who.total_vm_pages = m.size;
	if (limit->admin_reserve_pages && task_ids_read(ask->t->tid, &ids) == 0)
		who.cap_sys_admin = (ids.cap_effective >> CAP_SYS_ADMIN & 1) && task_in_our_userns(ask->t->tid);
	return who;
}

uint64_t vault_allowed(const struct ask *ask)
{
	const struct requester who = requester_of(ask);

	return limit_allowed(&ask->g->ledger->limit, &who);
}

void vault_note_needed(struct group *g)
{
	const struct ledger_group *ledger = g->ledger;
	uint64_t needed, doubtful, promised = g->promises_doubt;
	const struct promise *promise;
	const struct space *s;

	if (__builtin_add_overflow(ledger->committed, g->reserved, &needed) ||
	    (needed <= g->needed_peak && ledger->committed <= ledger->peak))
		return;
	LIST_FOREACH(promise, &g->promises, entry)
		promised = add_saturating(promised, promise->netted);
	doubtful = g->objects_netted + g->objects_unfound + smaller(promised, g->promised.pages) + family_doubtful_pages(g);
	LIST_FOREACH(s, &g->spaces, entry)
		doubtful += space_doubtful_pages(s);
	ledger_note_peak(g->ledger, doubtful);
	if (needed > doubtful && needed - doubtful > g->needed_peak)
		g->needed_peak = needed - doubtful;
}

/* What is granted while other threads fork is perhaps copied. */
static uint64_t with_copies(const struct ask *ask)
{
	uint64_t copies = ask->flight == FLIGHT_SPACE ? promise_copies(ask->g, ask->t) : 0, pages;

	return __builtin_mul_overflow(ask->charge.pages, copies + 1, &pages) ? UINT64_MAX : pages;
}

static enum verdict decide(const struct ask *ask, const struct requester *who)
{
	uint64_t request;

	/* Over the limit what costs nothing goes on: the kernel does not ask then, but
	 * for a pure move, which is not stopped. */
	if (!ask->charge.pages)
		return VERDICT_GRANT;
	/* Mode 0 looks at this one request, not at what is reserved beside it; a call
	 * over several mappings makes one of each. */
	if (ask->g->ledger->limit.mode == OVERCOMMIT_GUESS)
		request = ask->largest ? ask->largest : ask->charge.pages;
	else
		request = add_saturating(with_copies(ask), ask->g->reserved);
	return ledger_decide(ask->g->ledger, request, who, NULL);
}

bool vault_holds_most(const struct ask *ask)
{
	const struct requester who = requester_of(ask);
	struct ledger_group *ledger = ask->g->ledger;

	return ledger->limit.mode != OVERCOMMIT_NEVER ||
	       ledger_decide(ledger, add_saturating(ask->most_pages, ask->g->reserved), &who, NULL) == VERDICT_GRANT;
}

/* Looks at one address space after another, until it fits. */
static enum verdict look_until_fit(struct ask *ask, const struct requester *who)
{
	enum verdict verdict = decide(ask, who);
	struct space *s;

	LIST_FOREACH(s, &ask->g->spaces, entry) {
		if (verdict == VERDICT_GRANT)
			break;
		space_look(ask->g, s);
		verdict = decide(ask, who);
	}
	return verdict;
}

static bool hugetlb_pool_exists(struct group *g, uint64_t now_ms)
{
	if (!g->hugetlb_asked_ms || now_ms - g->hugetlb_asked_ms > ASK_HUGETLB_MS) {
		g->hugetlb_pool = meminfo_hugetlb_bytes() != 0;
		g->hugetlb_asked_ms = now_ms;
	}
	return g->hugetlb_pool;
}

/* Least that the group surely holds, after everybody was looked at: what is
 * writable.  When the request does not fit over that, no count will help. */
static bool hopeless(const struct ask *ask, const struct requester *who)
{
	uint64_t least = ask->charge.pages;
	const struct space *s;

	/* A private mapping of a hugetlbfs file is in the counters, and looks like
	 * that of any other file. */
	if (hugetlb_pool_exists(ask->g, ask->t->seen_ms))
		return false;
	LIST_FOREACH(s, &ask->g->spaces, entry) {
		if (!s->odd && !s->unreadable)
			least += over(s->kin ? family_least(s) : s->data, s->looked_moving);
		if (!s->odd && s != ask->t->proc->space && space_counted_lately(s))
			least += s->sticky + s->forced;
	}
	if (limit_decide(&ask->g->ledger->limit, 0, least, who) != VERDICT_GRANT)
		return true;
	least += object_least(ask->g);
	return limit_decide(&ask->g->ledger->limit, 0, least, who) != VERDICT_GRANT;
}

void vault_count(struct group *g, const struct task *self)
{
	struct space *s, *next;

	group_reap(g);
	promise_discover(g);
	flight_settle_all(g, self);
	promise_discover(g); /* forks that were settled just now */
	object_scan(g, self == NULL);
	for (s = LIST_FIRST(&g->spaces); s; s = next) {
		next = LIST_NEXT(s, entry);
		space_count(g, s, NULL, NULL);
	}
	flight_settle_seen(g, self); /* what came to its end while it was counted does not count twice */
}

/* A stack grows without a call.  Where that could matter, the caller is
 * looked at before the bound is believed, and everybody every few milliseconds. */
static void look_at_stacks(const struct ask *ask)
{
	struct group *g = ask->g;
	uint64_t unseen = (g->nr_procs + 1) * STACK_PAGES, sum;
	struct space *s;

	if (!__builtin_add_overflow(g->ledger->committed + g->reserved + unseen, ask->charge.pages, &sum) &&
	    sum < limit_commit(&g->ledger->limit))
		return;
	if (ask->t->seen_ms - g->looked_ms < LOOK_EVERY_MS) {
		space_look(g, ask->t->proc->space);
		return;
	}
	g->looked_ms = ask->t->seen_ms;
	LIST_FOREACH(s, &g->spaces, entry)
		space_look(g, s);
}

enum verdict vault_decide(struct ask *ask)
{
	struct group *g = ask->g;
	struct requester who = requester_of(ask);
	enum verdict verdict;
	bool exact = true;

	ask->most_pages = larger(ask->most_pages, ask->charge.pages);
	if (g->ledger->limit.mode != OVERCOMMIT_NEVER) {
		verdict = decide(ask, &who);
		if (verdict != VERDICT_GRANT && ask->refine) {
			(void)ask->refine(ask);
			verdict = decide(ask, &who);
		}
		return verdict;
	}
	look_at_stacks(ask);
	verdict = decide(ask, &who);
	if (verdict == VERDICT_GRANT)
		return verdict;
	space_look(g, ask->t->proc->space);
	verdict = decide(ask, &who);
	if (verdict == VERDICT_GRANT)
		return verdict;
	if (ask->refine)
		exact = ask->refine(ask);
	verdict = decide(ask, &who);
	if (verdict == VERDICT_GRANT)
		return verdict;
	group_reap(g);
	promise_discover(g);
	verdict = look_until_fit(ask, &who);
	if (verdict == VERDICT_GRANT)
		return verdict;
	if (exact && hopeless(ask, &who)) {
		flight_settle_seen(g, ask->t); /* so that the report's figures are right */
		return verdict;
	}
	vault_count(g, ask->t);
	vault_note_needed(g);
	if (ask->refine)
		(void)ask->refine(ask);
	return decide(ask, &who);
}

bool vault_look_for_peak(struct ask *ask)
{
	struct group *g = ask->g;
	struct ledger_group *ledger = g->ledger;
	struct space *s = ask->t->proc->space;

	g->grants_since_look++;
	if (ledger->committed + ask->charge.pages <= ledger->peak)
		return true;
	if (s->replaced && s->replaced_calls && ledger->committed + ask->charge.pages - s->replaced <= ledger->peak) {
		s->replaced_calls--;
		return false;
	}
	if (!s->exact_only && (s->landed || s->looked_moving || s->image_unsure || space_doubtful_sticky(s))) {
		if (s->steady && s->steady_op == ask->op && s->steady_pages == ask->charge.pages && group_coin(g))
			return false;
		space_look_for_peak(g, s, ask->t->seen_ms);
		s->steady = s->data == s->steady_data;
		s->steady_data = s->data;
		s->steady_op = ask->op;
		s->steady_pages = ask->charge.pages;
	}
	if (ledger->committed + ask->charge.pages <= ledger->peak || (g->nr_procs == 1 && LIST_EMPTY(&g->promises)))
		return true;
	group_reap(g);
	if (ledger->committed + ask->charge.pages <= ledger->peak || g->grants_since_look < g->nr_procs)
		return true;
	g->grants_since_look = 0;
	if (!LIST_EMPTY(&g->promises))
		promise_discover(g);
	LIST_FOREACH(s, &g->spaces, entry)
		if (!s->exact_only && s != ask->t->proc->space)
			space_look_for_peak(g, s, ask->t->seen_ms);
	return true;
}
