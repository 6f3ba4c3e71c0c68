/* SPDX-License-Identifier: MIT
 *
 * duration: times as people write them.
 */
#ifndef SURETY_BASE_DURATION_H
#define SURETY_BASE_DURATION_H

#include <stdint.h>

/* Reads a whole number with ms, s or m behind it: 200ms, 2s, 1m.  No sign, no
 * blank, no fraction.  Returns 0, -EINVAL (not a time) or -ERANGE (more than
 * fits 63 bits of nanoseconds); *RET_MS is set only on success. */
int duration_parse(const char *text, uint64_t *ret_ms);

#endif
