/* SPDX-License-Identifier: MIT
 *
 * check: how a helper that tests something tells what it found.
 *
 * One line a fact on standard output: "ok NAME" or "no NAME: WHY"; a script
 * turns them into test points.  hold() says "rest" and waits for a line, so
 * that the script may look at the group while nothing is in flight.
 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "count.h"

static int check_failed;

static inline void check_put(const char *text, int n)
{
	if (write(1, text, n) != n)
		_exit(3);
}

__attribute__((format(printf, 2, 3)))
static inline int check(int fact, const char *format, ...)
{
	char line[400];
	va_list ap;
	int n;

	va_start(ap, format);
	n = snprintf(line, sizeof(line), fact ? "ok " : "no ");
	n += vsnprintf(line + n, sizeof(line) - n - 1, format, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	check_put(line, n);
	check_failed |= !fact;
	return fact;
}

/* Says NAME and waits until the script has looked. */
static inline void hold(const char *name)
{
	char line[80], c;
	int n = snprintf(line, sizeof(line), "rest %s\n", name);

	check_put(line, n);
	do {
		if (read(0, &c, 1) != 1)
			_exit(3);
	} while (c != '\n');
}

/* Bytes that may still be asked for, one page less than what is refused:
 * admission is strict.  OTHERS is what the rest of the group holds. */
static inline unsigned long headroom(unsigned long limit, unsigned long others)
{
	static struct count_map map;
	unsigned long held;

	if (count_read("/proc/self/smaps", &map)) {
		check(0, "smaps can be read");
		_exit(3);
	}
	held = count_space(&map) + others;
	return held + PAGE >= limit ? 0 : limit - held - PAGE;
}

/* Writes to every page of a stack this deep, so that it does not grow later. */
__attribute__((noinline, unused)) static void grow_stack(void)
{
	volatile char room[512 * 1024];
	unsigned long i;

	for (i = 0; i < sizeof(room); i += PAGE)
		room[i] = 1;
}

#endif
