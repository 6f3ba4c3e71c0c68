/* SPDX-License-Identifier: MIT
 *
 * listener: see the header.  Debian's libseccomp 2.5.4 cannot ask for
 * WAIT_KILLABLE_RECV, so the program is loaded with seccomp(2) itself.
 */
#include "engine/seccomp/listener.h"

#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arith.h"
#include "base/cleanup.h"

static struct sock_filter program[] = {
#include "filter_program.h"
};

int listener_install(bool *ret_wait_killable)
{
	const struct sock_fprog prog = {
		.len = sizeof(program) / sizeof(program[0]),
		.filter = program,
	};
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	long fd;

	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &prog);
	if (fd >= 0) {
		*ret_wait_killable = true;
		return (int)fd;
	}
	if (errno != EINVAL)
		return -errno;
	/* KERNEL < 5.19 */
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (fd < 0)
		return -errno;
	*ret_wait_killable = false;
	return (int)fd;
}

static bool set_flags(const struct listener *l, unsigned long flags)
{
	return ioctl(l->fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags) == 0;
}

int listener_init(struct listener *l, int fd, bool wait_killable)
{
	struct seccomp_notif_sizes sizes;

	memset(l, 0, sizeof(*l));
	l->fd = fd;
	l->wait_killable = wait_killable;
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		return -errno;
	l->req_size = larger(sizes.seccomp_notif, sizeof(*l->req));
	if (sizes.seccomp_notif_resp > LISTENER_RESP_MAX)
		return -E2BIG;
	l->req = calloc(1, l->req_size);
	if (!l->req)
		return -ENOMEM;
	l->sync_wake = set_flags(l, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	return 0;
}

void listener_done(struct listener *l)
{
	close_fd(&l->fd);
	free(l->req);
	l->req = NULL;
}

enum { OTHERS_CALLS = 16 };

static bool call_waits(const struct listener *l)
{
	struct pollfd pfd = { .fd = l->fd, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLIN);
}

int listener_receive(struct listener *l)
{
	bool waits = l->others && call_waits(l), other;

	memset(l->req, 0, l->req_size); /* the kernel refuses a dirty buffer */
	if (ioctl(l->fd, SECCOMP_IOCTL_NOTIF_RECV, l->req) < 0)
		return -errno;
	/* Who was answered last may have run here and called again by now. */
	other = l->req->pid != l->caller;
	l->queued = waits && other;
	l->caller = l->req->pid;
	if (other)
		l->others = OTHERS_CALLS;
	else if (l->others)
		l->others--;
	return 0;
}

/* The kernel reads as much as its own structure is long: the rest is zero. */
union answer {
	struct seccomp_notif_resp resp;
	char room[LISTENER_RESP_MAX];
};

static int send_answer(const struct listener *l, const union answer *answer)
{
	return ioctl(l->fd, SECCOMP_IOCTL_NOTIF_SEND, answer) < 0 ? -errno : 0;
}

int listener_continue(const struct listener *l, uint64_t id)
{
	const union answer answer = { .resp = { .id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE } };

	return send_answer(l, &answer);
}

int listener_continue_apart(const struct listener *l, uint64_t id)
{
	int r;

	if (!l->sync_wake)
		return listener_continue(l, id);
	(void)set_flags(l, 0);
	r = listener_continue(l, id);
	(void)set_flags(l, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	return r;
}

int listener_answer(const struct listener *l, uint64_t id, int64_t value, int error)
{
	const union answer answer = { .resp = { .id = id, .val = value, .error = -error } };

	return send_answer(l, &answer);
}

bool listener_valid(const struct listener *l, uint64_t id)
{
	return ioctl(l->fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}
