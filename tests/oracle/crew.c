/* SPDX-License-Identifier: MIT
 *
 * crew: one packet socket a process, made before the first worker, at known
 * descriptors, so that fork and execve hand them on.
 */
#include "crew.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "director.h"
#include "tally.h"

enum {
	ANSWER_MS = 120 * 1000,	/* an emulated machine is slow */
	STACK_LIMIT = 1 << 30,	/* RLIMIT_STACK, the simulator's too: the script's limit is to decide */
};

struct member crew[PROCESSES];
int crew_size;

void crew_open(int nr)
{
	int ends[2];

	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		fail("PR_SET_CHILD_SUBREAPER", strerror(errno));
	for (crew_size = 0; crew_size < nr; crew_size++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) ||
		    dup3(ends[0], DIRECTOR_FD + crew_size, O_CLOEXEC) < 0 || dup2(ends[1], WORKER_FD + crew_size) < 0)
			fail("socketpair", strerror(errno));
		close(ends[0]);
		close(ends[1]);
	}
}

static void be_first(const char *program, bool (*first)(void))
{
	char process[] = "0";
	char *argv[] = { "perform", "--worker", process, NULL };
	char *envp[] = { NULL };
	/* Transparent huge pages would let a read fault decide about a charge. */
	const struct rlimit stack = { .rlim_cur = STACK_LIMIT, .rlim_max = STACK_LIMIT };
	const struct rlimit core = { 0 };

	(void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* a kernel without them has no such call */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);	     /* best effort: an end of the socket ends it as well */
	if ((first && !first()) || setrlimit(RLIMIT_STACK, &stack))
		_exit(98);
	(void)setrlimit(RLIMIT_CORE, &core); /* only tidiness */
	execve(program, argv, envp);
	_exit(97);
}

/* How a process that is not our child ended: the last field of its stat. */
static int stat_signal(pid_t pid)
{
	char path[64], text[1024], *last;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (tally_read(path, text, sizeof(text)) <= 0)
		fail("cannot read how a worker ended", path);
	last = strrchr(text, ' ');
	return last ? atoi(last) & 0x7f : 0;
}

static void note_end(struct member *member, struct outcome *outcome)
{
	int status;

	member->alive = false;
	outcome->ended = true;
	if (waitpid(member->pid, &status, WNOHANG) == member->pid)
		outcome->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	else
		outcome->signal = stat_signal(member->pid);
	close(member->pidfd);
}

static void wait_answer(int process, struct outcome *outcome)
{
	struct pollfd fds[2] = {
		{ .fd = DIRECTOR_FD + process, .events = POLLIN },
		{ .fd = crew[process].pidfd, .events = POLLIN },
	};
	int n;

	memset(outcome, 0, sizeof(*outcome));
	do {
		n = poll(fds, 2, ANSWER_MS);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		fail("no answer from a worker", "it has hung");
	if (fds[0].revents & POLLIN) {
		if (recv(fds[0].fd, &outcome->answer, sizeof(outcome->answer), 0) != sizeof(outcome->answer))
			fail("recv", strerror(errno));
		return;
	}
	note_end(&crew[process], outcome);
}

void crew_join(int process, pid_t pid)
{
	struct member *member = &crew[process];
	struct outcome outcome;

	member->pid = pid;
	member->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (member->pidfd < 0)
		fail("pidfd_open", strerror(errno));
	(void)fcntl(member->pidfd, F_SETFD, FD_CLOEXEC);
	member->alive = true;
	wait_answer(process, &outcome);
	if (outcome.ended)
		fail("a worker ended before it served", outcome.signal ? strsignal(outcome.signal) : "it exited");
}

void crew_start(const char *program, bool (*first)(void))
{
	pid_t pid = vfork();

	if (pid < 0)
		fail("vfork", strerror(errno));
	if (pid == 0)
		be_first(program, first);
	crew_join(SCRIPT_MAIN, pid);
}

void crew_do(int process, const struct order *order, struct outcome *outcome)
{
	if (send(DIRECTOR_FD + process, order, sizeof(*order), MSG_NOSIGNAL) != sizeof(*order))
		fail("send", strerror(errno));
	wait_answer(process, outcome);
}

int crew_living(void)
{
	int nr = 0;

	for (int i = 0; i < crew_size; i++)
		nr += crew[i].alive;
	return nr;
}

void crew_end(void)
{
	for (int i = 0; i < crew_size; i++)
		if (crew[i].alive)
			(void)kill(crew[i].pid, SIGKILL); /* it is there: nobody has waited for it */
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}
