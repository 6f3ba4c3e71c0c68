/* SPDX-License-Identifier: MIT
 *
 * recorder_sampler: looks at the group now and then, for what nobody asks for.
 *
 * How much of the commitment is used, and which memory holds it, is nobody's
 * request.  A thread reads it, as often as it may for its part of the time:
 * the counters with the lock, the mappings of one process without.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arith.h"
#include "base/bytes.h"
#include "engine/seccomp/object.h"
#include "engine/seccomp/recorder_state.h"
#include "engine/seccomp/space.h"
#include "sys/clock.h"
#include "sys/procfs.h"
#include "sys/smaps.h"

enum {
	TICK_MS = 10,
	TICK_PART = 100,  /* of the time, for the counters */
	RANGES_PART = 50, /* and for the mappings */
	PLAN_MAX = 32,    /* spaces whose mappings are read in one turn: the largest */
	CHANGE_PART = 64, /* a space that changed by less is not read again */
};

struct plan {
	struct space *space; /* only to be compared: it may be gone */
	uint32_t id;
	pid_t pid;
	uint64_t committed, used;
};

struct sampler {
	struct recorder *recorder;
	pthread_t thread;
	pthread_mutex_t lock; /* of stopping */
	pthread_cond_t wake;
	bool stopping;
	uint64_t tick_ns, ranges_ns; /* spent */
	struct journal_total told;
	uint32_t nr_plan;
	struct plan plan[PLAN_MAX];
	uint32_t nr_ranges;
	struct journal_range range[JOURNAL_RANGES_MAX];
};

static bool changed(uint64_t now, uint64_t before, uint64_t part)
{
	uint64_t change = now > before ? now - before : before - now;

	return change > (now > before ? now : before) / part;
}

/* What the process has in RAM of memory that is its own. */
static uint64_t used_of(const struct space *s)
{
	struct statm m;

	return space_statm(s, &m) > 0 && m.resident > m.shared ? m.resident - m.shared : 0;
}

static void plan_space(struct sampler *w, struct space *s, uint64_t used)
{
	struct recorded *known = recorder_know(w->recorder, s);
	uint32_t at = w->nr_plan;

	if (!known || (!changed(s->hold.pages, known->told_committed, CHANGE_PART) &&
		       !changed(used, known->told_used, CHANGE_PART / 4)))
		return;
	while (at > 0 && w->plan[at - 1].committed < s->hold.pages)
		at--;
	if (at == PLAN_MAX)
		return;
	if (w->nr_plan < PLAN_MAX)
		w->nr_plan++;
	memmove(&w->plan[at + 1], &w->plan[at], (w->nr_plan - at - 1) * sizeof(w->plan[0]));
	w->plan[at] = (struct plan){ s, known->id, LIST_FIRST(&s->procs)->pid, s->hold.pages, used };
}

/* With the lock: the counters of everybody, and whose mappings to read. */
static void look(struct sampler *w)
{
	struct recorder *r = w->recorder;
	struct group *g = r->group;
	struct journal_event event = { .kind = JOURNAL_TOTAL };
	struct journal_total *total = &event.total;
	struct space *s, *next;
	uint64_t coming = 0;

	group_reap(g);
	w->nr_plan = 0;
	total->used = total->objects = object_pages(g);
	for (s = LIST_FIRST(&g->spaces); s; s = next) {
		uint64_t used;

		next = LIST_NEXT(s, entry);
		if (s->outside)
			continue;
		if (!s->exact_only)
			space_look(g, s);
		used = used_of(s);
		if (used > s->hold.pages)
			used = s->hold.pages; /* read-only copies of files, never promised */
		total->used += used;
		coming += s->inflight; /* what is there of it, the counters have already */
		total->processes++;
		plan_space(w, s, used);
	}
	total->committed = g->ledger->committed - coming;
	total->reserved = g->reserved;
	if (total->committed != w->told.committed || total->used != w->told.used || total->reserved != w->told.reserved)
		recorder_tell(r, &event);
	w->told = *total;
	r->to->tick(r->to->ctx, clock_ns(CLOCK_MONOTONIC) - r->started_ns);
}

static enum journal_range_kind kind_of(const struct vma *vma, const char *name)
{
	if (!strcmp(name, "[stack]"))
		return JOURNAL_STACK_AREA;
	if (!strcmp(name, "[heap]"))
		return JOURNAL_HEAP;
	return vma->ino ? JOURNAL_FILE : JOURNAL_ANON;
}

static int add_range(void *ctx, const struct vma *vma, const char *name)
{
	struct sampler *w = ctx;
	enum overcommit mode = w->recorder->group->ledger->limit.mode;
	struct journal_range range = {
		.start = vma->start >> PAGE_SHIFT,
		.end = vma->end >> PAGE_SHIFT,
		.charged = rules_vma_pages(mode, vma, NULL),
		.kind = kind_of(vma, name),
	};

	if (range.charged == 0 || range.charged > range.end - range.start)
		return 0;
	range.used = smaller(vma->anonymous_pages, range.charged);
	if (w->nr_ranges == JOURNAL_RANGES_MAX)
		return 1;
	w->range[w->nr_ranges++] = range;
	return 0;
}

/* The space is told of only if it is still what was looked at. */
static void tell_ranges(struct sampler *w, const struct plan *plan)
{
	struct journal_event event = { .kind = JOURNAL_RANGES };
	struct group *g = w->recorder->group;
	struct space *s;

	LIST_FOREACH(s, &g->spaces, entry) {
		if (s != plan->space || !s->recorded || s->recorded->id != plan->id)
			continue;
		s->recorded->told_committed = plan->committed;
		s->recorded->told_used = plan->used;
		event.ranges = (struct journal_ranges){ plan->id, w->nr_ranges, w->range };
		recorder_tell(w->recorder, &event);
		return;
	}
}

static void read_ranges(struct sampler *w, const struct plan *plan)
{
	w->nr_ranges = 0;
	if (smaps_walk("/proc", plan->pid, add_range, w) < 0 || w->nr_ranges == 0)
		return; /* gone, or not ours to read */
	pthread_mutex_lock(&w->recorder->group->lock);
	tell_ranges(w, plan);
	pthread_mutex_unlock(&w->recorder->group->lock);
}

/* What this thread has cost, not what it waited for. */
static uint64_t cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void turn(struct sampler *w)
{
	uint64_t elapsed = clock_ns(CLOCK_MONOTONIC) - w->recorder->started_ns, began = cpu_ns();

	if (w->tick_ns > elapsed / TICK_PART + TICK_MS * 100000)
		return;
	pthread_mutex_lock(&w->recorder->group->lock);
	look(w);
	pthread_mutex_unlock(&w->recorder->group->lock);
	w->tick_ns += cpu_ns() - began;
	for (uint32_t i = 0; i < w->nr_plan && w->ranges_ns <= elapsed / RANGES_PART; i++) {
		began = cpu_ns();
		read_ranges(w, &w->plan[i]);
		w->ranges_ns += cpu_ns() - began;
	}
}

/* Returns true when it is time to end. */
static bool wait_tick(struct sampler *w)
{
	struct timespec until;
	bool stopping;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_mutex_lock(&w->lock);
	while (!w->stopping && pthread_cond_timedwait(&w->wake, &w->lock, &until) == 0)
		;
	stopping = w->stopping;
	pthread_mutex_unlock(&w->lock);
	return stopping;
}

static void *sampler_main(void *arg)
{
	struct sampler *w = arg;

	while (!wait_tick(w))
		turn(w);
	return NULL;
}

int sampler_start(struct recorder *r)
{
	struct sampler *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;
	int error;

	if (!w)
		return -ENOMEM;
	w->recorder = r;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	error = pthread_create(&w->thread, NULL, sampler_main, w);
	if (error) {
		free(w);
		return -error;
	}
	r->sampler = w;
	return 0;
}

void sampler_stop(struct recorder *r)
{
	struct sampler *w = r->sampler;

	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	r->sampler = NULL;
	free(w);
}
