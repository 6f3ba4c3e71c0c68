/* SPDX-License-Identifier: MIT
 *
 * watch: see the header.
 *
 * What is decided here is decided ahead: from a decision till a child's pages are
 * gone takes a few milliseconds, in which the copying goes on.  So what is left
 * has to last for LEAD_NS at the rate of late.
 */
#include "engine/seccomp/watch.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arith.h"
#include "engine/seccomp/copies.h"
#include "engine/seccomp/ending.h"
#include "engine/seccomp/flight.h"
#include "engine/seccomp/promise.h"
#include "engine/seccomp/space.h"
#include "engine/seccomp/vault.h"
#include "sys/clock.h"
#include "sys/procfs.h"
#include "sys/uapi.h"

enum {
	MS = 1000000,
	LOOK_MOST_NS = 50 * MS,
	LOOK_LEAST_NS = MS / 4,   /* while pages are copied */
	LOOK_QUIET_NS = MS,       /* while none are */
	LEAD_NS = 4 * MS,         /* to stop a child, to copy its stack, to end it */
	TEARDOWN_PAGE_NS = 100,   /* and to free a page of it */
	COUNT_PAGE_NS = 60,       /* to count a page of it */
	TERM_LEAD_NS = 20 * MS,   /* more, where it is asked first */
	MORE_FOR_NS = 20 * MS,    /* what is asked for, at the rate of late */
	MORE_LEAST = 64,
	CUSHION_MOST = 512,
	RATE_MOST_MS = 1000,      /* pages that a thread copies in a millisecond at most */
	SEARCH_NS = 2 * MS,       /* between two searches for a promised child */
	SETTLE_NS = 100 * MS,     /* and for one that may never come */
	STALE_NS = 5 * MS,        /* members come and go together */
	SHORT_NS = 100 * MS,      /* for what the root gave back to be seen */
	EXTENDED_MOST = 28,       /* quarters of the grace: eight times as long in all */
	KILL_WAIT_NS = 200 * MS,  /* till another is ended, because one does not die */
};

static uint64_t at_rate(const struct family *f, uint64_t ns)
{
	return (uint64_t)((unsigned __int128)f->rate * ns / 1000000000);
}

static uint64_t headroom(const struct group *g)
{
	return over(limit_commit(&g->ledger->limit), g->ledger->committed + g->reserved);
}

/* Pages that may be copied till a child that is ended now has let go of its own. */
static uint64_t lead_pages(const struct family *f, uint64_t available)
{
	uint64_t most = 0, cushion = available / 32;
	const struct kin *kin;

	LIST_FOREACH(kin, &f->children, entry)
		if (kin->last.anon > most)
			most = kin->last.anon;
	if (cushion > CUSHION_MOST)
		cushion = CUSHION_MOST;
	return at_rate(f, LEAD_NS + most * TEARDOWN_PAGE_NS) + cushion;
}

/* Nothing is left out of what the kernel charges: nothing can be used up. */
static bool charged_in_full(const struct family *f)
{
	const struct kin *kin;

	if (f->nr_promised)
		return false;
	LIST_FOREACH(kin, &f->children, entry)
		if (kin->reserve < kin->base)
			return false;
	return true;
}

static bool fits(const struct group *g, uint64_t pages)
{
	const struct requester nobody = { 0 };
	uint64_t request;

	if (__builtin_add_overflow(pages, g->reserved, &request))
		return false;
	return ledger_decide(g->ledger, request, &nobody, NULL) == VERDICT_GRANT;
}

/* The bounds of all are made tighter where that is cheap. */
static void look_at_all(struct group *g)
{
	struct space *s;

	LIST_FOREACH(s, &g->spaces, entry)
		if (!s->exact_only)
			space_look(g, s);
}

static bool raise_one(struct group *g, struct kin *kin, uint64_t pages)
{
	if (pages > kin->base - kin->reserve)
		pages = kin->base - kin->reserve;
	if (pages == 0 || !fits(g, pages))
		return false;
	kin->reserve += pages;
	space_post(kin->space);
	g->forks->raised = true;
	return true;
}

/* Takes at least NEED pages more from the group's headroom. */
static bool raise_reserve(struct group *g, struct family *f, uint64_t need)
{
	uint64_t want = at_rate(f, MORE_FOR_NS), had = family_available(g, f);
	struct kin *kin;

	want = want > 2 * need ? want : 2 * need;
	LIST_FOREACH(kin, &f->children, entry) {
		uint64_t most = want > kin->base / 64 ? want : kin->base / 64;

		most = most > MORE_LEAST ? most : MORE_LEAST;
		if (raise_one(g, kin, most) || raise_one(g, kin, need))
			if (family_available(g, f) - had >= need)
				return true;
	}
	if (charged_in_full(f))
		return true;
	/* Children that are not here yet may have made copies, too. */
	need -= family_available(g, f) - had;
	if (!f->nr_promised || !fits(g, need))
		return false;
	family_keep_more(f, need);
	return true;
}

static bool raise_somehow(struct group *g, struct family *f, uint64_t need)
{
	if (raise_reserve(g, f, need))
		return true;
	look_at_all(g);
	return raise_reserve(g, f, need);
}

static struct kin *victim_of(const struct family *f)
{
	struct kin *kin, *victim = NULL;

	LIST_FOREACH(kin, &f->children, entry)
		if (!victim || kin->end > victim->end || (kin->end == victim->end && kin->own_pages > victim->own_pages))
			victim = kin;
	return victim;
}

static void end_child(struct group *g, struct family *f, struct kin *kin, uint64_t wanted, bool at_once, uint64_t now)
{
	const struct fork_policies *policies = g->forks->policies;
	bool over_grace = kin->end == KIN_TERM && now - kin->end_ns >= policies->end_grace_ms * MS;

	if (kin->end == KIN_KILL)
		return;
	if (kin->end == KIN_TERM) {
		if (!at_once && !over_grace)
			return;
		ending_kill(kin);
		kin->end = KIN_KILL;
	} else {
		at_once |= policies->end_by_kill;
		g->forks->ended++;
		ending_start(g->forks->watch, f, kin, at_once ? SIGKILL : SIGTERM, wanted);
		kin->end = at_once ? KIN_KILL : KIN_TERM;
	}
	kin->end_ns = now;
}

/* The reserve is used up, or will be in a moment: there is no headroom. */
static void end_one(struct group *g, struct family *f, uint64_t wanted, bool at_once, uint64_t now)
{
	struct kin *kin, *victim = victim_of(f);

	if (!victim)
		return;
	if (victim->end == KIN_KILL && now - victim->end_ns > KILL_WAIT_NS)
		LIST_FOREACH(kin, &f->children, entry)
			if (kin->end != KIN_KILL)
				victim = kin;
	end_child(g, f, victim, wanted, at_once, now);
}

static bool all_in_grace(const struct family *f)
{
	const struct kin *kin;

	LIST_FOREACH(kin, &f->children, entry)
		if (!kin->deadline_ns)
			return false;
	return f->root && f->nr_children;
}

static uint64_t held_by_children(const struct family *f)
{
	const struct kin *kin;
	uint64_t sum = 0;

	LIST_FOREACH(kin, &f->children, entry)
		sum += kin->space->hold.pages;
	return sum;
}

static struct family *family_of(const struct group *g, const struct family *f)
{
	struct family *each;

	LIST_FOREACH(each, &g->forks->families, entry)
		if (each == f)
			return each;
	return NULL;
}

/* What the root gives back a child may still have: then the family is short of
 * charge, but has no page more than before.  Till the root's own charge falls, or
 * it has touched what it was promised, that can wait: a munmap is long under way. */
static bool can_wait(struct family *f, uint64_t available, uint64_t lead, uint64_t now)
{
	if (!f->root || now - f->left_ns > SHORT_NS || f->root_anon + f->bound - f->left + lead >= space_kernel_pages(f->root->space) + available)
		return false;
	if (!f->short_ns)
		f->short_ns = now;
	return now - f->short_ns < SHORT_NS;
}

/* A child is being ended: to count its pages would only hold that up. */
static bool one_is_ending(const struct family *f, uint64_t now)
{
	const struct kin *kin;

	LIST_FOREACH(kin, &f->children, entry)
		if (kin->end == KIN_KILL && now - kin->end_ns < KILL_WAIT_NS)
			return true;
	return false;
}

/* What a count could show less than the bound is little: it would take longer than
 * it is worth, for all the while pages are copied. */
static bool bound_is_tight(const struct family *f, uint64_t available)
{
	return f->bound - f->extra <= available / 16;
}

/* How long the next count will take: the last, or a guess at the first. */
static uint64_t count_ns(const struct family *f)
{
	const struct kin *kin;
	uint64_t ns = 0;

	LIST_FOREACH(kin, &f->children, entry)
		ns += kin->last.anon * COUNT_PAGE_NS;
	return ns > f->exact_cost_ns ? ns : f->exact_cost_ns;
}

/* Holds what is copied against what is charged.  Returns false when F may be gone. */
static bool hold_to_charge(struct group *g, struct family *f)
{
	uint64_t available = family_available(g, f), lead = lead_pages(f, available), soft;
	uint64_t now = f->bound_ns;

	if (f->nr_children == 0 || (charged_in_full(f) && !f->stale) || one_is_ending(f, now))
		return true;
	/* Where the whole is charged soon or gone, a count costs more than it saves. */
	if (all_in_grace(f) && !f->stale && f->bound + lead >= available &&
	    raise_reserve(g, f, f->bound + lead - available + 1))
		return true;
	soft = g->forks->policies->end_by_kill ? 0 : at_rate(f, TERM_LEAD_NS);
	if (soft > available / 16)
		soft = available / 16;
	if ((!bound_is_tight(f, available) && f->bound + lead + soft + at_rate(f, count_ns(f)) >= available) ||
	    (f->stale && now - f->stale_since_ns > STALE_NS)) {
		if (copies_count(g, f))
			family_keep_only(f, over(f->extra + lead + soft, held_by_children(f)));
		else if (!family_of(g, f) || f->nr_children == 0)
			return false;
		available = family_available(g, f);
		lead = lead_pages(f, available);
	}
	if (f->bound + lead + soft < available || charged_in_full(f)) {
		f->short_ns = 0;
		return true;
	}
	if (!raise_somehow(g, f, f->bound + lead + soft - available + 1) && !can_wait(f, available, lead, now))
		end_one(g, f, f->bound + lead + soft - available + 1, f->bound + lead >= available, now);
	return true;
}

/* On an overloaded host a new process may wait seconds for a processor.  One that
 * has hardly run, and is not asleep but for its execve, is given more time.  The
 * wait that it is in now shows nowhere but in that it does not run. */
static bool is_kept_waiting(struct kin *kin)
{
	uint64_t ran_before = kin->run_ns;
	pid_t pid = LIST_FIRST(&kin->space->procs)->pid;
	struct task_stat st;
	struct task_sched sched;
	struct task_call call;

	if (kin->extended >= EXTENDED_MOST || task_stat_read(pid, &st) < 0)
		return false;
	if (st.state == 'R') {
		if (task_sched_read(pid, &sched) < 0 || sched.run_ns >= kin->grace_ns / 2)
			return false;
		kin->run_ns = sched.run_ns;
		return !kin->extended || sched.wait_ns >= kin->grace_ns / 4 ||
		       sched.run_ns - ran_before < kin->grace_ns / 16;
	}
	return task_call_read(pid, &call) == 0 && call.where == TASK_BLOCKED &&
	       (call.nr == SYS_execve || call.nr == SYS_execveat);
}

/* The time of an exec is over: all of it is charged, or it ends. */
static void check_deadlines(struct group *g, struct family *f, uint64_t now)
{
	struct kin *kin;

	LIST_FOREACH(kin, &f->children, entry) {
		uint64_t rest = kin->base - kin->reserve;

		if (!kin->deadline_ns || now < kin->deadline_ns)
			continue;
		if (rest && is_kept_waiting(kin)) {
			kin->deadline_ns += kin->grace_ns / 4;
			kin->extended++;
			continue;
		}
		if (rest && !raise_one(g, kin, rest)) {
			look_at_all(g);
			if (!raise_one(g, kin, rest)) {
				end_child(g, f, kin, rest, false, now);
				continue;
			}
		}
		kin->deadline_ns = 0;
	}
}

/* A child that was asked to end is given its time, and no more. */
static void check_endings(struct group *g, struct family *f, uint64_t now)
{
	struct kin *kin;

	LIST_FOREACH(kin, &f->children, entry)
		if (kin->end == KIN_TERM)
			end_child(g, f, kin, 0, false, now);
}

static void search_promised(struct group *g, struct family *f, uint64_t now)
{
	const struct promise *promise;

	/* One that has ended unseen is told by the search of all, when its fork is known to be over. */
	if (!f->promised_ns)
		f->promised_ns = now;
	if (now - f->promised_ns > SETTLE_NS) {
		f->promised_ns = now;
		flight_settle_seen(g, NULL);
		promise_discover(g);
		return;
	}
	LIST_FOREACH(promise, &g->promises, entry) {
		if (promise->kin && promise->kin->family == f) {
			promise_find_children(g, promise->parent);
			return;
		}
	}
}

/* Members whose image is another by now.  An execve under way stays in flight. */
static void drop_execed(struct group *g, struct family *f)
{
	struct kin *kin = LIST_FIRST(&f->children), *next;
	struct task_stat st;

	for (; kin; kin = next) {
		struct space *s = kin->space;
		const struct proc *p = LIST_FIRST(&s->procs);
		bool last = f->nr_children + f->nr_promised == 1;

		next = LIST_NEXT(kin, entry);
		if (LIST_NEXT(p, in_space) || task_stat_read(p->pid, &st) < 0 || st.never_execed)
			continue;
		space_look_fast(s);
		family_leave(g, s);
		space_post(s);
		if (last)
			return; /* the family is gone */
	}
}

static uint64_t threads_of(const struct family *f)
{
	static uint64_t cpus;
	struct task_stat st;
	const struct kin *kin;
	uint64_t nr = f->nr_promised;

	if (!cpus)
		cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	if (f->root && task_stat_read(LIST_FIRST(&f->root->space->procs)->pid, &st) == 0)
		nr += st.threads;
	LIST_FOREACH(kin, &f->children, entry)
		if (task_stat_read(LIST_FIRST(&kin->space->procs)->pid, &st) == 0)
			nr += st.threads;
	if (nr > cpus)
		nr = cpus;
	return nr ? nr : 1;
}

/* A quarter of the time in which all that is left, headroom included, could be
 * copied by as many threads as there are. */
static uint64_t pause_of(const struct group *g, const struct family *f)
{
	uint64_t left = over(family_available(g, f) + headroom(g), f->bound);
	uint64_t ns = left * MS / (4 * RATE_MOST_MS * threads_of(f));
	uint64_t least = f->rate ? LOOK_LEAST_NS : LOOK_QUIET_NS;

	if (ns > LOOK_MOST_NS || (charged_in_full(f) && !f->stale))
		ns = LOOK_MOST_NS;
	if (f->nr_promised && ns > SEARCH_NS)
		ns = SEARCH_NS;
	/* A slow writer is not looked at as one that could be fast at any moment. */
	if (f->rate < 16 * RATE_MOST_MS && least < LOOK_QUIET_NS)
		least = LOOK_QUIET_NS;
	return ns > least ? ns : least;
}

static void look_at_family(struct group *g, struct family *f, uint64_t now)
{
	if (f->nr_promised)
		search_promised(g, f, now);
	f = family_of(g, f);
	if (f)
		drop_execed(g, f);
	f = family_of(g, f);
	if (f && !f->root)
		family_find_heir(g, f);
	f = family_of(g, f);
	if (!f)
		return;
	if (!f->nr_promised)
		f->promised_ns = 0;
	copies_look(f, now);
	check_deadlines(g, f, now);
	check_endings(g, f, now);
	if (!hold_to_charge(g, f))
		f = family_of(g, f);
	if (f)
		f->next_ns = clock_ns(CLOCK_MONOTONIC) + pause_of(g, f);
}

/* Looks at the families whose time has come.  Returns when the next one's is; 0
 * while there is none. */
static uint64_t look_at_families(struct group *g)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), next = 0;
	struct family *f;
	bool again;

	group_reap(g); /* what has ended copies nothing */
	do {
		again = false;
		LIST_FOREACH(f, &g->forks->families, entry) {
			if (f->next_ns > now)
				continue;
			if (f->next_ns)
				look_at_family(g, f, now);
			else
				f->next_ns = now + pause_of(g, f);
			again = true; /* the list may be another */
			break;
		}
	} while (again);
	if (g->forks->raised) {
		group_reap(g);
		vault_note_needed(g);
		g->forks->raised = false;
	}
	LIST_FOREACH(f, &g->forks->families, entry)
		if (!next || f->next_ns < next)
			next = f->next_ns;
	return next;
}

/* Woken late it lets through what it is there to hold.  A nice value counts only
 * within a session where the kernel groups by that, so real time is asked for
 * first; then, as anybody may, to run for short times (Linux 6.12). */
static void be_prompt(void)
{
	static const struct sched_attr ways[] = {
		{ .size = sizeof(ways[0]), .sched_policy = SCHED_FIFO, .sched_priority = 1,
		  .sched_flags = SCHED_FLAG_RESET_ON_FORK },
		{ .size = sizeof(ways[0]), .sched_policy = SCHED_OTHER, .sched_nice = -20, .sched_runtime = 100000,
		  .sched_flags = SCHED_FLAG_RESET_ON_FORK },
		{ .size = sizeof(ways[0]), .sched_policy = SCHED_OTHER, .sched_runtime = 100000 },
	};

	(void)prctl(PR_SET_TIMERSLACK, 1);
	(void)prctl(PR_SET_NAME, "surety-watch");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (syscall(SYS_sched_setattr, 0, &ways[i], 0) == 0)
			return;
}

static void *watch_main(void *arg)
{
	struct watch *w = arg;
	struct group *g = w->group;

	be_prompt();
	pthread_mutex_lock(&g->lock);
	for (;;) {
		w->until_ns = look_at_families(g);
		if (w->until_ns) {
			const struct timespec until = { .tv_sec = (time_t)(w->until_ns / 1000000000),
							.tv_nsec = (long)(w->until_ns % 1000000000) };

			(void)pthread_cond_clockwait(&w->wake, &g->lock, CLOCK_MONOTONIC, &until);
		} else {
			(void)pthread_cond_wait(&w->wake, &g->lock);
		}
	}
	return NULL;
}

void watch_init(struct watch *w, struct group *g, const char *name, struct capture_thread *capture)
{
	w->group = g;
	w->name = name;
	w->capture = capture;
	pthread_cond_init(&w->wake, NULL);
	pthread_cond_init(&w->ended, NULL);
}

bool watch_ready(struct group *g)
{
	struct watch *w = g->forks->watch;

	/* It ends with the process. */
	if (!w->started)
		w->started = pthread_create(&w->thread, NULL, watch_main, w) == 0 && pthread_detach(w->thread) == 0;
	return w->started;
}

void watch_wake(struct group *g)
{
	struct watch *w = g->forks->watch;
	uint64_t now;

	if (!w->until_ns) {
		pthread_cond_signal(&w->wake);
		return;
	}
	now = clock_ns(CLOCK_MONOTONIC);
	if (w->until_ns > now + SEARCH_NS)
		pthread_cond_signal(&w->wake);
}

void watch_stop(struct watch *w)
{
	struct timespec until;

	if (!w->started)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 2; /* the children that they are about have ended */
	pthread_mutex_lock(&w->group->lock);
	while (w->endings && pthread_cond_clockwait(&w->ended, &w->group->lock, CLOCK_MONOTONIC, &until) == 0)
		;
	pthread_mutex_unlock(&w->group->lock);
}
