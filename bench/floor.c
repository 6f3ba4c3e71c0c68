/* SPDX-License-Identifier: MIT
 *
 * floor: the least that supervision by seccomp notification can cost.
 *
 * Loads surety's own filter, answers CONTINUE at once to every call and knows
 * nothing: what surety costs beyond this is surety's.
 *
 *     floor COMMAND [ARGUMENT...]
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/seccomp/listener.h"
#include "engine/seccomp/passfd.h"

static _Noreturn void run_command(int sock, char **argv)
{
	bool wait_killable = false;
	int fd = listener_install(&wait_killable);

	if (fd == -EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		fd = listener_install(&wait_killable);
	if (passfd_send(sock, fd, wait_killable) < 0 || fd < 0)
		_exit(125);
	close(fd);
	execvp(argv[0], argv);
	_exit(127);
}

static bool makes_image(const struct seccomp_data *data)
{
	return data->nr == SYS_clone || data->nr == SYS_execve;
}

int main(int argc, char **argv)
{
	bool wait_killable = false;
	struct listener l;
	int sock[2], status, fd;
	pid_t pid;

	if (argc < 2 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return 125;
	pid = fork();
	if (pid == 0)
		run_command(sock[1], argv + 1);
	close(sock[1]);
	fd = passfd_receive(sock[0], &wait_killable);
	if (fd < 0 || listener_init(&l, fd, wait_killable) < 0) {
		fprintf(stderr, "floor: cannot listen\n");
		return 125;
	}
	for (;;) {
		struct pollfd pfd = { .fd = l.fd };
		int r = listener_receive(&l);

		if (r == 0 && (l.queued || makes_image(&l.req->data)))
			(void)listener_continue_apart(&l, l.req->id);
		else if (r == 0)
			(void)listener_continue(&l, l.req->id); /* gone: fine */
		else if (r != -EINTR && poll(&pfd, 1, 0) > 0)
			break;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
