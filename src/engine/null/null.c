/* SPDX-License-Identifier: MIT
 *
 * null: the engine that sees and refuses nothing.
 *
 * The command runs as it would without surety; all figures stay 0.  It is what
 * the other engines are measured against, and the contract at its smallest.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/engine.h"

struct engine {
	pid_t main_pid;
	int pidfd;
	uint64_t limit_pages;
};

static void null_probe(struct probe_report *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->usable = true;
	ret->nr = 1;
	ret->line[0].ok = true;
	snprintf(ret->line[0].what, sizeof(ret->line[0].what), "nothing is needed");
	snprintf(ret->line[0].why, sizeof(ret->line[0].why), "it accounts nothing");
}

static _Noreturn void run_command(const struct engine_config *cfg, int failed)
{
	int error;

	(void)sigprocmask(SIG_SETMASK, cfg->signals, NULL);
	execve(cfg->path, cfg->argv, environ);
	error = errno;
	if (write(failed, &error, sizeof(error)) != (ssize_t)sizeof(error))
		_exit(EXIT_SURETY);
	_exit(EXIT_CANNOT_EXEC);
}

static int null_start(struct engine **ret, const struct engine_config *cfg, struct err *err)
{
	struct engine *e = calloc(1, sizeof(*e));
	int failed[2] = { -1, -1 };
	int error = 0;

	if (!e || pipe2(failed, O_CLOEXEC) < 0 || (e->main_pid = fork()) < 0) {
		err_set(err, EXIT_SURETY, "cannot start '%s': %s (try again)", cfg->argv[0], strerror(errno));
		close_fd(&failed[0]);
		close_fd(&failed[1]);
		free(e);
		return -1;
	}
	if (e->main_pid == 0)
		run_command(cfg, failed[1]);
	close_fd(&failed[1]);
	while (read(failed[0], &error, sizeof(error)) < 0 && errno == EINTR)
		;
	close_fd(&failed[0]);
	if (error) {
		err_set(err, error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXEC, "cannot run '%s': %s (%s)", cfg->argv[0],
			strerror(error), "is it a program for this machine?");
		free(e);
		return -1;
	}
	e->pidfd = (int)syscall(SYS_pidfd_open, e->main_pid, 0);
	e->limit_pages = limit_commit(&cfg->limit);
	*ret = e;
	return 0;
}

static pid_t null_main_pid(const struct engine *e)
{
	return e->main_pid;
}

static bool null_load_refused(const struct engine *e, struct err *err)
{
	(void)e;
	(void)err;
	return false;
}

static int null_poll_fd(const struct engine *e)
{
	return e->pidfd;
}

static int null_dispatch(struct engine *e)
{
	struct pollfd pfd = { .fd = e->pidfd, .events = POLLIN };

	return e->pidfd < 0 || poll(&pfd, 1, 0) > 0;
}

static void null_status(struct engine *e, struct engine_status *ret, struct engine_process *rows, uint32_t max)
{
	(void)rows;
	(void)max;
	memset(ret, 0, sizeof(*ret));
	ret->limit_pages = e->limit_pages;
}

static void null_signal_all(struct engine *e, int sig)
{
	(void)kill(e->main_pid, sig); /* gone already: fine */
}

static void null_stop(struct engine *e)
{
	close_fd(&e->pidfd);
}

const struct engine_ops engine_null = {
	.name = "null",
	.probe = null_probe,
	.start = null_start,
	.main_pid = null_main_pid,
	.load_refused = null_load_refused,
	.poll_fd = null_poll_fd,
	.dispatch = null_dispatch,
	.status = null_status,
	.signal_all = null_signal_all,
	.stop = null_stop,
};
