/* SPDX-License-Identifier: MIT
 *
 * tracee: see the header.
 *
 * A wait for a thread by its id may never end: by an execve it becomes the
 * leader of its process and goes by that id (fs/exec.c de_thread), and a leader
 * that has ended before its other threads is not reported till they have.  So
 * tracee_pass() does not block in one, and leaves ends unreaped (WNOWAIT): a
 * thread is made for each stop, and with it ends whatever it traces
 * (kernel/ptrace.c exit_ptrace), which gives tracees that have ended to their
 * parents, and goes on with the others.
 */
#include "sys/tracee.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/procfs.h"

enum {
	WAIT_NS = 100000000,
	FIRST_PAUSE_NS = 5000, /* the timer's slack is ten times that: a stop takes less */
	PAUSE_NS = 100000,
	STACK_BYTES = 64 << 10,
};

struct pass {
	pid_t tid, tgid;
	bool out;
};

enum seen { SEEN_NOTHING, SEEN_STOP, SEEN_END, SEEN_NOBODY };

/* SIG: on its way to a thread that has stopped; a stop of ours has none. */
static enum seen look_at(pid_t tid, int *ret_sig)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)tid, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
		return errno == ECHILD ? SEEN_NOBODY : SEEN_NOTHING;
	if (info.si_pid == 0)
		return SEEN_NOTHING;
	if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED)
		return SEEN_END;
	*ret_sig = info.si_status >> 8 ? 0 : info.si_status;
	return SEEN_STOP;
}

static void *pass_main(void *arg)
{
	struct pass *pass = arg;
	struct timespec pause = { .tv_nsec = FIRST_PAUSE_NS };
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + WAIT_NS;
	pid_t tid = pass->tid;
	int sig = 0;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0) < 0) {
		pass->out = errno == ESRCH;
		return NULL;
	}
	/* Where it is gone already, by an execve perhaps, the wait tells. */
	(void)ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	while (clock_ns(CLOCK_MONOTONIC) < until) {
		enum seen seen = look_at(tid, &sig);

		if (seen == SEEN_NOBODY && tid != pass->tgid) {
			tid = pass->tgid;
			(void)ptrace(PTRACE_INTERRUPT, tid, 0, 0);
			continue;
		}
		if (seen != SEEN_NOTHING) {
			pass->out = true;
			if (seen == SEEN_STOP)
				(void)ptrace(PTRACE_DETACH, tid, 0, (long)sig); /* killed meanwhile: let go of anyway */
			break;
		}
		nanosleep(&pause, NULL);
		pause.tv_nsec = PAUSE_NS;
	}
	return NULL;
}

bool tracee_pass(pid_t tid, pid_t tgid)
{
	struct pass pass = { tid, tgid, false };
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	if (pthread_attr_init(&attr) != 0)
		return false;
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	r = pthread_create(&thread, &attr, pass_main, &pass);
	pthread_attr_destroy(&attr);
	if (r == 0)
		pthread_join(thread, NULL);
	return pass.out;
}

void tracee_detach(pid_t tid, int sig)
{
	struct task_ids ids;

	if (ptrace(PTRACE_DETACH, tid, 0, (long)sig) == 0 || errno != ESRCH)
		return;
	/* A tracee that is dying no longer answers; as a zombie it is the tracer's
	 * before it is its parent's, so it is waited for.  But the end of a child of
	 * ours is for who waits for that. */
	if (task_ids_read(tid, &ids) == 0 && ids.tgid == tid && ids.ppid == getpid())
		return;
	while (waitpid(tid, NULL, __WALL) < 0 && errno == EINTR)
		;
}
