/* SPDX-License-Identifier: MIT
 *
 * journal_write: a run to a file, as docs/RECORD.md has it.
 *
 * What is told is gathered in a block and written in one piece, so that a file
 * that ends anywhere is whole up to its last block.  One caller at a time.
 */
#ifndef SURETY_REPORT_JOURNAL_WRITE_H
#define SURETY_REPORT_JOURNAL_WRITE_H

#include "core/journal.h"

struct journal_writer;

/* FD is taken over.  NULL without memory. */
struct journal_writer *journal_writer_new(int fd, const struct journal_head *head);

/* Adds an event.  Beyond 64 MiB of file only what a replay cannot do
 * without is written, beyond 128 MiB nothing but the end.  A failure to write is kept, and ends the writing. */
void journal_put(struct journal_writer *w, const struct journal_event *event);

/* Writes what has waited for longer than a moment. */
void journal_tick(struct journal_writer *w, uint64_t time_ns);

/* Writes the rest and closes.  Returns 0 or the -errno of the first write that failed. */
int journal_writer_close(struct journal_writer *w);

#endif
