/* SPDX-License-Identifier: MIT
 *
 * flight: see the header.
 */
#include "engine/seccomp/flight.h"

#include <errno.h>
#include <time.h>

#include "base/arith.h"
#include "engine/seccomp/family.h"
#include "engine/seccomp/object.h"
#include "engine/seccomp/promise.h"
#include "engine/seccomp/recorder.h"
#include "engine/seccomp/space.h"
#include "sys/procfs.h"
#include "sys/tracee.h"

enum {
	SETTLE_LOOKS = 40,      /* more looks, at all threads together, before they are left in flight */
	SETTLE_STOP_AFTER = 4,  /* looks that find it running, before it is stopped */
	SETTLE_PAUSE_US = 100,
	REPLACED_CALLS = 16,    /* of a new image, till the peak is looked after again */
};

/* A mapping that moves, or is copied to where nobody looks yet, may be missed by who
 * reads the mappings. */
static bool moves(const struct task *t)
{
	return t->flight == FLIGHT_FORK || (t->flight != FLIGHT_NONE && t->flight_op == OP_MREMAP);
}

void flight_start(struct group *g, struct task *t, enum flight kind, enum operation op, uint64_t pages,
		  const struct seccomp_notif *req)
{
	struct space *s = t->proc->space;

	t->flight = kind;
	t->flight_op = op;
	t->flight_pages = pages;
	t->flight_base = s->data + s->landed;
	t->flight_base_known = s->looked_call == g->notifications;
	t->flight_moves = g->moves - (g->moving > 0);
	t->flight_nr = req->data.nr;
	t->flight_arg0 = req->data.args[0];
	t->flight_arg1 = req->data.args[1];
	switch (kind) {
	case FLIGHT_EXEC:
		s->exec_image = larger(s->exec_image, t->flight_image);
		t->proc->exec_pending = true;
		t->flight_most = pages; /* the image is held in full */
		/* fall through */
	case FLIGHT_SPACE:
		space_add_flight(s, t);
		space_post(s);
		break;
	case FLIGHT_OBJECT:
		object_reserving(g, t, true);
		g->objects_netted += t->flight_most - pages;
		ledger_set(&g->objects_inflight, g->objects_inflight.pages + t->flight_most);
		break;
	case FLIGHT_RESERVE:
		object_reserving(g, t, true);
		break;
	case FLIGHT_FORK:
	case FLIGHT_NONE:
		break;
	}
	if (moves(t)) {
		g->moves++;
		g->moving++;
	}
}

void flight_raise(struct task *t, uint64_t pages)
{
	struct space *s = t->proc->space;

	t->flight_most += pages;
	s->netted += pages;
	if (t->flight_looks == s->looks)
		return;
	s->exposed += pages;
	space_post(s);
}

/* The call is over.  Where its space was looked at meanwhile, what it replaced may
 * have been gone then, and may be back: till the next look both count. */
static void space_landed(struct space *s, const struct task *t)
{
	s->landed += t->flight_pages + space_remove_flight(s, t);
	s->sticky += t->flight_sticky;
}

static struct task *exec_task(const struct proc *p)
{
	struct task *t;

	LIST_FOREACH(t, &p->tasks, in_proc)
		if (t->flight == FLIGHT_EXEC)
			return t;
	return NULL;
}

/* A member of a family is asked at once: its discount goes with the copied image.
 * A child's flags tell; a root's image does, but for one without address
 * randomisation, which then just stays charged what it was. */
static void kin_execed(struct group *g, struct space *s, pid_t pid, bool replaced)
{
	struct task_stat st;

	if (s->kin == s->kin->family->root)
		replaced |= space_know_image(s);
	else
		replaced = task_stat_read(pid, &st) == 0 && !st.never_execed;
	if (!replaced)
		return;
	family_leave(g, s);
	space_post(s);
}

/* Looks at what an execve has left.  Three times in four not, where the program
 * has been seen before: many end before that would be worth its cost, and the
 * larger of both images is bound enough. */
static void exec_look(struct group *g, struct space *s, const struct task *t)
{
	struct program *program = t ? t->flight_program : NULL;

	if (program && program->usual_pages && !s->kin && (group_coin(g) || group_coin(g))) {
		s->landed += over(t->flight_image, space_kernel_pages(s));
		s->replaced = over(space_kernel_pages(s), program->usual_pages);
		s->replaced_calls = REPLACED_CALLS;
		space_post(s);
		return;
	}
	space_look_fast(s);
	if (program)
		program->usual_pages = space_kernel_pages(s);
}

/* The image of P is another, or the execve failed (SPLIT: it is another, and
 * whom P shared its space with keep that).  T called it, where it is known. */
static void exec_replaced(struct group *g, struct proc *p, bool split, const struct task *t)
{
	bool replaced = false;
	struct space *s;

	if (split && !space_new(g, p))
		return;
	s = p->space;
	space_doubt_image(s);
	if (s->outside || s->exact_only || g->recorder) {
		replaced = space_know_image(s);
		if (g->recorder && replaced)
			recorder_execed(g, p, s);
		space_look(g, s);
	} else {
		exec_look(g, s, t);
	}
	if (s->kin)
		kin_execed(g, s, p->pid, replaced);
	if (p->nr_tasks > 1)
		group_prune_tasks(g, p); /* the other threads ended with the old image */
}

/* Whether P, which may have replaced its image, has left the space that it
 * shared.  One that has ended cannot be asked, and one that is in execve itself
 * can only tell that neither has left. */
enum left { LEFT_NOBODY_ELSE, LEFT, LEFT_NOT };

static enum left has_left(const struct proc *p)
{
	enum left left = LEFT_NOBODY_ELSE;
	const struct proc *other;

	LIST_FOREACH(other, &p->space->procs, in_space) {
		int same = other == p ? -ESRCH : same_address_space(p->pid, other->pid);

		if (same == 1)
			return LEFT_NOT;
		if (same == 0 && !other->exec_pending)
			left = LEFT;
	}
	return left;
}

static void exec_resolve(struct group *g, struct proc *p, const struct task *t)
{
	enum left left = has_left(p);

	p->exec_pending = false;
	if (left != LEFT_NOT)
		exec_replaced(g, p, left == LEFT, t);
}

/* The execve of T is carried out, or given up; others of its space may be in theirs. */
static void exec_landed(struct space *s, struct task *t)
{
	const struct proc *p;
	const struct task *other;

	space_remove_flight(s, t); /* none of it is exposed: its image is held in full */
	t->flight = FLIGHT_NONE;
	s->exec_image = 0;
	LIST_FOREACH(p, &s->procs, in_space)
		LIST_FOREACH(other, &p->tasks, in_proc)
			if (other->flight == FLIGHT_EXEC)
				s->exec_image = larger(s->exec_image, other->flight_image);
	space_post(s);
}

static void exec_over(struct group *g, struct proc *p, struct task *t)
{
	exec_landed(p->space, t);
	exec_resolve(g, p, t);
}

void flight_exec_heard(struct group *g, struct proc *p, pid_t tid)
{
	struct task *t = exec_task(p);

	if (!t) {
		exec_resolve(g, p, NULL); /* the thread that called it was given up as gone */
		return;
	}
	/* Another thread of the old image, unless the caller has become the leader. */
	if (t->tid != tid && (tid != p->pid || task_exists(p->pid, t->tid)))
		return;
	exec_over(g, p, t);
}

void flight_land(struct group *g, struct task *t)
{
	struct space *s = t->proc->space;
	enum flight kind = t->flight;

	if (moves(t)) {
		g->moves++;
		g->moving--;
	}
	t->flight = FLIGHT_NONE;
	switch (kind) {
	case FLIGHT_SPACE:
		space_landed(s, t); /* the sum is the same: nothing to post */
		break;
	case FLIGHT_RESERVE:
		object_reserving(g, t, false);
		break;
	case FLIGHT_FORK:
		if (t->promise)
			t->promise->task = NULL;
		t->promise = NULL;
		break;
	case FLIGHT_OBJECT:
		object_reserving(g, t, false);
		object_landed(g, t);
		break;
	case FLIGHT_EXEC:
		exec_over(g, t->proc, t);
		break;
	case FLIGHT_NONE:
		break;
	}
}

void flight_abandon(struct group *g, struct task *t)
{
	/* With other users of the space, or a child, the call may have counted. */
	if (t->flight == FLIGHT_EXEC)
		exec_landed(t->proc->space, t);
	else if (t->flight != FLIGHT_NONE)
		flight_land(g, t);
}

/* A thread in the same call may still wait for mmap_lock, which is a sleep for
 * fatal signals only ('D').  In an interruptible one it has come with the next
 * such call and waits to be received; stopped, it is on its way out of the call. */
static bool out_by_state(const struct task *t, pid_t tid)
{
	struct task_stat st;

	if (task_stat_read(tid, &st) < 0)
		return false;
	return st.state == 'T' || st.state == 't' || (st.state == 'S' && t->flight != FLIGHT_EXEC);
}

/* Whether T is surely out of the call that it was granted.  In an execve it comes
 * to go by the id of its process, while its image is still to be mapped. */
static bool out_of_call(const struct task *t, int look)
{
	struct task_call call;
	pid_t tid = t->tid;
	int r = task_call_read(tid, &call);

	if ((r == -ENOENT || r == -ESRCH) && t->flight == FLIGHT_EXEC && tid != t->proc->pid) {
		tid = t->proc->pid;
		r = task_call_read(tid, &call);
	}
	if (r == -ENOENT || r == -ESRCH)
		return true;
	if (r < 0)
		return false;
	if (call.where == TASK_BLOCKED && call.nr == t->flight_nr && call.arg[0] == t->flight_arg0 &&
	    call.arg[1] == t->flight_arg1)
		return out_by_state(t, tid);
	if (call.where == TASK_BLOCKED)
		return true;
	if (call.where == TASK_OUTSIDE)
		return true;
	return look >= SETTLE_STOP_AFTER && tracee_pass(tid, t->proc->pid);
}

/* The counters of a process with one thread have grown by what was granted.  It
 * tells without stopping anybody, also of a thread that has another tracer.  What
 * moves is in them twice before the call is over. */
static bool has_grown(struct group *g, const struct task *t)
{
	struct space *s = t->proc->space;

	if (t->flight != FLIGHT_SPACE || t->flight_op == OP_MREMAP || !t->flight_pages || !space_only_user(t) ||
	    s->exact_only)
		return false;
	space_look(g, s);
	if (t->flight_base_known)
		return s->data >= t->flight_base + t->flight_pages;
	return s->data == t->flight_base + t->flight_pages; /* a stack that had grown is not taken for it */
}

/* Lands the call of T and returns true, or leaves it where the looks have been used up. */
static bool settle(struct group *g, struct task *t, int *looks_left)
{
	const struct timespec pause = { .tv_nsec = SETTLE_PAUSE_US * 1000L };

	for (int look = 0; !has_grown(g, t) && !out_of_call(t, look); look++) {
		if (*looks_left == 0)
			return false;
		(*looks_left)--;
		nanosleep(&pause, NULL);
	}
	flight_land(g, t);
	return true;
}

/* An execve that lands lets threads be forgotten, the task itself too: then the list
 * is begun anew. */
static void settle_each(struct group *g, const struct task *self, int looks_left)
{
	for (int i = 0; i < PID_BUCKETS; i++) {
		struct task *t = LIST_FIRST(&g->tasks[i]);

		while (t) {
			if (t != self && t->flight != FLIGHT_NONE && settle(g, t, &looks_left))
				t = LIST_FIRST(&g->tasks[i]);
			else
				t = LIST_NEXT(t, hash);
		}
	}
}

void flight_settle_seen(struct group *g, const struct task *self)
{
	struct space *s;

	settle_each(g, self, 0);
	LIST_FOREACH(s, &g->spaces, entry)
		if (s->landed && !s->exact_only)
			space_look(g, s);
}

void flight_settle_all(struct group *g, const struct task *self)
{
	settle_each(g, self, SETTLE_LOOKS);
}
