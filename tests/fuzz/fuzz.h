/* SPDX-License-Identifier: MIT
 *
 * fuzz: what a fuzz target and its driver share.
 *
 * A target is one function; libFuzzer (clang -fsanitize=fuzzer) or driver.c
 * calls it.  Input runs out as zeros, so that every input means something.
 */
#ifndef SURETY_TESTS_FUZZ_H
#define SURETY_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Like assert(), but never compiled out. */
#define FUZZ_CHECK(expr)                                                                  \
	do {                                                                              \
		if (!(expr)) {                                                            \
			(void)fprintf(stderr, "%s:%d: %s: not so\n", __FILE__, __LINE__, \
				      #expr);                                             \
			abort();                                                          \
		}                                                                         \
	} while (0)

struct fuzz_input {
	const uint8_t *data;
	size_t left;
};

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->data++;
}

/* A number that is small, near a power of two, near the top, or anything. */
static inline uint64_t fuzz_number(struct fuzz_input *in)
{
	uint8_t kind = fuzz_byte(in);
	uint64_t n = 0;

	switch (kind & 3) {
	case 0:
		return fuzz_byte(in);
	case 1:
		return (UINT64_C(1) << (kind >> 2)) + (int8_t)fuzz_byte(in);
	case 2:
		return UINT64_MAX - fuzz_byte(in);
	}
	for (int i = 0; i < 8; i++)
		n = n << 8 | fuzz_byte(in);
	return n;
}

#endif
