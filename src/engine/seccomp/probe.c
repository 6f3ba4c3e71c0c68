/* SPDX-License-Identifier: MIT
 *
 * probe: see the header.
 *
 * A child loads the real filter and makes three calls; each is handled as in a
 * job: refused, granted, and captured.  A container profile may allow the
 * filter and block the notification, so nothing less than the round trip tells.
 */
#include "engine/seccomp/probe.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "engine/seccomp/listener.h"
#include "engine/seccomp/passfd.h"
#include "sys/procfs.h"
#include "sys/smaps.h"

enum { PROBE_WAIT_MS = 2000, PROBE_LEN = 1 << 20 };

static void add(struct probe_report *report, bool ok, bool fatal, const char *what, const char *why, ...)
	__attribute__((format(printf, 5, 6)));

static void add(struct probe_report *report, bool ok, bool fatal, const char *what, const char *why, ...)
{
	struct probe_line *line;
	va_list ap;

	if (!ok && fatal)
		report->usable = false;
	if (report->nr == PROBE_LINES)
		return;
	line = &report->line[report->nr++];
	line->ok = ok;
	line->fatal = fatal;
	snprintf(line->what, sizeof(line->what), "%s", what);
	va_start(ap, why);
	vsnprintf(line->why, sizeof(line->why), why, ap);
	va_end(ap);
}

/* What the child saw, as its exit status. */
enum { SAW_ALL = 0, SAW_NO_REFUSAL = 1, SAW_NO_GRANT = 2, SAW_NO_FILTER = 3 };

static void *map_some(void)
{
	return mmap(NULL, PROBE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static _Noreturn void probe_child(int sock)
{
	bool wait_killable = false;
	int fd = listener_install(&wait_killable);

	if (fd == -EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		fd = listener_install(&wait_killable);
	(void)passfd_send(sock, fd, wait_killable);
	if (fd < 0)
		_exit(SAW_NO_FILTER);
	close(fd);
	if (map_some() != MAP_FAILED || errno != ENOMEM)
		_exit(SAW_NO_REFUSAL);
	_exit(map_some() == MAP_FAILED ? SAW_NO_GRANT : SAW_ALL);
}

/* Waits for the child's next mmap. */
static int next_call(struct listener *l)
{
	struct pollfd pfd = { .fd = l->fd, .events = POLLIN };
	int r = poll(&pfd, 1, PROBE_WAIT_MS);

	if (r <= 0 || !(pfd.revents & POLLIN))
		return r < 0 ? -errno : -ETIMEDOUT;
	r = listener_receive(l);
	if (r == 0 && l->req->data.nr != SYS_mmap)
		r = -EPROTO;
	return r;
}

static int count_flags(void *ctx, const struct vma *vma, const char *name)
{
	(void)name;
	*(uint64_t *)ctx += vma->flags & VMA_ACCOUNT ? 1 : 0;
	return 0;
}

static void probe_reading(struct probe_report *report, pid_t tid, uint64_t id, const struct listener *l)
{
	uint64_t accounted = 0;
	struct statm m;
	char byte;
	int self = 1;
	int r;

	r = statm_of(tid, &m);
	add(report, r == 0, true, "mm counters (/proc/PID/statm)", "%s",
	    r == 0 ? "readable" : "unreadable (is /proc mounted with hidepid?)");
	r = smaps_walk("/proc", tid, count_flags, &accounted);
	add(report, r == 0 && accounted, true, "VM_ACCOUNT flags (/proc/PID/smaps)", "%s",
	    r == 0 && accounted ? "readable"
				: "unreadable (a kernel with CONFIG_PROC_PAGE_MONITOR is needed, and ptrace rights)");
	r = (int)remote_read(tid, (uint64_t)(uintptr_t)&self, &byte, 1);
	add(report, r == 1, true, "memory of a caller (process_vm_readv)", "%s",
	    r == 1 ? "readable" : "denied (allow ptrace of one's own children: Yama scope 1, container profile)");
	r = same_address_space(tid, getpid());
	add(report, r >= 0, false, "shared address spaces (kcmp)", "%s",
	    r >= 0 ? "told apart" : "not told apart: a vfork child counts twice until its execve (CONFIG_KCMP)");
	r = ptrace(PTRACE_SEIZE, tid, 0, 0) == 0;
	if (r)
		(void)ptrace(PTRACE_DETACH, tid, 0, 0);
	add(report, r && l->wait_killable, false, "full stacks (PTRACE_SEIZE)", "%s",
	    r && l->wait_killable ? "yes"
	    : r			  ? "partial: without WAIT_KILLABLE_RECV (Linux 5.19) a stop would cancel the call"
				  : "partial: ptrace is denied; stacks come from the stack pointer alone");
	add(report, listener_valid(l, id), true, "notification identity (NOTIF_ID_VALID)", "holds after these reads");
}

static void probe_calls(struct probe_report *report, struct listener *l)
{
	int r = next_call(l);

	if (r < 0) {
		add(report, false, true, "notification", "did not arrive: %s (a container profile may block "
		    "SECCOMP_IOCTL_NOTIF_RECV)", strerror(-r));
		return;
	}
	probe_reading(report, (pid_t)l->req->pid, l->req->id, l);
	r = listener_answer(l, l->req->id, 0, ENOMEM);
	if (r == 0)
		r = next_call(l);
	if (r == 0)
		r = listener_continue(l, l->req->id);
	if (r < 0)
		add(report, false, true, "answer", "failed: %s (Linux 5.5 with SECCOMP_USER_NOTIF_FLAG_CONTINUE is needed)",
		    strerror(-r));
}

static void probe_outcome(struct probe_report *report, pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	add(report, WIFEXITED(status) && WEXITSTATUS(status) == SAW_ALL, true, "round trip (refuse, then grant)",
	    WIFEXITED(status) && WEXITSTATUS(status) == SAW_ALL
		    ? "the child got ENOMEM, then memory"
		    : "the child did not see what it was answered (status %#x)", (unsigned int)status);
}

/* The child ends when it has been answered: the end of a group is seen so. */
static void probe_hangup(struct probe_report *report, int fd)
{
	struct pollfd pfd = { .fd = fd };
	bool ok;

	if (!report->usable)
		return; /* the child still waits */
	ok = poll(&pfd, 1, PROBE_WAIT_MS) > 0 && (pfd.revents & POLLHUP);
	add(report, ok, true, "end of a group (listener hang-up)", "%s",
	    ok ? "seen" : "not announced (Linux 5.9 is needed): a job would never be seen to end");
}

static void probe_listener(struct probe_report *report, int fd, bool wait_killable)
{
	struct listener l;
	int r = listener_init(&l, fd, wait_killable);

	if (r < 0) {
		add(report, false, true, "listener", "failed: %s", strerror(-r));
		close_fd(&fd);
		return;
	}
	add(report, true, false, "filter and listener", "loaded");
	add(report, l.wait_killable, false, "WAIT_KILLABLE_RECV (Linux 5.19)", "%s",
	    l.wait_killable ? "yes" : "no: a program that is signalled often (Go) may wait long in a call");
	add(report, l.sync_wake, false, "SYNC_WAKE_UP (Linux 6.6)", "%s",
	    l.sync_wake ? "yes" : "no: a call costs about twice as much");
	probe_calls(report, &l);
	probe_hangup(report, l.fd);
	listener_done(&l);
}

static const char *filter_advice(int error)
{
	switch (error) {
	case EBUSY: return "another supervisor already listens to this process (run surety outside it)";
	case EINVAL: return "this kernel has no user notification (Linux 5.0 with CONFIG_SECCOMP_FILTER is needed)";
	case EACCES:
	case EPERM: return "denied (allow the seccomp system call in the container's profile)";
	default: return "see seccomp(2)";
	}
}

void seccomp_probe(struct probe_report *ret)
{
	bool wait_killable = false;
	int sock[2], fd;
	pid_t pid;

	memset(ret, 0, sizeof(*ret));
	ret->usable = true;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0) {
		add(ret, false, true, "trial process", "socketpair: %s", strerror(errno));
		return;
	}
	pid = fork();
	if (pid == 0)
		probe_child(sock[1]);
	close_fd(&sock[1]);
	if (pid < 0) {
		add(ret, false, true, "trial process", "fork: %s", strerror(errno));
		close_fd(&sock[0]);
		return;
	}
	fd = passfd_receive(sock[0], &wait_killable);
	close_fd(&sock[0]);
	if (fd < 0)
		add(ret, false, true, "filter and listener", "%s: %s", strerror(-fd), filter_advice(-fd));
	else
		probe_listener(ret, fd, wait_killable);
	if (!ret->usable)
		(void)kill(pid, SIGKILL);
	probe_outcome(ret, pid);
}
