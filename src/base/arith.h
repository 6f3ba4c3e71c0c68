/* SPDX-License-Identifier: MIT
 *
 * arith: sums and differences that stop at the ends of uint64_t.
 */
#ifndef SURETY_BASE_ARITH_H
#define SURETY_BASE_ARITH_H

#include <stdint.h>

static inline uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* By how much A is over B; 0 where it is not. */
static inline uint64_t over(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static inline uint64_t add_saturating(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

#endif
