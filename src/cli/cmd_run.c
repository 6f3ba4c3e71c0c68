/* SPDX-License-Identifier: MIT
 *
 * surety run: everything that can be wrong is found before anything starts.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cmd.h"
#include "cli/guard.h"
#include "cli/job.h"
#include "cli/resolve.h"
#include "cli/run_fork.h"
#include "cli/run_limit.h"

enum { FOREIGN_FDS_MAX = 255 };

/* Descriptors beyond stderr that we were started with: the command's, not ours. */
static void list_foreign_fds(int fds[FOREIGN_FDS_MAX + 1])
{
	autoclosedir DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int nr = 0;

	while (dir && nr < FOREIGN_FDS_MAX && (entry = readdir(dir))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (fd > STDERR_FILENO && fd != dirfd(dir))
			fds[nr++] = fd;
	}
	fds[nr] = -1;
}

static const struct engine_ops *choose_engine(int choice)
{
	switch (choice) {
	case ENGINE_NULL: return &engine_null;
	case ENGINE_BPF: return &engine_bpf;
	default: return &engine_seccomp;
	}
}

int run_command(const struct run_opts *opts, job_ended_fn *ended, void *ctx, struct err *err)
{
	char path[4096], pid_name[16];
	int foreign_fds[FOREIGN_FDS_MAX + 1];
	sigset_t signals, original;
	struct job job = {
		.opts = opts,
		.ops = choose_engine(opts->engine),
		.group = opts->name,
		.path = path,
		.signals = &original,
		.foreign_fds = foreign_fds,
		.ended = ended,
		.ended_ctx = ctx,
	};
	int status;

	list_foreign_fds(foreign_fds);
	if (resolve_command(opts->command[0], path, sizeof(path), err) < 0 || run_limit(opts, &job.limit, err) < 0 ||
	    run_fork(opts, &job.forks, err) < 0 ||
	    recording_open(&job.recording, opts, err) < 0)
		return -1;
	if (reporter_open(&job.reporter, opts, err) < 0) {
		recording_drop(&job.recording);
		return -1;
	}
	if (!job.group) {
		snprintf(pid_name, sizeof(pid_name), "%d", getpid());
		job.group = pid_name;
	}
	guard_signals(&signals);
	sigaddset(&signals, SIGPIPE); /* seen as EPIPE; the command gets the original mask */
	if (sigprocmask(SIG_BLOCK, &signals, &original) < 0)
		return err_set(err, EXIT_SURETY, "cannot block signals: %s (try again)", strerror(errno));
	status = guard_split(job.group, &job.guard_fd);
	if (status == -2)
		return err_set(err, EXIT_SURETY, "cannot start the supervisor of '%s': %s (try again)", opts->command[0],
			       strerror(errno));
	return status >= 0 ? status : job_run(&job, err);
}

int cmd_run(const struct run_opts *opts, struct err *err)
{
	return run_command(opts, NULL, NULL, err);
}
