/* SPDX-License-Identifier: MIT
 *
 * cost: what a few operations take, in ticks of the processor's clock each.
 *
 *	cost map|fault|fork COUNT
 *
 * In a guest that counts instructions as time (-icount) those are instructions.
 * COUNT operations are counted ten times, and the median is told: what else the
 * kernel does comes in bursts.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define LEN (1UL << 20)
#define PAGE 4096UL
#define TURNS 10

static char *map(size_t len)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	return p;
}

static void do_map(unsigned long count)
{
	while (count--)
		munmap(map(LEN), LEN);
}

static void do_fault(unsigned long count)
{
	while (count) {
		size_t pages = count < 256 ? count : 256;
		volatile char *p = map(LEN);

		madvise((void *)p, LEN, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < pages; i++)
			p[i * PAGE] = 1;
		munmap((void *)p, LEN);
		count -= pages;
	}
}

static void do_fork(unsigned long count)
{
	while (count--) {
		pid_t pid = fork();

		if (pid == 0) {
			execl("/bin/ops", "ops", (char *)NULL);
			_exit(1);
		}
		waitpid(pid, NULL, 0);
	}
}

static void do_all(const char *what, unsigned long count)
{
	if (!strcmp(what, "map"))
		do_map(count);
	else if (!strcmp(what, "fault"))
		do_fault(count);
	else
		do_fork(count);
}

static int compare(const void *a, const void *b)
{
	const unsigned long *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	unsigned long count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0, ticks[TURNS];

	if (!count)
		return 99;
	do_all(argv[1], count);
	for (int i = 0; i < TURNS; i++) {
		unsigned long from = __rdtsc();

		do_all(argv[1], count);
		ticks[i] = (__rdtsc() - from) / count;
	}
	qsort(ticks, TURNS, sizeof(ticks[0]), compare);
	printf("%s %lu\n", argv[1], (ticks[TURNS / 2 - 1] + ticks[TURNS / 2]) / 2);
	return 0;
}
