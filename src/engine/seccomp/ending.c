/* SPDX-License-Identifier: MIT
 *
 * ending: see the header.
 *
 * Must not hang: the child may have a tracer, or sleep where nothing stops it.
 * Then it is signalled without a stack.  A thread that stays its tracer waits for
 * its death, or its parent would not hear of it.
 */
#include "engine/seccomp/ending.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "engine/seccomp/facts.h"
#include "sys/clock.h"
#include "sys/procfs.h"
#include "sys/tracee.h"

enum {
	STOP_WAIT_NS = 2000000, /* for the child to stop */
	STOP_LOOK_NS = 50000,
	SHARERS = 8, /* processes of its address space that are ended with it */
};

struct ending {
	struct watch *watch;
	pid_t pid;
	int sig;
	int pidfd[SHARERS]; /* the child's first */
	int nr;
	struct refused_call call;
};

static int pidfd_of(const struct proc *p)
{
	int fd = p->pidfd >= 0 ? dup(p->pidfd) : (int)syscall(SYS_pidfd_open, p->pid, 0);

	if (p->pidfd < 0 && group_proc_ended(p))
		close_fd(&fd); /* perhaps another's, of the same id */
	return fd;
}

static void signal_all(const struct ending *e, int sig)
{
	for (int i = 0; i < e->nr; i++)
		(void)syscall(SYS_pidfd_send_signal, e->pidfd[i], sig, NULL, 0); /* it has ended: fine */
}

/* Returns 1 when it has stopped (*RET_SIG: a signal that was on its way to it), 0
 * when it has not in time, -1 when it has ended. */
static int wait_stop(pid_t tid, int *ret_sig)
{
	const struct timespec pause = { .tv_nsec = STOP_LOOK_NS };
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + STOP_WAIT_NS;
	int status;
	pid_t r;

	do {
		r = waitpid(tid, &status, __WALL | WNOHANG);
		if (r == tid && WIFSTOPPED(status)) {
			*ret_sig = tracee_signal(status);
			return 1;
		}
		if (r != 0)
			return -1;
		nanosleep(&pause, NULL);
	} while (clock_ns(CLOCK_MONOTONIC) < until);
	return 0;
}

/* With a tracer of its own, or where it does not stop: stack pointer and pc, if it
 * sleeps in a call. */
static void take_waiting(pid_t tid, struct taken *taken)
{
	struct task_call at;

	if (task_call_read(tid, &at) == 0 && at.where == TASK_BLOCKED)
		capture_at(tid, at.sp, at.pc, taken->stack, taken->maps, &taken->capture);
}

static void end_it(struct ending *e)
{
	struct taken *taken = e->call.taken;
	bool seized = taken && ptrace(PTRACE_SEIZE, e->pid, 0, 0) == 0;
	int stopped = 0, pending = 0;

	if (seized && ptrace(PTRACE_INTERRUPT, e->pid, 0, 0) == 0)
		stopped = wait_stop(e->pid, &pending);
	if (taken && stopped == 1)
		capture_stopped(e->pid, taken->stack, taken->maps, &taken->capture);
	else if (taken && stopped == 0)
		take_waiting(e->pid, taken);
	signal_all(e, e->sig);
	/* What it has is freed by two then: it, and we.  KERNEL < 5.15: by it. */
	if (e->sig == SIGKILL && e->nr == 1)
		(void)syscall(SYS_process_mrelease, e->pidfd[0], 0);
	if (!seized || stopped < 0)
		return;
	if (stopped == 0 && e->sig != SIGKILL && waitpid(e->pid, &stopped, __WALL) == e->pid && WIFSTOPPED(stopped))
		pending = tracee_signal(stopped);
	tracee_detach(e->pid, pending);
}

static void *ending_main(void *arg)
{
	struct ending *e = arg;
	struct watch *w = e->watch;

	end_it(e);
	for (int i = 0; i < e->nr; i++)
		close_fd(&e->pidfd[i]);
	pthread_mutex_lock(&w->group->lock);
	if (!capture_put(w->capture, &e->call))
		taken_free(e->call.taken); /* counted all the same */
	w->endings--;
	pthread_cond_signal(&w->ended);
	pthread_mutex_unlock(&w->group->lock);
	free(e);
	return NULL;
}

static struct taken *taken_new(void)
{
	struct taken *taken = calloc(1, sizeof(*taken));

	if (!taken)
		return NULL;
	taken->stack = malloc(CAPTURE_STACK_MAX);
	taken->maps = malloc(CAPTURE_MAPS_MAX);
	if (taken->stack && taken->maps)
		return taken;
	taken_free(taken);
	return NULL;
}

static void describe(const struct watch *w, const struct family *f, const struct kin *kin, struct ending *e,
		     uint64_t wanted_pages)
{
	const struct group *g = w->group;
	struct refusal *r = &e->call.refusal;
	struct task_stat parent;

	facts_of(g, w->name, e->pid, e->pid, r);
	r->op = OP_COPY;
	r->syscall_nr = -1;
	r->request_bytes = pages_to_bytes(wanted_pages);
	r->allowed_bytes = r->limit_bytes;
	r->verdict = VERDICT_OVER_LIMIT;
	r->rule = kin->rule;
	r->error = ENOMEM;
	r->signal = e->sig;
	r->args[1] = pages_to_bytes(f->bound);
	r->args[2] = pages_to_bytes(kin->reserve);
	if (!f->root)
		return;
	r->args[0] = (uint64_t)LIST_FIRST(&f->root->space->procs)->pid;
	if (task_stat_read((pid_t)r->args[0], &parent) == 0) {
		r->parent_state = parent.state;
		memcpy(r->parent_comm, parent.comm, sizeof(r->parent_comm) - 1);
	}
}

void ending_kill(struct kin *kin)
{
	const struct proc *p;

	LIST_FOREACH(p, &kin->space->procs, in_space)
		group_signal_proc(p, SIGKILL);
}

void ending_start(struct watch *w, struct family *f, struct kin *kin, int sig, uint64_t wanted_pages)
{
	struct ending *e = calloc(1, sizeof(*e));
	const struct proc *p;
	pthread_t thread;

	ledger_count_refusal(w->group->ledger, wanted_pages);
	if (!e) {
		ending_kill(kin);
		return;
	}
	e->watch = w;
	e->sig = sig;
	e->pid = LIST_FIRST(&kin->space->procs)->pid;
	LIST_FOREACH(p, &kin->space->procs, in_space)
		if (e->nr < SHARERS)
			e->pidfd[e->nr++] = pidfd_of(p);
	describe(w, f, kin, e, wanted_pages);
	e->call.taken = taken_new();
	w->endings++;
	if (e->call.taken && pthread_create(&thread, NULL, ending_main, e) == 0) {
		(void)pthread_detach(thread); /* it cannot fail: the thread is ours and joinable */
		return;
	}
	w->endings--;
	ending_kill(kin);
	for (int i = 0; i < e->nr; i++)
		close_fd(&e->pidfd[i]);
	taken_free(e->call.taken);
	free(e);
}
