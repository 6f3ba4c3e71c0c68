/* SPDX-License-Identifier: MIT
 *
 * tap: test points on standard output, the plan at the end.
 */
#ifndef TESTS_LIVE_TAP_H
#define TESTS_LIVE_TAP_H

#include <stdarg.h>
#include <stdio.h>

static int tap_nr, tap_failed;

static inline void tap_line(const char *verdict, const char *format, va_list ap)
{
	printf("%s %d - ", verdict, ++tap_nr);
	vprintf(format, ap);
}

__attribute__((format(printf, 2, 3))) static inline int tap_ok(int fact, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	tap_line(fact ? "ok" : "not ok", format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout); /* nothing is printed twice after a fork */
	tap_failed += !fact;
	return fact;
}

__attribute__((format(printf, 2, 3))) static inline void tap_skip(const char *why, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	tap_line("ok", format, ap);
	va_end(ap);
	printf(" # SKIP %s\n", why);
	fflush(stdout);
}

static inline int tap_end(void)
{
	printf("1..%d\n", tap_nr);
	fflush(stdout);
	return tap_failed != 0;
}

#endif
