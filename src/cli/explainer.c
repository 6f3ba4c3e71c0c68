/* SPDX-License-Identifier: MIT
 *
 * explainer: see the header.
 */
#include "cli/explainer.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/libexec.h"

#define EXPLAIN_NAME "surety-explain"

static int start_failed(int error, struct err *err)
{
	return err_set(err, EXIT_SURETY, "cannot start '%s': %s (it belongs beside surety)", EXPLAIN_NAME, strerror(error));
}

int explainer_become(const struct explain_opts *opts, struct err *err)
{
	char program[4096], limit[24] = "-", mode[4], percent[24];
	const char *format = opts->json ? "json" : "text";
	char *const argv[] = { (char *)EXPLAIN_NAME, (char *)opts->record, limit, mode, percent, (char *)format,
			       (char *)opts->html, NULL };

	if (opts->limit_bytes != OPT_UNSET)
		snprintf(limit, sizeof(limit), "%" PRIu64, opts->limit_bytes);
	snprintf(mode, sizeof(mode), "%d", opts->mode);
	snprintf(percent, sizeof(percent), "%" PRIu64, opts->fork_reserve);
	libexec_find(EXPLAIN_NAME, program, sizeof(program));
	execv(program, argv);
	return start_failed(errno, err);
}

int explainer_tell_peak(const char *path, struct err *err)
{
	static const char mode[] = "2", percent[] = "100", format[] = "check";
	char program[4096];
	char *const argv[] = { (char *)EXPLAIN_NAME, (char *)path, (char *)"-", (char *)mode, (char *)percent, (char *)format,
			       NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int error, status;
	pid_t pid;

	libexec_find(EXPLAIN_NAME, program, sizeof(program));
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	error = posix_spawn(&pid, program, &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	if (error)
		return start_failed(error, err);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return 0; /* what it could not do it has said */
}
