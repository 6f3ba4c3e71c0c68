/* SPDX-License-Identifier: MIT
 *
 * execs SECONDS: execve of a program with much bss, by first threads, by others and
 * after vfork, beside processes that take what is left of the limit and ask for more.
 *
 * The image is charged as it is mapped, by and by, after the old one is gone, and
 * a thread that calls execve goes by another id afterwards.
 */
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define MIB (1UL << 20)

enum { WORKERS = 3, ASKERS = 2, BLOCKS = 512 };

static volatile char bss[24 * MIB];

static char *again[] = { "execs", "end", NULL };

static void *image(void *arg)
{
	(void)arg;
	execv("/proc/self/exe", again);
	_exit(errno == ENOMEM ? 0 : 1);
}

static void child(int other)
{
	pthread_t thread;

	if (other && pthread_create(&thread, NULL, image, NULL) == 0)
		for (;;)
			pause();
	image(NULL);
}

static void work(double until)
{
	int status;

	for (int i = 0; now() < until; i++) {
		pid_t pid = -1;

		if (i % 3 == 2) {
			errno = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, again, environ);
		} else {
			pid = fork();
			if (pid == 0)
				child(i % 3);
		}
		if (pid < 0 && errno != ENOMEM)
			_exit(1);
		/* Its loader may be refused what it needs, and fail in its own ways. */
		if (pid > 0 && waitpid(pid, &status, 0) != pid)
			_exit(2);
	}
	_exit(0);
}

static void ask(double until)
{
	void *block[BLOCKS];

	while (now() < until) {
		int n = 0;

		while (n < BLOCKS &&
		       (block[n] = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED)
			n++;
		while (n)
			munmap(block[--n], MIB);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	double until;
	int status, failed = 0;

	bss[0] = 1;
	if (argc > 1 && !strcmp(argv[1], "end"))
		return 0;
	until = now() + atof(argc > 1 ? argv[1] : "1");
	for (int i = 0; i < WORKERS + ASKERS; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 3;
		if (pid == 0 && i < WORKERS)
			work(until);
		if (pid == 0)
			ask(until);
	}
	while (wait(&status) > 0)
		failed += !WIFEXITED(status) || WEXITSTATUS(status);
	printf("done %d\n", failed);
	fflush(stdout);
	(void)getchar();
	return failed != 0;
}
