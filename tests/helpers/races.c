/* SPDX-License-Identifier: MIT
 *
 * races SCENARIO SECONDS, under a limit of 256 MiB: calls of several threads and
 * processes that come between a decision and what it was about.  Each of them deals
 * in blocks of 160 MiB, of which the limit holds one.
 *
 *   ends     users of an address space end while it is counted
 *   ends-shared   the same, and the block is a shared mapping
 *   net      what a fixed mapping is to replace goes before it is made
 *   lower    what is writable already is replaced before mprotect makes it so
 *   forked   a block that a thread maps while another forks is in the child, too
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define BLOCK (160 * MIB)
#define PLACE ((char *)0x100000000000UL)
#define OTHER ((char *)0x200000000000UL)

enum { SMALL = 600, USERS = 4 }; /* mappings, so that it takes a while to read them; of the space */

enum race { NET, LOWER, FORKED };

/* Shared by all processes. */
static struct control {
	int taken;               /* the first block is */
	uint64_t asked, granted; /* what nobody should be granted */
	pthread_barrier_t barrier;
	int have;                /* another has a block, too */
	volatile int copied;     /* a child's answer: 1 it has the block, 2 it has not */
	int end;
} *control;
static double until;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int is_mapped(const char *at)
{
	unsigned char there;

	return mincore((void *)(uintptr_t)at, PAGE, &there) == 0;
}

/* Another process that asks for a second block for as long as it lasts. */
static void ask_in_vain(void)
{
	while (!__atomic_load_n(&control->taken, __ATOMIC_SEQ_CST))
		usleep(1000);
	while (!__atomic_load_n(&control->end, __ATOMIC_SEQ_CST)) {
		void *at = mmap(NULL, BLOCK, RW, PRIVATE, -1, 0);

		control->asked++;
		if (at != MAP_FAILED) {
			control->granted++;
			munmap(at, BLOCK);
		}
	}
	_exit(0);
}

static pid_t start_asking(void)
{
	pid_t pid = fork();

	if (pid == 0)
		ask_in_vain();
	return pid;
}

/* The first block, in a way that is not told from the counters: read-only and
 * charged, or the holes of a file that is mapped and no longer open. */
static void take(const char *what, int shared)
{
	int fd = shared ? memfd_create("races", 0) : -1;
	void *at = MAP_FAILED;

	if (!shared)
		at = mmap(PLACE, BLOCK, RW, PRIVATE, -1, 0);
	else if (ftruncate(fd, BLOCK) == 0)
		at = mmap(PLACE, BLOCK, RW, MAP_SHARED, fd, 0);
	if (check(at == PLACE, "%s: a block is granted", what)) {
		PLACE[0] = 1;
		mprotect(PLACE, BLOCK, PROT_READ);
	}
	close(fd);
	__atomic_store_n(&control->taken, 1, __ATOMIC_SEQ_CST);
}

static void finish(const char *what, pid_t pid)
{
	int status;

	__atomic_store_n(&control->end, 1, __ATOMIC_SEQ_CST);
	waitpid(pid, &status, 0);
	check(control->asked > 100 && control->granted == 0, "%s: %lu of %lu granted", what, control->granted,
	      control->asked);
}

static void map_many(char *at)
{
	for (int i = 0; i < SMALL; i++)
		mmap(at + 2 * i * PAGE, PAGE, PROT_READ, PRIVATE | MAP_FIXED, -1, 0);
}

/* Children that share the space, each known by a call of its own. */
static void *vfork_often(void *arg)
{
	(void)arg;
	while (now() < until) {
		pid_t pid = vfork();

		if (pid == 0) {
			syscall(SYS_brk, 0);
			_exit(0);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
	return NULL;
}

static void ends(int shared)
{
	const char *name = shared ? "ends-shared" : "ends";
	pid_t asking = start_asking();
	pthread_t thread[USERS];

	map_many(OTHER);
	take(name, shared);
	for (int i = 0; i < USERS; i++)
		pthread_create(&thread[i], NULL, vfork_often, NULL);
	for (int i = 0; i < USERS; i++)
		pthread_join(thread[i], NULL);
	finish(name, asking);
}

/* Between two barriers each does its part of a turn. */
static int begin(void)
{
	pthread_barrier_wait(&control->barrier);
	return !control->end;
}

/* All parts are done and the leader looks; then each cleans up. */
static void look(void)
{
	pthread_barrier_wait(&control->barrier);
	pthread_barrier_wait(&control->barrier);
}

static void clean(void)
{
	pthread_barrier_wait(&control->barrier);
}

static void linger(unsigned int *state)
{
	for (int i = rand_r(state) % 2000; i > 0; i--)
		__asm__ volatile("pause");
}

/* The leader's second thread. */
static void *second(void *arg)
{
	unsigned int state = 2;
	enum race race = *(enum race *)arg;

	while (begin()) {
		linger(&state);
		if (race == FORKED)
			control->have = mmap(PLACE, BLOCK, RW, PRIVATE | MAP_FIXED, -1, 0) != MAP_FAILED;
		else
			munmap(PLACE, BLOCK);
		if (race == LOWER)
			mmap(PLACE, BLOCK, PROT_READ, PRIVATE | MAP_FIXED, -1, 0);
		look();
		clean();
	}
	return NULL;
}

/* Another process. */
static void third(enum race race)
{
	unsigned int state = 3;

	while (begin()) {
		void *at = MAP_FAILED;

		linger(&state);
		if (race != FORKED) {
			at = mmap(OTHER, BLOCK, RW, PRIVATE, -1, 0);
			control->have = at != MAP_FAILED;
		}
		look();
		if (at != MAP_FAILED)
			munmap(at, BLOCK);
		clean();
	}
	_exit(0);
}

/* Whether the leader's part, which came to RET, has left it with a block. */
static int has_block(enum race race, long ret)
{
	if (race == FORKED) {
		while (ret > 0 && !control->copied)
			sched_yield();
		return ret > 0 && control->copied == 1;
	}
	/* What was made read-only again holds nothing: then it cannot be written to. */
	return ret == 0 && is_mapped(PLACE) && syscall(SYS_getrandom, PLACE, 1, 0) == 1;
}

static long lead(enum race race)
{
	long ret;

	if (race == LOWER)
		return mprotect(PLACE, BLOCK, RW);
	if (race == NET)
		return mmap(PLACE, BLOCK, RW, PRIVATE | MAP_FIXED, -1, 0) == PLACE ? 0 : -1;
	control->copied = 0;
	ret = fork();
	if (ret == 0) {
		control->copied = is_mapped(PLACE) ? 1 : 2;
		for (;;)
			pause();
	}
	return ret;
}

static void turns_of(enum race race, const char *name)
{
	uint64_t turns = 0, both = 0;
	unsigned int state = 1;
	pthread_t thread;
	pid_t pid = fork();

	if (pid == 0)
		third(race);
	pthread_create(&thread, NULL, second, &race);
	for (; now() < until; turns++) {
		long ret;

		if (race != FORKED && mmap(PLACE, BLOCK, RW, PRIVATE | MAP_FIXED, -1, 0) != PLACE)
			break;
		pthread_barrier_wait(&control->barrier);
		linger(&state);
		ret = lead(race);
		pthread_barrier_wait(&control->barrier);
		both += has_block(race, ret) && control->have;
		if (race == FORKED && ret > 0) {
			kill((pid_t)ret, SIGKILL);
			waitpid((pid_t)ret, NULL, 0);
		}
		munmap(PLACE, BLOCK);
		pthread_barrier_wait(&control->barrier);
		clean();
	}
	check(turns > 100 && both == 0, "%s: two blocks at once in %lu of %lu turns", name, both, turns);
	control->end = 1;
	pthread_barrier_wait(&control->barrier);
	pthread_join(thread, NULL);
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	pthread_barrierattr_t shared;

	if (argc != 3)
		return 2;
	control = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&control->barrier, &shared, 3);
	until = now() + atof(argv[2]);
	if (!strncmp(argv[1], "ends", 4))
		ends(!strcmp(argv[1], "ends-shared"));
	else
		turns_of(!strcmp(argv[1], "net") ? NET : !strcmp(argv[1], "lower") ? LOWER : FORKED, argv[1]);
	hold(argv[1]);
	return check_failed;
}
