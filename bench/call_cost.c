/* SPDX-License-Identifier: MIT
 *
 * call_cost: what one mmap and its munmap cost in a process of a given shape.
 *
 *     call_cost MAPPINGS PROCESSES COUNT BYTES STEP
 *
 * The process makes MAPPINGS mappings of alternating protection, and PROCESSES
 * children that sleep.  Then it says "ready" and waits for a line, the number
 * of bytes that it is to hold beside; then it maps and unmaps COUNT times,
 * BYTES the first time and STEP more each further time.  It prints nanoseconds
 * for all of it and how many were refused, and lives until its input ends, so
 * that it can be looked at.  The time is taken in here, because
 * the shape costs more to make than the calls.
 *
 * Rests on R-014: PROT_NONE holds nothing, so that the mappings weigh half.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, WARM_UP = 200, ARGUMENTS = 5 };

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *map(size_t bytes, int prot)
{
	return mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Neighbours differ in protection, or else the kernel would make them one. */
static void make_mappings(long count)
{
	char *area;

	if (count <= 0)
		return;
	area = map((size_t)count * PAGE, PROT_NONE);
	if (area == MAP_FAILED)
		die("mmap");
	for (long i = 0; i < count; i += 2)
		if (mprotect(area + i * PAGE, PAGE, PROT_READ | PROT_WRITE) < 0)
			die("mprotect");
}

/* They end with us, however we end. */
static void make_processes(long count)
{
	pid_t parent = getpid();

	for (long i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid > 0)
			continue;
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent)
			pause();
		_exit(0);
	}
}

static void hold(void)
{
	unsigned long bytes = 0;

	printf("ready\n");
	fflush(stdout);
	if (scanf("%lu", &bytes) != 1)
		exit(1);
	if (bytes && map(bytes, PROT_READ | PROT_WRITE) == MAP_FAILED)
		die("hold");
}

static long repeat(long count, size_t bytes, size_t step)
{
	long refused = 0;

	for (long i = 0; i < count; i++, bytes += step) {
		void *p = map(bytes, PROT_READ | PROT_WRITE);

		if (p == MAP_FAILED && errno != ENOMEM)
			die("mmap");
		if (p == MAP_FAILED)
			refused++;
		else if (munmap(p, bytes) < 0)
			die("munmap");
	}
	return refused;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int main(int argc, char **argv)
{
	long number[ARGUMENTS], refused;
	int64_t start;

	if (argc != ARGUMENTS + 1) {
		fprintf(stderr, "usage: call_cost MAPPINGS PROCESSES COUNT BYTES STEP\n");
		return 2;
	}
	for (int i = 0; i < ARGUMENTS; i++)
		number[i] = atol(argv[i + 1]);
	make_mappings(number[0]);
	make_processes(number[1]);
	hold();
	(void)repeat(number[2] < WARM_UP ? number[2] : WARM_UP, (size_t)number[3], (size_t)number[4]);
	start = now_ns();
	refused = repeat(number[2], (size_t)number[3], (size_t)number[4]);
	printf("%lld %ld\n", (long long)(now_ns() - start), refused);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
