/* SPDX-License-Identifier: MIT
 *
 * guard: see the header.
 */
#include "cli/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "cli/control.h"
#include "sys/procfs.h"

static const int handed_down[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };

void guard_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGCHLD);
	for (size_t i = 0; i < sizeof(handed_down) / sizeof(handed_down[0]); i++)
		sigaddset(ret, handed_down[i]);
}

/* What the job had open must not stay open in us: its readers wait for the end. */
static void let_go_of_files(int keep)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		close(null);
	}
	if (keep != STDERR_FILENO + 1 && dup2(keep, STDERR_FILENO + 1) < 0)
		return;
	(void)close_range(STDERR_FILENO + 2, UINT32_MAX, 0); /* KERNEL < 5.9: they stay open */
}

struct killing {
	unsigned int nr;
};

static int kill_tree(void *ctx, pid_t pid)
{
	struct killing *killing = ctx;

	(void)children_list(pid, kill_tree, killing); /* gone: has none */
	if (kill(pid, SIGKILL) == 0)
		killing->nr++;
	return 0;
}

/* The supervisor is dead, and with it the listener: no process of the job can
 * fork any more, so this ends. */
static unsigned int end_job(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct killing first = { 0 }, more = { 0 };

	(void)children_list(getpid(), kill_tree, &first);
	while (waitpid(-1, NULL, WNOHANG | __WALL) >= 0 || errno == EINTR) {
		(void)children_list(getpid(), kill_tree, &more);
		nanosleep(&pause, NULL);
	}
	return first.nr;
}

static int supervisor_killed(const char *group, int sig)
{
	unsigned int nr = end_job();

	control_forget(group);
	warn_line("group '%s' has lost its supervisor: signal %d (%s); its %u processes were ended with it, for none may "
		  "run unaccounted", group, sig, strsignal(sig), nr);
	return EXIT_SURETY;
}

/* Reaps; returns the exit status to end with when it was the supervisor, else -1. */
static int reap(pid_t supervisor, const char *group)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | __WALL)) > 0) {
		if (pid != supervisor)
			continue;
		if (WIFSTOPPED(status)) {
			/* A job whose calls nobody answers is frozen: it is not left so. */
			(void)kill(supervisor, SIGCONT);
			continue;
		}
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		return supervisor_killed(group, WTERMSIG(status));
	}
	return -1;
}

static int watch(pid_t supervisor, const char *group)
{
	sigset_t signals;
	siginfo_t info;
	int status;

	guard_signals(&signals);
	for (;;) {
		if (sigwaitinfo(&signals, &info) < 0)
			continue;
		if (info.si_signo == SIGCHLD) {
			status = reap(supervisor, group);
			if (status >= 0)
				return status;
		} else if (info.si_code != SI_KERNEL) {
			/* From the terminal, the job has got it too. */
			(void)kill(supervisor, info.si_signo);
		}
	}
}

int guard_split(const char *group, int *ret_alive)
{
	int alive[2];
	pid_t pid;

	if (pipe2(alive, O_CLOEXEC) < 0)
		return -2;
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* Linux 3.4: cannot fail */
	pid = fork();
	if (pid < 0) {
		close_fd(&alive[0]);
		close_fd(&alive[1]);
		return -2;
	}
	if (pid == 0) {
		close_fd(&alive[1]);
		(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
		*ret_alive = alive[0];
		return -1;
	}
	let_go_of_files(alive[1]);
	return watch(pid, group);
}
