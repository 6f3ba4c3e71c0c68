/* SPDX-License-Identifier: MIT
 *
 * kin NAME LIMIT_MIB: children that may be taken for others.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "check.h"

static unsigned long limit;

/* Without a call that is stopped, until it is killed. */
static void stay(void)
{
	for (;;)
		raw0(SYS_pause);
}

/* A child of one that has ended is ours, and is not the one that we have made. */
static void inherited(void)
{
	pid_t parent, child = 0;
	int go[2], there[2];

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (pipe(go) || pipe(there))
		_exit(5);
	parent = fork();
	if (parent == 0) {
		raw_map(limit / 10 * 4);
		if (read(go[0], &child, 1) == 1 && fork() == 0) {
			child = getpid();
			if (write(there[1], &child, sizeof(child)) < 0)
				raw_exit(6);
			stay();
		}
		raw_exit(0);
	}
	child = fork();
	if (child == 0)
		raw_exit(0);
	waitpid(child, NULL, 0);
	check(write(go[1], "", 1) == 1 && waitpid(parent, NULL, 0) == parent &&
	      read(there[0], &child, sizeof(child)) > 0, "a child is inherited");
	check(raw_map(limit / 10 * 7) == -ENOMEM, "what it holds is not given away");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	hold("after");
}

/* The second child is seen first, and is smaller than the first. */
static void shrunk(void)
{
	long at = raw_map(limit / 10 * 4), p;
	pid_t first = fork(), second;
	int there[2];
	char c;

	if (pipe(there))
		_exit(5);
	if (first == 0)
		stay();
	raw2(SYS_munmap, at, limit / 10 * 4);
	second = fork();
	if (second == 0) {
		raw_map(PAGE);
		c = (char)write(there[1], "", 1);
		stay();
	}
	check(first > 0 && second > 0 && read(there[0], &c, 1) == 1, "two children");
	p = raw_map(limit / 10 * 7);
	check(p == -ENOMEM, "what the first holds is not given away");
	kill(first, SIGKILL);
	kill(second, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	hold("after");
}

/* The first child is seen first, and is larger than the second.  Others, so that not
 * everybody is looked at each time. */
static void larger(void)
{
	enum { OTHERS = 20 };
	unsigned long len = limit / 4;
	pid_t child[OTHERS + 2];
	long at;
	int go[2], i;
	char c;

	if (pipe(go))
		_exit(5);
	for (i = 0; i < OTHERS; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			raw_map(PAGE);
			stay();
		}
	}
	usleep(20000);
	at = raw_map(len);
	for (; i < OTHERS + 2; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			if (i == OTHERS && read(go[0], &c, 1) == 1)
				raw_map(len / 2);
			stay();
		}
		raw2(SYS_munmap, at, len);
	}
	check(write(go[1], "", 1) == 1, "the first asks for more");
	usleep(20000);
	while (i-- > 0)
		kill(child[i], SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	hold("after");
}

/* For the end of a process that is not our child. */
static void wait_other(pid_t pid)
{
	struct pollfd ended = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };

	if (ended.fd >= 0) {
		poll(&ended, 1, 10000);
		close(ended.fd);
	}
}

/* CLONE_PARENT: the child is its maker's sibling. */
static void siblings(void)
{
	pid_t pid = fork();
	long at, sibling;
	int i;

	if (pid == 0) {
		at = raw_map(limit / 4);
		for (i = 0; i < 20 && !raw_failed(at); i++) {
			sibling = raw5(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
			if (sibling == 0) {
				raw_map(PAGE);
				raw_exit(0);
			}
			wait_other(sibling);
		}
		raw_exit(0);
	}
	for (i = 0; waitpid(-1, NULL, 0) > 0; i++)
		;
	check(i == 21, "%d children", i);
	hold("after");
}

/* One child asks while its parent is still being copied for the next: what is left is
 * promised to that one. */
static void next(void)
{
	enum { WAITS, REFUSED, GRANTED };
	enum { ROUNDS = 60 };
	volatile int *state = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *much = (char *)raw_map(limit / 4);
	int both = 0, ones = 0, forks = 0;

	madvise(much, limit / 4, MADV_NOHUGEPAGE); /* each page takes its time to be copied */
	memset(much, 1, limit / 4);
	for (int i = 0; i < ROUNDS; i++) {
		pid_t first, second;

		*state = WAITS;
		first = fork();
		if (first == 0) {
			usleep(200 + i * 20);
			*state = raw_failed(raw_map(limit / 3)) ? REFUSED : GRANTED;
			stay();
		}
		second = fork();
		if (second == 0)
			stay();
		while (first > 0 && *state == WAITS)
			usleep(100);
		both += second > 0 && *state == GRANTED;
		ones += *state == GRANTED;
		forks += second > 0;
		if (first > 0)
			kill(first, SIGKILL);
		if (second > 0)
			kill(second, SIGKILL);
		while (waitpid(-1, NULL, 0) > 0)
			;
	}
	check(both == 0, "a fork in flight keeps its promise: given away %d times of %d (%d, %d)", both, ROUNDS, ones, forks);
	hold("after");
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	limit = strtoul(argv[2], NULL, 10) * MIB;
	grow_stack();
	if (!strcmp(argv[1], "inherited"))
		inherited();
	else if (!strcmp(argv[1], "shrunk"))
		shrunk();
	else if (!strcmp(argv[1], "larger"))
		larger();
	else if (!strcmp(argv[1], "next"))
		next();
	else
		siblings();
	return check_failed;
}
