/* SPDX-License-Identifier: MIT
 *
 * explain: see the header.  Two passes: the first finds how high the need goes,
 * the second what that means below it, and who held what.
 */
#include "report/explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/allocator.h"

static const uint64_t percents[EXPLAIN_STEPS] = { 100, 95, 90, 80, 70, 60, 50, 40, 30, 20, 10 };

/* replay_fn.  No memory is the one thing that stops it. */
static int survey(void *ctx, const struct journal_event *event, const struct replay_request *request)
{
	struct explain *x = ctx;

	if (event->time_ns > x->duration_ns)
		x->duration_ns = event->time_ns;
	if (event->kind == JOURNAL_FINISH) {
		x->finished = true;
		x->finish = event->finish;
	}
	if (request) {
		x->requests++;
		x->left_out = request->r.number - x->requests;
		x->refused_in_run += !!(request->r.flags & JOURNAL_REFUSED);
		if (!x->peak.r.number || request->need > x->peak.need)
			x->peak = *request;
		if (!x->first.r.number && x->terms->limit_pages != UINT64_MAX &&
		    replay_refused(&x->terms->replay, &x->head, x->terms->limit_pages, request))
			x->first = *request;
	}
	return stackbook_note(x->book, event);
}

static void find_least(struct explain *x)
{
	x->least_pages = x->terms->replay.mode == OVERCOMMIT_NEVER && x->peak.r.number ? x->peak.need + 1 : 0;
	for (int i = 0; i < EXPLAIN_STEPS; i++) {
		x->step[i].percent = percents[i];
		x->step[i].limit_pages = x->least_pages / 100 * percents[i] + x->least_pages % 100 * percents[i] / 100;
	}
}

struct second {
	struct explain *x;
	struct holdings *holdings;
	uint64_t committed, used; /* now */
	size_t next_moment;       /* number of the part of the time that has none yet */
	bool first_moment;        /* of the first refusal was taken */
};

static int copy_moment(struct second *s, uint64_t time_ns, uint64_t committed, bool peak)
{
	struct explain *x = s->x;
	const struct held *held;
	long nr = holdings_now(s->holdings, committed, &held);
	struct explain_moment *more;

	if (nr < 0)
		return -ENOMEM;
	more = reallocarray(x->moment, x->nr_moments + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	x->moment = more;
	more += x->nr_moments;
	*more = (struct explain_moment){ .time_ns = time_ns, .committed = committed, .peak = peak };
	more->held = calloc((size_t)nr + 2, sizeof(*held));
	if (!more->held)
		return -ENOMEM;
	x->nr_moments++;
	memcpy(more->held, held, (size_t)nr * sizeof(*held));
	more->nr = (size_t)nr;
	return 0;
}

/* The peak is what is held before the request, and the request. */
static int peak_moment(struct second *s, const struct replay_request *q)
{
	struct explain_moment *m;

	if (copy_moment(s, q->time_ns, q->r.committed + q->r.reserved, true) < 0)
		return -ENOMEM;
	m = &s->x->moment[s->x->nr_moments - 1];
	m->committed += q->r.pages;
	if (q->r.pages)
		m->held[m->nr++] = (struct held){ q->r.space, q->r.stack, HELD_REQUEST, q->r.pages, 0 };
	return 0;
}

static void count_step(struct explain *x, const struct replay_request *q)
{
	for (int i = 0; i < EXPLAIN_STEPS; i++) {
		struct explain_step *step = &x->step[i];

		if (!x->least_pages || !replay_refused(&x->terms->replay, &x->head, step->limit_pages, q))
			continue;
		if (!step->refused++)
			step->first = *q;
		if (__builtin_add_overflow(step->refused_pages, q->asked, &step->refused_pages))
			step->refused_pages = UINT64_MAX;
	}
}

static int note_refused(struct explain *x, const struct replay_request *q)
{
	if (x->terms->limit_pages == UINT64_MAX || !replay_refused(&x->terms->replay, &x->head, x->terms->limit_pages, q))
		return 0;
	x->refused_count++;
	if (!x->refused)
		x->refused = calloc(EXPLAIN_REFUSED, sizeof(*x->refused));
	if (!x->refused)
		return -ENOMEM;
	if (x->nr_refused < EXPLAIN_REFUSED)
		x->refused[x->nr_refused++] = *q;
	return 0;
}

static uint64_t column_of(const struct explain *x, uint64_t time_ns)
{
	return x->duration_ns ? (uint64_t)((unsigned __int128)time_ns * (EXPLAIN_COLUMNS - 1) / x->duration_ns) : 0;
}

static int note_column(struct second *s, uint64_t time_ns, uint64_t need, bool told)
{
	struct explain *x = s->x;
	struct explain_column *c = x->nr_columns ? &x->column[x->nr_columns - 1] : NULL;

	if (!c || column_of(x, c->time_ns) != column_of(x, time_ns)) {
		if (!x->column)
			x->column = calloc(EXPLAIN_COLUMNS, sizeof(*x->column));
		if (!x->column || x->nr_columns == EXPLAIN_COLUMNS)
			return x->column ? 0 : -ENOMEM;
		c = &x->column[x->nr_columns++];
		c->time_ns = time_ns;
	}
	if (need > c->need)
		c->need = need;
	c->committed = s->committed;
	c->used = s->used;
	c->told |= told;
	return 0;
}

/* One moment for each part of the time in which somebody looked. */
static bool moment_due(struct second *s, uint64_t time_ns)
{
	const struct explain *x = s->x;
	size_t part = x->duration_ns ? (size_t)((unsigned __int128)time_ns * (EXPLAIN_MOMENTS - 2) / x->duration_ns) : 0;

	if (part < s->next_moment)
		return false;
	s->next_moment = part + 1;
	return true;
}

static int note_picture(struct second *s, const struct journal_event *event, const struct replay_request *q)
{
	if (!s->x->terms->picture)
		return 0;
	if (q)
		return note_column(s, event->time_ns, q->need, false);
	if (event->kind == JOURNAL_TOTAL)
		return note_column(s, event->time_ns, event->total.committed + event->total.reserved, true);
	if (event->kind == JOURNAL_RANGES && moment_due(s, event->time_ns))
		return copy_moment(s, event->time_ns, s->committed, false);
	return 0;
}

/* replay_fn */
static int account(void *ctx, const struct journal_event *event, const struct replay_request *q)
{
	struct second *s = ctx;
	struct explain *x = s->x;
	bool granted = q && !(q->r.flags & JOURNAL_REFUSED);

	if (q) {
		count_step(x, q);
		if (note_refused(x, q) < 0)
			return -ENOMEM;
		s->committed = q->r.committed + (granted ? q->r.pages : 0);
	}
	if (event->kind == JOURNAL_TOTAL) {
		s->committed = event->total.committed;
		s->used = event->total.used;
	}
	if (q && q->r.number == x->peak.r.number && peak_moment(s, q) < 0)
		return -ENOMEM;
	if (holdings_note(s->holdings, event) < 0)
		return -ENOMEM;
	return note_picture(s, event, q);
}

const char *explain_kind_text(const struct held *held)
{
	switch (held->kind) {
	case HELD_STACK_AREA: return "the main thread's stack";
	case HELD_HEAP: return "heap";
	case HELD_FILE: return "data of mapped files";
	case HELD_ANON: return "anonymous memory";
	case HELD_REST: return "not looked at";
	case HELD_REQUEST: break;
	}
	return held->space ? "no stack was taken" : "shared memory";
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *explain_site_text(struct explain *x, const struct held *held)
{
	const struct stack *stack = stackbook_stack(x->book, held->stack);
	int outer = allocator_outer(stack);
	const struct frame *f = stack->nr ? &stack->frame[outer < stack->nr ? outer : stack->nr - 1] : NULL;
	char *text = NULL;
	int n;

	if (!f)
		return strdup(explain_kind_text(held));
	if (f->symbol && f->file)
		n = asprintf(&text, "%s at %s:%d", f->symbol, base_name(f->file), f->line);
	else if (f->symbol)
		n = asprintf(&text, "%s+0x%llx (%s)", f->symbol, (unsigned long long)f->symbol_offset,
			     f->module ? base_name(f->module) : "?");
	else
		n = asprintf(&text, "0x%llx (%s)", (unsigned long long)(f->module ? f->offset : f->pc),
			     f->module ? base_name(f->module) : "?");
	return n < 0 ? NULL : text;
}

/* Where the rows come from is the same: they are one site. */
static int add_site(struct explain *x, const struct held *held)
{
	const struct journal_space *space = stackbook_space(x->book, held->space);
	const char *comm = space ? space->comm : "";
	autofree char *text = explain_site_text(x, held);
	struct explain_site *more;

	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < x->nr_sites; i++) {
		struct explain_site *site = &x->site[i];

		if (strcmp(site->text, text) != 0 || strcmp(site->comm, comm) != 0)
			continue;
		site->spaces += site->held.space != held->space;
		site->held.space = held->space;
		site->held.pages += held->pages;
		site->held.used += held->used;
		return 0;
	}
	more = reallocarray(x->site, x->nr_sites + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	x->site = more;
	x->site[x->nr_sites++] = (struct explain_site){ *held, comm, 1, text };
	text = NULL;
	return 0;
}

static int by_pages(const void *a, const void *b)
{
	const struct explain_site *x = a, *y = b;

	return (x->held.pages < y->held.pages) - (x->held.pages > y->held.pages);
}

static int find_sites(struct explain *x)
{
	for (size_t i = 0; i < x->nr_moments; i++) {
		const struct explain_moment *m = &x->moment[i];

		for (size_t j = 0; j < m->nr && m->peak; j++)
			if (add_site(x, &m->held[j]) < 0)
				return -ENOMEM;
	}
	if (x->nr_sites)
		qsort(x->site, x->nr_sites, sizeof(*x->site), by_pages);
	return 0;
}

static int no_memory(const struct explain_terms *terms, struct err *err)
{
	return err_set(err, EXIT_SURETY, "cannot explain the record '%s': %s (free some memory)", terms->path, strerror(ENOMEM));
}

int explain_read(struct explain *x, int fd, const struct explain_terms *terms, struct err *err)
{
	struct second second = { .x = x };
	int r;

	memset(x, 0, sizeof(*x));
	x->terms = terms;
	if (replay_head(fd, terms->path, &x->head, err) < 0)
		return -1;
	x->book = stackbook_new();
	if (!x->book)
		return no_memory(terms, err);
	r = replay_run(fd, terms->path, &terms->replay, survey, x, &x->cut, err);
	if (r == -1)
		return -1;
	find_least(x);
	second.holdings = holdings_new();
	if (r == 0 && second.holdings)
		r = replay_run(fd, terms->path, &terms->replay, account, &second, NULL, err);
	if (r == 0 && !second.holdings)
		r = -ENOMEM;
	holdings_free(second.holdings);
	if (r == -1)
		return -1;
	return r == 0 && find_sites(x) == 0 ? 0 : no_memory(terms, err);
}

void explain_done(struct explain *x)
{
	for (size_t i = 0; i < x->nr_moments; i++)
		free(x->moment[i].held);
	for (size_t i = 0; i < x->nr_sites; i++)
		free(x->site[i].text);
	free(x->moment);
	free(x->refused);
	free(x->site);
	free(x->column);
	stackbook_free(x->book);
}
