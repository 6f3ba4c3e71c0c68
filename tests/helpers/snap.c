/* SPDX-License-Identifier: MIT
 *
 * snap: runs a program, refuses its large requests, and writes a refusal record
 * with the stack of each to stdout: the report side without an engine.
 *
 *     snap [--min BYTES] [--partial] [--bare] [--group NAME] -- PROGRAM [ARG]...
 *
 * A private writable mmap, an mprotect to writable, a mremap or a brk that asks
 * for BYTES (default 64 MiB) or more is skipped and answered as surety would:
 * ENOMEM, or the old break.  --partial keeps only the stack pointer and pc of
 * the registers, --bare writes records without a capture.
 *
 * Uses ptrace system call stops: at the one after the call the thread stands
 * where a refused caller stands, none of its code having run.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "report/record.h"

enum { THREADS = 64, STACK_MAX = 256 * 1024, MAPS_MAX = 1 << 20 };

struct thread {
	pid_t tid;
	bool refusing;
	enum operation op;
	struct __ptrace_syscall_info call; /* at its entry */
};

static struct thread threads[THREADS];
static uint64_t least = UINT64_C(64) << 20;
static uint64_t current_brk;
static uint64_t sequence;
static bool partial, bare;
static const char *group = "snap";
static char maps[MAPS_MAX], stack[STACK_MAX];

static void die(const char *what)
{
	fprintf(stderr, "snap: %s: %s\n", what, strerror(errno));
	exit(99);
}

static struct thread *thread_of(pid_t tid)
{
	for (int i = 0; i < THREADS; i++)
		if (threads[i].tid == tid)
			return &threads[i];
	for (int i = 0; i < THREADS; i++) {
		if (!threads[i].tid) {
			threads[i] = (struct thread){ .tid = tid };
			return &threads[i];
		}
	}
	errno = ENOSPC;
	die("threads");
	return NULL;
}

static size_t read_proc(pid_t tid, const char *name, char *buf, size_t size)
{
	char path[64];
	size_t len = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	buf[len] = '\0';
	return len;
}

static uint64_t stack_end(uint64_t sp)
{
	for (const char *line = maps; line && *line; line = strchr(line, '\n')) {
		uint64_t start, end;

		line += *line == '\n';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2 && sp >= start && sp < end)
			return end;
	}
	return sp;
}

static void take_capture(pid_t tid, struct capture *ret)
{
	struct user_regs_struct r;
	struct iovec local = { .iov_base = stack }, remote;
	uint64_t want;
	ssize_t n;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &r) < 0)
		die("GETREGS");
	*ret = (struct capture){ .full_regs = !partial, .compat = r.cs == 0x23, .sp = r.rsp, .pc = r.rip };
	if (ret->compat && !partial) {
		const uint64_t regs[] = { r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi, r.rip };

		memcpy(ret->regs, regs, sizeof(regs));
	} else if (!partial) {
		const uint64_t regs[CAPTURE_REGS] = { r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8,
						      r.r9,  r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rip };

		memcpy(ret->regs, regs, sizeof(regs));
	}
	ret->maps = maps;
	ret->maps_len = read_proc(tid, "maps", maps, sizeof(maps));
	want = stack_end(r.rsp) - r.rsp;
	local.iov_len = want < sizeof(stack) ? want : sizeof(stack);
	remote = (struct iovec){ .iov_base = (void *)r.rsp, .iov_len = local.iov_len };
	n = process_vm_readv(tid, &local, 1, &remote, 1, 0);
	ret->stack = stack;
	ret->stack_len = n > 0 ? (size_t)n : 0;
}

static uint64_t requested(const struct thread *t)
{
	const uint64_t *args = (const uint64_t *)t->call.entry.args;

	if (t->op == OP_BRK)
		return args[0] - current_brk;
	return t->op == OP_MREMAP ? args[2] - args[1] : args[1];
}

static void describe(const struct thread *t, struct refusal *r)
{
	char path[64], status[4096], *tgid;
	struct timespec ts;
	ssize_t n;

	*r = (struct refusal){ .engine = "snap", .mode = OVERCOMMIT_NEVER, .verdict = VERDICT_OVER_LIMIT };
	clock_gettime(CLOCK_REALTIME, &ts);
	r->time_ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	snprintf(r->group, sizeof(r->group), "%s", group);
	read_proc(t->tid, "status", status, sizeof(status));
	tgid = strstr(status, "\nTgid:");
	r->pid = tgid ? atoi(tgid + 6) : t->tid;
	r->tid = t->tid;
	read_proc(t->tid, "comm", r->comm, sizeof(r->comm));
	r->comm[strcspn(r->comm, "\n")] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)t->tid);
	n = readlink(path, r->exe, sizeof(r->exe) - 1);
	if (n < 0)
		die(path);
	r->op = t->op;
	r->arch = t->call.arch;
	r->syscall_nr = (int32_t)t->call.entry.nr;
	for (int i = 0; i < 6; i++)
		r->args[i] = t->call.entry.args[i];
	r->request_bytes = requested(t);
	r->committed_bytes = UINT64_C(1) << 20;
	r->limit_bytes = r->allowed_bytes = least;
	r->rule = t->op == OP_BRK ? RULE_BRK_GROW : t->op == OP_MREMAP ? RULE_MREMAP_GROW : RULE_PRIVATE_ANON;
	r->error = ENOMEM;
	r->sequence = ++sequence;
	r->nr_holders = 1;
	r->holders[0].pid = r->pid;
	r->holders[0].bytes = r->committed_bytes;
	memcpy(r->holders[0].comm, r->comm, sizeof(r->comm));
}

static bool to_refuse(struct thread *t)
{
	bool i386 = t->call.arch == AUDIT_ARCH_I386;
	uint64_t nr = t->call.entry.nr;
	const uint64_t *args = (const uint64_t *)t->call.entry.args;

	if (nr == (i386 ? 192 : 9)) {
		t->op = OP_MMAP;
		return args[1] >= least && args[2] & PROT_WRITE && args[3] & MAP_PRIVATE;
	}
	if (nr == (i386 ? 125 : 10)) {
		t->op = OP_MPROTECT;
		return args[1] >= least && args[2] & PROT_WRITE;
	}
	if (nr == (i386 ? 163 : 25)) {
		t->op = OP_MREMAP;
		return args[2] > args[1] && args[2] - args[1] >= least;
	}
	t->op = OP_BRK;
	return nr == (i386 ? 45 : 12) && current_brk && args[0] > current_brk && args[0] - current_brk >= least;
}

static void entered(struct thread *t)
{
	struct user_regs_struct regs;

	t->refusing = to_refuse(t);
	if (!t->refusing)
		return;
	if (ptrace(PTRACE_GETREGS, t->tid, NULL, &regs) < 0)
		die("GETREGS");
	regs.orig_rax = (unsigned long long)-1; /* no call */
	if (ptrace(PTRACE_SETREGS, t->tid, NULL, &regs) < 0)
		die("SETREGS");
}

static void left(struct thread *t, const struct __ptrace_syscall_info *exit_info)
{
	struct user_regs_struct regs;
	struct refusal refusal;
	struct capture capture;
	int r;

	if (!t->refusing) {
		if (t->call.entry.nr == (t->call.arch == AUDIT_ARCH_I386 ? 45 : 12))
			current_brk = (uint64_t)exit_info->exit.rval;
		return;
	}
	t->refusing = false;
	if (ptrace(PTRACE_GETREGS, t->tid, NULL, &regs) < 0)
		die("GETREGS");
	regs.rax = t->op == OP_BRK ? current_brk : (unsigned long long)-ENOMEM;
	if (ptrace(PTRACE_SETREGS, t->tid, NULL, &regs) < 0)
		die("SETREGS");
	describe(t, &refusal);
	take_capture(t->tid, &capture);
	r = record_write(STDOUT_FILENO, &refusal, bare ? NULL : &capture);
	if (r < 0) {
		errno = -r;
		die("record_write");
	}
}

static void stopped_in_call(struct thread *t)
{
	struct __ptrace_syscall_info info = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof(info), &info) < 0)
		die("GET_SYSCALL_INFO");
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		t->call = info;
		entered(t);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		left(t, &info);
	}
}

static int supervise(pid_t first)
{
	int status, result = 99;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		struct thread *t = thread_of(tid);
		int sig = 0;

		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (tid == first)
				result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			t->tid = 0;
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			stopped_in_call(t);
		else if (status >> 16 == 0 && WSTOPSIG(status) != SIGSTOP)
			sig = WSTOPSIG(status);
		if (ptrace(PTRACE_SYSCALL, tid, NULL, sig) < 0 && errno != ESRCH)
			die("PTRACE_SYSCALL");
	}
	return result;
}

static pid_t start(char **argv)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(99);
		raise(SIGSTOP);
		dup2(STDERR_FILENO, STDOUT_FILENO); /* ours carries records */
		execvp(argv[0], argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		die("the child did not stop");
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL,
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC) < 0)
		die("SETOPTIONS");
	if (ptrace(PTRACE_SYSCALL, pid, NULL, 0) < 0)
		die("PTRACE_SYSCALL");
	return pid;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "min", required_argument, NULL, 'm' },   { "partial", no_argument, NULL, 'p' },
		{ "bare", no_argument, NULL, 'b' },        { "group", required_argument, NULL, 'g' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (c == 'm')
			least = strtoull(optarg, NULL, 0);
		else if (c == 'p')
			partial = true;
		else if (c == 'b')
			bare = true;
		else if (c == 'g')
			group = optarg;
		else
			return 99;
	}
	if (optind == argc || !least)
		return 99;
	signal(SIGPIPE, SIG_IGN);
	return supervise(start(&argv[optind]));
}
