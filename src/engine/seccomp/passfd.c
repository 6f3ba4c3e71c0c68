/* SPDX-License-Identifier: MIT
 *
 * passfd: see the header; SCM_RIGHTS, unix(7).  The sender's filter is loaded
 * already: it makes none of the calls that stop.
 */
#include "engine/seccomp/passfd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

struct message {
	int error;
	int wait_killable;
};

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

int passfd_send(int sock, int fd, bool wait_killable)
{
	struct message message = { fd < 0 ? -fd : 0, wait_killable };
	struct iovec iov = { &message, sizeof(message) };
	union control control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *cmsg;

		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int passfd_receive(int sock, bool *ret_wait_killable)
{
	struct message message;
	struct iovec iov = { &message, sizeof(message) };
	union control control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	ssize_t n;
	int fd;

	do {
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof(message))
		return -ECONNRESET;
	if (message.error)
		return -message.error;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS || cmsg->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -ECONNRESET;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	*ret_wait_killable = message.wait_killable;
	return fd;
}
