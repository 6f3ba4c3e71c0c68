/* SPDX-License-Identifier: MIT
 *
 * reporter: see the header.
 */
#include "cli/reporter.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "cli/libexec.h"
#include "report/record.h"

#define REPORTER_NAME "surety-report"

enum {
	REPORT_FD = 3,            /* surety-report's --fd */
	CLOSE_TICK_MS = 100,
	CLOSE_WAIT_MS = 10000,    /* for the last reports to be made and read */
	PIPE_BYTES = 1024 * 1024, /* fs.pipe-max-size: what any user may ask for */
};

int reporter_open(struct reporter *r, const struct run_opts *opts, struct err *err)
{
	memset(r, 0, sizeof(*r));
	r->opts = opts;
	r->pipe_fd = -1;
	if (strcmp(opts->report, "-") == 0)
		r->out_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, REPORT_FD);
	else
		r->out_fd = open(opts->report, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
	if (r->out_fd < 0)
		return err_set(err, EXIT_SURETY, "cannot write the report '%s': %s (give another --report FILE)", opts->report,
			       strerror(errno));
	return 0;
}

static int spawn(struct reporter *r, const char *program, int read_fd)
{
	char *const argv[] = { (char *)REPORTER_NAME, (char *)"--format",
			       (char *)(r->opts->format == REPORT_JSON ? "json" : "text"), (char *)"--fd", (char *)"3", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int error;

	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, read_fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, r->out_fd, REPORT_FD);
	error = posix_spawn(&r->pid, program, &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return -error;
}

static void start(struct reporter *r)
{
	char program[4096];
	int fds[2], error;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		error = errno;
	} else {
		libexec_find(REPORTER_NAME, program, sizeof(program));
		error = -spawn(r, program, fds[0]);
		close_fd(&fds[0]);
		if (error)
			close_fd(&fds[1]);
	}
	if (error) {
		r->failed = true;
		warn_line("cannot start '%s': %s (refusals are told without stacks)", REPORTER_NAME, strerror(error));
		return;
	}
	r->pipe_fd = fds[1];
	(void)fcntl(r->pipe_fd, F_SETPIPE_SZ, PIPE_BYTES); /* a smaller one drops more */
}

static char *brief_json(const struct refusal *x)
{
	json_t *call = json_pack("{s:i, s:s, s:I, s:I}", "sequence", (int)x->sequence, "operation", operation_name(x->op),
				 "requested_bytes", (json_int_t)x->request_bytes, "committed_bytes",
				 (json_int_t)x->committed_bytes);
	json_t *object = json_pack("{s:s, s:s, s:s, s:i, s:I, s:i, s:i, s:s, s:I, s:I, s:[o], s:n}", "schema",
				   "surety.refusal/1", "group", x->group, "engine", x->engine, "overcommit_memory", (int)x->mode,
				   "suppressed", (json_int_t)x->suppressed, "pid", (int)x->pid, "tid", (int)x->tid, "operation",
				   operation_name(x->op), "committed_bytes", (json_int_t)x->committed_bytes, "limit_bytes",
				   (json_int_t)x->limit_bytes, "calls", call, "stack");
	char *text = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	return text;
}

static char *brief_text(const struct refusal *x)
{
	char request[BYTES_FORMAT_MAX], committed[BYTES_FORMAT_MAX], limit[BYTES_FORMAT_MAX];
	char *text = NULL;

	bytes_format(x->request_bytes, request);
	bytes_format(x->committed_bytes, committed);
	bytes_format(x->limit_bytes, limit);
	if (x->op == OP_COPY) {
		bytes_format(x->args[1], request);
		if (asprintf(&text, "surety: ended by signal %d after %s of copies: process %d in group '%s': Committed_AS %s of "
			     "CommitLimit %s", x->signal, request, x->pid, x->group, committed, limit) < 0)
			return NULL;
		return text;
	}
	/* The name of the process is the job's to choose: its id is not. */
	if (asprintf(&text, "surety: refused %s of %s: process %d in group '%s': Committed_AS %s + %s would pass CommitLimit "
		     "%s", operation_name(x->op), request, x->pid, x->group, committed, request, limit) < 0)
		return NULL;
	return text;
}

/* Without surety-report: what is known here, and no stack. */
static void tell_briefly(const struct reporter *r, const struct refusal *x)
{
	autofree char *text = r->opts->format == REPORT_JSON ? brief_json(x) : brief_text(x);
	struct iovec line[2] = { { text, text ? strlen(text) : 0 }, { (char *)"\n", 1 } };

	if (text && writev(r->out_fd, line, 2) < 0)
		return; /* nowhere to tell it: --summary and status still count it */
}

/* Unwinding is slower than refusing.  What would have to wait for it is
 * counted, and told with the next report. */
static bool has_room(const struct reporter *r, const struct capture *capture)
{
	size_t size = sizeof(struct refusal) + (capture ? capture->stack_len + capture->maps_len : 0);
	int used = 0;

	return ioctl(r->pipe_fd, FIONREAD, &used) < 0 || used == 0 || (size_t)used + size < PIPE_BYTES / 2;
}

void reporter_refused(void *ctx, const struct refusal *refusal, const struct capture *capture)
{
	struct reporter *r = ctx;
	struct refusal told = *refusal;

	if (r->pipe_fd < 0 && !r->failed)
		start(r);
	if (r->pipe_fd >= 0 && !has_room(r, capture)) {
		r->untold += 1 + refusal->suppressed;
		return;
	}
	told.suppressed += r->untold;
	r->untold = 0;
	r->told += 1 + told.suppressed;
	if (r->pipe_fd >= 0 && record_write(r->pipe_fd, &told, capture) == 0)
		return;
	if (r->pipe_fd >= 0) {
		close_fd(&r->pipe_fd);
		r->failed = true;
		warn_line("'%s' has ended: refusals are told without stacks (was it killed?)", REPORTER_NAME);
	}
	tell_briefly(r, &told);
}

/* It writes what it has, for as long as somebody reads that.  A reader that is
 * stuck does not hold up the end of the job for ever, nor a signal to it. */
static void wait_reporter(pid_t pid)
{
	struct pollfd pfd = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int waited = 0;
	sigset_t pending;

	while (pfd.fd >= 0 && poll(&pfd, 1, CLOSE_TICK_MS) == 0) {
		waited += CLOSE_TICK_MS;
		if (sigpending(&pending) == 0 && waited < CLOSE_WAIT_MS && !sigismember(&pending, SIGTERM) &&
		    !sigismember(&pending, SIGINT))
			continue;
		warn_line("reports are not read: the rest of them was given up (who reads --report?)");
		(void)kill(pid, SIGKILL);
	}
	close_fd(&pfd.fd);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void reporter_close(struct reporter *r, uint64_t refusals)
{
	if (refusals > r->told)
		warn_line("%llu more refusals were counted without a report of their own",
			  (unsigned long long)(refusals - r->told));
	close_fd(&r->pipe_fd);
	close_fd(&r->out_fd);
	if (r->pid > 0)
		wait_reporter(r->pid);
}
