/* SPDX-License-Identifier: MIT
 *
 * promise: see the header.
 *
 * A search sees no process made while it runs, for forks stop here and wait;
 * but one may be missed when its parent ends and it moves to another, or when the
 * child listed before it is reaped just then.  What was missed once is found by the
 * next search.  So a search is repeated until it finds nothing new, and before a
 * promise is given up, until two have seen the same processes.
 */
#include "engine/seccomp/promise.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "engine/seccomp/recorder.h"
#include "engine/seccomp/family.h"
#include "engine/seccomp/flight.h"
#include "engine/seccomp/space.h"
#include "sys/procfs.h"

enum { SEARCHES = 8, DEPTH_MAX = 512 };

/* Which of two children takes which promise is not known: both hold what either
 * may have without statm showing it. */
static void mix(struct promise *a, struct promise *b)
{
	a->mixed = b->mixed = true;
	a->sticky = b->sticky = larger(a->sticky, b->sticky);
	a->forced = b->forced = larger(a->forced, b->forced);
	a->exact_only = b->exact_only = a->exact_only || b->exact_only;
	a->odd = b->odd = a->odd || b->odd;
	if (a->start_stack != b->start_stack || a->start_brk != b->start_brk)
		a->start_stack = b->start_stack = a->start_brk = b->start_brk = 0;
}

/* Another thread's fork of T's space may be before or after T's call. */
static bool copies(const struct promise *promise, const struct task *t)
{
	return promise->task && promise->task != t && promise->task->proc->space == t->proc->space;
}

uint64_t promise_copies(const struct group *g, const struct task *t)
{
	const struct promise *promise;
	uint64_t nr = 0;

	if (LIST_EMPTY(&g->promises) || space_only_user(t))
		return 0;
	LIST_FOREACH(promise, &g->promises, entry)
		nr += copies(promise, t);
	return nr;
}

void promise_add(struct group *g, const struct task *t, uint64_t pages, uint64_t sticky)
{
	const struct space *s = t->proc->space;
	struct promise *promise;

	if (LIST_EMPTY(&g->promises) || space_only_user(t))
		return;
	LIST_FOREACH(promise, &g->promises, entry) {
		if (!copies(promise, t))
			continue;
		promise->pages += pages;
		promise->charged += pages;
		promise->sticky += sticky;
		promise->exact_only |= s->exact_only;
		promise->odd |= s->odd;
		promise->brk = 0; /* not known */
		ledger_set(&g->promised, g->promised.pages + pages);
	}
}

/* What calls of other threads make read-only, and what is not in SPACE.sticky yet. */
static uint64_t sticky_in_flight(const struct space *s)
{
	const struct proc *p;
	const struct task *t;
	uint64_t pages = 0;

	LIST_FOREACH(p, &s->procs, in_space)
		LIST_FOREACH(t, &p->tasks, in_proc)
			if (t->flight == FLIGHT_SPACE)
				pages += t->flight_sticky;
	return pages;
}

struct promise *promise_new(struct group *g, struct task *t, pid_t parent, uint64_t pages, uint64_t charged,
			    uint64_t most)
{
	const struct space *s = t->proc->space;
	struct promise *promise = calloc(1, sizeof(*promise)), *other;

	if (!promise)
		return NULL;
	promise->parent = parent;
	promise->task = t;
	promise->pages = pages;
	promise->charged = charged;
	if (charged < pages)
		promise->kin = family_promise(g, t, pages);
	if (!promise->kin) {
		promise->netted = over(most, pages);
		promise->pages += promise->netted;
		promise->charged += promise->netted;
	}
	promise->sticky = s->sticky + s->before_sticky + sticky_in_flight(s);
	promise->forced = s->forced + s->before_forced;
	promise->start_stack = s->start_stack;
	promise->start_brk = s->start_brk;
	promise->brk = s->brk;
	promise->brk_unsure = s->brk_unsure;
	promise->exact_only = s->exact_only;
	promise->odd = s->odd;
	LIST_FOREACH(other, &g->promises, entry)
		if (other->parent == promise->parent)
			mix(other, promise);
	LIST_INSERT_HEAD(&g->promises, promise, entry);
	ledger_set(&g->promised, g->promised.pages + promise->charged);
	return promise;
}

static bool is_orphan(struct group *g, const struct promise *promise)
{
	const struct proc *parent = group_find_proc(g, promise->parent);

	return !parent || group_proc_ended(parent);
}

/* A child of PARENT may have been another's, which has ended since. */
static bool may_be_of(struct group *g, const struct promise *promise, pid_t parent)
{
	return promise->parent == parent || (!g->forks && is_orphan(g, promise));
}

/* Of those that a child of PARENT may take, the lower goes first: one whose fork is
 * over is given up when no child is found, and one in flight has its child to come. */
static int order(const struct promise *promise, pid_t parent)
{
	return 2 * (promise->task != NULL) + (promise->parent != parent);
}

static void exchange_pages(struct promise *a, struct promise *b)
{
	const struct promise was = *a;

	a->pages = b->pages;
	a->charged = b->charged;
	a->netted = b->netted;
	b->pages = was.pages;
	b->charged = was.charged;
	b->netted = was.netted;
}

/* Whichever is the child's own, it takes the pages of the smallest: what stays is
 * enough for the children that are still to be seen.  Families keep what each has. */
struct promise *promise_of(struct group *g, pid_t parent)
{
	struct promise *promise, *ret = NULL, *least = NULL;
	bool any = false;

	LIST_FOREACH(promise, &g->promises, entry) {
		promise->candidate = may_be_of(g, promise, parent);
		if (!promise->candidate)
			continue;
		any |= promise->parent == parent;
		if (!ret || order(promise, parent) <= order(ret, parent)) /* of equal ones the oldest */
			ret = promise;
		if (!least || promise->pages < least->pages)
			least = promise;
	}
	if (!any)
		return NULL;
	if (g->forks)
		return ret;
	for (int i = 0; i < 2; i++) /* the second time all have what any has */
		LIST_FOREACH(promise, &g->promises, entry)
			if (promise != ret && promise->candidate)
				mix(promise, ret);
	exchange_pages(ret, least);
	return ret;
}

struct promise *promise_of_orphan(struct group *g)
{
	struct promise *promise, *oldest = NULL;

	LIST_FOREACH(promise, &g->promises, entry)
		if (promise->kin && is_orphan(g, promise))
			oldest = promise;
	return oldest;
}

void promise_drop(struct group *g, struct promise *promise)
{
	if (promise->task)
		flight_land(g, promise->task);
	if (promise->recorded)
		recorder_fork_gone(g, promise);
	ledger_set(&g->promised, g->promised.pages - promise->charged);
	LIST_REMOVE(promise, entry);
	if (LIST_EMPTY(&g->promises))
		g->promises_doubt = 0;
	if (promise->kin)
		family_child_lost(g, promise->kin, promise->charged);
	free(promise);
}

/* Of several the child's own may be the largest: then that stays. */
static void doubt_others(struct group *g, const struct promise *taken)
{
	const struct promise *promise;
	uint64_t most = 0;

	if (!taken->mixed)
		return;
	LIST_FOREACH(promise, &g->promises, entry)
		if (promise->mixed)
			most = larger(most, promise->charged);
	g->promises_doubt = add_saturating(g->promises_doubt, over(most, taken->charged));
}

void promise_keep(struct group *g, struct promise *promise, struct space *s)
{
	uint64_t readonly = promise->sticky + promise->forced;

	doubt_others(g, promise);
	s->landed = over(promise->pages, readonly);
	s->sticky = promise->sticky;
	s->forced = promise->forced;
	s->start_stack = promise->start_stack;
	s->start_brk = promise->start_brk;
	s->brk = promise->brk;
	s->brk_unsure = promise->brk_unsure;
	s->exact_only = promise->exact_only;
	s->odd = promise->odd;
	if (promise->kin)
		family_child_born(g, promise->kin, s);
	promise->kin = NULL;
	space_post(s);
	if (promise->recorded)
		recorder_forked(g, promise, s);
	promise_drop(g, promise);
}

/* Processes whose children are still to be looked at.  One file is open at a
 * time, however deep the tree is. */
struct pids {
	pid_t *pid;
	size_t nr, room;
};

struct search {
	struct group *g;
	pid_t parent; /* of those that are found now */
	struct pids todo, before; /* before: what the last search had there */
	bool found;
	bool unsure; /* something could not be read: there may be more */
};

static void search_adopt(struct search *search, pid_t pid, pid_t ppid)
{
	struct task_ids ids = { .tgid = pid };
	struct statm m = { 0 };
	int r;

	if (group_find_proc(search->g, pid))
		return;
	r = statm_of(pid, &m);
	if (r == 0 && m.size)
		r = task_ids_read(pid, &ids);
	search->unsure |= r < 0 && r != -ESRCH && r != -ENOENT;
	/* A zombie holds nothing: its promise, if any, is let go.  A helper of the
	 * supervisor is no process of the group: it lacks the filter. */
	if (r < 0 || m.size == 0 || ids.seccomp_filters <= search->g->own_filters)
		return;
	if (group_adopt(search->g, pid, ppid))
		search->found = true;
	else
		search->unsure |= task_ids_read(pid, &ids) == 0;
}

static int search_child(void *ctx, pid_t pid)
{
	struct search *search = ctx;
	struct pids *todo = &search->todo;

	search_adopt(search, pid, search->parent);
	if (todo->nr == todo->room) {
		size_t room = todo->room ? 2 * todo->room : 64;
		pid_t *more = realloc(todo->pid, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		todo->pid = more;
		todo->room = room;
	}
	todo->pid[todo->nr++] = pid;
	return 0;
}

static void search_children_of(struct search *search, pid_t parent)
{
	int r;

	search->parent = parent;
	r = children_list(parent, search_child, search);
	search->unsure |= r < 0 && r != -ESRCH && r != -ENOENT; /* gone meanwhile: has none */
}

static void search_tree(struct search *search)
{
	search_children_of(search, search->g->supervisor);
	for (size_t i = 0; i < search->todo.nr; i++)
		search_children_of(search, search->todo.pid[i]);
}

/* KERNEL without CONFIG_PROC_CHILDREN: every process of the host is asked for
 * its parent. */
static bool descends(const struct group *g, pid_t pid, pid_t *ret_ppid)
{
	struct task_stat st;
	pid_t up = pid;

	*ret_ppid = 0;
	for (int i = 0; i < DEPTH_MAX && up > 1; i++) {
		if (task_stat_read(up, &st) < 0)
			return false;
		if (up == pid)
			*ret_ppid = st.ppid;
		if (st.ppid == g->supervisor)
			return true;
		up = st.ppid;
	}
	return false;
}

static int search_process(void *ctx, pid_t pid)
{
	struct search *search = ctx;
	pid_t ppid;

	if (descends(search->g, pid, &ppid))
		search_adopt(search, pid, ppid);
	return 0;
}

static void search_all(struct search *search)
{
	struct pids before = search->before;

	search->before = search->todo;
	search->todo = before;
	search->todo.nr = 0;
	search->found = search->unsure = false;
	if (children_listed(search->g->supervisor))
		search_tree(search);
	else
		search->unsure = process_list(search_process, search) < 0;
}

static bool are_equal(const struct pids *a, const struct pids *b)
{
	return a->nr == b->nr && (a->nr == 0 || memcmp(a->pid, b->pid, a->nr * sizeof(*a->pid)) == 0);
}

static bool may_be_given_up(const struct group *g)
{
	const struct promise *promise;

	LIST_FOREACH(promise, &g->promises, entry)
		if (!promise->task)
			return true;
	return false;
}

void promise_discover(struct group *g)
{
	struct search search = { .g = g };
	struct promise *promise, *next;
	bool sure = false, again = true;

	for (int i = 0; i < SEARCHES && again; i++) {
		search_all(&search);
		sure = i > 0 && !search.found && !search.unsure && are_equal(&search.todo, &search.before);
		again = search.found || (!sure && may_be_given_up(g));
	}
	free(search.todo.pid);
	free(search.before.pid);
	if (!sure)
		return;
	for (promise = LIST_FIRST(&g->promises); promise; promise = next) {
		next = LIST_NEXT(promise, entry);
		if (!promise->task)
			promise_drop(g, promise);
	}
}

static int adopt_child(void *ctx, pid_t pid)
{
	struct search *search = ctx;

	search_adopt(search, pid, search->parent);
	return 0;
}

void promise_find_children(struct group *g, pid_t parent)
{
	struct search search = { .g = g, .parent = parent };

	if (children_listed(parent))
		(void)children_list(parent, adopt_child, &search); /* gone meanwhile: has none */
	else
		promise_discover(g);
}
