/* SPDX-License-Identifier: MIT
 *
 * recorder: see the header.
 */
#include "engine/seccomp/recorder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/arith.h"
#include "base/bytes.h"
#include "engine/seccomp/flight.h"
#include "engine/seccomp/object.h"
#include "engine/seccomp/promise.h"
#include "engine/seccomp/recorder_state.h"
#include "engine/seccomp/space.h"
#include "engine/seccomp/vault.h"
#include "sys/clock.h"
#include "sys/procfs.h"

enum {
	UNSEEN_PAGES = 2048, /* that a stack may have grown by: 8 MiB, the usual RLIMIT_STACK */
	LOOK_EVERY_MS = 10,
	DOUBT_PART = 1024,   /* what is not sure may be that part of the need: 0.1 % */
	DOUBT_PART_MOST = 128, /* and 0.8 % where reading costs too much */
	CLOSE_PART = 50,     /* of the time, for reading closely */
	STACK_PAGES = 32,    /* asked for without a stack, 128 KiB, and the next one is taken */
	STACK_PART = 50,     /* of the time, for stacks */
	PEAK_PART = 256,     /* a new peak that much higher has a stack whatever it costs */
};

static const uint64_t stack_start_ns = 5000000; /* for stacks at the start, on top */
static const uint64_t close_start_ns = 5000000; /* for reading closely */

void recorder_tell(struct recorder *r, struct journal_event *event)
{
	event->time_ns = clock_ns(CLOCK_MONOTONIC) - r->started_ns;
	r->to->event(r->to->ctx, event);
}

static struct recorded *tell_space(struct recorder *r, struct space *s, const struct journal_space *about)
{
	struct journal_event event = { .kind = JOURNAL_SPACE, .space = *about };
	struct journal_space *told = &event.space;
	const struct proc *p = LIST_FIRST(&s->procs);

	if (!s->recorded)
		s->recorded = calloc(1, sizeof(*s->recorded));
	if (!s->recorded || r->nr_spaces == JOURNAL_SPACES_MAX)
		return NULL;
	told->id = s->recorded->id = ++r->nr_spaces;
	told->pid = p ? p->pid : 0;
	task_comm(told->pid, told->comm, sizeof(told->comm));
	task_exe(told->pid, told->exe, sizeof(told->exe));
	recorder_tell(r, &event);
	return s->recorded;
}

struct recorded *recorder_know(struct recorder *r, struct space *s)
{
	static const struct journal_space found = { .origin = JOURNAL_FOUND };

	if (s->outside)
		return NULL;
	return s->recorded ? s->recorded : tell_space(r, s, &found);
}

void recorder_space_gone(struct group *g, struct space *s)
{
	struct journal_event event = { .kind = JOURNAL_GONE, .gone = s->recorded->id };

	if (g->recorder && s->recorded->id)
		recorder_tell(g->recorder, &event);
	free(s->recorded);
	s->recorded = NULL;
}

void recorder_forked(struct group *g, struct promise *promise, struct space *s)
{
	struct proc *parent = group_find_proc(g, promise->parent);
	const struct recorded *from = parent ? parent->space->recorded : NULL;
	struct journal_space about = { .from = from ? from->id : 0, .fork = promise->recorded, .origin = JOURNAL_FORKED };
	struct recorded *known;

	promise->recorded = 0;
	if (!g->recorder)
		return;
	known = tell_space(g->recorder, s, &about);
	if (known && from) {
		uint32_t id = known->id;

		*known = *from;
		known->id = id;
		known->told_ns = known->told_committed = known->told_used = known->unsampled = 0;
	}
}

void recorder_fork_gone(struct group *g, const struct promise *promise)
{
	struct journal_event event = { .kind = JOURNAL_FORK_GONE, .fork_gone = promise->recorded };

	if (g->recorder)
		recorder_tell(g->recorder, &event);
}

void recorder_execed(struct group *g, struct proc *p, struct space *s)
{
	struct journal_space about = { .origin = JOURNAL_EXECED };

	(void)p;
	if (s->recorded) {
		about.from = s->recorded->id;
		memset(s->recorded, 0, sizeof(*s->recorded));
	}
	(void)tell_space(g->recorder, s, &about); /* without memory: it is told of when it asks */
}

static uint64_t need_of(const struct ask *ask)
{
	uint64_t sum = ask->g->ledger->committed + ask->g->reserved;

	return __builtin_add_overflow(sum, ask->charge.pages, &sum) ? UINT64_MAX : sum;
}

/* What of the sum may not be there: the rest is what the kernel counts. */
static uint64_t unsure(const struct group *g)
{
	uint64_t pages = g->promised.pages + g->objects_held.pages + g->objects_inflight.pages;
	const struct space *s;

	LIST_FOREACH(s, &g->spaces, entry)
		pages += s->landed + s->inflight + over(s->sticky, s->counted_sticky);
	return pages;
}

/* By the counters; where these cannot tell, the bound does for now. */
static void look_at_all(struct group *g)
{
	struct space *s;

	LIST_FOREACH(s, &g->spaces, entry)
		if (!s->exact_only)
			space_look(g, s);
}

/* What the need of ASK may be less, when it has not been read closely. */
static uint64_t doubt(const struct ask *ask)
{
	return unsure(ask->g) + (ask->refine ? ask->charge.pages : 0);
}

/* Reading mappings has a part of the time.  When that is spent, more is left in doubt. */
static uint64_t part_in_doubt(const struct recorder *r)
{
	return r->close_ns < close_start_ns + r->now_ns / CLOSE_PART ? DOUBT_PART : DOUBT_PART_MOST;
}

/* The figures of a request that passes the highest need so far, as a decision
 * against that limit would find them. */
static void read_closely(struct recorder *r, struct ask *ask)
{
	struct group *g = ask->g;
	uint64_t began = clock_ns(CLOCK_MONOTONIC);

	if (ask->refine)
		ask->refine(ask);
	if (need_of(ask) > r->peak && unsure(g)) {
		vault_count(g, ask->t);
		if (ask->refine)
			ask->refine(ask);
	}
	r->close_ns += clock_ns(CLOCK_MONOTONIC) - began;
}

/* Whether ASK needs more than any before it; then r->peak is that. */
static bool is_peak(struct recorder *r, struct ask *ask)
{
	struct group *g = ask->g;
	uint64_t unseen = ((uint64_t)g->nr_procs + 1) * UNSEEN_PAGES, need = need_of(ask), left, part;

	if (need < UINT64_MAX - unseen && need + unseen <= r->peak)
		return false;
	if (ask->t->seen_ms - r->looked_ms >= LOOK_EVERY_MS) {
		r->looked_ms = ask->t->seen_ms;
		look_at_all(g);
	} else if (!ask->t->proc->space->exact_only) {
		space_look(g, ask->t->proc->space);
	}
	part = part_in_doubt(r);
	if (need_of(ask) > r->peak && need_of(ask) > r->floor + r->floor / part) {
		group_reap(g);
		if (!LIST_EMPTY(&g->promises))
			promise_discover(g);
		look_at_all(g);
		if (need_of(ask) > r->peak && doubt(ask) > need_of(ask) / part) {
			read_closely(r, ask);
			left = 0;
		} else {
			left = doubt(ask);
		}
		need = need_of(ask);
		if (need > left && need - left > r->floor)
			r->floor = need - left;
	}
	need = need_of(ask);
	if (need <= r->peak || ask_rejected(ask))
		return false;
	r->peak = need;
	return true;
}

static bool wants_stack(struct recorder *r, const struct recorded *known, uint64_t need, bool peak)
{
	if (peak && need - r->stack_at > r->stack_at / PEAK_PART)
		return true;
	return (peak || known->unsampled >= STACK_PAGES) && r->stack_ns < stack_start_ns + r->now_ns / STACK_PART;
}

/* Where the memory will be, as far as the call says it. */
static bool known_range(const struct ask *ask, struct journal_request *request)
{
	uint64_t start = ask->start, end = ask->end;

	if (ask->op == OP_BRK) {
		start = (uint64_t)ask->value;
		end = ask->brk;
	} else if (ask->op == OP_MREMAP) {
		start = ask->arg[0]; /* where it is before the call */
		end = start + ask->arg[1];
	} else if (ask->op != OP_MPROTECT && !(ask->op == OP_MMAP && (ask->arg[3] & MAP_FIXED))) {
		return false;
	}
	request->start = bytes_to_pages(start);
	request->end = bytes_to_pages(end);
	return request->end > request->start;
}

/* Files and code that appear without a stopped call come with one: a loader maps
 * the data of what it loads. */
static void note_changed_maps(const struct ask *ask, struct recorded *known)
{
	int prot = (int)ask->arg[2], flags = (int)ask->arg[3];

	if (ask->op == OP_MMAP && (!(flags & MAP_ANONYMOUS) || (prot & PROT_EXEC)))
		known->maps_changed = true;
	else if (ask->op == OP_MPROTECT && (prot & PROT_EXEC))
		known->maps_changed = true;
}

void recorder_request(struct ask *ask, bool refused)
{
	struct recorder *r = ask->g->recorder;
	struct journal_event event = { .kind = JOURNAL_REQUEST };
	struct journal_request *request = &event.request;
	struct recorded *known;
	bool peak;

	r->now_ns = clock_ns(CLOCK_MONOTONIC) - r->started_ns;
	peak = is_peak(r, ask);
	known = recorder_know(r, ask->t->proc->space);
	if (known) {
		known->unsampled += ask->charge.pages;
		if (wants_stack(r, known, need_of(ask), peak)) {
			uint64_t began = clock_ns(CLOCK_THREAD_CPUTIME_ID);

			request->stack = recorder_stack(r, ask, known);
			r->stack_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - began;
			known->unsampled = 0;
			if (peak)
				r->stack_at = need_of(ask);
		}
		note_changed_maps(ask, known);
	}
	request->number = ask->recorded = ++r->requests;
	r->refusals += refused;
	request->space = known ? known->id : 0;
	request->tid = ask->t->tid;
	request->op = ask->op;
	request->rule = ask->charge.rule;
	request->pages = ask->charge.pages;
	request->committed = ask->g->ledger->committed;
	request->reserved = ask->g->reserved;
	request->flags = (peak ? JOURNAL_PEAK : 0) | (refused ? JOURNAL_REFUSED : 0);
	if (ask->op == OP_MMAP && (ask->arg[3] & MAP_NORESERVE))
		request->flags |= JOURNAL_NORESERVE;
	if (known_range(ask, request))
		request->flags |= JOURNAL_RANGE;
	recorder_tell(r, &event);
}

static void recorder_free(struct recorder *r)
{
	free(r->text);
	free(r->bytes);
	free(r->word);
	free(r);
}

void recorder_stop(struct group *g)
{
	struct recorder *r = g->recorder;

	if (!r)
		return;
	sampler_stop(r);
	pthread_mutex_lock(&g->lock);
	r->to->tick(r->to->ctx, clock_ns(CLOCK_MONOTONIC) - r->started_ns);
	if (!r->refusals)
		g->needed_peak = r->peak; /* it was read more closely */
	g->recorder = NULL;
	pthread_mutex_unlock(&g->lock);
	recorder_free(r);
}

int recorder_start(struct group *g, const struct engine_recorder *to)
{
	struct recorder *r = calloc(1, sizeof(*r));
	int error;

	if (!r)
		return -ENOMEM;
	r->to = to;
	r->group = g;
	r->started_ns = clock_ns(CLOCK_MONOTONIC);
	r->text = malloc(JOURNAL_MAPS_MAX);
	r->bytes = malloc(JOURNAL_STACK_BYTES);
	r->word = calloc(JOURNAL_WORDS_MAX, sizeof(*r->word));
	error = r->text && r->bytes && r->word ? sampler_start(r) : -ENOMEM;
	if (error < 0)
		recorder_free(r);
	else
		g->recorder = r;
	return error;
}

