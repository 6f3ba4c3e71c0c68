/* SPDX-License-Identifier: MIT
 *
 * job: see the header.
 */
#include "cli/job.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "cli/control.h"
#include "cli/guard.h"
#include "sys/procfs.h"

enum {
	TICK_MS = 250,        /* while the job is being ended, or its rest is waited for */
	TELL_REST_TICKS = 4,  /* that others live on, a second after the command ended */
};

struct state {
	struct job *job;
	struct engine *engine;
	struct control control;
	int signal_fd;
	bool main_ended, guard_gone;
	int main_status;
	unsigned int ticks;
};

/* The job may wait for the end of what it wrote to: it must not wait for us. */
static void let_go_of_files(const struct job *job)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		close(null);
	}
	for (const int *fd = job->foreign_fds; *fd >= 0; fd++)
		close(*fd);
}

/* Only a child that has ended is waited for, by its id: a wait for any would
 * take the stops that other threads of ours wait for as tracers. */
static int reap_child(void *ctx, pid_t pid)
{
	struct state *s = ctx;
	struct task_stat st;
	int status;

	if (task_stat_read(pid, &st) < 0 || st.state != 'Z' || waitpid(pid, &status, WNOHANG | __WALL) != pid)
		return 0;
	if (pid == s->job->ops->main_pid(s->engine)) {
		s->main_ended = true;
		s->main_status = status;
	}
	return 0;
}

static void reap(struct state *s)
{
	if (children_list(getpid(), reap_child, s) < 0 || !s->main_ended)
		(void)reap_child(s, s->job->ops->main_pid(s->engine)); /* a kernel without children files */
}

static void take_signal(struct state *s)
{
	const struct engine_ops *ops = s->job->ops;
	struct signalfd_siginfo info;

	while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(s);
		else if (s->main_ended)
			ops->signal_all(s->engine, (int)info.ssi_signo);
		else
			(void)kill(ops->main_pid(s->engine), (int)info.ssi_signo); /* a zombie: fine */
	}
}

/* The command has ended and processes that it left go on: they stay accounted
 * until their end, and the user is told what is waited for. */
static void tell_rest(struct state *s)
{
	struct engine_process rows[4];
	struct engine_status st;
	char names[160] = "";

	if (!s->main_ended || s->guard_gone || s->ticks++ != TELL_REST_TICKS)
		return;
	s->job->ops->status(s->engine, &st, rows, 4);
	if (st.nr_processes == 0)
		return;
	for (uint32_t i = 0; i < st.nr_processes && i < 4; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), " %d", rows[i].pid);
	warn_line("'%s' has ended; waiting for what it left in the group: %u process%s,%s%s", s->job->opts->command[0],
		  st.nr_processes, st.nr_processes == 1 ? "" : "es", names, st.nr_processes > 4 ? " ..." : "");
}

/* Waits for something to do.  Returns true when the last process has ended. */
static bool turn(struct state *s)
{
	const struct engine_ops *ops = s->job->ops;
	const struct control_group told = { s->job->group, ops, s->engine, &s->job->limit };
	struct pollfd pfd[4] = {
		{ .fd = ops->poll_fd(s->engine), .events = POLLIN },
		{ .fd = s->signal_fd, .events = POLLIN },
		{ .fd = s->guard_gone ? -1 : s->job->guard_fd, .events = POLLIN },
		{ .fd = s->control.fd, .events = POLLIN },
	};
	bool wait_long = !s->guard_gone && !(s->main_ended && s->ticks <= TELL_REST_TICKS);

	if (poll(pfd, 4, wait_long ? -1 : TICK_MS) < 0)
		return false;
	if (pfd[1].revents)
		take_signal(s);
	if (pfd[2].revents)
		s->guard_gone = true;
	if (s->guard_gone)
		ops->signal_all(s->engine, SIGKILL);
	if (pfd[3].revents)
		control_answer(&s->control, &told);
	if (ops->dispatch(s->engine) == 1)
		return true;
	tell_rest(s);
	return false;
}

static void print_summary(const struct state *s, const struct engine_status *st)
{
	const struct job *job = s->job;
	char peak[BYTES_FORMAT_MAX], limit[BYTES_FORMAT_MAX], refused[BYTES_FORMAT_MAX], end[64];
	char forks[48] = "";

	bytes_format(pages_to_bytes(st->peak_pages), peak);
	bytes_format(pages_to_bytes(st->limit_pages), limit);
	bytes_format(pages_to_bytes(st->refused_pages), refused);
	if (WIFSIGNALED(s->main_status))
		snprintf(end, sizeof(end), "signal %d (%s)", WTERMSIG(s->main_status), strsignal(WTERMSIG(s->main_status)));
	else
		snprintf(end, sizeof(end), "exit status %d", WEXITSTATUS(s->main_status));
	if (st->forks_ended)
		snprintf(forks, sizeof(forks), "%llu child%s ended; ", (unsigned long long)st->forks_ended,
			 st->forks_ended == 1 ? "" : "ren");
	warn_line("group '%s': peak Committed_AS %s of CommitLimit %s; %llu charge%s, %llu refusal%s (%s refused); %sended by %s",
		  job->group, peak, limit, (unsigned long long)st->charges, st->charges == 1 ? "" : "s",
		  (unsigned long long)st->refusals, st->refusals == 1 ? "" : "s", refused, forks, end);
}

static int exit_status(const struct state *s)
{
	return WIFSIGNALED(s->main_status) ? 128 + WTERMSIG(s->main_status) : WEXITSTATUS(s->main_status);
}

/* The last task is gone; the command, our child, may be a moment from being waitable. */
static void wait_main(struct state *s)
{
	pid_t pid = s->job->ops->main_pid(s->engine);

	while (!s->main_ended) {
		if (waitpid(pid, &s->main_status, 0) == pid || errno != EINTR)
			s->main_ended = true;
	}
}

static int live(struct state *s, struct err *err)
{
	struct engine_status st;

	(void)setsid(); /* signals of the terminal are the job's */
	let_go_of_files(s->job);
	while (!turn(s))
		;
	wait_main(s);
	s->job->ops->stop(s->engine);
	s->job->ops->status(s->engine, &st, NULL, 0);
	control_close(&s->control);
	recording_close(&s->job->recording, s->main_status, &st);
	reporter_close(&s->job->reporter, st.refusals);
	if (s->job->ops->load_refused(s->engine, err))
		return -1;
	if (s->job->ended)
		s->job->ended(s->job->ended_ctx, s->main_status, &st);
	if (s->job->opts->summary)
		print_summary(s, &st);
	return exit_status(s);
}

int job_run(struct job *job, struct err *err)
{
	const struct run_opts *opts = job->opts;
	struct engine_config cfg = {
		.group = job->group,
		.limit = job->limit,
		.forks = job->forks,
		.on_refusal = (enum on_refusal)opts->on_refusal,
		.events = { &job->reporter, reporter_refused },
		.path = job->path,
		.argv = opts->command,
		.signals = job->signals,
	};
	struct state s = { .job = job };
	sigset_t signals;
	int status;

	guard_signals(&signals);
	s.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s.signal_fd < 0)
		return err_set(err, EXIT_SURETY, "cannot watch the signals of '%s': %s (try again)", opts->command[0],
			       strerror(errno));
	s.control.fd = -1;
	if (opts->name && control_listen(&s.control, job->group, true, err) < 0)
		return -1;
	if (recording_start(&job->recording, &cfg, err) < 0) {
		control_close(&s.control);
		return -1;
	}
	if (job->ops->start(&s.engine, &cfg, err) < 0) {
		control_close(&s.control);
		return -1;
	}
	/* A name that the user did not choose is not waited for. */
	if (!opts->name)
		(void)control_listen(&s.control, job->group, false, err);
	status = live(&s, err);
	control_close(&s.control);
	return status;
}
