/* SPDX-License-Identifier: MIT
 *
 * engine: the seccomp engine's face to the rest (engine.h), and the start of
 * the job.
 *
 * Two threads share the group under its lock: one waits in NOTIF_RECV, which
 * wakes it at half the cost of a poll; the caller's own thread learns of ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "engine/engine.h"
#include "engine/seccomp/notify.h"
#include "engine/seccomp/object.h"
#include "engine/seccomp/passfd.h"
#include "engine/seccomp/probe.h"
#include "engine/seccomp/promise.h"
#include "engine/seccomp/recorder.h"
#include "engine/seccomp/space.h"
#include "engine/seccomp/watch.h"
#include "engine/seccomp/vault.h"
#include "sys/clock.h"
#include "sys/procfs.h"

struct engine {
	struct ledger_group ledger;
	struct group group;
	struct notifier notifier;
	struct capture_thread capture;
	struct fork_policies fork_policies;
	struct forks forks;
	struct watch watch;
	struct engine_events events;
	pthread_t server;
	bool serving;
	pid_t main_pid;
	char name[REFUSAL_GROUP];
	const char *command; /* argv[0], borrowed */
};

/* Ends of the talk between the supervisor and the command before its execve. */
struct start_talk {
	int listener[2]; /* socket: the listener descriptor, then "go" back */
	int failed[2];   /* pipe: errno of execve; closed by its success */
};

static _Noreturn void run_command(struct start_talk *talk, const struct engine_config *cfg)
{
	bool wait_killable = false;
	char go;
	int fd, e;

	/* Should every process of ours be killed at once, the command goes too. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = listener_install(&wait_killable);
	if (fd == -EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		fd = listener_install(&wait_killable);
	if (passfd_send(talk->listener[1], fd, wait_killable) < 0)
		_exit(EXIT_SURETY);
	if (fd < 0)
		_exit(EXIT_SURETY);
	close(fd);
	if (read(talk->listener[1], &go, 1) != 1)
		_exit(EXIT_SURETY);
	(void)sigprocmask(SIG_SETMASK, cfg->signals, NULL);
	execve(cfg->path, cfg->argv, environ);
	e = errno;
	if (write(talk->failed[1], &e, sizeof(e)) != (ssize_t)sizeof(e))
		_exit(EXIT_SURETY);
	_exit(EXIT_NOT_FOUND);
}

static int open_talk(struct start_talk *talk)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, talk->listener) < 0)
		return -errno;
	return pipe2(talk->failed, O_CLOEXEC) < 0 ? -errno : 0;
}

static void close_talk(struct start_talk *talk)
{
	for (int i = 0; i < 2; i++) {
		close_fd(&talk->listener[i]);
		close_fd(&talk->failed[i]);
	}
}

/* A descriptor or two for each process: as many as we may have. */
static void raise_nofile(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &lim); /* with fewer, exits are noticed later */
	}
}

static void *server_main(void *arg)
{
	notify_serve(arg);
	return NULL;
}

static int serve(struct engine *e, const struct engine_config *cfg, int fd, bool wait_killable)
{
	struct group *g = &e->group;
	int r = listener_init(&g->listener, fd, wait_killable);

	if (r == 0)
		r = group_init(g, &e->ledger, getpid());
	if (r == 0)
		r = group_adopt_main(g, e->main_pid);
	if (r < 0)
		return r;
	capture_init(&e->capture, &g->listener, cfg->on_refusal, &e->events);
	if (fork_policies_active(&cfg->forks)) {
		e->fork_policies = cfg->forks;
		watch_init(&e->watch, g, e->name, &e->capture);
		e->forks = (struct forks){ .policies = &e->fork_policies, .watch = &e->watch };
		g->forks = &e->forks;
	}
	g->started_ns = clock_ns(CLOCK_REALTIME_COARSE); /* the clock of inodes: a finer one is ahead of them */
	program_preload(&g->programs, cfg->path, task_stack_rlimit(e->main_pid));
	e->notifier = (struct notifier){ .group = g,
					 .name = e->name,
					 .capture = &e->capture,
					 .on_refusal = cfg->on_refusal,
					 .main_pid = e->main_pid,
					 .starting = true };
	notify_init(&e->notifier);
	r = cfg->recorder ? recorder_start(g, cfg->recorder) : 0;
	if (r < 0)
		return r;
	r = pthread_create(&e->server, NULL, server_main, &e->notifier);
	e->serving = r == 0;
	return -r;
}

static int filter_failed(struct err *err, int fd)
{
	if (fd == -EBUSY)
		return err_set(err, EXIT_SURETY, "cannot supervise 'seccomp': another supervisor already listens to this "
			       "process (run surety outside it: a process has one listener)");
	return err_set(err, EXIT_SURETY, "cannot load the filter 'seccomp': %s (surety probe tells what is missing)",
		       strerror(-fd));
}

static bool seccomp_load_refused(const struct engine *e, struct err *err)
{
	char have[BYTES_FORMAT_MAX], need[BYTES_FORMAT_MAX];

	if (!e->notifier.start_refused)
		return false;
	bytes_format(pages_to_bytes(limit_commit(&e->ledger.limit)), have);
	bytes_format(pages_to_bytes(e->notifier.start_needed_pages), need);
	(void)err_set(err, EXIT_SURETY, "cannot start '%s': it needs more than the limit of %s to load (give it at least "
		      "%s to get further)", e->command, have, need);
	return true;
}

static int exec_failed(const struct engine *e, int error, struct err *err)
{
	if (seccomp_load_refused(e, err))
		return -1;
	return err_set(err, error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXEC, "cannot run '%s': %s (%s)", e->command,
		       strerror(error),
		       error == ENOENT ? "its interpreter is missing" : "is it a program for this machine?");
}

static void reap_main(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void seccomp_stop(struct engine *e);

/* The command waits with its filter loaded; what is ours is made ready, then it goes. */
static int supervise(struct engine *e, const struct engine_config *cfg, struct start_talk *talk, struct err *err)
{
	bool wait_killable = false;
	int fd, r, error;
	ssize_t n;

	fd = passfd_receive(talk->listener[0], &wait_killable);
	if (fd < 0)
		return filter_failed(err, fd);
	raise_nofile();
	r = serve(e, cfg, fd, wait_killable);
	if (r < 0)
		return err_set(err, EXIT_SURETY, "cannot start the supervisor 'seccomp': %s (surety probe tells what is "
			       "missing)", strerror(-r));
	if (write(talk->listener[0], "g", 1) != 1)
		return err_set(err, EXIT_SURETY, "cannot start '%s': it was killed (try again)", cfg->argv[0]);
	while ((n = read(talk->failed[0], &error, sizeof(error))) < 0 && errno == EINTR)
		;
	return n > 0 ? exec_failed(e, error, err) : 0;
}

static int seccomp_start(struct engine **ret, const struct engine_config *cfg, struct err *err)
{
	struct start_talk talk = { { -1, -1 }, { -1, -1 } };
	struct engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return err_set(err, EXIT_SURETY, "cannot start the supervisor 'seccomp': %s (free some memory)",
			       strerror(ENOMEM));
	ledger_group_init(&e->ledger, NULL, &cfg->limit);
	e->events = cfg->events;
	e->group.epoll_fd = e->group.hangup_fd = e->group.listener.fd = -1;
	/* One thread allocates at a time: further arenas would only cost address
	 * space and time to make. */
	(void)mallopt(M_ARENA_MAX, 1);
	e->command = cfg->argv[0];
	snprintf(e->name, sizeof(e->name), "%s", cfg->group);
	r = open_talk(&talk);
	if (r == 0) {
		e->main_pid = fork();
		if (e->main_pid == 0)
			run_command(&talk, cfg);
	}
	if (r < 0 || e->main_pid < 0) {
		err_set(err, EXIT_SURETY, "cannot start '%s': %s (try again)", cfg->argv[0], strerror(r < 0 ? -r : errno));
		close_talk(&talk);
		free(e);
		return -1;
	}
	close_fd(&talk.listener[1]);
	close_fd(&talk.failed[1]);
	r = supervise(e, cfg, &talk, err);
	close_talk(&talk);
	if (r < 0) {
		reap_main(e->main_pid);
		seccomp_stop(e);
		return -1;
	}
	*ret = e;
	return 0;
}

static pid_t seccomp_main_pid(const struct engine *e)
{
	return e->main_pid;
}

static int seccomp_poll_fd(const struct engine *e)
{
	return e->group.hangup_fd;
}

static int seccomp_dispatch(struct engine *e)
{
	return group_hung_up(&e->group);
}

static uint32_t fill_rows(struct group *g, struct engine_process *rows, uint32_t max)
{
	const struct space *s;
	const struct proc *p;
	uint32_t n = 0;

	LIST_FOREACH(s, &g->spaces, entry) {
		bool first = true;

		LIST_FOREACH(p, &s->procs, in_space) {
			if (rows && n < max) {
				rows[n] = (struct engine_process){ .pid = p->pid,
								   .committed_pages = first ? s->hold.pages : 0,
								   .shared = !first };
				task_comm(p->pid, rows[n].comm, sizeof(rows[n].comm));
			}
			n++;
			first = false;
		}
	}
	return n;
}

static void seccomp_status(struct engine *e, struct engine_status *ret, struct engine_process *rows, uint32_t max)
{
	struct group *g = &e->group;
	struct ledger_group *ledger = &e->ledger;

	pthread_mutex_lock(&g->lock);
	if (!group_hung_up(g))
		vault_count(g, NULL);
	else
		group_reap(g);
	vault_note_needed(g);
	*ret = (struct engine_status){
		.committed_pages = ledger->committed,
		.limit_pages = limit_commit(&ledger->limit),
		.peak_pages = g->needed_peak,
		.reserved_pages = g->reserved,
		.shmem_pages = object_pages(g),
		.charges = ledger->charges,
		.refusals = ledger->refusals,
		.refused_pages = ledger->refused_pages,
		.notifications = g->notifications,
		.started_ns = g->started_ns,
	};
	family_sums(g, &ret->fork_uncharged_pages, &ret->fork_kept_pages);
	ret->forks_ended = g->forks ? g->forks->ended : 0;
	ret->nr_processes = fill_rows(g, rows, max);
	pthread_mutex_unlock(&g->lock);
}

static void seccomp_signal_all(struct engine *e, int sig)
{
	struct group *g = &e->group;
	struct proc *p;

	pthread_mutex_lock(&g->lock);
	g->killing |= sig == SIGKILL; /* no fork may slip away */
	promise_discover(g);
	for (int i = 0; i < PID_BUCKETS; i++)
		LIST_FOREACH(p, &g->procs[i], hash)
			group_signal_proc(p, sig);
	pthread_mutex_unlock(&g->lock);
}

static void seccomp_stop(struct engine *e)
{
	if (e->serving) {
		/* It returns when the last task is gone; before Linux 6.11 it may
		 * sleep on, and ends with the process. */
		if (e->group.listener.fd >= 0)
			pthread_detach(e->server);
	}
	watch_stop(&e->watch);
	capture_stop(&e->capture);
	recorder_stop(&e->group);
}

const struct engine_ops engine_seccomp = {
	.name = "seccomp",
	.probe = seccomp_probe,
	.start = seccomp_start,
	.main_pid = seccomp_main_pid,
	.load_refused = seccomp_load_refused,
	.poll_fd = seccomp_poll_fd,
	.dispatch = seccomp_dispatch,
	.status = seccomp_status,
	.signal_all = seccomp_signal_all,
	.stop = seccomp_stop,
};
