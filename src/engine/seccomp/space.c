/* SPDX-License-Identifier: MIT
 *
 * space: see the header.
 *
 * Rests on R-004: over the mappings of a process, charged = (data + stack of
 * statm) - what is writable and private but free (hugetlb, droppable) + what
 * was made read-only after it was charged.
 */
#include "engine/seccomp/space.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arith.h"
#include "base/bytes.h"
#include "engine/seccomp/recorder.h"
#include "engine/seccomp/family.h"
#include "sys/clock.h"
#include "sys/procfs.h"

enum { STICKY_OF_LOADING = 256 }; /* pages: of the libraries of a process */

struct space *space_new(struct group *g, struct proc *p)
{
	struct space *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	LIST_INIT(&s->procs);
	LIST_INSERT_HEAD(&g->spaces, s, entry);
	ledger_join(&s->hold, g->ledger);
	space_attach(g, p, s);
	return s;
}

void space_add_flight(struct space *s, struct task *t)
{
	s->inflight += t->flight_pages + t->flight_sticky;
	s->netted += t->flight_most - t->flight_pages;
	if (t->flight_op == OP_MREMAP) {
		s->movers++;
		s->moving += bytes_to_pages(t->flight_arg1);
	}
	t->flight_looks = s->looks;
}

uint64_t space_remove_flight(struct space *s, const struct task *t)
{
	uint64_t netted = t->flight_most - t->flight_pages;
	uint64_t exposed = t->flight_looks != s->looks ? netted : 0;

	s->inflight -= t->flight_pages + t->flight_sticky;
	s->netted -= netted;
	s->exposed -= exposed;
	if (t->flight_op == OP_MREMAP) {
		s->movers--;
		s->moving -= bytes_to_pages(t->flight_arg1);
	}
	return exposed;
}

/* What threads of P have in flight goes with it. */
static void take_flights(const struct proc *p, struct space *from, struct space *to)
{
	struct task *t;

	LIST_FOREACH(t, &p->tasks, in_proc) {
		if (t->flight != FLIGHT_SPACE)
			continue;
		space_remove_flight(from, t);
		space_add_flight(to, t);
	}
}

void space_attach(struct group *g, struct proc *p, struct space *s)
{
	struct space *old = p->space;

	if (old)
		LIST_REMOVE(p, in_space);
	if (old && s)
		take_flights(p, old, s);
	p->space = s;
	if (s)
		LIST_INSERT_HEAD(&s->procs, p, in_space);
	if (old && LIST_EMPTY(&old->procs)) {
		if (old->recorded)
			recorder_space_gone(g, old);
		if (old->kin)
			family_leave(g, old);
		ledger_leave(&old->hold);
		LIST_REMOVE(old, entry);
		free(old);
	}
}

static uint64_t parts(const struct space *s)
{
	return s->data + s->landed + s->inflight + s->exposed + s->sticky + s->forced + s->before_sticky +
	       s->before_forced;
}

uint64_t space_kernel_pages(const struct space *s)
{
	return larger(parts(s), s->exec_image);
}

/* A program that makes memory read-only and writable again has it in data and in
 * sticky.  The little that a loader makes read-only stays so. */
uint64_t space_doubtful_sticky(const struct space *s)
{
	uint64_t pages = over(s->sticky, s->counted_sticky);

	return pages > STICKY_OF_LOADING ? pages : 0;
}

void space_doubt_sticky(struct space *s, uint64_t pages)
{
	uint64_t loading = smaller(s->counted_sticky, STICKY_OF_LOADING);

	s->counted_sticky = larger(over(s->counted_sticky, pages), loading);
}

/* A call that was in flight when its space was looked at may be in both figures;
 * so is an image beside the one that has replaced it. */
uint64_t space_doubtful_pages(const struct space *s)
{
	return s->looked_inflight + s->looked_moving + s->exposed + s->replaced + space_doubtful_sticky(s) +
	       over(s->exec_image, parts(s));
}

void space_post(struct space *s)
{
	uint64_t pages = space_kernel_pages(s);

	ledger_set(&s->hold, s->kin ? family_hold(s, pages) : pages);
}

/* 0 for errors that say that the task has ended. */
static int unless_gone(int r)
{
	return r == -ESRCH || r == -ENOENT ? 0 : r;
}

struct live_task {
	struct statm *m;
	pid_t tid;
};

static int first_with_memory(void *ctx, pid_t tid)
{
	struct live_task *live = ctx;
	int r = statm_of(tid, live->m);

	if (r < 0)
		return unless_gone(r);
	live->tid = tid;
	return live->m->size > 0;
}

/* The leader may have ended while other threads go on: its files are empty then. */
static pid_t proc_live_task(struct proc *p, struct statm *ret)
{
	struct live_task live = { ret, 0 };
	int r = group_proc_statm(p, ret);

	if (r == 0 && ret->size > 0)
		return p->pid;
	if (r == 0)
		r = task_list(p->pid, first_with_memory, &live);
	return r > 0 ? live.tid : unless_gone(r);
}

/* A user that is in execve may have left already: its files then show the new
 * image.  It is asked only where nobody else can be. */
pid_t space_statm(const struct space *s, struct statm *ret)
{
	struct proc *p;
	pid_t tid;
	int failed = 0;

	for (int in_exec = 0; in_exec < 2; in_exec++) {
		LIST_FOREACH(p, &s->procs, in_space) {
			if (p->exec_pending != in_exec)
				continue;
			tid = proc_live_task(p, ret);
			if (tid > 0)
				return tid;
			if (tid < 0)
				failed = tid;
		}
	}
	return failed;
}

bool space_only_user(const struct task *t)
{
	return t->proc->nr_tasks == 1 && !LIST_NEXT(LIST_FIRST(&t->proc->space->procs), in_space);
}

pid_t space_live_task(const struct space *s)
{
	struct statm m;
	pid_t tid = space_statm(s, &m);

	return tid > 0 ? tid : 0;
}

/* Every user is ending and the memory is gone; the exits follow. */
static void space_is_gone(struct space *s)
{
	s->data = s->landed = s->sticky = s->forced = 0;
	s->before_sticky = s->before_forced = s->looked_inflight = s->looked_moving = s->replaced = 0;
	space_post(s);
}

/* What the calls in flight were found to replace may be gone from what was read. */
static void looked(struct space *s)
{
	s->landed = s->replaced = 0;
	s->looked_inflight = s->inflight;
	s->looked_moving = s->moving;
	s->exposed = s->netted;
	s->looks++;
	s->looked_call = LIST_FIRST(&s->procs)->group->notifications;
}

static void take_statm(struct space *s, const struct statm *m)
{
	uint64_t other = over(m->size, m->data);

	s->data = m->data;
	looked(s);
	if (s->sticky > other)
		s->sticky = other; /* what is sticky is mapped, and not in data */
	space_post(s);
}

void space_look_fast(struct space *s)
{
	struct statm m;
	pid_t tid = space_statm(s, &m);

	if (tid > 0)
		take_statm(s, &m);
	else if (tid == 0)
		space_is_gone(s);
}

void space_look(struct group *g, struct space *s)
{
	if (s->outside)
		return;
	(void)space_know_image(s);
	if (s->exact_only && !s->unreadable)
		space_count(g, s, NULL, NULL);
	else
		space_look_fast(s);
}

void space_doubt_image(struct space *s)
{
	(void)space_know_image(s); /* of an execve before it */
	s->before_sticky += s->sticky;
	s->before_forced += s->forced;
	s->sticky = s->forced = 0;
	s->image_unsure = true;
	s->counted_sticky = 0;
	space_post(s);
}

/* A new image has a new stack at a new place; without address randomisation
 * it may be the same place, then the old image's bounds are kept.  So they are where
 * the old one's place was never known. */
bool space_know_image(struct space *s)
{
	struct task_stat st;
	bool same, known = s->start_stack != 0 || s->outside;

	if (!s->image_unsure || task_stat_read(LIST_FIRST(&s->procs)->pid, &st) < 0)
		return false;
	same = known ? st.start_stack == s->start_stack && st.start_brk == s->start_brk : st.never_execed;
	if (same || !known) {
		s->sticky += s->before_sticky;
		s->forced += s->before_forced;
	}
	if (!same) {
		s->start_stack = st.start_stack;
		s->start_brk = st.start_brk;
		s->brk = known ? st.start_brk : 0;
		s->brk_unsure = false;
		if (known)
			s->exact_only = s->odd = s->unreadable = s->outside = false;
	}
	s->before_sticky = s->before_forced = s->replaced = 0;
	s->image_unsure = false;
	space_post(s);
	return !same;
}

enum {
	COUNT_TRIES = 8, /* readings, while other threads change what is read */
	COUNT_HOLDS_MS = 100, /* a count is believed that long, while the counters stand still */
	COUNT_QUIET = 2, /* of these, before a standing difference is believed */
};

struct count {
	enum overcommit mode;
	uint64_t held, held_in_data, in_data, forced;
	bool some; /* there was a mapping */
	vma_fn *each;
	void *ctx;
};

static int count_vma(void *ctx, const struct vma *vma, const char *name)
{
	struct count *count = ctx;
	uint64_t held = rules_vma_pages(count->mode, vma, NULL);

	count->some = true;
	count->held += held;
	if (rules_vma_in_data(vma)) {
		count->held_in_data += held;
		count->in_data += (vma->end - vma->start) >> PAGE_SHIFT;
	}
	count->forced += rules_vma_forced_pages(count->mode, vma);
	if (count->each)
		(void)count->each(count->ctx, vma, name); /* an observer: it cannot end the count */
	return 0;
}

/* One reading of smaps. */
static int count_once(struct count *count, pid_t tid)
{
	int r;

	count->held = count->held_in_data = count->in_data = count->forced = 0;
	count->some = false;
	if (count->each)
		(void)count->each(count->ctx, NULL, NULL);
	r = smaps_walk("/proc", tid, count_vma, count);
	return r == 0 && !count->some ? -ESRCH : r; /* it has let go of its memory */
}

/* It comes in pieces: a mapping that another thread moves meanwhile may be missed
 * or seen twice, which shows against the counters.  Of several users, the one whose
 * file is read may end: then another's is.  Returns 1 when the reading holds
 * together, 0 when it does not, -ESRCH when the memory is gone, -EAGAIN when nothing
 * could be read, not even the counters, or -errno of smaps. */
static int count_steady(const struct space *s, struct count *count, struct statm *ret)
{
	struct statm before;
	pid_t tid;
	int r;

	for (int i = 0; i < COUNT_TRIES; i++) {
		tid = space_statm(s, &before);
		if (tid <= 0)
			return tid ? -EAGAIN : -ESRCH;
		*ret = before;
		r = count_once(count, tid);
		if (r < 0 && unless_gone(r) == 0)
			continue;
		if (r < 0)
			return r;
		tid = space_statm(s, ret);
		if (tid <= 0)
			return tid ? -EAGAIN : -ESRCH;
		/* Quiet and still different: the kernel counts what we do not know of, unless
		 * a mapping moved each time, which the counters do not show. */
		if (before.data == ret->data && (count->in_data == ret->data || (i >= COUNT_QUIET && !s->movers)))
			return 1;
	}
	return 0;
}

bool space_count(struct group *g, struct space *s, vma_fn *each, void *ctx)
{
	struct count count = { .mode = g->ledger->limit.mode, .each = each, .ctx = ctx };
	struct statm m;
	bool least;
	int r;

	if (s->outside)
		return false;
	r = count_steady(s, &count, &m);
	if (r == -ESRCH) {
		space_is_gone(s);
		return false;
	}
	if (r == -EAGAIN)
		return false;
	s->unreadable = r == -EACCES || r == -EPERM;
	if (r != 1) {
		take_statm(s, &m); /* denied, or never at rest: the counters stand */
		return false;
	}
	least = s->movers > 0; /* what moves may be missed: where it is read-only, no counter shows it */
	s->data = count.held_in_data;
	s->sticky = s->counted_sticky = larger(count.held - count.held_in_data, least ? s->sticky : 0);
	s->forced = larger(count.forced, least ? s->forced : 0);
	s->before_sticky = s->before_forced = 0;
	looked(s);
	s->exact_only = s->odd || count.in_data != count.held_in_data;
	s->counted_ms = clock_coarse_ms();
	s->counted_size = m.size;
	s->counted_data = m.data;
	s->counted_kept = s->sticky + s->forced;
	space_post(s);
	return true;
}

void space_look_for_peak(struct group *g, struct space *s, uint64_t now_ms)
{
	space_look(g, s);
	if (!space_doubtful_sticky(s) || s->exact_only)
		return;
	if (s->peak_ms && now_ms - s->peak_ms < COUNT_HOLDS_MS)
		return;
	if (s->peak_ms)
		space_count(g, s, NULL, NULL);
	s->peak_ms = now_ms;
}

bool space_counted_lately(const struct space *s)
{
	struct statm m;

	/* What was noted since may be a bound on nothing: an mprotect of shared memory, a
	 * page that is poked twice.  statm does not tell. */
	if (s->landed || s->sticky + s->forced != s->counted_kept)
		return false;
	return s->counted_ms && clock_coarse_ms() - s->counted_ms < COUNT_HOLDS_MS && space_statm(s, &m) > 0 &&
	       m.size == s->counted_size && m.data == s->counted_data;
}
