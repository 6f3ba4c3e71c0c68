/* SPDX-License-Identifier: MIT
 *
 * stack_malloc: asks malloc for 1 GiB three calls deep, and says whether it got
 * it.  With "thread" on a second thread, with "twice" two times in a row from
 * the same line, with "signal" in a signal handler.
 *
 * The lines that a stack must show carry a mark.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keeps the call before it from becoming a jump. */
#define NOT_LAST() __asm__ volatile("" ::: "memory")

static size_t wanted = 1ul << 30;
static volatile int granted;

static __attribute__((noinline)) void *level3(size_t size)
{
	void *p = malloc(size); /* at: level3 */

	NOT_LAST();
	return p;
}

static inline __attribute__((always_inline)) void *inlined(size_t size)
{
	void *p = level3(size); /* at: inlined */

	NOT_LAST();
	return p;
}

static __attribute__((noinline)) void level2(int times)
{
	while (times--) {
		if (inlined(wanted)) /* at: level2 */
			granted = 1;
		NOT_LAST();
	}
}

static __attribute__((noinline)) void *worker(void *arg)
{
	level2(1); /* at: worker */
	NOT_LAST();
	return arg;
}

static __attribute__((noinline)) void handler(int sig)
{
	(void)sig;
	level2(1); /* at: handler */
	NOT_LAST();
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	pthread_t thread;

	if (!strcmp(how, "thread")) {
		if (pthread_create(&thread, NULL, worker, NULL))
			return 99;
		pthread_join(thread, NULL);
	} else if (!strcmp(how, "signal")) {
		signal(SIGUSR1, handler);
		raise(SIGUSR1);
	} else {
		level2(strcmp(how, "twice") ? 1 : 2); /* at: main */
	}
	NOT_LAST();
	return granted;
}
