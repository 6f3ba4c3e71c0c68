/* SPDX-License-Identifier: MIT
 *
 * cost: what a few operations take, in nanoseconds each.
 *
 *   cost map|fault|fork COUNT
 *
 * In a guest that counts instructions as time (-icount) the figure is the number
 * of instructions, and the same every time.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LEN (1UL << 20)
#define PAGE 4096UL

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

int main(int argc, char **argv)
{
	unsigned long count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct timespec from, to;

	if (!count)
		return 99;
	clock_gettime(CLOCK_MONOTONIC, &from);
	if (!strcmp(argv[1], "map"))
		do_map(count);
	else if (!strcmp(argv[1], "fault"))
		do_fault(count);
	else
		do_fork(count);
	clock_gettime(CLOCK_MONOTONIC, &to);
	fprintf(stderr, "%s %ld\n", argv[1],
		(long)((to.tv_sec - from.tv_sec) * 1000000000L + to.tv_nsec - from.tv_nsec) / (long)count);
	return 0;
}
