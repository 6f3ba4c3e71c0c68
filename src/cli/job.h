/* SPDX-License-Identifier: MIT
 *
 * job: the supervisor's life, from the start of the command to the end of the
 * last process that it left.
 */
#ifndef SURETY_CLI_JOB_H
#define SURETY_CLI_JOB_H

#include "cli/opts.h"
#include "cli/reporter.h"
#include "engine/engine.h"

struct job {
	const struct run_opts *opts;
	const struct engine_ops *ops;
	const char *group; /* its name */
	const char *path;  /* the program */
	struct limit limit;
	const sigset_t *signals; /* mask that the command starts with */
	struct reporter reporter;
	int guard_fd;          /* hangs up when the guard is gone */
	const int *foreign_fds; /* inherited, for the command only; -1 ends */
};

/* Runs it.  Returns the exit status to end with, or -1 with ERR set. */
int job_run(struct job *job, struct err *err);

#endif
