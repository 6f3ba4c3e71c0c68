/* SPDX-License-Identifier: MIT
 *
 * group: the tables of processes and threads; see the header.
 *
 * Process ids are reused.  A process is held by an open pidfd or statm, which
 * goes dead with it; a thread that has been silent for longer than ids take to
 * come round is checked before its id is believed.
 */
#include "engine/seccomp/group.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/seccomp/flight.h"
#include "engine/seccomp/promise.h"
#include "engine/seccomp/space.h"
#include "sys/clock.h"
#include "sys/procfs.h"

enum {
	REAP_BATCH = 64,
	PRUNE_FIRST = 64, /* threads, before the dead among them are looked for */
	FDS_SPARED = 32,  /* descriptors that are not spent on watching processes */
	ID_REST_LEAST_MS = 3, /* with the least pid_max that the kernel takes, 301 */
};

/* How long an id surely stays unused after its task has gone: ids are given
 * out in turn, and no host makes 100 tasks in a millisecond. */
static uint64_t id_rest_ms(void)
{
	autoclose int fd = open("/proc/sys/kernel/pid_max", O_RDONLY | O_CLOEXEC);
	char buf[24] = "";

	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) < 0)
		return 0;
	return strtoull(buf, NULL, 10) / 100;
}

/* Only the hang-up: calls are not announced there. */
static int open_hangup(int listener)
{
	struct epoll_event hangup = { .events = 0 };
	autoclose int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, listener, &hangup) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* How many filters the supervisor itself is under; mostly none. */
static int own_filters(pid_t supervisor, uint64_t *ret)
{
	struct task_ids ids;
	int r;

	*ret = 0;
	if (prctl(PR_GET_SECCOMP) == 0)
		return 0;
	r = task_ids_read(supervisor, &ids);
	if (r == 0)
		*ret = ids.seccomp_filters;
	return r;
}

int group_init(struct group *g, struct ledger_group *ledger, pid_t supervisor)
{
	struct rlimit lim;
	int r = own_filters(supervisor, &g->own_filters);

	if (r < 0)
		return r;
	g->fd_max = getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < INT_MAX ? (int)lim.rlim_cur : INT_MAX;

	pthread_mutex_init(&g->lock, NULL);
	g->ledger = ledger;
	g->supervisor = supervisor;
	g->chance = 0x9e3779b97f4a7c15;
	programs_init(&g->programs);
	ledger_join(&g->promised, ledger);
	ledger_join(&g->objects_held, ledger);
	ledger_join(&g->objects_inflight, ledger);
	g->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (g->epoll_fd < 0)
		return -errno;
	g->hangup_fd = open_hangup(g->listener.fd);
	return g->hangup_fd < 0 ? g->hangup_fd : 0;
}

static struct proc *bucket_find_proc(struct group *g, pid_t pid)
{
	struct proc *p;

	LIST_FOREACH(p, &g->procs[(unsigned int)pid % PID_BUCKETS], hash)
		if (p->pid == pid)
			return p;
	return NULL;
}

struct proc *group_find_proc(struct group *g, pid_t pid)
{
	return bucket_find_proc(g, pid);
}

static struct task *find_task(struct group *g, pid_t tid)
{
	struct task *t;

	LIST_FOREACH(t, &g->tasks[(unsigned int)tid % PID_BUCKETS], hash)
		if (t->tid == tid)
			return t;
	return NULL;
}

static void drop_task(struct group *g, struct task *t)
{
	flight_abandon(g, t);
	LIST_REMOVE(t, in_proc);
	LIST_REMOVE(t, hash);
	t->proc->nr_tasks--;
	free(t);
}

void group_drop_proc(struct group *g, struct proc *p)
{
	struct task *t;

	while ((t = LIST_FIRST(&p->tasks)))
		drop_task(g, t);
	space_attach(g, p, NULL);
	g->nr_unwatched -= p->pidfd < 0;
	close_fd(&p->pidfd); /* leaves epoll with it */
	close_fd(&p->statm_fd);
	LIST_REMOVE(p, hash);
	g->nr_procs--;
	free(p);
}

void group_done(struct group *g)
{
	struct proc *p;

	for (int i = 0; i < PID_BUCKETS; i++)
		while ((p = LIST_FIRST(&g->procs[i])))
			group_drop_proc(g, p);
	close_fd(&g->epoll_fd);
	close_fd(&g->hangup_fd);
	programs_done(&g->programs);
}

bool group_proc_ended(const struct proc *p)
{
	struct pollfd pfd = { .fd = p->pidfd, .events = POLLIN };
	struct statm m;

	if (p->pidfd >= 0)
		return poll(&pfd, 1, 0) != 0;
	return (p->statm_fd >= 0 ? statm_read(p->statm_fd, &m) : statm_of(p->pid, &m)) < 0;
}

void group_signal_proc(const struct proc *p, int sig)
{
	if (p->pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, p->pidfd, sig, NULL, 0); /* it has ended: fine */
	else if (!group_proc_ended(p))
		(void)kill(p->pid, sig);
}

bool group_coin(struct group *g)
{
	g->chance ^= g->chance << 13; /* xorshift */
	g->chance ^= g->chance >> 7;
	g->chance ^= g->chance << 17;
	return g->chance & 1;
}

/* Kept for as long as there are some to spare: reading /proc needs a few. */
static int keep_fd(const struct group *g, int fd)
{
	if (fd >= g->fd_max - FDS_SPARED)
		close_fd(&fd);
	return fd < 0 ? -1 : fd;
}

int group_proc_statm(struct proc *p, struct statm *ret)
{
	int fd, r;

	if (p->statm_fd >= 0)
		return statm_read(p->statm_fd, ret);
	fd = statm_open(p->pid);
	if (fd < 0)
		return fd;
	r = p->pidfd >= 0 && group_proc_ended(p) ? -ESRCH : statm_read(fd, ret);
	p->statm_fd = keep_fd(p->group, fd);
	if (r < 0)
		close_fd(&p->statm_fd); /* perhaps another's, of the same id */
	return r;
}

/* PIDFD and STATM_FD become the process's own. */
static void proc_keep_files(struct group *g, struct proc *p, int statm_fd, int pidfd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = (uint64_t)p->pid };

	p->group = g;
	p->statm_fd = keep_fd(g, statm_fd);
	p->pidfd = keep_fd(g, pidfd);
	if (p->pidfd >= 0 && epoll_ctl(g->epoll_fd, EPOLL_CTL_ADD, p->pidfd, &ev) < 0)
		close_fd(&p->pidfd);
	g->nr_unwatched += p->pidfd < 0;
}

static int pidfd_open_task(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* PIDFD is taken over, -1 where there is none: then statm holds the process. */
static struct proc *new_proc(struct group *g, pid_t pid, int pidfd)
{
	int statm_fd = pidfd < 0 ? statm_open(pid) : -1;
	struct proc *p = pidfd < 0 && statm_fd < 0 ? NULL : calloc(1, sizeof(*p));

	if (!p) {
		close_fd(&statm_fd);
		close_fd(&pidfd);
		return NULL;
	}
	p->pid = pid;
	p->prune_at = PRUNE_FIRST;
	LIST_INIT(&p->tasks);
	proc_keep_files(g, p, statm_fd, pidfd);
	LIST_INSERT_HEAD(&g->procs[(unsigned int)pid % PID_BUCKETS], p, hash);
	g->nr_procs++;
	return p;
}

/* Its address space: its parent's, the copy that a fork was promised, or one
 * that nobody told us of, which is counted. */
static bool proc_find_space(struct group *g, struct proc *p, pid_t ppid)
{
	struct proc *parent = ppid == g->supervisor ? NULL : bucket_find_proc(g, ppid);
	struct promise *promise;
	struct space *s;
	bool sure;

	if (parent && same_address_space(p->pid, ppid) == 1) {
		space_attach(g, p, parent->space);
		return true;
	}
	s = space_new(g, p);
	if (!s)
		return false;
	promise = promise_of(g, ppid);
	sure = promise && !promise->mixed;
	if (!promise && g->forks)
		promise = promise_of_orphan(g);
	if (!promise) {
		g->promises_doubt = g->promised.pages;
		space_count(g, s, NULL, NULL);
		return true;
	}
	promise_keep(g, promise, s);
	if (!sure)
		s->brk = 0;
	if (!sure || s->exact_only)
		space_look(g, s); /* it may be the promise of another child, which was smaller */
	return true;
}

static struct proc *adopt(struct group *g, pid_t pid, pid_t ppid, int pidfd)
{
	struct proc *p;
	struct task_stat st;

	/* Its parent first, so that a shared address space is known as one. */
	if (ppid > 1 && ppid != g->supervisor && !bucket_find_proc(g, ppid) && task_stat_read(ppid, &st) == 0)
		(void)group_adopt(g, ppid, st.ppid);
	p = new_proc(g, pid, pidfd);
	if (!p)
		return NULL;
	if (!proc_find_space(g, p, ppid)) {
		group_drop_proc(g, p);
		return NULL;
	}
	return p;
}

struct proc *group_adopt(struct group *g, pid_t pid, pid_t ppid)
{
	return adopt(g, pid, ppid, pidfd_open_task(pid));
}

/* The process of a thread that is not known yet.  Most are the first threads of
 * new processes, which a pidfd can be had of: many live too short for their files
 * in /proc to be worth their making. */
static struct proc *proc_of_new_task(struct group *g, pid_t tid)
{
	struct task_ids ids = { .tgid = tid };
	int pidfd = pidfd_open_task(tid);
	struct proc *p;

	if (pidfd >= 0 ? task_parent(tid, pidfd, &ids.ppid) < 0 : task_ids_read(tid, &ids) < 0) {
		close_fd(&pidfd);
		return NULL;
	}
	p = bucket_find_proc(g, ids.tgid);
	if (p && group_proc_ended(p)) {
		group_drop_proc(g, p);
		p = NULL;
	}
	if (p) {
		close_fd(&pidfd);
		return p;
	}
	if (pidfd < 0)
		pidfd = pidfd_open_task(ids.tgid);
	return adopt(g, ids.tgid, ids.ppid, pidfd);
}

struct dead_threads {
	struct group *g;
	struct proc *p;
};

static int mark_live(void *ctx, pid_t tid)
{
	const struct dead_threads *dead = ctx;
	struct task *t = find_task(dead->g, tid);

	if (t && t->proc == dead->p)
		t->live = true;
	return 0;
}

void group_prune_tasks(struct group *g, struct proc *p)
{
	struct dead_threads dead = { g, p };
	struct task *t, *next;

	if (task_list(p->pid, mark_live, &dead) < 0)
		return;
	for (t = LIST_FIRST(&p->tasks); t; t = next) {
		next = LIST_NEXT(t, in_proc);
		/* Who is in execve may go by the leader's id by now. */
		if (!t->live && t->flight != FLIGHT_EXEC && t != g->caller)
			drop_task(g, t);
		else
			t->live = false;
	}
	p->prune_at = 2 * p->nr_tasks > PRUNE_FIRST ? 2 * p->nr_tasks : PRUNE_FIRST;
}

static struct task *new_task(struct group *g, struct proc *p, pid_t tid)
{
	struct task *t;

	if (p->nr_tasks >= p->prune_at)
		group_prune_tasks(g, p);
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->tid = tid;
	t->proc = p;
	LIST_INSERT_HEAD(&p->tasks, t, in_proc);
	LIST_INSERT_HEAD(&g->tasks[(unsigned int)tid % PID_BUCKETS], t, hash);
	p->nr_tasks++;
	return t;
}

int group_adopt_main(struct group *g, pid_t pid)
{
	struct proc *p = new_proc(g, pid, pidfd_open_task(pid));
	struct task *t = p && space_new(g, p) ? new_task(g, p, pid) : NULL;

	if (!t)
		return -ENOMEM;
	t->seen_ms = clock_coarse_ms();
	p->space->outside = true;
	return 0;
}

/* A thread that we know by this id, silent for a while: still the same one? */
static bool task_is_stale(struct group *g, const struct task *t, uint64_t now)
{
	uint64_t silent = now - t->seen_ms;

	if (silent <= ID_REST_LEAST_MS)
		return false;
	if (!g->stale_ms)
		g->stale_ms = id_rest_ms();
	if (silent <= g->stale_ms)
		return false;
	if (group_proc_ended(t->proc))
		return true;
	return t->tid != t->proc->pid && !task_exists(t->proc->pid, t->tid);
}

struct task *group_task(struct group *g, pid_t tid, uint64_t id)
{
	struct task *t = find_task(g, tid);
	uint64_t now = clock_coarse_ms();
	struct proc *p;

	if (t && task_is_stale(g, t, now)) {
		if (group_proc_ended(t->proc))
			group_drop_proc(g, t->proc);
		else
			drop_task(g, t);
		t = NULL;
	}
	if (!t) {
		p = proc_of_new_task(g, tid);
		if (!p)
			return NULL;
		if (!listener_valid(&g->listener, id)) {
			/* The caller was killed: what was opened may be another's. */
			if (LIST_EMPTY(&p->tasks))
				group_drop_proc(g, p);
			return NULL;
		}
		t = new_task(g, p, tid);
		if (!t)
			return NULL;
	}
	t->seen_ms = now;
	return t;
}

static void drop_if_ended(struct group *g, struct proc *p)
{
	if ((!g->caller || g->caller->proc != p) && group_proc_ended(p))
		group_drop_proc(g, p);
}

/* Processes that there was no descriptor for are asked one by one. */
static void reap_unwatched(struct group *g)
{
	struct proc *p, *next;

	for (int i = 0; i < PID_BUCKETS; i++) {
		for (p = LIST_FIRST(&g->procs[i]); p; p = next) {
			next = LIST_NEXT(p, hash);
			if (p->pidfd < 0)
				drop_if_ended(g, p);
		}
	}
}

void group_reap(struct group *g)
{
	struct epoll_event ev[REAP_BATCH];
	int n;

	do {
		n = epoll_wait(g->epoll_fd, ev, REAP_BATCH, 0);
		for (int i = 0; i < n; i++) {
			struct proc *p = bucket_find_proc(g, (pid_t)ev[i].data.u64);

			if (p)
				drop_if_ended(g, p);
		}
	} while (n == REAP_BATCH);
	if (g->nr_unwatched)
		reap_unwatched(g);
	g->reap_at = g->nr_procs + REAP_BATCH;
}

bool group_hung_up(const struct group *g)
{
	struct epoll_event ev;

	return epoll_wait(g->hangup_fd, &ev, 1, 0) > 0;
}
