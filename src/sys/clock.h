/* SPDX-License-Identifier: MIT
 *
 * clock: the time, as a number.
 */
#ifndef SURETY_SYS_CLOCK_H
#define SURETY_SYS_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Milliseconds of CLOCK_MONOTONIC_COARSE: exact to a tick, and no system call. */
static inline uint64_t clock_coarse_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC_COARSE) / 1000000;
}

#endif
