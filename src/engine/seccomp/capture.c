/* SPDX-License-Identifier: MIT
 *
 * capture: see the header.
 */
#include "engine/seccomp/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/procfs.h"
#include "sys/tracee.h"

/* As much of the stack as is mapped: whole pages, until one is missing. */
static size_t copy_stack(pid_t tid, uint64_t sp, char *buf)
{
	size_t len = 0;

	while (len < CAPTURE_STACK_MAX) {
		size_t want = 65536 - (size_t)((sp + len) & 4095);
		ssize_t n;

		if (want > CAPTURE_STACK_MAX - len)
			want = CAPTURE_STACK_MAX - len;
		n = remote_read(tid, sp + len, buf + len, want);
		if (n <= 0)
			break;
		len += (size_t)n;
		if ((size_t)n < want)
			break;
	}
	return len;
}

static size_t copy_maps(pid_t tid, char *buf)
{
	char path[64];
	autoclose int fd = -1;
	size_t len = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/maps", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while (len < CAPTURE_MAPS_MAX && (n = read(fd, buf + len, CAPTURE_MAPS_MAX - len)) > 0)
		len += (size_t)n;
	return len;
}

/* DWARF's order of the x86-64 registers; the i386 ones where the task is that. */
static void take_regs(const struct user_regs_struct *r, struct capture *cap)
{
	const uint64_t wide[CAPTURE_REGS] = { r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8,
					      r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip };
	const uint64_t narrow[CAPTURE_REGS] = { r->rax, r->rcx, r->rdx, r->rbx, r->rsp,
						r->rbp, r->rsi, r->rdi, r->rip };

	cap->full_regs = 1;
	cap->compat = r->cs == 0x23; /* __USER32_CS */
	memcpy(cap->regs, cap->compat ? narrow : wide, sizeof(cap->regs));
	cap->sp = r->rsp;
	cap->pc = r->rip;
}

void capture_stopped(pid_t tid, char *stack, char *maps, struct capture *ret)
{
	struct user_regs_struct regs;

	/* The x86-64 view, also of an i386 task; GETREGSET would give its own. */
	if (ptrace(PTRACE_GETREGS, tid, 0, &regs) < 0)
		return;
	take_regs(&regs, ret);
	ret->stack = stack;
	ret->stack_len = copy_stack(tid, ret->sp, stack);
	ret->maps = maps;
	ret->maps_len = copy_maps(tid, maps);
}

void capture_at(pid_t tid, uint64_t sp, uint64_t pc, char *stack, char *maps, struct capture *ret)
{
	ret->sp = sp;
	ret->pc = pc;
	ret->stack = stack;
	ret->stack_len = copy_stack(tid, sp, stack);
	ret->maps = maps;
	ret->maps_len = copy_maps(tid, maps);
}

void taken_free(struct taken *taken)
{
	if (!taken)
		return;
	free(taken->stack);
	free(taken->maps);
	free(taken);
}

static void answer(struct capture_thread *c, const struct refused_call *call)
{
	/* -ENOENT: the caller was killed meanwhile. */
	(void)listener_answer(c->listener, call->id, call->value, call->error);
}

/* The signal that the policy asks for, pending before the caller runs again. */
static void punish(const struct capture_thread *c, const struct refusal *r)
{
	switch (c->on_refusal) {
	case ON_REFUSAL_RETURN:
		break;
	case ON_REFUSAL_STOP:
		(void)kill(r->pid, SIGSTOP);
		break;
	case ON_REFUSAL_ABORT:
		(void)syscall(SYS_tgkill, r->pid, r->tid, SIGABRT);
		break;
	case ON_REFUSAL_KILL:
		(void)kill(r->pid, SIGKILL);
		break;
	}
}

/* Waits for the stop that INTERRUPT asked for.  Returns the signal to hand on
 * at the detach, or -1 when the thread is gone. */
static int wait_stop(pid_t tid)
{
	int status;

	while (waitpid(tid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -1;
	if (!WIFSTOPPED(status))
		return -1;
	return tracee_signal(status);
}

/* With all registers: the caller is answered and stops before user code. */
static bool capture_seized(struct capture_thread *c, const struct refused_call *call, struct capture *cap)
{
	pid_t tid = call->refusal.tid;
	int sig;

	/* Without WAIT_KILLABLE a stop would cancel the notification. */
	if (!c->listener->wait_killable || ptrace(PTRACE_SEIZE, tid, 0, 0) < 0)
		return false;
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0) {
		tracee_detach(tid, 0);
		return false;
	}
	answer(c, call);
	sig = wait_stop(tid);
	if (sig < 0)
		return true; /* killed: answered all the same */
	capture_stopped(tid, c->stack, c->maps, cap);
	punish(c, &call->refusal);
	tracee_detach(tid, sig);
	return true;
}

/* With sp and pc only, while the caller still waits for its answer. */
static void capture_waiting(struct capture_thread *c, const struct refused_call *call, struct capture *cap)
{
	pid_t tid = call->refusal.tid;
	struct task_call at;

	if (task_call_read(tid, &at) == 0 && at.where == TASK_BLOCKED)
		capture_at(tid, at.sp, at.pc, c->stack, c->maps, cap);
	punish(c, &call->refusal);
	answer(c, call);
}

static void handle(struct capture_thread *c)
{
	struct refused_call *call = &c->now;
	struct capture cap = { 0 };

	if (call->taken) {
		c->events->refused(c->events->ctx, &call->refusal,
				   call->taken->capture.maps_len ? &call->taken->capture : NULL);
		taken_free(call->taken);
		return;
	}
	if (!capture_seized(c, call, &cap))
		capture_waiting(c, call, &cap);
	c->events->refused(c->events->ctx, &call->refusal, cap.maps_len ? &cap : NULL);
}

static void *capture_main(void *arg)
{
	struct capture_thread *c = arg;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		while (c->nr == 0 && !c->stopping)
			pthread_cond_wait(&c->wake, &c->lock);
		if (c->nr == 0)
			break;
		c->now = c->queue[c->head];
		c->head = (c->head + 1) % CAPTURE_QUEUE;
		c->nr--;
		pthread_mutex_unlock(&c->lock);
		handle(c);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

void capture_init(struct capture_thread *c, struct listener *l, enum on_refusal on_refusal,
		  const struct engine_events *events)
{
	c->listener = l;
	c->on_refusal = on_refusal;
	c->events = events;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
}

static bool start(struct capture_thread *c)
{
	if (!c->stack)
		c->stack = malloc(CAPTURE_STACK_MAX);
	if (!c->maps)
		c->maps = malloc(CAPTURE_MAPS_MAX);
	c->started = c->stack && c->maps && pthread_create(&c->thread, NULL, capture_main, c) == 0;
	return c->started;
}

bool capture_put(struct capture_thread *c, const struct refused_call *call)
{
	bool room;

	if (!c->started && !start(c))
		return false;
	pthread_mutex_lock(&c->lock);
	room = c->nr < CAPTURE_QUEUE;
	if (room) {
		c->queue[(c->head + c->nr) % CAPTURE_QUEUE] = *call;
		c->nr++;
		pthread_cond_signal(&c->wake);
	}
	pthread_mutex_unlock(&c->lock);
	return room;
}

void capture_stop(struct capture_thread *c)
{
	if (c->started) {
		pthread_mutex_lock(&c->lock);
		c->stopping = true;
		pthread_cond_signal(&c->wake);
		pthread_mutex_unlock(&c->lock);
		pthread_join(c->thread, NULL);
		c->started = false;
	}
	free(c->stack);
	free(c->maps);
	c->stack = c->maps = NULL;
}
