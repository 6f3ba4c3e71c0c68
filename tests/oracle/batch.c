/* SPDX-License-Identifier: MIT */
/*
 * Runs a command on each file of a folder, in the order of their names: one boot
 * of a test guest then does for many scripts.
 *
 *     batch SECONDS FOLDER COMMAND [ARGUMENT...]
 *
 * Prints "script NAME" before each and "end NAME STATUS" after it, where STATUS is
 * the exit status, "signal N", or "timeout" for one that was killed after SECONDS.
 * What a script leaves running is killed before the next: everything else that
 * runs, so it works in a test guest alone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what, const char *object)
{
	dprintf(STDERR_FILENO, "batch: %s '%s': %s\n", what, object, strerror(errno));
	exit(99);
}

static void in_a_guest(void)
{
	const char *path = "/proc/cmdline";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[4096] = " ";

	if (fd < 0 || read(fd, text + 1, sizeof(text) - 2) < 0)
		fail("cannot read", path);
	close(fd);
	errno = EPERM;
	if (!strstr(text, " surety.guest"))
		fail("no surety.guest in", path);
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (vdprintf(STDOUT_FILENO, format, ap) < 0)
		exit(99);
	va_end(ap);
}

/* Waits for PID until SECONDS are over; false then. */
static int wait_for(pid_t pid, int seconds, int *status)
{
	const struct timespec limit = { .tv_sec = seconds };
	sigset_t child;

	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	for (;;) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return 1;
		if (sigtimedwait(&child, NULL, &limit) < 0 && errno == EAGAIN)
			return waitpid(pid, status, WNOHANG) == pid;
	}
}

static void run_one(const char *name, const char *path, int seconds, char **command, int argc)
{
	int status = 0;
	pid_t pid;

	say("script %s\n", name);
	pid = fork();
	if (pid < 0)
		fail("cannot start", command[0]);
	if (!pid) {
		char **argv = calloc((size_t)argc + 2, sizeof(*argv));
		sigset_t none;

		if (!argv)
			_exit(99);
		memcpy(argv, command, (size_t)argc * sizeof(*argv));
		argv[argc] = (char *)path;
		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		(void)execv(command[0], argv);
		_exit(127);
	}
	if (!wait_for(pid, seconds, &status)) {
		(void)kill(-1, SIGKILL);
		(void)waitpid(pid, &status, 0); /* it is ours, and killed */
		say("end %s timeout\n", name);
		return;
	}
	(void)kill(-1, SIGKILL); /* mostly there is nobody */
	if (WIFSIGNALED(status))
		say("end %s signal %d\n", name, WTERMSIG(status));
	else
		say("end %s %d\n", name, WEXITSTATUS(status));
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	struct dirent **names;
	sigset_t child;
	int nr;

	if (argc < 4) {
		fprintf(stderr, "usage: batch SECONDS FOLDER COMMAND [ARGUMENT...]\n");
		return 99;
	}
	in_a_guest();
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &child, NULL);
	nr = scandir(argv[2], &names, visible, alphasort);
	if (nr < 0)
		fail("cannot read", argv[2]);
	for (int i = 0; i < nr; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", argv[2], names[i]->d_name);
		run_one(names[i]->d_name, path, atoi(argv[1]), argv + 3, argc - 3);
	}
	return 0;
}
