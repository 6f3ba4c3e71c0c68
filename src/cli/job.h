/* SPDX-License-Identifier: MIT
 *
 * job: the supervisor's life, from the start of the command to the end of the
 * last process that it left.
 */
#ifndef SURETY_CLI_JOB_H
#define SURETY_CLI_JOB_H

#include "cli/opts.h"
#include "cli/recording.h"
#include "cli/reporter.h"
#include "engine/engine.h"

/* Told once, when the last process has ended: how the command did (as wait(2)
 * has it) and the figures at the end. */
typedef void job_ended_fn(void *ctx, int wait_status, const struct engine_status *st);

struct job {
	const struct run_opts *opts;
	const struct engine_ops *ops;
	const char *group; /* its name */
	const char *path;  /* the program */
	struct limit limit;
	struct fork_policies forks;
	const sigset_t *signals; /* mask that the command starts with */
	struct reporter reporter;
	job_ended_fn *ended; /* or NULL */
	void *ended_ctx;
	struct recording recording;
	int guard_fd;          /* hangs up when the guard is gone */
	const int *foreign_fds; /* inherited, for the command only; -1 ends */
};

/* Runs it.  Returns the exit status to end with, or -1 with ERR set. */
int job_run(struct job *job, struct err *err);

/* The whole of surety run, from the options to the exit status. */
int run_command(const struct run_opts *opts, job_ended_fn *ended, void *ctx, struct err *err);

#endif
