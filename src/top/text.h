/* SPDX-License-Identifier: MIT
 *
 * text: what fits in so many columns of this terminal.
 */
#ifndef SURETY_TOP_TEXT_H
#define SURETY_TOP_TEXT_H

#include <stdint.h>
#include <stddef.h>

/* Copies NAME, which a process chose, to BUF: harmless, in the locale's
 * characters, and at most COLUMNS wide. */
void text_name(const char *name, int columns, char *buf, size_t size);

/* One character a value, low to high between the least and the most of them; of
 * the last COLUMNS of NR values.  By block characters, or by ASCII. */
void text_history(const uint64_t *value, size_t nr, int columns, int utf8, char *buf, size_t size);

/* "[####......]", COLUMNS wide in all; more than FULL fills it. */
void text_bar(uint64_t part, uint64_t full, int columns, char *buf, size_t size);

#endif
