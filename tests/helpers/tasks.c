/* SPDX-License-Identifier: MIT
 *
 * tasks: what a supervisor of processes and threads is known to get wrong.
 *
 *   tasks NAME LIMIT_MIB [ARG]
 *
 * Facts as in check.h.  The program is the first process of its group and
 * knows the limit.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

extern char **environ;

static unsigned long limit;
static const char *argument;
static struct count_map map;

static unsigned long own_space(void)
{
	if (count_read("/proc/self/smaps", &map))
		check(0, "smaps can be read");
	return count_space(&map);
}

/* Takes all but LEAVE bytes of what may still be asked for. */
static void fill(unsigned long leave)
{
	unsigned long room = headroom(limit, 0);

	if (room > leave && raw_failed(raw_map(room - leave)))
		check(0, "filling up to %lu kB", leave / KIB);
}

static int reap(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* A child that does nothing but wait for its end; no stopped call after fork. */
static pid_t silent_child(void)
{
	long pid = raw0(SYS_fork);

	if (pid == 0) {
		raw1(SYS_close, 0);
		for (;;)
			raw0(SYS_pause);
	}
	return (pid_t)pid;
}

static void child_dies(void)
{
	int i, status, bad = 0;
	pid_t pid;

	for (i = 0; i < 30; i++) {
		pid = fork();
		if (pid == 0) {
			char *p = mmap(NULL, limit / 2, RW, ANON, -1, 0);

			if (p == MAP_FAILED)
				_exit(1);
			*p = 1;
			if (i % 3 == 0)
				kill(getpid(), SIGKILL);
			if (i % 3 == 1)
				raise(SIGSEGV);
			_exit(0);
		}
		status = reap(pid);
		bad += WIFEXITED(status) && WEXITSTATUS(status);
	}
	check(!bad, "30 children in a row take half the limit and die with it (%d refused)", bad);
	hold("after");
	check(!raw_failed(raw_map(headroom(limit, 0))), "all of it is there for the parent");
}

static void *nothing(void *arg)
{
	return arg;
}

static void fork_refused(void)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	char *const argv[] = { (char *)"true", NULL };
	unsigned long space;
	pthread_t thread;
	pid_t pid;
	long ret;

	if (raw_failed(raw_map(limit / 10 * 6)))
		check(0, "60 %% of the limit");
	check(fork() == -1 && errno == ENOMEM, "fork: ENOMEM");
	check(raw0(SYS_fork) == -ENOMEM, "raw fork: ENOMEM");
	check(raw5(SYS_clone, SIGCHLD, 0, 0, 0, 0) == -ENOMEM, "raw clone: ENOMEM");
	check(raw2(SYS_clone3, &args, sizeof(args)) == -ENOMEM, "clone3: ENOMEM");
	check(system("true") == 0, "system() works: it needs no fork");
	fill(3 * MIB);
	pid = vfork();
	if (pid == 0)
		_exit(7);
	check(pid > 0 && WEXITSTATUS(reap(pid)) == 7, "vfork is free near the limit");
	ret = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ);
	check(ret == 0 && reap(pid) == 0, "posix_spawn works near the limit");
	space = own_space();
	ret = pthread_create(&thread, NULL, nothing, NULL);
	check(ret == EAGAIN, "pthread_create of an 8 MiB stack: EAGAIN (%ld)", ret);
	check(own_space() <= space + MIB, "nothing is left behind by it");
	hold("after");
}

static void dont_fork(void)
{
	char *p = mmap(NULL, limit / 10 * 6, RW, ANON, -1, 0);
	pid_t pid;

	check(p != MAP_FAILED, "60 %% of the limit");
	*p = 1;
	madvise(p, limit / 10 * 6, MADV_WIPEONFORK);
	check(raw0(SYS_fork) == -ENOMEM, "WIPEONFORK memory is charged at fork");
	madvise(p, limit / 10 * 6, MADV_KEEPONFORK);
	madvise(p, limit / 10 * 6, MADV_DONTFORK);
	pid = silent_child();
	check(pid > 0, "DONTFORK memory is not");
	hold("forked");
	kill(pid, SIGKILL);
	reap(pid);
	hold("after");
}

static void clone3_bad(void)
{
	struct clone_args args = { .flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD };
	long ret;

	check(raw2(SYS_clone3, 8, sizeof(args)) == -EFAULT, "clone3 from nowhere: EFAULT");
	check(raw2(SYS_clone3, &args, 8) == -EINVAL, "clone3 of a short struct: EINVAL");
	check(raw2(SYS_clone3, &args, 1 << 20) == -E2BIG, "clone3 of a huge struct: E2BIG");
	args.exit_signal = 12345;
	check(raw2(SYS_clone3, &args, sizeof(args)) == -EINVAL, "clone3 of a bad signal: EINVAL");
	args = (struct clone_args){ .exit_signal = SIGCHLD };
	ret = raw2(SYS_clone3, &args, sizeof(args));
	if (ret == 0)
		raw_exit(3);
	check(ret > 0 && WEXITSTATUS(reap((pid_t)ret)) == 3, "clone3 as fork");
	hold("after");
}

/* clone3 with CLONE_VM: a second task in the same address space, not a thread. */
static int shares(void *arg)
{
	(void)arg;
	for (;;)
		raw0(SYS_pause);
	return 0;
}

static void clone_vm(void)
{
	static char room[64 * KIB];
	pid_t pid;
	long p;

	p = raw_map(limit / 2);
	check(!raw_failed(p), "half the limit");
	pid = clone(shares, room + sizeof(room), CLONE_VM | SIGCHLD, NULL);
	check(pid > 0, "a process in the same address space is free");
	hold("two tasks, one space");
	check(!raw_failed(raw_map(limit / 4)), "a quarter more: the space is counted once");
	check(raw_map(limit / 4) == -ENOMEM, "and another quarter is refused");
	kill(pid, SIGKILL);
	reap(pid);
	hold("after");
}

static pthread_barrier_t gate;

static void *left_alone(void *arg)
{
	struct timespec pause = { .tv_nsec = 100000000 };
	unsigned long room;
	(void)arg;

	pthread_barrier_wait(&gate);
	nanosleep(&pause, NULL);
	hold("the leader is gone");
	room = 0;
	if (count_read("/proc/thread-self/smaps", &map))
		check(0, "smaps of a thread");
	room = limit - PAGE - count_space(&map);
	check(raw_map(room + PAGE) == -ENOMEM, "a page too many is refused");
	check(!raw_failed(raw_map(room)), "what fits is granted");
	check(raw_map(PAGE) == -ENOMEM, "another page is refused");
	hold("at the limit");
	raw_exit(check_failed);
	return NULL;
}

static void leader_exits(void)
{
	pthread_t thread;

	pthread_barrier_init(&gate, NULL, 2);
	pthread_create(&thread, NULL, left_alone, NULL);
	pthread_barrier_wait(&gate);
	pthread_exit(NULL);
}

static void *thread_execs(void *arg)
{
	char mib[24];

	(void)arg;
	snprintf(mib, sizeof(mib), "%lu", limit / MIB);
	execl("/proc/self/exe", "tasks", "after-exec", mib, (char *)NULL);
	check(0, "exec: %s", strerror(errno));
	_exit(1);
}

static void thread_exec(void)
{
	pthread_t thread;

	if (raw_failed(raw_map(limit / 10 * 8)))
		check(0, "80 %% of the limit");
	pthread_create(&thread, NULL, thread_execs, NULL);
	for (;;)
		pause();
}

static void after_exec(void)
{
	hold("after exec");
	check(!raw_failed(raw_map(headroom(limit, 0))), "exec gave everything back");
	check(raw_map(PAGE) == -ENOMEM, "and the limit holds");
	hold("at the limit");
}

static void silent(void)
{
	pid_t pid[4];
	int i, n = 0;

	raw_map(limit / 8);
	for (i = 0; i < 4; i++) {
		pid[i] = silent_child();
		n += pid[i] > 0;
	}
	check(n == 4, "4 children that make no call");
	hold("held by silent children");
	check(raw_map(limit / 10 * 6) == -ENOMEM, "what they hold is not there for others");
	for (i = 0; i < 4; i++)
		kill(pid[i], SIGKILL);
	for (i = 0; i < 4; i++)
		reap(pid[i]);
	hold("after");
	check(!raw_failed(raw_map(limit / 10 * 6)), "it is once they are dead");
}

static void zombies(void)
{
	pid_t pid[8];
	siginfo_t info;
	int i, bad = 0;

	for (i = 0; i < 8; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			_exit(raw_failed(raw_map(limit / 2)));
		waitid(P_PID, pid[i], &info, WEXITED | WNOWAIT);
		bad += info.si_status;
	}
	check(!bad, "8 zombies hold nothing");
	hold("zombies");
	for (i = 0; i < 8; i++)
		reap(pid[i]);
}

static void daemonize(void)
{
	int told[2];
	pid_t pid, daemon = 0;
	char c;

	if (pipe(told))
		return;
	pid = fork();
	if (pid == 0) {
		setsid();
		if (fork() == 0) {
			pid = getpid();
			if (raw_failed(raw_map(limit / 2)) || write(told[1], &pid, sizeof(pid)) != sizeof(pid))
				_exit(1);
			raw1(SYS_close, 0);
			for (;;)
				pause();
		}
		_exit(0);
	}
	reap(pid);
	check(read(told[0], &daemon, sizeof(daemon)) == sizeof(daemon), "a daemon takes half the limit");
	hold("daemon");
	check(raw_map(limit / 2) == -ENOMEM, "its half is not there for others");
	kill(daemon, SIGKILL);
	for (c = 0; c < 100 && kill(daemon, 0) == 0; c++)
		usleep(10000);
	hold("after");
	check(!raw_failed(raw_map(limit / 2)), "it is once the daemon is dead");
}

static void short_lived(void)
{
	int i, bad = 0;
	long pid;

	raw_map(limit / 10 * 4);
	for (i = 0; i < 3000; i++) {
		pid = raw0(SYS_fork);
		if (pid == 0)
			raw_exit(0);
		bad += pid < 0;
		if (pid > 0)
			raw4(SYS_wait4, pid, 0, 0, 0);
	}
	check(!bad, "3000 children that exit before any call, each a charge of 40 %% (%d refused)", bad);
	hold("after");
}

/* The same pid again and again, with another size each time. */
static void pid_reuse(void)
{
	pid_t want = silent_child();
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&want, .set_tid_size = 1 };
	int i, status, bad = 0;
	long pid;

	kill(want, SIGKILL);
	reap(want);
	for (i = 0; i < 200; i++) {
		pid = raw2(SYS_clone3, &args, sizeof(args));
		if (pid == 0)
			raw_exit(raw_failed(raw_map(i % 2 ? limit / 10 * 9 : MIB)));
		if (pid != want) {
			check(pid == -EPERM || pid == -EEXIST, "clone3 with set_tid (%ld)", pid);
			break;
		}
		status = reap((pid_t)pid);
		bad += WEXITSTATUS(status);
	}
	check(i == 200 || pid == -EPERM, "200 times one pid");
	check(!bad, "a reused pid starts with nothing (%d refused)", bad);
	pid = raw2(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		raw_map(5 * MIB);
		raw1(SYS_close, 0);
		for (;;)
			raw0(SYS_pause);
	}
	hold("one more");
	kill((pid_t)pid, SIGKILL);
	reap((pid_t)pid);
}

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

static volatile int stop;

static void *urge(void *arg)
{
	struct timespec ms = { .tv_nsec = 200000 };
	pthread_t target = *(pthread_t *)arg;

	while (!stop) {
		pthread_kill(target, SIGURG);
		nanosleep(&ms, NULL);
	}
	return NULL;
}

/* What Go's scheduler does: SIGURG at a thread that may sit in a stopped call. */
static void urgent(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	pthread_t self = pthread_self(), thread;
	const double until = now() + 8;
	long p, done = 0, bad = 0;

	sigaction(SIGURG, &sa, NULL);
	pthread_create(&thread, NULL, urge, &self);
	do {
		p = raw_map(MIB);
		bad += raw_failed(p);
		raw2(SYS_munmap, p, MIB);
		done++;
		if (done % 50 == 0)
			bad += raw_map(2 * limit) != -ENOMEM;
	} while (done < 5000 && now() < until);
	stop = 1;
	pthread_join(thread, NULL);
	check(done == 5000, "5000 mappings under SIGURG (%ld done)", done);
	check(!bad, "each had its own outcome (%ld had not)", bad);
	check(signals > 10, "signals came");
	hold("after");
}

static long odd_outcomes;

static void odd(int fact, const char *call, long ret)
{
	if (fact && odd_outcomes++ < 3)
		check(0, "%s under signals: %ld", call, ret);
}

/* Calls of all kinds under a storm of signals whose handler restarts calls. */
static void interrupted(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct itimerval timer = { { 0, 300 }, { 0, 300 } }, off = { { 0, 0 }, { 0, 0 } };
	long now = raw1(SYS_brk, 0), p, i, ret, want, pid;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (i = 0; i < 3000; i++) {
		p = raw_map(256 * KIB);
		odd(raw_failed(p), "mmap", p);
		p = raw4(SYS_mremap, p, 256 * KIB, 512 * KIB, MREMAP_MAYMOVE);
		odd(raw_failed(p), "mremap", p);
		ret = raw3(SYS_mprotect, p, 256 * KIB, PROT_NONE);
		odd(ret != 0, "mprotect down", ret);
		ret = raw3(SYS_mprotect, p, 512 * KIB, RW);
		odd(ret != 0, "mprotect up", ret);
		raw2(SYS_munmap, p, 512 * KIB);
		want = now + (i % 2 ? 0 : 65536);
		ret = raw1(SYS_brk, want);
		odd(ret != want, "brk", ret - want);
	}
	for (i = 0; i < 200; i++) {
		pid = raw0(SYS_fork);
		if (pid == 0)
			raw_exit(0);
		/* fork itself is restarted by the kernel; it never says EINTR. */
		odd(pid < 0, "fork", pid);
		while (pid > 0 && raw4(SYS_wait4, pid, 0, 0, 0) == -EINTR)
			;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	check(!odd_outcomes, "no call ends otherwise because of signals (%ld did)", odd_outcomes);
	check(signals > 10, "signals came");
	hold("after");
}

/* Where the handler does not restart calls, one that the supervisor has not
 * received yet ends with EINTR: the kernel decides so.  Nothing else may happen. */
static void not_restarted(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct itimerval timer = { { 0, 300 }, { 0, 300 } }, off = { { 0, 0 }, { 0, 0 } };
	long p, i, cut = 0, other = 0;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (i = 0; i < 5000; i++) {
		p = raw_map(256 * KIB);
		cut += p == -EINTR;
		other += raw_failed(p) && p != -EINTR;
		if (!raw_failed(p))
			raw2(SYS_munmap, p, 256 * KIB);
	}
	setitimer(ITIMER_REAL, &off, NULL);
	check(!other, "without SA_RESTART: no outcome but success and EINTR (%ld)", other);
	check(cut < i / 10, "without SA_RESTART: few calls are cut short");
	hold("after");
}

/* The caller is killed, or whatever --on-refusal says; the rest of the group is not. */
static void caller_only(void)
{
	pid_t other = silent_child(), pid = fork();
	int status;

	if (pid == 0) {
		long ret = raw_map(2 * limit);

		_exit(ret == -ENOMEM ? 9 : 8);
	}
	status = -1;
	if (waitpid(pid, &status, WUNTRACED) != pid)
		check(0, "waitpid");
	if (WIFSTOPPED(status)) {
		check(1, "stopped by %d", WSTOPSIG(status));
		hold("stopped");
		kill(pid, SIGCONT);
		status = reap(pid);
	}
	if (WIFSIGNALED(status))
		check(1, "ended by signal %d", WTERMSIG(status));
	else
		check(1, "ended with status %d", WEXITSTATUS(status));
	check(kill(other, 0) == 0 && waitpid(other, &status, WNOHANG) == 0, "the other child lives");
	check(!raw_failed(raw_map(MIB)), "so does the parent");
	kill(other, SIGKILL);
	reap(other);
	hold("after");
}

/* exec with the break far up: the next image starts with a break of its own. */
static void break_exec(void)
{
	int round = argument ? atoi(argument) : 0;
	char mib[24], next[24];
	long now = raw1(SYS_brk, 0);

	if (raw1(SYS_brk, now + (long)(limit / 2)) != now + (long)(limit / 2)) {
		check(0, "round %d: half the limit by brk", round);
		_exit(1);
	}
	if (round == 20) {
		check(1, "20 execs, each with half the limit by brk");
		hold("after");
		raw1(SYS_brk, now);
		hold("break down");
		return;
	}
	snprintf(mib, sizeof(mib), "%lu", limit / MIB);
	snprintf(next, sizeof(next), "%d", round + 1);
	execl("/proc/self/exe", "tasks", "break-exec", mib, next, (char *)NULL);
	check(0, "exec: %s", strerror(errno));
}

/* ARG is a program whose image alone is larger than the limit. */
static void exec_big(void)
{
	char *const argv[] = { (char *)argument, NULL };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execv(argument, argv);
		_exit(errno == ENOMEM ? 9 : 8);
	}
	status = reap(pid);
	check((WIFEXITED(status) && WEXITSTATUS(status) == 9) || WIFSIGNALED(status),
	      "exec of an image beyond the limit fails: %s %d", WIFEXITED(status) ? "exit" : "signal",
	      WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	check(WIFEXITED(status) && WEXITSTATUS(status) == 9, "with ENOMEM at the call");
	hold("after");
}

/* In a child, after an execve of a program that was run before: too much must be
 * refused and what fits must not, whether the execve went well or failed. */
static int ask_after_exec(unsigned long parts)
{
	int refused = raw_failed(raw_map(limit / 100 * parts));

	return refused == (parts > 40) ? 0 : 1;
}

static void exec_often(void)
{
	char *too_long = (char *)raw_map(256 * KIB); /* no argument may be that long */
	int i, bad = 0, failed = 0;

	if (argument && atoi(argument))
		_exit(ask_after_exec((unsigned long)atoi(argument)));
	memset(too_long, 'a', 256 * KIB - 1);
	raw_map(limit / 100 * 40);
	for (i = 0; i < 60; i++) {
		bool fits = i % 2, fails = i % 3 == 2;
		pid_t pid = fork();

		if (pid == 0) {
			char mib[24], parts[24];

			snprintf(mib, sizeof(mib), "%lu", limit / MIB);
			snprintf(parts, sizeof(parts), "%d", fits ? 40 : 65);
			execl("/proc/self/exe", "tasks", "exec-often", mib, parts, fails ? too_long : NULL, (char *)NULL);
			/* The copy of the 40 % is still there. */
			_exit(fails && raw_failed(raw_map(limit / 100 * (fits ? 4 : 15))) == !fits ? 0 : 2);
		}
		bad += pid < 0;
		if (WEXITSTATUS(reap(pid)))
			(fails ? (void)failed++ : (void)bad++);
	}
	check(!bad, "60 children with a program that was run before: refused when it does not fit (%d are not)", bad);
	check(!failed, "and where the execve failed, with the old image (%d are not)", failed);
	hold("after");
}

/* A child that is silent while its parent grows and forks another: what it then asks
 * for is measured by what it has itself. */
static void twins(void)
{
	int told[2], status;
	pid_t first, second;
	unsigned long room = headroom(limit, 0);
	long now = raw1(SYS_brk, 0);
	char c;

	/* What comes below this peak is not looked at more than it has to be. */
	raw2(SYS_munmap, raw_map(room), room);
	if (pipe(told))
		return;
	first = fork();
	if (first == 0) {
		raw3(SYS_read, told[0], &c, 1);
		raw_exit(raw1(SYS_brk, now + (long)(limit / 4)) == now ? 0 : 1);
	}
	check(raw1(SYS_brk, now + (long)(limit / 10 * 3)) == now + (long)(limit / 10 * 3), "30 %% more by brk");
	second = fork();
	if (second == 0) {
		raw_map(MIB);
		for (;;)
			raw0(SYS_pause);
	}
	check(second > 0, "another child");
	usleep(100000);
	raw3(SYS_write, told[1], "x", 1);
	status = reap(first);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "25 %% more for the first child do not fit");
	hold("twins");
	kill(second, SIGKILL);
	reap(second);
	hold("after");
}

static void orphans(void)
{
	int told[2];
	pid_t pid;
	char c = 0;

	if (pipe(told))
		return;
	pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			while (getppid() == pid)
				usleep(1000);
			usleep(50000);
			c = raw_failed(raw_map(limit / 2)) ? 'n' : 'y';
			c = c == 'y' && raw_map(limit / 2) != -ENOMEM ? 'o' : c;
			if (write(told[1], &c, 1) != 1)
				_exit(1);
			_exit(0);
		}
		_exit(0);
	}
	reap(pid);
	check(read(told[0], &c, 1) == 1 && c == 'y', "an orphan still has the group's limit (%c)", c);
	usleep(100000);
	hold("after");
}

static void new_pids(void)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID)) {
		check(1, "a pid namespace: not permitted here");
		return;
	}
	pid = fork();
	if (pid == 0) {
		if (raw_failed(raw_map(limit / 2)))
			_exit(1);
		if (raw_map(limit / 2) != -ENOMEM)
			_exit(2);
		if (fork() == 0)
			_exit(0);
		wait(NULL);
		hold("pid 1 of a namespace");
		_exit(0);
	}
	status = reap(pid);
	check(status == 0, "a pid namespace is inside the limit (%d)", WEXITSTATUS(status));
	hold("after");
}

/* A process that others of its user may not read. */
static void undumpable(void)
{
	unsigned long got = 0;

	prctl(PR_SET_DUMPABLE, 0);
	while (got < 2 * limit && !raw_failed(raw_map(MIB)))
		got += MIB;
	check(got < limit, "an undumpable process stays inside the limit (%lu MiB)", got / MIB);
	check(got > limit / 2, "and gets what fits (%lu MiB)", got / MIB);
}

/* As a compiler at run time does: what it has written becomes read-only, and writable
 * again.  For half a second: a look may find it either way. */
static void toggled(void)
{
	const double until = now() + 0.5;
	long at = raw_map(8 * MIB);
	int bad = 0;

	*(volatile char *)at = 1; /* else it is charged for only while it is writable */
	raw6(SYS_mmap, 0, 16 * limit, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	while (now() < until) {
		bad += raw3(SYS_mprotect, at, 8 * MIB, PROT_READ) != 0;
		bad += raw3(SYS_mprotect, at, 8 * MIB, PROT_READ | PROT_WRITE) != 0;
	}
	check(!bad, "memory is made read-only and writable again");
	raw2(SYS_munmap, raw_map(limit / 4), limit / 4);
	hold("after");
}

static const struct task {
	const char *name;
	void (*fn)(void);
} tasks[] = {
	{ "child-dies", child_dies },
	{ "fork-refused", fork_refused },
	{ "dont-fork", dont_fork },
	{ "clone3", clone3_bad },
	{ "clone-vm", clone_vm },
	{ "leader-exits", leader_exits },
	{ "thread-exec", thread_exec },
	{ "after-exec", after_exec },
	{ "silent", silent },
	{ "zombies", zombies },
	{ "daemon", daemonize },
	{ "short-lived", short_lived },
	{ "pid-reuse", pid_reuse },
	{ "urgent", urgent },
	{ "interrupted", interrupted },
	{ "not-restarted", not_restarted },
	{ "caller-only", caller_only },
	{ "break-exec", break_exec },
	{ "exec-big", exec_big },
	{ "exec-often", exec_often },
	{ "orphans", orphans },
	{ "twins", twins },
	{ "new-pids", new_pids },
	{ "undumpable", undumpable },
	{ "toggled", toggled },
};

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 3)
		return 2;
	limit = strtoul(argv[2], NULL, 10) * MIB;
	argument = argc > 3 ? argv[3] : NULL;
	grow_stack();
	for (i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++) {
		if (!strcmp(tasks[i].name, argv[1])) {
			tasks[i].fn();
			return check_failed;
		}
	}
	fprintf(stderr, "tasks: no task '%s'\n", argv[1]);
	return 2;
}
