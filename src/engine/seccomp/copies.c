/* SPDX-License-Identifier: MIT
 *
 * copies: see the header.
 *
 * Rests on mm/memory.c handle_mm_fault, mm_account_fault: each page that is
 * copied because it was shared costs its process a fault.  A huge page brings
 * 512 pages by one; it shows in the child's count of anonymous pages, and for the
 * root it is charged.  What the root lets go of and a child still has, shows in
 * the root's count.
 */
#include "engine/seccomp/copies.h"

#include <stdlib.h>

#include "base/arith.h"
#include "base/bytes.h"
#include "engine/seccomp/space.h"
#include "sys/clock.h"
#include "sys/procfs.h"
#include "sys/rollup.h"

enum { GIVEN_BACK = 256 }; /* pages at a time that are more than an allocator's ways */

/* What cannot be read has ended, and leaves the family soon. */
static bool look_at(const struct space *s, struct kin_look *ret)
{
	struct proc *p;
	struct task_stat st;
	struct statm m;
	bool seen = false;

	*ret = (struct kin_look){ 0 };
	LIST_FOREACH(p, &s->procs, in_space) {
		if (task_stat_read(p->pid, &st) < 0)
			continue;
		ret->faults += st.faults;
		if (!seen && group_proc_statm(p, &m) == 0) {
			ret->anon = m.anon;
			seen = m.size > 0;
		}
	}
	return seen;
}

/* A user of the space that left has taken its faults with it. */
static uint64_t since(struct family *f, const struct kin *kin, const struct kin_look *now)
{
	if (now->faults < kin->last.faults)
		f->stale = true;
	return over(now->faults, kin->last.faults);
}

void copies_look(struct family *f, uint64_t now_ns)
{
	uint64_t copied = 0, left = 0, rate;
	struct kin_look now;
	const struct kin *kin;

	if (f->root && look_at(f->root->space, &now)) {
		copied += since(f, f->root, &now);
		left = over(f->root->last.anon, now.anon);
		f->root_anon = now.anon;
		if (left && !f->root->space->exact_only)
			space_look_fast(f->root->space); /* its floor holds what it gave back */
	}
	LIST_FOREACH(kin, &f->children, entry)
		if (look_at(kin->space, &now))
			copied += since(f, kin, &now) + over(now.anon, kin->last.anon);
	rate = now_ns > f->bound_ns ? over(copied, f->copied) * 1000000000 / (now_ns - f->bound_ns) : 0;
	f->rate -= f->rate / 4;
	if (rate > f->rate)
		f->rate = rate;
	f->copied = copied;
	if (left > f->left + GIVEN_BACK)
		f->left_ns = now_ns;
	f->left = left;
	f->bound = f->extra + copied + left;
	f->bound_ns = now_ns;
}

struct member {
	pid_t pid;
	struct kin *kin;
	struct kin_look look;
	struct rollup pages;
};

static void add_member(struct member *m, struct kin *kin)
{
	m->kin = kin;
	m->pid = space_live_task(kin->space);
	(void)look_at(kin->space, &m->look); /* ended: then the count fails */
}

/* Where one child shares with its parent alone, its own pages tell: those that it
 * shares count half in its Pss.  The parent, which then is not walked, must have
 * called exec since it was forked itself. */
static bool child_tells(const struct family *f)
{
	struct task_stat st;

	return f->root && f->nr_children == 1 && f->nr_promised == 0 &&
	       task_stat_read(LIST_FIRST(&f->root->space->procs)->pid, &st) == 0 && !st.never_execed;
}

static bool read_members(struct member *m, uint32_t from, uint32_t nr)
{
	for (uint32_t i = from; i < nr; i++)
		if (m[i].pid <= 0 || rollup_read("/proc", m[i].pid, &m[i].pages) < 0)
			return false;
	return true;
}

static uint64_t extra_pages(const struct member *m, uint32_t nr, bool child_alone, bool rooted)
{
	uint64_t pss = 0;

	if (child_alone)
		return bytes_to_pages(over(2 * m[1].pages.anon_pss, m[1].pages.anon));
	for (uint32_t i = 0; i < nr; i++)
		pss += m[i].pages.anon_pss;
	return bytes_to_pages(over(pss, rooted ? m[0].pages.anon : 0));
}

static bool still_the_same(const struct group *g, const struct family *f, uint64_t changes)
{
	const struct family *each;

	LIST_FOREACH(each, &g->forks->families, entry)
		if (each == f)
			return f->changes == changes;
	return false;
}

static void take_count(struct family *f, struct member *m, uint32_t nr, uint64_t extra, uint64_t began_ns)
{
	for (uint32_t i = 0; i < nr; i++) {
		m[i].kin->last = m[i].look;
		m[i].kin->own_pages = bytes_to_pages(m[i].pages.anon_pss);
	}
	f->extra = f->bound = extra;
	f->copied = 0;
	f->stale = false;
	f->exact_cost_ns = clock_ns(CLOCK_MONOTONIC) - began_ns;
	f->bound_ns = began_ns;
}

bool copies_count(struct group *g, struct family *f)
{
	uint64_t began_ns = clock_ns(CLOCK_MONOTONIC), rate = f->rate, changes = f->changes;
	struct member *m = calloc(f->nr_children + 1, sizeof(*m));
	bool rooted = f->root != NULL, child_alone = child_tells(f), read;
	uint32_t nr = 0;
	struct kin *kin;

	if (!m)
		return false;
	if (rooted)
		add_member(&m[nr++], f->root);
	LIST_FOREACH(kin, &f->children, entry)
		add_member(&m[nr++], kin);
	pthread_mutex_unlock(&g->lock);
	read = read_members(m, child_alone ? 1 : 0, nr);
	pthread_mutex_lock(&g->lock);
	group_reap(g); /* who ended meanwhile has left the family */
	if (read && still_the_same(g, f, changes)) {
		take_count(f, m, nr, extra_pages(m, nr, child_alone, rooted), began_ns);
		copies_look(f, clock_ns(CLOCK_MONOTONIC));
		if (f->rate < rate)
			f->rate = rate;
	} else {
		read = false;
	}
	free(m);
	return read;
}
