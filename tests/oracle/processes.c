/* SPDX-License-Identifier: MIT
 *
 * processes: operations that make, replace and end address spaces.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker.h"

static int do_fork(int process, struct answer *answer)
{
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0)
		worker_serve(process);
	answer->child = pid;
	return 0;
}

static int do_exec(const char *path)
{
	char process[16];
	char *argv[] = { "perform", "--worker", process, NULL };
	char *envp[] = { NULL };

	snprintf(process, sizeof(process), "%d", worker.process);
	execve(path, argv, envp);
	return errno;
}

/* The child writes into this address space until it has another. */
static int do_spawn(const char *path, struct answer *answer)
{
	static volatile int error;
	static char *argv[] = { "perform", "--end", NULL }, *envp[] = { NULL };
	int status;
	pid_t pid;

	error = 0;
	pid = vfork();
	if (pid < 0)
		return errno;
	if (pid == 0) {
		execve(path, argv, envp);
		error = errno;
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid)
		return errno;
	if (WIFSIGNALED(status))
		answer->signal = WTERMSIG(status);
	/* An image too large for what is left may also fail in its libc's start. */
	return error ? error : WIFEXITED(status) && WEXITSTATUS(status) ? ENOMEM : 0;
}

static int end_at_once(void *arg)
{
	(void)arg;
	return 0; /* libc's clone makes it an exit of the thread */
}

static int do_thread(void)
{
	static char stack[16384] __attribute__((aligned(16)));
	static pid_t tid; /* the kernel clears it and wakes us when the thread has ended */
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
			  CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID;
	pid_t now;

	if (clone(end_at_once, stack + sizeof(stack), flags, NULL, &tid, NULL, &tid) < 0)
		return errno;
	while ((now = __atomic_load_n(&tid, __ATOMIC_ACQUIRE)) != 0)
		(void)syscall(SYS_futex, &tid, FUTEX_WAIT, now, NULL, NULL, 0); /* EAGAIN, EINTR: looked at again */
	return 0;
}

/* Of the bounding set too, so that root does not get it back by execve. */
static int do_drop(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0) && errno != EPERM)
		return errno;
	if (syscall(SYS_capget, &header, data))
		return errno;
	data[0].effective &= ~(1U << CAP_SYS_ADMIN);
	data[0].permitted &= ~(1U << CAP_SYS_ADMIN);
	data[0].inheritable &= ~(1U << CAP_SYS_ADMIN);
	return syscall(SYS_capset, &header, data) ? errno : 0;
}

int do_process(const struct order *order, struct answer *answer)
{
	switch (order->op.verb) {
	case VERB_FORK:
		return do_fork(order->op.other, answer);
	case VERB_EXEC:
		return do_exec(order->path);
	case VERB_SPAWN:
		return do_spawn(order->path, answer);
	case VERB_THREAD:
		return do_thread();
	case VERB_EXIT:
		_exit(0);
	case VERB_DROP:
		return do_drop();
	default:
		return ENOSYS;
	}
}
