/* SPDX-License-Identifier: MIT
 *
 * notify: see the header.  The only place where calls are answered with a grant.
 */
#include "engine/seccomp/notify.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/seccomp/facts.h"
#include "engine/seccomp/flight.h"
#include "engine/seccomp/loader.h"
#include "engine/seccomp/object.h"
#include "engine/seccomp/recorder.h"
#include "engine/seccomp/vault.h"
#include "sys/clock.h"
#include "sys/procfs.h"

enum {
	REPEAT_MS = 1000,
	BURST = 64,         /* reports at once: the calls of some twenty failed malloc(3) */
	LOADER_SPAN = 1 << 20, /* no loader is larger, nor that near to another image */
	BURST_PER_SEC = 16, /* and as they go on */
};

static void describe(const struct notifier *n, const struct ask *ask, enum verdict verdict, struct refusal *r)
{
	const struct group *g = ask->g;

	memset(r, 0, sizeof(*r));
	facts_of(g, n->name, ask->t->proc->pid, ask->t->tid, r);
	r->op = ask->op;
	r->arch = ask->req->data.arch;
	r->syscall_nr = ask->req->data.nr;
	memcpy(r->args, ask->arg, sizeof(r->args));
	r->request_bytes = pages_to_bytes(ask->charge.pages);
	r->allowed_bytes = pages_to_bytes(vault_allowed(ask));
	r->verdict = verdict;
	r->rule = ask->charge.rule;
	r->error = ask->error ? ask->error : ENOMEM;
}

/* Whether one more report may be made now. */
static bool take_token(struct notifier *n, uint64_t now_ms)
{
	uint64_t more = (now_ms - n->tokens_ms) * BURST_PER_SEC / 1000;

	if (more) {
		n->tokens = n->tokens + more < BURST ? n->tokens + more : BURST;
		n->tokens_ms = now_ms;
	}
	if (n->tokens == 0)
		return false;
	n->tokens--;
	return true;
}

/* Whether this refusal is to be captured and reported.  One that is the same as
 * another of that thread lately, or one in a storm, is counted and told as a
 * number with the next report. */
static bool worth_a_report(struct notifier *n, const struct ask *ask)
{
	const struct seccomp_data *data = &ask->req->data;
	uint64_t now = clock_ns(CLOCK_MONOTONIC) / 1000000;
	uint64_t hash = ((uint64_t)ask->t->tid * 31 + (uint64_t)data->nr) * 31 + data->instruction_pointer / 8 +
			ask->charge.pages * 7;
	struct repeat *slot = &n->repeat[hash % REPEAT_SLOTS];
	bool same = slot->tid == ask->t->tid && slot->nr == data->nr && slot->ip == data->instruction_pointer &&
		    slot->pages == ask->charge.pages;

	if ((same && now < slot->until_ms) || !take_token(n, now))
		return false;
	*slot = (struct repeat){ ask->t->tid, data->nr, data->instruction_pointer, ask->charge.pages, now + REPEAT_MS };
	return true;
}

/* The first program cannot even be loaded: it is ended before its own code ran. */
static void refuse_start(struct notifier *n, const struct ask *ask)
{
	n->start_refused = true;
	n->start_needed_pages = ask->g->ledger->committed + ask->charge.pages + 1;
	(void)listener_answer(&ask->g->listener, ask->req->id, ask->value, ask->error);
	if (ask->op != OP_EXEC)
		(void)kill(n->main_pid, SIGKILL);
}

static bool still_starting(struct notifier *n, const struct ask *ask)
{
	uint64_t ip = ask->req->data.instruction_pointer;

	if (ask->t->proc->space->outside)
		return true; /* our own execve of the command */
	if (!n->loader_ip)
		n->loader_ip = ip;
	return ask->t->proc->pid == n->main_pid && ip - n->loader_ip + LOADER_SPAN < 2 * LOADER_SPAN;
}

/* All calls so far came from one place; was it the dynamic loader's? */
static bool is_loading(const struct notifier *n, const struct ask *ask)
{
	uint64_t start, end, ip = ask->req->data.instruction_pointer;

	return ask->t->proc->space->outside ||
	       (loader_range(n->main_pid, &start, &end) && ip >= start && ip < end);
}

static void refuse(struct notifier *n, struct ask *ask, enum verdict verdict)
{
	struct group *g = ask->g;
	struct refused_call call = { .id = ask->req->id, .value = ask->value, .error = ask->error };
	int rejected = ask_rejected(ask);

	if (rejected) {
		(void)listener_answer(&g->listener, call.id, 0, rejected);
		return;
	}
	if (g->recorder)
		recorder_request(ask, true);
	n->starting = n->starting && is_loading(n, ask);
	if (n->starting) {
		refuse_start(n, ask);
		return;
	}
	ledger_count_refusal(g->ledger, ask->charge.pages);
	if (n->on_refusal != ON_REFUSAL_RETURN || worth_a_report(n, ask)) {
		describe(n, ask, verdict, &call.refusal);
		call.refusal.suppressed = n->suppressed;
		if (capture_put(n->capture, &call)) {
			n->suppressed = 0;
			return;
		}
	}
	n->suppressed++;
	(void)listener_answer(&g->listener, call.id, call.value, call.error);
}

/* The call goes on; MAKES_IMAGE: it is a fork or an execve. */
static void go_on(const struct listener *l, const struct seccomp_notif *req, bool makes_image)
{
	if (makes_image || (req == l->req && l->queued))
		(void)listener_continue_apart(l, req->id);
	else
		(void)listener_continue(l, req->id);
}

/* T, and its process, are the group's while this goes on: it may be killed meanwhile. */
static void handle_of(struct notifier *n, struct task *t, const struct seccomp_notif *req, uint64_t exec_pages)
{
	struct group *g = n->group;
	struct ask ask;
	enum verdict verdict;
	bool firm;

	if (t->proc->exec_pending)
		flight_exec_heard(g, t->proc, t->tid);
	if (t->flight != FLIGHT_NONE && t->flight != FLIGHT_EXEC)
		flight_land(g, t);
	if (!ask_read(&ask, g, t, req, exec_pages)) {
		if (!ask.cold)
			go_on(&g->listener, req, false);
		else if (!slow_put(&n->slow, req))
			handle_of(n, t, req, PROGRAM_UNKNOWN);
		return;
	}
	if (n->starting)
		n->starting = still_starting(n, &ask);
	verdict = vault_decide(&ask);
	if (verdict != VERDICT_GRANT) {
		refuse(n, &ask, verdict);
		return;
	}
	if (ask.answer_known && !vault_holds_most(&ask)) {
		(void)listener_answer(&g->listener, req->id, ask.value, ask.error);
		return;
	}
	if (g->recorder)
		recorder_request(&ask, false);
	/* What an execve may need, and what may be in two places, is more than is
	 * there: the next look shows which. */
	firm = ask.flight != FLIGHT_EXEC && ask.charge.pages && !ask.sticky && vault_look_for_peak(&ask);
	ask_granted(&ask);
	ledger_count_charge(g->ledger);
	if (firm)
		vault_note_needed(g);
	go_on(&g->listener, req, ask.flight == FLIGHT_FORK || ask.flight == FLIGHT_EXEC);
}

/* EXEC_PAGES: what the program of an execve needs, when it has been read. */
static void handle(struct notifier *n, const struct seccomp_notif *req, uint64_t exec_pages)
{
	struct group *g = n->group;
	struct task *t = group_task(g, (pid_t)req->pid, req->id);

	if (!t || g->killing) {
		/* Gone, or not to be accounted at all: then nothing is granted. */
		(void)listener_answer(&g->listener, req->id, 0, ENOMEM);
		return;
	}
	g->caller = t;
	handle_of(n, t, req, exec_pages);
	g->caller = NULL;
}

/* slow_decide_fn */
static void decide_slow(void *ctx, const struct seccomp_notif *req, uint64_t pages, const struct program *program)
{
	struct notifier *n = ctx;

	pthread_mutex_lock(&n->group->lock);
	program_remember(&n->group->programs, program);
	handle(n, req, pages);
	pthread_mutex_unlock(&n->group->lock);
}

void notify_init(struct notifier *n)
{
	slow_init(&n->slow, decide_slow, n);
}

static bool everybody_gone(const struct listener *l)
{
	struct pollfd pfd = { .fd = l->fd };

	return poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLHUP | POLLERR));
}

void notify_serve(struct notifier *n)
{
	struct listener *l = &n->group->listener;

	for (;;) {
		int r = listener_receive(l);

		if (r == 0) {
			pthread_mutex_lock(&n->group->lock);
			n->group->notifications++;
			handle(n, l->req, 0);
			if (n->group->nr_procs >= n->group->reap_at)
				group_reap(n->group); /* the caller has its answer */
			pthread_mutex_unlock(&n->group->lock);
		} else if (r != -EINTR && everybody_gone(l)) {
			return;
		}
	}
}
