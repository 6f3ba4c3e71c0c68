/* SPDX-License-Identifier: MIT
 *
 * snapshot: a program that forks children to look at its memory as it stood.
 *
 *   snapshot MIB WRITE% [CHILDREN [HOW]]
 *
 * Maps MIB and writes every page, forks CHILDREN (1), and then writes WRITE per
 * cent of its pages anew while they wait.  HOW, any of these letters:
 *   g  each child forks a grandchild, and waits for it
 *   v  each child runs a program by vfork, first
 *   w  the child writes instead of the parent
 *   t  the parent writes from two threads
 *   s  slowly: 1 MiB, then 5 ms of rest
 *   x  the parent ends before the child, which then goes on
 *
 * Prints what became of it: "works", "fork: ENOMEM" or "child ended by signal N,
 * parent unharmed", where the parent checks all that it wrote.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "raw.h"

enum { CHILDREN_MAX = 64 };

static unsigned char *memory;
static unsigned long pages;
static unsigned int percent;
static const char *how;

static int does(char letter)
{
	return strchr(how, letter) != NULL;
}

/* Every 100th part of the pages in turn, so that any share is spread over all. */
static int to_write(unsigned long page)
{
	return page % 100 < percent;
}

static void write_pages(unsigned long first, unsigned long step, unsigned char value)
{
	const struct timespec rest = { .tv_nsec = 5000000 };
	unsigned long i, written = 0;

	for (i = first; i < pages; i += step) {
		if (!to_write(i))
			continue;
		memory[i * PAGE] = value;
		if (does('s') && ++written % 256 == 0)
			nanosleep(&rest, NULL);
	}
}

static void *write_odd(void *arg)
{
	(void)arg;
	write_pages(1, 2, 2);
	return NULL;
}

static void write_all(unsigned char value)
{
	pthread_t thread;

	if (does('t') && value == 2 && pthread_create(&thread, NULL, write_odd, NULL) == 0) {
		write_pages(0, 2, value);
		pthread_join(thread, NULL);
		return;
	}
	write_pages(0, 1, value);
}

static int wrong(unsigned char old, unsigned char new)
{
	unsigned long i, nr = 0;

	for (i = 0; i < pages; i++)
		nr += memory[i * PAGE] != (to_write(i) ? new : old);
	return nr != 0;
}

static int await(int fd)
{
	char c;

	return (int)read(fd, &c, 1);
}

static void run_true(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* A child: what it sees must stay as it was. */
static int child(int go)
{
	int status = 0;

	if (does('v'))
		run_true();
	if (does('w')) {
		write_all(3);
		return wrong(1, 3);
	}
	if (does('g')) {
		pid_t pid = fork();

		if (pid == 0) {
			await(go);
			_exit(wrong(1, 1));
		}
		if (pid < 0)
			return 2;
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		return status != 0;
	}
	await(go);
	return wrong(1, 1);
}

static int children_end(const pid_t *pids, int nr)
{
	int status, first = 0;

	for (int i = 0; i < nr; i++) {
		while (waitpid(pids[i], &status, 0) < 0 && errno == EINTR)
			;
		if (status && !first)
			first = status;
	}
	return first;
}

int main(int argc, char **argv)
{
	int nr = argc > 3 ? atoi(argv[3]) : 1, go[2], status;
	pid_t pids[CHILDREN_MAX];

	if (argc < 3 || nr < 1 || nr > CHILDREN_MAX)
		return 99;
	how = argc > 4 ? argv[4] : "";
	percent = (unsigned int)atoi(argv[2]);
	pages = strtoul(argv[1], NULL, 10) * (MIB / PAGE);
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || pipe(go)) {
		printf("cannot start: %s\n", strerror(errno));
		return 1;
	}
	for (unsigned long i = 0; i < pages; i++)
		memory[i * PAGE] = 1;
	for (int i = 0; i < nr; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			close(go[1]);
			_exit(child(go[0]));
		}
		if (pids[i] < 0) {
			printf("fork: %s\n", errno == ENOMEM ? "ENOMEM" : strerror(errno));
			close(go[1]);
			return children_end(pids, i) != 0;
		}
	}
	if (does('x'))
		return 0;
	if (!does('w'))
		write_all(2);
	close(go[1]);
	status = children_end(pids, nr);
	if (wrong(1, does('w') ? 1 : 2)) {
		printf("the parent is harmed\n");
		return 1;
	}
	if (WIFSIGNALED(status))
		printf("child ended by signal %d, parent unharmed\n", WTERMSIG(status));
	else if (status)
		printf("child failed: %d\n", WEXITSTATUS(status));
	else
		printf("works\n");
	return 0;
}
