/* SPDX-License-Identifier: MIT
 *
 * sys/elfload against the kernel: a program is stopped at the end of its
 * execve, before its first instruction, and what smaps says it was charged
 * must not be more than the estimate, nor less by more than a page or two.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/elfload.h"
#include "sys/smaps.h"
#include "tap.h"

enum { STACK_RLIMIT = 8 << 20, SLACK_PAGES = 2, SAMPLE = 30 };

static char dir[] = "/tmp/test_elfload.XXXXXX";
static int root_fd, cwd_fd;

struct charged {
	uint64_t image_pages, stack_pages;
};

static int add(void *ctx, const struct vma *vma, const char *name)
{
	struct charged *sum = ctx;
	uint64_t pages = (vma->end - vma->start) / 4096;

	(void)name;
	if (!(vma->flags & VMA_ACCOUNT))
		return 0;
	if (vma->flags & VMA_GROWSDOWN)
		sum->stack_pages += pages;
	else
		sum->image_pages += pages;
	return 0;
}

/* Starts the program up to the end of its execve.  Returns 0 or -errno of execve. */
static int charged_by_kernel(char *const argv[], rlim_t stack, struct charged *ret)
{
	char *const envp[] = { NULL };
	int pipe_fds[2], status, error = 0;
	pid_t pid;

	memset(ret, 0, sizeof(*ret));
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		struct rlimit limit = { stack, stack };

		if (setrlimit(RLIMIT_STACK, &limit) == 0 && ptrace(PTRACE_TRACEME, 0, 0, 0) == 0)
			execve(argv[0], argv, envp);
		error = errno;
		if (write(pipe_fds[1], &error, sizeof(error)) != sizeof(error))
			_exit(2);
		_exit(1);
	}
	close(pipe_fds[1]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		close(pipe_fds[0]);
		return -EIO;
	}
	if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP)
		error = smaps_walk("/proc", pid, add, ret);
	else if (read(pipe_fds[0], &error, sizeof(error)) == sizeof(error))
		error = -error;
	else
		error = -EIO;
	close(pipe_fds[0]);
	if (!WIFEXITED(status)) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	return error;
}

static uint64_t args_pages(char *const argv[])
{
	size_t bytes = strlen(argv[0]) + 1 + sizeof(void *); /* the path once more, for AT_EXECFN */

	for (int i = 0; argv[i]; i++)
		bytes += strlen(argv[i]) + 1;
	return bytes / 4096 + 1;
}

static int estimate(const char *path, rlim_t stack, struct elfload *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = elfload_estimate(fd, root_fd, cwd_fd, stack, ret);
	close(fd);
	return r;
}

/* WANT: 0, or the error that both must give. */
static void compare(const char *what, char *const argv[], rlim_t stack, int want)
{
	struct charged kernel;
	struct elfload load;
	int r = estimate(argv[0], stack, &load);
	int error = charged_by_kernel(argv, stack, &kernel);
	/* a script's arguments gain its own path and what its #! line says */
	uint64_t args = args_pages(argv) + (r == 0 && load.script);

	if (r || error || want) {
		tap_ok(r == want && error == want, "%s: estimate %s, kernel %s", what, strerror(-r), strerror(-error));
		return;
	}
	tap_ok(kernel.image_pages <= load.image_pages && load.image_pages - kernel.image_pages <= SLACK_PAGES &&
		       kernel.stack_pages <= load.stack_pages + args && kernel.stack_pages >= load.stack_pages &&
		       kernel.stack_pages > 0,
	       "%s: estimate %llu + %llu + %llu args, kernel %llu + %llu%s%s%s", what,
	       (unsigned long long)load.image_pages, (unsigned long long)load.stack_pages, (unsigned long long)args,
	       (unsigned long long)kernel.image_pages, (unsigned long long)kernel.stack_pages,
	       load.dynamic ? ", dynamic" : "", load.script ? ", script" : "", load.compat ? ", 32-bit" : "");
}

static void compare_path(char *path, int want)
{
	char *argv[] = { path, NULL };

	compare(path, argv, STACK_RLIMIT, want);
}

static int is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, R_OK | X_OK) == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Programs that nobody here chose, spread over the directory. */
static void test_sample(void)
{
	struct dirent **list;
	char path[PATH_MAX];
	int n = scandir("/usr/bin", &list, NULL, by_name);
	int taken = 0;

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/usr/bin/%s", list[i]->d_name);
		if (i * SAMPLE / n >= taken && is_program(path)) {
			compare_path(path, 0);
			taken++;
		}
		free(list[i]);
	}
	if (n > 0)
		free(list);
	tap_ok(taken >= SAMPLE / 2, "%d programs of /usr/bin", taken);
}

static char *in_dir(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		perror(name);
		exit(1);
	}
	close(fd);
}

/* Builds TEXT with FLAGS and compares it; a compiler that cannot is a skip. */
static int test_built(const char *flags, const char *text)
{
	char command[2 * PATH_MAX], what[200];
	char *argv[] = { NULL, NULL };

	put("built.c", text);
	snprintf(command, sizeof(command), "cd %s && cc -w %s -o built built.c 2>cc.log", dir, flags);
	if (system(command)) {
		tap_skip("cc cannot build it", "cc %s", flags);
		return -1;
	}
	snprintf(what, sizeof(what), "cc %s: %.60s", flags, text);
	argv[0] = in_dir("built");
	compare(what, argv, STACK_RLIMIT, 0);
	return 0;
}

static void test_all_built(void)
{
	static const char *const flags[] = { "",
					     "-static",
					     "-static-pie",
					     "-no-pie",
					     "-m32",
					     "-m32 -static",
					     "-Wl,-z,norelro",
					     "-no-pie -Wl,-z,noseparate-code",
					     "-static -nostdlib -Wl,-N,-e,main",
					     "-static-pie -nostdlib -Wl,-N,-e,main" };
	static const char *const texts[] = {
		"int main(void) { return 0; }",
		"char bss[64 << 20]; int main(void) { return bss[0]; }",
		"char data[64 << 20] = { 1 }; int main(void) { return data[0]; }",
		"__thread char tls[1 << 20] = { 1 }; char odd[4097]; int main(void) { return tls[odd[0]]; }",
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++)
			if (test_built(flags[i], texts[j]))
				break;
	}
}

static void test_scripts(void)
{
	char text[2 * PATH_MAX];
	char name[16];

	put("sh", "#!/bin/sh\nexit 0\n");
	compare_path(in_dir("sh"), 0);
	put("env", "#!/usr/bin/env sh\nexit 0\n");
	compare_path(in_dir("env"), 0);
	put("bash", "#! /bin/bash -e \nexit 0\n");
	compare_path(in_dir("bash"), 0);
	put("crlf", "#!/bin/sh\r\n");
	compare_path(in_dir("crlf"), -ENOENT);
	put("text", "exit 0\n");
	compare_path(in_dir("text"), -ENOEXEC);
	put("bare", "#!\n");
	compare_path(in_dir("bare"), -ENOEXEC);

	/* s0 is a script itself: of s4 five are read before the program */
	put("s0", "#!/bin/true\n");
	for (int i = 1; i < 8; i++) {
		snprintf(text, sizeof(text), "#!%s/s%d\n", dir, i - 1);
		snprintf(name, sizeof(name), "s%d", i);
		put(name, text);
		compare_path(in_dir(name), i <= 4 ? 0 : -ELOOP);
	}
}

/* The class and the byte order in e_ident do not matter to the kernel. */
static void test_class(void)
{
	char command[2 * PATH_MAX];
	char *argv[] = { in_dir("built"), NULL };
	struct elfload load;
	int fd;

	snprintf(command, sizeof(command), "cp /bin/true %s/built", dir);
	if (system(command))
		exit(1);
	fd = open(in_dir("built"), O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, "\1\2", 2, 4) != 2)
		exit(1);
	close(fd);
	compare("/bin/true that says it is 32-bit", argv, STACK_RLIMIT, 0);
	tap_ok(estimate(argv[0], STACK_RLIMIT, &load) == 0 && !load.compat, "it is not taken for one");
}

static void test_stack(void)
{
	static char word[100000];
	char *plain[] = { "/bin/true", NULL };
	char *many[] = { "/bin/true", word, word, word, word, word, NULL };

	compare("a stack limit of 64 KiB", plain, 64 << 10, 0);
	compare("a stack limit of 1 MiB", plain, 1 << 20, 0);
	compare("no stack limit", plain, RLIM_INFINITY, 0);
	memset(word, 'w', sizeof(word) - 1);
	compare("500 kB of arguments", many, STACK_RLIMIT, 0);
}

int main(void)
{
	char command[PATH_MAX];

	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!mkdtemp(dir) || root_fd < 0)
		return 1;
	cwd_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	test_sample();
	test_all_built();
	test_scripts();
	test_class();
	test_stack();
	snprintf(command, sizeof(command), "rm -r %s", dir);
	tap_ok(system(command) == 0, "cleaned up");
	return tap_end();
}
