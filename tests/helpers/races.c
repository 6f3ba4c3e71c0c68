/* SPDX-License-Identifier: MIT
 *
 * races SCENARIO SECONDS, under a limit of 256 MiB: calls of several threads and
 * processes that come between a decision and what it was about.  Each of them deals
 * in blocks of 160 MiB, of which the limit holds one, or of 96 MiB, of which it
 * holds two.
 *
 *   ends     users of an address space end while it is counted
 *   ends-shared   the same, and the block is a shared mapping
 *   net      what a fixed mapping is to replace goes before it is made
 *   lower    what is writable already is replaced before mprotect makes it so
 *   keyed    the segment that shmget would find is removed before it looks
 *   forked   a block that a thread maps while another forks is in the child, too
 *   missed   a child that has made no call is looked for while others of its parent end
 *   moved    the same, while its parent ends and it becomes another's
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"
#include "clock.h"

#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define PLACE ((char *)0x100000000000UL)
#define OTHER ((char *)0x200000000000UL)

enum { SMALL = 600, USERS = 4 }; /* mappings, so that it takes a while to read them; of the space */
enum { OTHERS = 12, STACK = 4096 }; /* children of the space beside the one that is looked for */

enum race { NET, LOWER, KEYED, FORKED, MISSED, MOVED };

/* Shared by all processes. */
static struct control {
	int taken;               /* the first block is */
	uint64_t asked, granted; /* what nobody should be granted */
	pthread_barrier_t barrier;
	int have;                /* another has a block, too */
	volatile int copied;     /* a child's answer: 1 it has the block, 2 it has not; 3: no child */
	pid_t leader;
	volatile pid_t child;    /* the one that has the copy */
	int segment;             /* the one that is found */
	uint32_t turn, gate[OTHERS]; /* each of the others ends when its gate has this turn's number */
	int end;
} *control;
static double until;
static unsigned long block = 160 * MIB;

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
		void *at = mmap(NULL, block, RW, PRIVATE, -1, 0);

		control->asked++;
		if (at != MAP_FAILED) {
			control->granted++;
			munmap(at, block);
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
		at = mmap(PLACE, block, RW, PRIVATE, -1, 0);
	else if (ftruncate(fd, block) == 0)
		at = mmap(PLACE, block, RW, MAP_SHARED, fd, 0);
	if (check(at == PLACE, "%s: a block is granted", what)) {
		PLACE[0] = 1;
		mprotect(PLACE, block, PROT_READ);
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

/* Children that share the space, while a thread's shared memory is looked for. */
static void *vfork_often(void *arg)
{
	const int *shared = arg;

	while (now() < until) {
		pid_t pid;

		if (*shared)
			munmap(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), PAGE);
		pid = vfork();

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
	if (shared) /* more is mapped of it than there is */
		mremap(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	take(name, shared);
	for (int i = 0; i < USERS; i++)
		pthread_create(&thread[i], NULL, vfork_often, &shared);
	for (int i = 0; i < USERS; i++)
		pthread_join(thread[i], NULL);
	finish(name, asking);
}

/* The leader, its second thread and the other process wait for each other. */
static void meet(void)
{
	pthread_barrier_wait(&control->barrier);
}

/* Between two meetings each does its part of a turn. */
static int begin(void)
{
	meet();
	return !control->end;
}

/* All parts are done, and the leader looks. */
static void look(void)
{
	meet();
	meet();
}

static void await_copy(void)
{
	while (!control->copied)
		sched_yield();
}

static void delay(unsigned int *state)
{
	for (int i = rand_r(state) % 2000; i > 0; i--)
		__asm__ volatile("pause");
}

static void linger(enum race race, unsigned int *state)
{
	if (race >= MISSED)
		await_copy();
	delay(state);
}

static int segment(unsigned long size)
{
	return shmget(0x53000000 | (int)control->leader, size, IPC_CREAT | 0600);
}

/* The last first: it stands before the child that is looked for. */
static void open_gates(void)
{
	for (int i = OTHERS - 1; i >= 0; i--) {
		__atomic_store_n(&control->gate[i], control->turn, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &control->gate[i], FUTEX_WAKE, 1, NULL, NULL, 0);
	}
}

static int wait_at_gate(void *arg)
{
	uint32_t turn = (uint32_t)(uintptr_t)arg / OTHERS, *gate = &control->gate[(uintptr_t)arg % OTHERS], now;

	while ((now = __atomic_load_n(gate, __ATOMIC_SEQ_CST)) < turn)
		syscall(SYS_futex, gate, FUTEX_WAIT, now, NULL, NULL, 0);
	return (int)syscall(SYS_exit, 0);
}

/* The leader's second thread. */
static void *second(void *arg)
{
	unsigned int state = 2;
	enum race race = *(enum race *)arg;

	while (begin()) {
		linger(race, &state);
		if (race == FORKED)
			control->have = mmap(PLACE, block, RW, PRIVATE | MAP_FIXED, -1, 0) != MAP_FAILED;
		else if (race == KEYED)
			control->have = segment(block) >= 0;
		else if (race == MISSED)
			open_gates();
		else if (race != MOVED)
			munmap(PLACE, block);
		if (race == LOWER)
			mmap(PLACE, block, PROT_READ, PRIVATE | MAP_FIXED, -1, 0);
		look();
		meet();
	}
	return NULL;
}

/* Another process. */
static void third(enum race race)
{
	unsigned int state = 3;

	while (begin()) {
		void *at = MAP_FAILED;

		linger(race, &state);
		if (race != FORKED && race != KEYED) {
			for (int i = race < MISSED ? 1 : 4; at == MAP_FAILED && i > 0; i--)
				at = mmap(OTHER, block, RW, PRIVATE, -1, 0);
			control->have = at != MAP_FAILED;
		}
		look();
		if (at != MAP_FAILED)
			munmap(at, block);
		meet();
	}
	_exit(0);
}

/* Whether the leader's part, which came to RET, has left it with a block. */
static int has_block(enum race race, long ret)
{
	if (race >= FORKED) {
		await_copy();
		return ret > 0 && control->copied == 1;
	}
	/* What was made read-only again holds nothing: then it cannot be written to. */
	return ret == 0 && is_mapped(PLACE) && syscall(SYS_getrandom, PLACE, 1, 0) == 1;
}

/* A child that makes no call that is stopped. */
static pid_t copy(void)
{
	pid_t pid;

	pid = fork();
	if (pid < 0)
		control->copied = 3;
	if (pid == 0) {
		control->copied = is_mapped(PLACE) ? 1 : 2;
		for (;;)
			pause();
	}
	mprotect(OTHER, PAGE, PROT_READ | PROT_WRITE); /* its next call: the fork is known to be over */
	return pid;
}

static int copy_and_end(void *arg)
{
	static unsigned int state = 4;

	(void)arg;
	control->child = copy();
	delay(&state);
	return (int)syscall(SYS_exit, 0);
}

static volatile pid_t other[OTHERS]; /* 0 when it has left its stack */

static void make_others(void)
{
	static char stack[OTHERS][STACK] __attribute__((aligned(16)));

	control->turn++;
	for (uintptr_t i = 0; i < OTHERS; i++) {
		other[i] = 1;
		if (clone(wait_at_gate, stack[i] + STACK, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD,
			  (void *)(control->turn * OTHERS + i), NULL, NULL, &other[i]) < 0)
			other[i] = 0;
	}
}

static void await_others(void)
{
	for (int i = 0; i < OTHERS; i++)
		while (other[i])
			sched_yield();
}

static long lead(enum race race)
{
	static char stack[16 * STACK] __attribute__((aligned(16)));
	pid_t pid;

	if (race == LOWER)
		return mprotect(PLACE, block, RW);
	if (race == KEYED)
		return shmctl(control->segment, IPC_RMID, NULL);
	if (race == NET)
		return mmap(PLACE, block, RW, PRIVATE | MAP_FIXED, -1, 0) == PLACE ? 0 : -1;
	if (race == MISSED)
		make_others();
	if (race != MOVED)
		return copy();
	pid = clone(copy_and_end, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno != ECHILD)
		;
	return pid > 0 ? control->child : -1;
}

static void turns_of(enum race race, const char *name)
{
	uint64_t turns = 0, done = 0, both = 0;
	unsigned int state = 1;
	pthread_t thread;
	pid_t pid;

	if (race >= MISSED)
		block = 96 * MIB;
	pid = fork();
	if (pid == 0)
		third(race);
	if (race >= MISSED)
		signal(SIGCHLD, SIG_IGN);
	pthread_create(&thread, NULL, second, &race);
	for (; now() < until; turns++) {
		long ret;

		if (race != FORKED && mmap(PLACE, block, RW, PRIVATE | MAP_FIXED, -1, 0) != PLACE)
			break;
		control->copied = 0;
		if (race == KEYED)
			control->segment = segment(PAGE);
		meet();
		if (race < MISSED)
			linger(race, &state);
		ret = lead(race);
		meet();
		if (has_block(race, ret)) {
			done++;
			both += (uint64_t)control->have;
		}
		if (race >= FORKED && ret > 0) {
			kill((pid_t)ret, SIGKILL);
			waitpid((pid_t)ret, NULL, 0);
		}
		await_others();
		munmap(PLACE, block);
		if (race == KEYED && control->have)
			shmctl(segment(block), IPC_RMID, NULL);
		meet();
		meet();
	}
	check(turns > 100 && both == 0, "%s: a block too many in %lu of %lu turns, granted in %lu", name, both, turns, done);
	control->end = 1;
	meet();
	pthread_join(thread, NULL);
	waitpid(pid, NULL, 0);
}

static enum race race_of(const char *name)
{
	static const char *const names[] = { "net", "lower", "keyed", "forked", "missed", "moved" };
	enum race race = NET;

	while (race < MOVED && strcmp(names[race], name) != 0)
		race++;
	return race;
}

int main(int argc, char **argv)
{
	pthread_barrierattr_t shared;

	if (argc != 3)
		return 2;
	control = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	control->leader = getpid();
	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&control->barrier, &shared, 3);
	until = now() + atof(argv[2]);
	if (!strncmp(argv[1], "ends", 4))
		ends(!strcmp(argv[1], "ends-shared"));
	else
		turns_of(race_of(argv[1]), argv[1]);
	hold(argv[1]);
	return check_failed;
}
