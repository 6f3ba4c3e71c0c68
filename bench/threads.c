/* SPDX-License-Identifier: MIT
 *
 * threads: what allocation costs when many threads of one process allocate.
 *
 *     threads NUMBER COUNT BYTES
 *
 * NUMBER threads map and unmap BYTES, COUNT times in all, and write to the first
 * page each time.  As call_cost does, it says "ready" when the threads are made
 * and have mapped once, waits for the number of bytes that it is to hold beside,
 * prints nanoseconds for all of it and that none was refused, and lives until its
 * input ends.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { ARGUMENTS = 3 };

static pthread_barrier_t made, start;
static size_t bytes;
static long each;

static void map_once(void)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	*(volatile char *)p = 1;
	munmap(p, bytes);
}

static void *work(void *arg)
{
	(void)arg;
	map_once();
	pthread_barrier_wait(&made);
	pthread_barrier_wait(&start);
	for (long i = 0; i < each; i++)
		map_once();
	return NULL;
}

static void hold(void)
{
	size_t beside = 0;

	printf("ready\n");
	fflush(stdout);
	if (scanf("%zu", &beside) != 1)
		exit(1);
	if (beside &&
	    mmap(NULL, beside, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) {
		perror("hold");
		exit(1);
	}
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int main(int argc, char **argv)
{
	long number = argc > ARGUMENTS ? atol(argv[1]) : 0;
	pthread_t *thread = number > 0 ? calloc((size_t)number, sizeof(*thread)) : NULL;
	int64_t begun;

	if (!thread) {
		fprintf(stderr, "usage: threads NUMBER COUNT BYTES\n");
		return 2;
	}
	each = atol(argv[2]) / number;
	bytes = (size_t)atol(argv[3]);
	pthread_barrier_init(&made, NULL, (unsigned int)number + 1);
	pthread_barrier_init(&start, NULL, (unsigned int)number + 1);
	for (long i = 0; i < number; i++) {
		if (pthread_create(&thread[i], NULL, work, NULL) != 0) {
			perror("pthread_create");
			return 1;
		}
	}
	pthread_barrier_wait(&made);
	hold();
	begun = now_ns();
	pthread_barrier_wait(&start);
	for (long i = 0; i < number; i++)
		pthread_join(thread[i], NULL);
	printf("%lld 0\n", (long long)(now_ns() - begun));
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
