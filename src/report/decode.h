/* SPDX-License-Identifier: MIT
 *
 * decode: a refused call and its arguments, readable.
 *
 * Decides by AUDIT_ARCH_* and number only; knows x86-64, its x32 numbers and
 * i386.  What it does not know is shown as numbers, never guessed.
 */
#ifndef SURETY_REPORT_DECODE_H
#define SURETY_REPORT_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/refusal.h"

enum { DECODE_ARGS = 6, DECODE_VALUE = 192 };

struct decoded_arg {
	const char *name; /* as in the manual page; "argN" where unknown */
	uint64_t raw;     /* as passed; of both halves where i386 splits 64 bits */
	bool shown;       /* false: has no meaning in this call (the fd of anonymous memory) */
	char value[DECODE_VALUE];
};

struct decoded {
	char call[32];   /* "mmap", or "syscall_123" */
	const char *abi; /* "x86_64", "x32", "i386" or "unknown" */
	int nr;
	struct decoded_arg arg[DECODE_ARGS];
};

void decode_call(const struct refusal *refusal, struct decoded *ret);

/* "mmap(NULL, 512M, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)", cut to
 * SIZE.  Returns BUF. */
char *decode_text(const struct decoded *decoded, char *buf, size_t size);

/* A size without loss: in the largest of K M G T P that divides it ("1028K"),
 * else in bytes.  Returns BUF. */
char *decode_size(uint64_t bytes, char *buf, size_t size);

/* "SIGTERM", or the number of a signal without a name.  Returns BUF. */
char *decode_signal(int sig, char *buf, size_t size);

/* "ENOMEM", or the number of an error without a name.  Returns BUF. */
char *decode_errno(int error, char *buf, size_t size);

#endif
