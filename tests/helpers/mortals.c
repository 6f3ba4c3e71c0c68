/* SPDX-License-Identifier: MIT
 *
 * mortals maps|forks|execs|shared|threads|pokes SECONDS
 *
 * Children that ask for memory all the time, more than there is, and are killed all
 * the time: many while their call is being decided.  Ends with status 0, or with 70
 * when a call failed as none may.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define MIB (1UL << 20)

enum { CHILDREN = 8, LIFE_US = 500, BROKEN = 70 };

static char *again[] = { "mortals", "end", NULL };

static void must(bool ok)
{
	if (!ok && errno != ENOMEM && errno != EAGAIN && errno != ENOSPC)
		_exit(BROKEN);
}

/* Takes all that is left, so that every further page is looked for. */
static void fill(void)
{
	for (size_t bytes = 16 * MIB; bytes >= 4096; bytes /= 2)
		while (mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
			;
	must(false);
}

static void maps(void)
{
	size_t bytes = 20 * MIB;
	char *p = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *moved;

	must(p != MAP_FAILED);
	if (p == MAP_FAILED)
		return;
	must(mprotect(p, bytes, PROT_READ | PROT_WRITE) == 0);
	moved = mremap(p, bytes, bytes + 4 * MIB, MREMAP_MAYMOVE);
	must(moved != MAP_FAILED);
	if (moved == MAP_FAILED)
		munmap(p, bytes);
	else
		munmap(moved, bytes + 4 * MIB);
}

static void forks(void)
{
	pid_t pid;

	maps();
	pid = fork();
	must(pid >= 0);
	if (pid == 0)
		_exit(0);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0)
		must(errno == EINTR);
}

static void execs(void)
{
	pid_t pid = vfork();

	must(pid >= 0);
	if (pid == 0) {
		execv("/proc/self/exe", again);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0)
		must(errno == EINTR);
	maps();
}

static void shared(void)
{
	static bool begun;
	size_t bytes = 12 * MIB;
	int fd = memfd_create("mortals", MFD_CLOEXEC);
	char *p;

	must(fd >= 0);
	if (!begun && getpid() % 2)
		fill();
	begun = true;
	must(ftruncate(fd, bytes) == 0);
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(p != MAP_FAILED);
	if (p != MAP_FAILED)
		munmap(p, bytes);
	must(fallocate(fd, 0, 0, bytes) == 0);
	close(fd);
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(p != MAP_FAILED);
	if (p != MAP_FAILED)
		munmap(p, bytes);
}

static void *maps_for_ever(void *arg)
{
	for (;;)
		maps();
	return arg;
}

/* One of them replaces the image beside others that ask. */
static void threads(void)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		if (pthread_create(&thread, NULL, maps_for_ever, NULL) != 0)
			break;
	for (int i = 0; i < 20; i++)
		maps();
	execv("/proc/self/exe", (char *[]){ "mortals", "threads", NULL });
	must(false);
}

/* Here whom the call is about is killed as well. */
static void pokes(void)
{
	static char *page;
	struct sigevent kill_self = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	struct itimerspec soon = { .it_value = { .tv_nsec = 100000 + rand() % 900000 } };
	timer_t timer;
	pid_t pid;

	if (!page) {
		page = mmap(NULL, MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		srand(getpid());
		fill();
	}
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		if (timer_create(CLOCK_MONOTONIC, &kill_self, &timer) == 0)
			timer_settime(timer, 0, &soon, NULL);
		for (;;)
			raise(SIGSTOP);
	}
	for (size_t i = 0; pid > 0 && waitpid(pid, NULL, WNOHANG) <= 0; i++)
		ptrace(PTRACE_POKEDATA, pid, page + i % 256 * 4096, 1);
	waitpid(pid, NULL, 0);
}

static const struct kind {
	const char *name;
	void (*once)(void);
} kinds[] = { { "maps", maps }, { "forks", forks }, { "execs", execs }, { "shared", shared }, { "threads", threads },
	    { "pokes", pokes } };

static const struct kind *kind_of(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	_exit(2);
}

static pid_t child(const struct kind *kind)
{
	pid_t pid = fork();

	must(pid >= 0);
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		kind->once();
}

/* Returns false for one that a call failed for as none may. */
static bool end(pid_t pid)
{
	int status = 0;

	kill(pid, SIGKILL);
	return waitpid(pid, &status, 0) == pid && !(WIFEXITED(status) && WEXITSTATUS(status) == BROKEN);
}

int main(int argc, char **argv)
{
	const struct kind *kind;
	pid_t pid[CHILDREN] = { 0 };
	bool ok = true;
	double until;

	if (argc > 1 && strcmp(argv[1], "end") == 0)
		return 0;
	kind = kind_of(argc > 1 ? argv[1] : "");
	if (argc == 2)
		for (;;)
			kind->once(); /* the image after threads() */
	until = now() + atof(argv[2]);
	for (unsigned int i = 0; ok && now() < until; i = rand() % CHILDREN) {
		if (pid[i] > 0)
			ok = end(pid[i]);
		pid[i] = child(kind);
		usleep(rand() % LIFE_US);
	}
	for (int i = 0; i < CHILDREN; i++)
		if (pid[i] > 0)
			ok &= end(pid[i]);
	return ok ? 0 : BROKEN;
}
