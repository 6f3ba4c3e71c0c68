/* SPDX-License-Identifier: MIT
 *
 * bytes: sizes as people write them, and pages.
 */
#ifndef SURETY_BASE_BYTES_H
#define SURETY_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_BYTES (UINT64_C(1) << PAGE_SHIFT)

/* Bytes to whole pages, rounded up as the kernel's PAGE_ALIGN does, but
 * without its wrap at the top: never overflows. */
static inline uint64_t bytes_to_pages(uint64_t bytes)
{
	return (bytes >> PAGE_SHIFT) + ((bytes & (PAGE_BYTES - 1)) != 0);
}

/* Pages to bytes; UINT64_MAX where the product does not fit. */
static inline uint64_t pages_to_bytes(uint64_t pages)
{
	return pages > (UINT64_MAX >> PAGE_SHIFT) ? UINT64_MAX : pages << PAGE_SHIFT;
}

static inline uint64_t pages_to_kib(uint64_t pages)
{
	return pages_to_bytes(pages) >> 10;
}

/* Reads a size: a decimal number with at most one of K M G T P behind it
 * (powers of 1024; lower case and a trailing "iB" or "B" are accepted:
 * 64K, 64KiB, 64kb are the same).  No sign, no blank, no fraction.
 * Returns 0, -EINVAL (not a size) or -ERANGE (does not fit 64 bits);
 * *RET is set only on success. */
int bytes_parse(const char *text, uint64_t *ret);

/* The same for a plain decimal count without a unit. */
int number_parse(const char *text, uint64_t *ret);

/* Enough for any size that bytes_format() writes, with its NUL. */
#define BYTES_FORMAT_MAX 32

/* Writes SIZE for people into BUF: exact where a unit divides it ("256M"), with
 * one decimal elsewhere ("1.5M").  Returns BUF. */
char *bytes_format(uint64_t bytes, char buf[BYTES_FORMAT_MAX]);

#endif
