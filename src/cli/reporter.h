/* SPDX-License-Identifier: MIT
 *
 * reporter: hands refusals to surety-report, which unwinds and writes them.
 *
 * It is started at the first refusal: a job without one pays nothing for it.
 * Should it be missing or die, the facts are still told, in one line, without
 * the stack.
 */
#ifndef SURETY_CLI_REPORTER_H
#define SURETY_CLI_REPORTER_H

#include "cli/opts.h"
#include "engine/engine.h"

struct reporter {
	const struct run_opts *opts;
	int out_fd;  /* where reports go */
	int pipe_fd; /* to surety-report, or -1 */
	pid_t pid;
	bool failed; /* it cannot be started, or has died */
	uint64_t told;   /* refusals that reports speak of */
	uint64_t untold; /* since the last one */
};

/* Opens the report file.  Returns 0, or -1 with ERR set. */
int reporter_open(struct reporter *r, const struct run_opts *opts, struct err *err);

/* engine_events.refused */
void reporter_refused(void *ctx, const struct refusal *refusal, const struct capture *capture);

/* Ends the stream and waits until all is written.  REFUSALS is the group's
 * number of them: those that no report speaks of are told as a number. */
void reporter_close(struct reporter *r, uint64_t refusals);

#endif
