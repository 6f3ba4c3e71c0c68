/* SPDX-License-Identifier: MIT
 *
 * recording: hands what the engine tells to the file of --record.
 *
 * A file that cannot be written any more is given up, and said so at the end:
 * the job goes on.
 */
#ifndef SURETY_CLI_RECORDING_H
#define SURETY_CLI_RECORDING_H

#include "cli/opts.h"
#include "engine/engine.h"

struct journal_writer;

struct recording {
	const char *path; /* NULL: nothing is recorded */
	int fd;
	uint64_t last_ns;
	struct journal_writer *writer;
	struct engine_recorder to;
};

/* Opens the file.  Returns 0, also without --record, or -1 with ERR set. */
int recording_open(struct recording *rec, const struct run_opts *opts, struct err *err);

/* Closes it where nothing will be started. */
void recording_drop(struct recording *rec);

/* Writes the front, and puts the recorder into CFG.  As above. */
int recording_start(struct recording *rec, struct engine_config *cfg, struct err *err);

/* STATUS is that of wait(2). */
void recording_close(struct recording *rec, int status, const struct engine_status *st);

#endif
