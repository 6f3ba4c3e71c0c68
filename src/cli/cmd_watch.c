/* SPDX-License-Identifier: MIT
 *
 * surety watch: refusals of limited cgroups, as they happen.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cmd.h"
#include "cli/reporter.h"
#include "engine/groups.h"

enum { LOST_TICK_MS = 1000 };

static int stop_signals(struct err *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGPIPE);
	fd = sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? err_set(err, EXIT_SURETY, "cannot watch for 'signals': %s (try again)", strerror(errno)) : fd;
}

static void follow(struct groups *g, struct groups_watch *w, int stop)
{
	struct pollfd pfd[2] = { { .fd = groups_watch_fd(w), .events = POLLIN }, { .fd = stop, .events = POLLIN } };
	struct signalfd_siginfo info;
	uint64_t lost = 0, now;

	while (!pfd[1].revents) {
		(void)groups_watch_dispatch(w);
		now = groups_lost(g);
		if (now > lost)
			warn_line("%llu refusals were lost: they came faster than they are read",
				  (unsigned long long)(now - lost));
		lost = now;
		if (poll(pfd, 2, LOST_TICK_MS) < 0 && errno != EINTR)
			return;
	}
	(void)groups_watch_dispatch(w);
	/* Taken: one that is still pending would end surety-report too. */
	if (read(stop, &info, sizeof(info)) < 0)
		return;
}

int cmd_watch(const struct watch_opts *opts, struct err *err)
{
	const struct run_opts same = { .report = opts->report, .format = opts->format };
	struct reporter reporter;
	const struct engine_events events = { &reporter, reporter_refused };
	struct groups_watch *w;
	struct groups *g;
	char absolute[4096];
	uint64_t id = 0;
	autoclose int stop = -1;
	int r;

	if (opts->target && groups_cgroup(opts->target, &id, absolute, sizeof(absolute), err) < 0)
		return -1;
	r = groups_open(&g, GROUPS_LOADED, err);
	if (r > 0)
		return err_set(err, EXIT_SURETY, "cannot watch '%s': no cgroup is limited (surety attach)",
			       opts->target ? opts->target : "/");
	if (r < 0)
		return -1;
	r = -1;
	if (reporter_open(&reporter, &same, err) == 0 && (stop = stop_signals(err)) >= 0 &&
	    groups_watch_open(&w, g, id, &events, err) == 0) {
		follow(g, w, stop);
		groups_watch_close(w);
		reporter_close(&reporter, 0);
		r = 0;
	}
	groups_close(g);
	return r;
}
