/* SPDX-License-Identifier: MIT
 *
 * record: one refusal and its stack on a pipe, supervisor to surety-report.
 *
 * Both ends are the same build; the version is checked all the same.
 */
#ifndef SURETY_REPORT_RECORD_H
#define SURETY_REPORT_RECORD_H

#include "core/refusal.h"

/* Writes all of it; CAPTURE may be NULL.  Blocks while the pipe is full.
 * Returns 0 or -errno (-EPIPE: the reader is gone; SIGPIPE must be ignored). */
int record_write(int fd, const struct refusal *refusal, const struct capture *capture);

struct record {
	struct refusal refusal;
	struct capture capture;
	int have_capture;
	void *storage; /* what capture points into */
};

/* Reads the next record.  Returns 1, 0 at the end, or -errno (-EBADMSG: not a
 * record of this version).  record_done() frees it. */
int record_read(int fd, struct record *ret);
void record_done(struct record *record);

#endif
