/* SPDX-License-Identifier: MIT
 *
 * journal_read: a record file, event by event.
 *
 * The reader believes nothing: what it hands out keeps the bounds of
 * core/journal.h, and refers only to what came before it.
 */
#ifndef SURETY_REPORT_JOURNAL_READ_H
#define SURETY_REPORT_JOURNAL_READ_H

#include <stdbool.h>

#include "core/journal.h"

struct journal_reader;

/* Reads the front of FD, which stays the caller's.  Returns 0 or -errno:
 * -EBADMSG where it is no record, -EPROTO where it is one of another version. */
int journal_reader_new(struct journal_reader **ret, int fd);
void journal_reader_free(struct journal_reader *r);

const struct journal_head *journal_head(const struct journal_reader *r);

/* The next event, valid until the next call.  Returns 1, 0 at the end, or
 * -errno (-EBADMSG: damaged, see journal_offset()).  A file that was cut off within
 * its last block ends before that. */
int journal_next(struct journal_reader *r, struct journal_event *ret);

/* Whether the file ended without the last event of a run. */
bool journal_cut(const struct journal_reader *r);

/* Where the block under way begins. */
uint64_t journal_offset(const struct journal_reader *r);

#endif
