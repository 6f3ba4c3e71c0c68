/* SPDX-License-Identifier: MIT */
/*
 * The first process of a test guest: mounts what a command needs, runs it as
 * /guest/command says (its arguments, each ended by a NUL byte), and sends what
 * it prints, what it left under /out, and how it ended over the second serial
 * port.
 *
 * A frame there is one byte of type, four of length (little endian) and that
 * many of data:
 *
 *   b  the first: the kernel's release, a blank, and its RAM in kB (MemTotal)
 *   o  standard output        e  standard error
 *   f  a file of /out: its name, from /out on       d  a piece of that file
 *   x  the last: exit status of the command, four bytes
 *
 * It holds as little commitment as it can, and none that changes while the
 * command runs: tests look at the host-wide count.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define ARGS_MAX 1024

static const struct {
	const char *where;
	const char *type;
	const char *options;
} mounts[] = {
	{ "/proc", "proc", NULL },
	{ "/sys", "sysfs", NULL },
	{ "/dev", "devtmpfs", NULL },
	{ "/dev/shm", "tmpfs", NULL },
	{ "/dev/pts", "devpts", NULL },
	{ "/dev/hugepages", "hugetlbfs", NULL },
	{ "/tmp", "tmpfs", NULL },
	{ "/run", "tmpfs", NULL },
	{ "/sys/fs/cgroup", "cgroup2", NULL },
	{ "/sys/fs/bpf", "bpf", NULL },
	{ "/sys/kernel/security", "securityfs", NULL },
	{ "/sys/kernel/tracing", "tracefs", NULL },
};

static char text[65536]; /* the command's arguments, then what is sent */
static int port = -1;

/* Says on the console why the guest ends, and ends it. */
static void give_up(const char *what, const char *object)
{
	printf("guest: %s '%s': %s\n", what, object, strerror(errno));
	(void)fflush(stdout);
	(void)reboot(RB_POWER_OFF); /* without the last frame: the runner sees that */
	_exit(1);
}

static void send_all(const void *data, size_t len)
{
	for (const char *at = data; len;) {
		ssize_t n = write(port, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			give_up("cannot send to", "/dev/ttyS1");
		at += n;
		len -= (size_t)n;
	}
}

static void send_frame(char type, const void *data, size_t len)
{
	uint8_t head[5] = { (uint8_t)type };
	uint32_t size = (uint32_t)len;

	memcpy(head + 1, &size, sizeof(size));
	send_all(head, sizeof(head));
	send_all(data, len);
}

static void mount_all(void)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		(void)mkdir(mounts[i].where, 0755); /* it may be there */
		if (mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, mounts[i].options))
			printf("guest: no %s on %s: %s\n", mounts[i].type, mounts[i].where,
			       strerror(errno));
	}
	(void)chmod("/tmp", 01777);
	(void)mkdir("/out", 0755);
}

static void open_port(void)
{
	struct termios raw;

	port = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (port < 0)
		give_up("cannot open", "/dev/ttyS1");
	if (tcgetattr(port, &raw))
		give_up("no terminal is", "/dev/ttyS1");
	cfmakeraw(&raw);
	(void)cfsetspeed(&raw, B115200);
	if (tcsetattr(port, TCSANOW, &raw))
		give_up("cannot set up", "/dev/ttyS1");
}

/* Reads the whole of PATH into text[]; its length. */
static size_t read_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		give_up("cannot open", path);
	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0 || len == sizeof(text) - 1)
		give_up("cannot read", path);
	(void)close(fd);
	text[len] = '\0';
	return len;
}

/* In the child: becomes the command. */
static void run_command(int out, int err)
{
	static char *argv[ARGS_MAX + 1];
	char *end = text + read_text("/guest/command");
	size_t argc = 0;
	int null = open("/dev/null", O_RDONLY);

	for (char *at = text; at < end && argc < ARGS_MAX; at += strlen(at) + 1)
		argv[argc++] = at;
	/* environment first, then an empty argument, then the command */
	for (size_t i = 0; i < argc; i++)
		if (!*argv[i]) {
			char **command = argv + i + 1;

			argv[i] = NULL;
			environ = argv;
			(void)setsid();
			if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
				_exit(125);
			(void)execvp(command[0], command);
			dprintf(2, "guest: cannot run '%s': %s\n", command[0], strerror(errno));
			_exit(errno == ENOENT ? 127 : 126);
		}
	_exit(125);
}

/* Hands on what a pipe holds; false at its end. */
static int pass_on(int fd, char type)
{
	ssize_t n = read(fd, text, sizeof(text));

	if (n > 0)
		send_frame(type, text, (size_t)n);
	return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

/* Takes the ended children in; true once the command is one of them. */
static int reap(pid_t command, int *status)
{
	int ended = 0, how;
	pid_t pid;

	while ((pid = waitpid(-1, &how, WNOHANG)) > 0)
		if (pid == command) {
			*status = how;
			ended = 1;
		}
	return ended;
}

static void on_child(int signal)
{
	(void)signal; /* it only wakes ppoll */
}

/* Runs the command until it and all it has started are gone; its status. */
static int supervise(void)
{
	int out[2], err[2], status = 0;
	struct sigaction action = { .sa_handler = on_child };
	struct pollfd fds[2];
	sigset_t block, wait;
	pid_t command;

	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &block, &wait);
	(void)sigaction(SIGCHLD, &action, NULL);
	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		give_up("cannot make", "a pipe");
	command = fork();
	if (command < 0)
		give_up("cannot start", "the command");
	if (!command) {
		(void)sigprocmask(SIG_SETMASK, &wait, NULL);
		run_command(out[1], err[1]);
	}
	(void)close(out[1]);
	(void)close(err[1]);
	fds[0] = (struct pollfd){ .fd = out[0], .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = err[0], .events = POLLIN };
	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		if (ppoll(fds, 2, NULL, &wait) < 0 && errno == EINTR) {
			if (reap(command, &status))
				(void)kill(-1, SIGKILL); /* whatever it left: everybody but us */
			continue;
		}
		for (int i = 0; i < 2; i++)
			if (fds[i].revents && !pass_on(fds[i].fd, i ? 'e' : 'o'))
				fds[i].fd = -1;
	}
	/* both pipes are closed: the command may live on without them */
	while (waitpid(command, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Sends the regular files under PATH, whose first SKIP bytes nobody wants. */
static void send_files(const char *path, size_t skip)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char name[4096];
	struct stat st;

	if (!dir)
		give_up("cannot read", path);
	while ((entry = readdir(dir))) {
		int fd;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) >= (int)sizeof(name) ||
		    lstat(name, &st))
			continue;
		if (S_ISDIR(st.st_mode)) {
			send_files(name, skip);
			continue;
		}
		if (!S_ISREG(st.st_mode))
			continue;
		fd = open(name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			give_up("cannot open", name);
		send_frame('f', name + skip, strlen(name + skip));
		while (pass_on(fd, 'd'))
			continue;
		(void)close(fd);
	}
	(void)closedir(dir);
}

int main(void)
{
	struct utsname system;
	struct sysinfo info;
	uint32_t status;
	int console;

	mount_all();
	console = open("/dev/console", O_WRONLY | O_NOCTTY);
	for (int fd = 0; fd < 3 && console >= 0; fd++)
		(void)dup2(console, fd);
	if (console > 2)
		(void)close(console);
	open_port();
	(void)uname(&system);
	(void)sysinfo(&info);
	send_frame('b', text,
		   (size_t)snprintf(text, sizeof(text), "%s %lu", system.release,
				    (unsigned long)(info.totalram * info.mem_unit / 1024)));
	status = (uint32_t)supervise();
	send_files("/out", strlen("/out/"));
	send_frame('x', &status, sizeof(status));
	(void)tcdrain(port);
	(void)reboot(RB_POWER_OFF);
	return 1;
}
