/* SPDX-License-Identifier: MIT
 *
 * run: `surety run --engine bpf`: a cgroup of its own for one command.
 *
 * The cgroup is made below our own, limited, and entered by the child before
 * execve, so that the command's first page is charged to it.  It is removed with
 * the job; if we are killed it stays, limited, until somebody removes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "engine/bpf/engine_bpf.h"
#include "engine/bpf/pins.h"
#include "sys/clock.h"

enum { REMOVE_TRIES = 100, REMOVE_WAIT_US = 10000 };

struct engine {
	struct groups *g;
	struct groups_watch *watch;
	struct engine_events events;
	char cgroup[4096];
	int events_fd; /* cgroup.events */
	int epoll_fd;
	pid_t main_pid;
	uint64_t id, started_ns;
	struct surety_group last; /* figures as they were at the end */
	bool stopped;
};

static int own_cgroup(char *buf, size_t size)
{
	autofclose FILE *f = fopen("/proc/self/cgroup", "re");
	char line[4096], mount[256];

	cgroup_mount(mount, sizeof(mount));
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "0::", 3) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (snprintf(buf, size, "%s%s", mount, strcmp(line + 3, "/") ? line + 3 : "") >= (int)size)
			return -ENAMETOOLONG;
		return mount[0] ? 0 : -ENOENT;
	}
	return -ENOENT;
}

static int make_cgroup(struct engine *e, const char *name, struct err *err)
{
	struct stat st;
	char own[3500], path[4096];

	if (own_cgroup(own, sizeof(own)) < 0)
		return err_set(err, EXIT_SURETY, "cannot find our own cgroup in '/proc/self/cgroup': cgroup v2 is not mounted "
			       "(--engine seccomp needs none)");
	snprintf(path, sizeof(path), "%s/surety-%s", own, name);
	if (mkdir(path, 0755) < 0)
		return err_set(err, EXIT_SURETY, "cannot make cgroup '%s': %s (%s)", path, strerror(errno),
			       errno == EEXIST ? "give another --name, or remove it" : "--engine seccomp needs none");
	memcpy(e->cgroup, path, sizeof(e->cgroup));
	if (stat(path, &st) == 0)
		e->id = st.st_ino;
	snprintf(path, sizeof(path), "%.4000s/cgroup.events", e->cgroup);
	e->events_fd = open(path, O_RDONLY | O_CLOEXEC);
	return e->events_fd < 0 ? err_set(err, EXIT_SURETY, "cannot open '%s': %s (try again)", path, strerror(errno)) : 0;
}

static void remove_cgroup(struct engine *e)
{
	/* Tasks that are being reaped hold it for a moment. */
	for (int i = 0; e->cgroup[0] && rmdir(e->cgroup) < 0 && errno == EBUSY && i < REMOVE_TRIES; i++)
		usleep(REMOVE_WAIT_US);
}

static int enter(const char *cgroup)
{
	autofree char *path = NULL;
	autoclose int fd = -1;

	if (asprintf(&path, "%s/cgroup.procs", cgroup) < 0)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, "0", 1) != 1 ? -errno : 0;
}

static _Noreturn void run_command(const struct engine *e, const struct engine_config *cfg, int failed)
{
	int error = -enter(e->cgroup);

	if (!error) {
		(void)sigprocmask(SIG_SETMASK, cfg->signals, NULL);
		execve(cfg->path, cfg->argv, environ);
		error = errno;
	}
	if (write(failed, &error, sizeof(error)) != (ssize_t)sizeof(error))
		_exit(EXIT_SURETY);
	_exit(EXIT_CANNOT_EXEC);
}

static int start_command(struct engine *e, const struct engine_config *cfg, struct err *err)
{
	int failed[2] = { -1, -1 };
	int error = 0;

	if (pipe2(failed, O_CLOEXEC) < 0 || (e->main_pid = fork()) < 0) {
		err_set(err, EXIT_SURETY, "cannot start '%s': %s (try again)", cfg->argv[0], strerror(errno));
		close_fd(&failed[0]);
		close_fd(&failed[1]);
		return -1;
	}
	if (e->main_pid == 0)
		run_command(e, cfg, failed[1]);
	close_fd(&failed[1]);
	while (read(failed[0], &error, sizeof(error)) < 0 && errno == EINTR)
		;
	close_fd(&failed[0]);
	if (!error)
		return 0;
	if (error == ENOMEM)
		return err_set(err, EXIT_SURETY, "cannot start '%s': it does not fit under the limit (give a higher --limit)",
			       cfg->argv[0]);
	return err_set(err, error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXEC, "cannot run '%s': %s (%s)", cfg->argv[0],
		       strerror(error), "is it a program for this machine?");
}

static int watch_all(struct engine *e, struct err *err)
{
	struct epoll_event ring = { .events = EPOLLIN }, empty = { .events = EPOLLPRI };

	if (groups_watch_open(&e->watch, e->g, e->id, &e->events, err) < 0)
		return -1;
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (e->epoll_fd < 0 || epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, groups_watch_fd(e->watch), &ring) < 0 ||
	    epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, e->events_fd, &empty) < 0)
		return err_set(err, EXIT_SURETY, "cannot watch '%s': %s (try again)", e->cgroup, strerror(errno));
	return 0;
}

static void engine_free(struct engine *e)
{
	groups_watch_close(e->watch);
	close_fd(&e->events_fd);
	close_fd(&e->epoll_fd);
	groups_close(e->g);
	free(e);
}

/* What only the other engine can do is not left out in silence. */
static int refuse_unable(const struct engine_config *cfg, struct err *err)
{
	if (cfg->on_refusal != ON_REFUSAL_RETURN)
		return err_set(err, EXIT_SURETY,
			       "cannot use '--on-refusal': the bpf engine only returns the error (--engine seccomp)");
	if (fork_policies_active(&cfg->forks))
		return err_set(err, EXIT_SURETY, "cannot use '%s': the bpf engine charges every fork in full (--engine seccomp)",
			       "--fork-reserve, --fork-policy");
	if (cfg->recorder)
		return err_set(err, EXIT_SURETY, "cannot use '--record': the bpf engine records nothing (--engine seccomp)");
	return 0;
}

static int run_start(struct engine **ret, const struct engine_config *cfg, struct err *err)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return err_set(err, EXIT_SURETY, "cannot start '%s': %s (try again)", cfg->argv[0], strerror(ENOMEM));
	e->events_fd = e->epoll_fd = -1;
	e->events = cfg->events;
	e->started_ns = clock_ns(CLOCK_REALTIME);
	if (refuse_unable(cfg, err) == 0 && groups_open(&e->g, GROUPS_LOAD, err) == 0 &&
	    make_cgroup(e, cfg->group, err) == 0 && groups_attach(e->g, e->cgroup, &cfg->limit, err) == 0 &&
	    watch_all(e, err) == 0) {
		groups_unlock(e->g);
		if (start_command(e, cfg, err) == 0) {
			*ret = e;
			return 0;
		}
		(void)groups_detach(e->g, e->cgroup, NULL);
	}
	remove_cgroup(e);
	engine_free(e);
	return -1;
}

static pid_t run_main_pid(const struct engine *e)
{
	return e->main_pid;
}

static bool run_load_refused(const struct engine *e, struct err *err)
{
	(void)e;
	(void)err;
	return false;
}

static int run_poll_fd(const struct engine *e)
{
	return e->epoll_fd;
}

static bool populated(const struct engine *e)
{
	char text[256];
	ssize_t n = pread(e->events_fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return n > 0 && strstr(text, "populated 1");
}

static int run_dispatch(struct engine *e)
{
	(void)groups_watch_dispatch(e->watch);
	return !populated(e);
}

static void figures(struct engine *e)
{
	autofree struct surety_table *t = pins_table(e->g, NULL);

	for (uint32_t i = 1; t && i < t->used && i < GROUPS_MAX; i++)
		if (t->group[i].cgroup_id == e->id && t->group[i].state != GROUP_FREE)
			e->last = t->group[i];
}

struct filling {
	struct engine_status *st;
	struct engine_process *rows;
	uint32_t max;
};

static void fill_row(void *ctx, const struct groups_process *p)
{
	struct filling *f = ctx;
	struct engine_process *row = &f->rows[f->st->nr_processes];

	if (f->rows && f->st->nr_processes < f->max) {
		row->pid = p->pid;
		memcpy(row->comm, p->comm, sizeof(row->comm));
		row->committed_pages = (uint64_t)p->ledger;
		row->shared = p->shared;
	}
	f->st->nr_processes++;
}

static void run_status(struct engine *e, struct engine_status *ret, struct engine_process *rows, uint32_t max)
{
	struct filling f = { ret, rows, max };
	uint32_t unread;

	memset(ret, 0, sizeof(*ret));
	if (!e->stopped) {
		figures(e);
		(void)groups_audit(e->g, e->cgroup, fill_row, &f, &unread, NULL);
	}
	ret->committed_pages = (uint64_t)e->last.committed;
	ret->limit_pages = e->last.limit;
	ret->peak_pages = (uint64_t)e->last.peak;
	ret->shmem_pages = (uint64_t)e->last.objects;
	ret->charges = e->last.charges;
	ret->refusals = e->last.refusals;
	ret->refused_pages = e->last.refused;
	ret->started_ns = e->started_ns;
}

static int signal_pid(void *ctx, pid_t pid)
{
	(void)kill(pid, *(int *)ctx); /* gone already: fine */
	return 0;
}

static int signal_cgroup(void *ctx, const char *path, uint64_t id)
{
	(void)id;
	return cgroup_pids(path, signal_pid, ctx);
}

static void run_signal_all(struct engine *e, int sig)
{
	(void)cgroup_walk(e->cgroup, signal_cgroup, &sig);
}

static void run_stop(struct engine *e)
{
	struct groups *g;

	(void)groups_watch_dispatch(e->watch);
	figures(e);
	e->stopped = true;
	if (groups_open(&g, GROUPS_LOAD, NULL) == 0) {
		(void)groups_detach(g, e->cgroup, NULL);
		groups_close(g);
	}
	remove_cgroup(e);
}

const struct engine_ops engine_bpf = {
	.name = "bpf",
	.probe = bpf_probe,
	.start = run_start,
	.main_pid = run_main_pid,
	.load_refused = run_load_refused,
	.poll_fd = run_poll_fd,
	.dispatch = run_dispatch,
	.status = run_status,
	.signal_all = run_signal_all,
	.stop = run_stop,
};
