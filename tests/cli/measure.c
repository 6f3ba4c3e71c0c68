/* SPDX-License-Identifier: MIT
 *
 * measure: runs a command and tells what it held just before it ended.
 *
 *   measure FILE COMMAND [ARG...]
 *
 * Writes "VmHWM_KIB OPEN_FDS" to FILE and ends as the command did.  The command
 * is stopped at PTRACE_EVENT_EXIT, where its memory and its descriptors are
 * still there to be read: what it inherited from us does not blur the figures.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BROKEN = 99 };

static void die(const char *what)
{
	fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
	exit(BROKEN);
}

static long peak_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %ld", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

static int open_fds(pid_t pid)
{
	char path[64];
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		die(path);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static pid_t start(char **argv)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(BROKEN);
		raise(SIGSTOP);
		execv(argv[0], argv);
		_exit(BROKEN);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		die("waitpid");
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL) < 0)
		die("PTRACE_SETOPTIONS");
	return pid;
}

int main(int argc, char **argv)
{
	int status, signal_nr = 0;
	FILE *out;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: measure FILE COMMAND [ARG...]\n");
		return BROKEN;
	}
	out = fopen(argv[1], "we");
	if (!out)
		die(argv[1]);
	pid = start(argv + 2);
	for (;;) {
		if (ptrace(PTRACE_CONT, pid, NULL, (void *)(long)signal_nr) < 0)
			die("PTRACE_CONT");
		if (waitpid(pid, &status, 0) != pid)
			die("waitpid");
		if (!WIFSTOPPED(status))
			break;
		signal_nr = WSTOPSIG(status);
		if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXIT << 8))) {
			fprintf(out, "%ld %d\n", peak_kib(pid), open_fds(pid));
			signal_nr = 0;
		} else if (signal_nr == SIGTRAP) {
			signal_nr = 0; /* the exec itself */
		}
	}
	if (fclose(out))
		die(argv[1]);
	if (WIFSIGNALED(status)) {
		fprintf(stderr, "measure: ended by signal %d\n", WTERMSIG(status));
		return BROKEN;
	}
	return WEXITSTATUS(status);
}
