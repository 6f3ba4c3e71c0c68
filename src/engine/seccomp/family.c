/* SPDX-License-Identifier: MIT
 *
 * family: see the header.
 *
 * Rests on: the pages of address spaces that share some are the sum of their
 * Pss, each page once; so what a group has resident is at most the charges of
 * its roots and `extra` of its families.
 */
#include "engine/seccomp/family.h"

#include <stdlib.h>

#include "base/arith.h"
#include "engine/seccomp/space.h"
#include "engine/seccomp/watch.h"
#include "sys/clock.h"
#include "sys/procfs.h"

static const struct fork_policy *policy_of(struct group *g, const struct task *t)
{
	const struct fork_policies *policies = g->forks->policies;
	char exe[REFUSAL_EXE];

	if (policies->nr == 0)
		return &policies->others;
	task_exe(t->proc->pid, exe, sizeof(exe));
	return fork_policy_of(policies, exe);
}

static enum rule rule_of(const struct fork_policy *policy)
{
	switch (policy->kind) {
	case FORK_RESERVE:
		return RULE_FORK_RESERVE;
	case FORK_EXEC_GRACE:
		return RULE_EXEC_GRACE;
	case FORK_FULL:
		break;
	}
	return RULE_FORK;
}

uint64_t family_fork_pages(struct group *g, const struct task *t, uint64_t pages, enum rule *ret_rule)
{
	const struct fork_policy *policy = policy_of(g, t);

	/* Without the thread that measures there is nothing to hold it against. */
	*ret_rule = rule_of(policy);
	if (policy->kind != FORK_FULL && !watch_ready(g)) {
		*ret_rule = RULE_FORK;
		return pages;
	}
	return fork_reserve_pages(policy, pages);
}

void family_mark_stale(struct group *g, struct family *f)
{
	if (!f->stale)
		f->stale_since_ns = clock_ns(CLOCK_MONOTONIC);
	f->stale = true;
	watch_wake(g);
}

static void dissolve(struct group *g, struct family *f)
{
	struct kin *root = f->root;

	(void)g;
	if (root) {
		root->space->kin = NULL;
		space_post(root->space);
		free(root);
	}
	ledger_leave(&f->kept);
	LIST_REMOVE(f, entry);
	free(f);
}

static bool family_is_over(const struct family *f)
{
	return f->nr_children == 0 && f->nr_promised == 0;
}

static void keep(struct group *g, struct family *f, uint64_t pages)
{
	ledger_set(&f->kept, f->kept.pages + pages);
	family_mark_stale(g, f);
}

/* The least that tells copies is what the parent's counters show now: what its
 * other threads fault in until the fork is made counts as copied. */
static struct family *family_new(struct group *g, struct space *s, pid_t pid)
{
	struct family *f = calloc(1, sizeof(*f));
	struct kin *root = calloc(1, sizeof(*root));

	if (!f || !root) {
		free(f);
		free(root);
		return NULL;
	}
	*root = (struct kin){ .family = f, .space = s, .floor = space_kernel_pages(s) };
	(void)task_look(pid, &root->last.faults, &root->last.anon); /* unreadable: all of its faults count */
	f->root = root;
	f->bound_ns = clock_ns(CLOCK_MONOTONIC);
	LIST_INIT(&f->children);
	ledger_join(&f->kept, g->ledger);
	LIST_INSERT_HEAD(&g->forks->families, f, entry);
	s->kin = root;
	return f;
}

struct kin *family_promise(struct group *g, struct task *t, uint64_t base)
{
	const struct fork_policy *policy = policy_of(g, t);
	struct space *s = t->proc->space;
	struct kin *kin = policy->kind == FORK_FULL ? NULL : calloc(1, sizeof(*kin));
	struct family *f;
	uint64_t faults;

	if (!kin)
		return NULL;
	f = s->kin ? s->kin->family : family_new(g, s, t->proc->pid);
	if (!f) {
		free(kin);
		return NULL;
	}
	*kin = (struct kin){ .family = f,
			     .base = base,
			     .reserve = fork_reserve_pages(policy, base),
			     .rule = rule_of(policy) };
	if (policy->kind == FORK_EXEC_GRACE) {
		kin->grace_ns = policy->grace_ms * 1000000;
		kin->deadline_ns = clock_ns(CLOCK_MONOTONIC) + kin->grace_ns;
	}
	if (f->root && f->root->space == s && f->root->floor < base)
		f->root->floor = base;
	(void)task_look(t->proc->pid, &faults, &kin->last.anon); /* its pages are its parent's; it has no faults */
	f->nr_promised++;
	f->changes = ++g->forks->changes;
	watch_wake(g);
	return kin;
}

void family_child_born(struct group *g, struct kin *kin, struct space *s)
{
	struct family *f = kin->family;

	kin->space = s;
	s->kin = kin;
	LIST_INSERT_HEAD(&f->children, kin, entry);
	f->nr_children++;
	f->nr_promised--;
	f->changes = ++g->forks->changes;
}

void family_child_lost(struct group *g, struct kin *kin, uint64_t left)
{
	struct family *f = kin->family;

	free(kin);
	f->nr_promised--;
	f->changes = ++g->forks->changes;
	if (family_is_over(f))
		dissolve(g, f);
	else
		keep(g, f, left);
}

uint64_t family_hold(const struct space *s, uint64_t pages)
{
	const struct kin *kin = s->kin;

	if (kin == kin->family->root)
		return larger(pages, kin->floor);
	/* What is in flight is new: of an execve it may be another image's. */
	return s->inflight + fork_hold_pages(pages - s->inflight, kin->base, kin->reserve);
}

uint64_t family_least(const struct space *s)
{
	const struct kin *kin = s->kin;

	return kin == kin->family->root ? s->data : fork_hold_pages(s->data, kin->base, kin->reserve);
}

static uint64_t headroom(const struct group *g)
{
	return over(limit_commit(&g->ledger->limit), g->ledger->committed + g->reserved);
}

/* The child that the kernel charges most is charged all of that in its turn, out
 * of what the root held. */
void family_find_heir(struct group *g, struct family *f)
{
	struct kin *kin, *heir = NULL;
	uint64_t most = 0, more;

	LIST_FOREACH(kin, &f->children, entry) {
		if (!heir || space_kernel_pages(kin->space) > most) {
			heir = kin;
			most = space_kernel_pages(kin->space);
		}
	}
	if (!heir)
		return;
	more = over(most, heir->space->hold.pages);
	if (more > f->kept.pages + headroom(g))
		return;
	ledger_set(&f->kept, over(f->kept.pages, more));
	LIST_REMOVE(heir, entry);
	f->nr_children--;
	f->changes = ++g->forks->changes;
	heir->floor = most;
	heir->deadline_ns = 0;
	f->root = heir;
	space_post(heir->space);
	if (family_is_over(f))
		dissolve(g, f);
	else
		family_mark_stale(g, f);
}

/* Children that nobody has seen yet, and whose parent is gone, are charged in full. */
static void charge_promised(struct group *g, struct family *f)
{
	struct promise *promise;

	LIST_FOREACH(promise, &g->promises, entry) {
		if (!promise->kin || promise->kin->family != f)
			continue;
		free(promise->kin);
		promise->kin = NULL;
		f->nr_promised--;
		ledger_set(&g->promised, g->promised.pages - promise->charged + promise->pages);
		promise->charged = promise->pages;
	}
}

static void root_left(struct group *g, struct family *f, struct space *s)
{
	f->root = NULL;
	f->changes = ++g->forks->changes;
	if (f->nr_children == 0) {
		charge_promised(g, f);
		dissolve(g, f);
		return;
	}
	keep(g, f, s->hold.pages);
	family_find_heir(g, f);
}

void family_leave(struct group *g, struct space *s)
{
	struct kin *kin = s->kin;
	struct family *f = kin->family;
	bool root = kin == f->root;

	s->kin = NULL;
	if (root) {
		free(kin);
		root_left(g, f, s);
		return;
	}
	LIST_REMOVE(kin, entry);
	free(kin);
	f->nr_children--;
	f->changes = ++g->forks->changes;
	if (family_is_over(f))
		dissolve(g, f);
	else
		keep(g, f, s->hold.pages);
}

uint64_t family_available(const struct group *g, const struct family *f)
{
	const struct promise *promise;
	const struct kin *kin;
	uint64_t sum = f->kept.pages;

	if (f->root)
		sum += over(f->root->space->hold.pages, space_kernel_pages(f->root->space));
	LIST_FOREACH(kin, &f->children, entry)
		sum += kin->space->hold.pages;
	if (f->nr_promised)
		LIST_FOREACH(promise, &g->promises, entry)
			if (promise->kin && promise->kin->family == f)
				sum += promise->charged;
	return sum;
}

void family_keep_more(struct family *f, uint64_t pages)
{
	ledger_set(&f->kept, f->kept.pages + pages);
}

void family_keep_only(struct family *f, uint64_t needed)
{
	struct space *root = f->root ? f->root->space : NULL;
	uint64_t pages = root ? space_kernel_pages(root) : 0;
	uint64_t above = root ? over(f->root->floor, pages) : 0;

	if (above > needed) {
		f->root->floor = pages + needed;
		space_post(root);
		above = needed;
	}
	if (f->kept.pages > needed - above)
		ledger_set(&f->kept, needed - above);
}

uint64_t family_doubtful_pages(const struct group *g)
{
	const struct family *f;
	uint64_t pages = 0;

	if (!g->forks)
		return 0;
	LIST_FOREACH(f, &g->forks->families, entry)
		if (f->stale)
			pages += f->kept.pages;
	return pages;
}

void family_sums(const struct group *g, uint64_t *ret_uncharged, uint64_t *ret_kept)
{
	const struct promise *promise;
	const struct family *f;
	const struct space *s;

	*ret_uncharged = *ret_kept = 0;
	if (!g->forks)
		return;
	LIST_FOREACH(s, &g->spaces, entry) {
		*ret_uncharged += over(space_kernel_pages(s), s->hold.pages);
		*ret_kept += over(s->hold.pages, space_kernel_pages(s));
	}
	LIST_FOREACH(promise, &g->promises, entry)
		*ret_uncharged += promise->pages - promise->charged;
	LIST_FOREACH(f, &g->forks->families, entry)
		*ret_kept += f->kept.pages;
}
