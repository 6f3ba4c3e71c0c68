/* SPDX-License-Identifier: MIT
 *
 * procfs: see the header.  Formats from fs/proc/array.c, base.c, task_mmu.c.
 * A comm may hold anything, ") R 1" included: stat is read from its last ')'.
 */
#include "sys/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "core/rules.h"
#include "sys/uapi.h"

enum {
	PROC_PATH_MAX = 64,
	TASK_FORKNOEXEC = 0x40, /* include/linux/sched.h PF_FORKNOEXEC */
};

static int proc_open(pid_t tid, const char *file, int flags)
{
	char path[PROC_PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", tid, file);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Reads a file that the kernel makes in one piece; BUF gets a NUL. */
static int proc_read(pid_t tid, const char *file, char *buf, size_t size)
{
	autoclose int fd = proc_open(tid, file, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

static const char *number(const char *p, uint64_t *ret)
{
	uint64_t n = 0;

	while (*p == ' ')
		p++;
	while (*p >= '0' && *p <= '9')
		n = n * 10 + (uint64_t)(*p++ - '0');
	*ret = n;
	return p;
}

int statm_open(pid_t tid)
{
	return proc_open(tid, "statm", O_RDONLY);
}

int statm_read(int fd, struct statm *ret)
{
	char buf[160]; /* seven numbers of at most 20 digits */
	uint64_t field[7];
	const char *p = buf;
	ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	for (int i = 0; i < 7; i++)
		p = number(p, &field[i]);
	ret->size = field[0];
	ret->resident = field[1];
	ret->shared = field[2];
	ret->anon = field[1] > field[2] ? field[1] - field[2] : 0;
	ret->data = field[5];
	return 0;
}

int statm_of(pid_t tid, struct statm *ret)
{
	autoclose int fd = statm_open(tid);

	return fd < 0 ? fd : statm_read(fd, ret);
}

int task_stat_read(pid_t tid, struct task_stat *ret)
{
	char buf[1024];
	const char *open, *p;
	char *close;
	uint64_t field[53] = { 0 };
	size_t len;
	int r = proc_read(tid, "stat", buf, sizeof(buf));

	if (r < 0)
		return r;
	open = strchr(buf, '(');
	close = strrchr(buf, ')');
	if (!open || !close || close < open || close[1] != ' ' || !close[2])
		return -EBADMSG;
	memset(ret, 0, sizeof(*ret));
	len = (size_t)(close - open - 1);
	if (len >= sizeof(ret->comm))
		len = sizeof(ret->comm) - 1;
	memcpy(ret->comm, open + 1, len);
	ret->state = close[2];
	p = close + 3;
	for (int i = 4; i <= 52 && *p == ' '; i++) {
		/* A negative field (priority, tpgid) reads as 0: none is used. */
		if (p[1] == '-') {
			p += 2;
			p = number(p, &field[i]);
			field[i] = 0;
		} else {
			p = number(p, &field[i]);
		}
	}
	ret->ppid = (pid_t)field[4];
	ret->threads = (uint32_t)field[20];
	ret->never_execed = field[9] & TASK_FORKNOEXEC;
	ret->faults = field[10] + field[12];
	ret->start_stack = field[28];
	ret->start_brk = field[47];
	return 0;
}

int task_look(pid_t pid, uint64_t *ret_faults, uint64_t *ret_anon)
{
	struct task_stat st;
	struct statm m;
	int r = task_stat_read(pid, &st);

	if (r == 0)
		r = statm_of(pid, &m);
	if (r < 0)
		return r;
	*ret_faults = st.faults;
	*ret_anon = m.anon;
	return 0;
}

static int status_field(const char *buf, const char *name, int base, uint64_t *ret)
{
	const char *p = strstr(buf, name);

	if (!p)
		return -EBADMSG;
	*ret = strtoull(p + strlen(name), NULL, base);
	return 0;
}

int task_ids_read(pid_t tid, struct task_ids *ret)
{
	char buf[4096];
	uint64_t tgid, ppid, caps;
	int r = proc_read(tid, "status", buf, sizeof(buf));

	if (r < 0)
		return r;
	/* The name is escaped by the kernel: it cannot hold a newline. */
	if (status_field(buf, "\nTgid:", 10, &tgid) < 0 || status_field(buf, "\nPPid:", 10, &ppid) < 0 ||
	    status_field(buf, "\nCapEff:", 16, &caps) < 0)
		return -EBADMSG;
	ret->tgid = (pid_t)tgid;
	ret->ppid = (pid_t)ppid;
	ret->cap_effective = caps;
	if (status_field(buf, "\nSeccomp_filters:", 10, &ret->seccomp_filters) < 0 &&
	    status_field(buf, "\nSeccomp:", 10, &ret->seccomp_filters) < 0)
		return -EBADMSG;
	return 0;
}

int task_sched_read(pid_t tid, struct task_sched *ret)
{
	char buf[80];
	int r = proc_read(tid, "schedstat", buf, sizeof(buf));
	const char *p = buf;

	if (r < 0)
		return r;
	p = number(p, &ret->run_ns);
	(void)number(p, &ret->wait_ns);
	return 0;
}

int task_parent(pid_t pid, int pidfd, pid_t *ret)
{
	struct pidfd_info info = { .mask = PIDFD_INFO_PID };
	struct task_stat st;
	int r;

	if (ioctl(pidfd, PIDFD_GET_INFO, &info) == 0) {
		*ret = (pid_t)info.ppid;
		return 0;
	}
	if (errno == ESRCH)
		return -ESRCH;
	r = task_stat_read(pid, &st);
	if (r == 0)
		*ret = st.ppid;
	return r;
}

int task_call_read(pid_t tid, struct task_call *ret)
{
	char buf[256];
	char *p = buf;
	int r = proc_read(tid, "syscall", buf, sizeof(buf));

	if (r < 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	if (strncmp(buf, "running", 7) == 0) {
		ret->where = TASK_RUNNING;
		return 0;
	}
	ret->nr = strtoll(p, &p, 10);
	ret->where = ret->nr < 0 ? TASK_OUTSIDE : TASK_BLOCKED;
	for (int i = 0; ret->where == TASK_BLOCKED && i < 6; i++)
		ret->arg[i] = strtoull(p, &p, 16);
	ret->sp = strtoull(p, &p, 16);
	ret->pc = strtoull(p, &p, 16);
	return 0;
}

static int list_ids(const char *path, pid_fn *fn, void *ctx)
{
	autoclosedir DIR *dir = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			r = fn(ctx, (pid_t)strtol(entry->d_name, NULL, 10));
	return r;
}

bool task_exists(pid_t pid, pid_t tid)
{
	char path[PROC_PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, tid);
	return access(path, F_OK) == 0;
}

int task_list(pid_t pid, pid_fn *fn, void *ctx)
{
	char path[PROC_PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	return list_ids(path, fn, ctx);
}

int process_list(pid_fn *fn, void *ctx)
{
	return list_ids("/proc", fn, ctx);
}

struct children_walk {
	pid_t pid;
	pid_fn *fn;
	void *ctx;
};

/* One thread's children file.  It may be longer than any buffer: ids that a
 * read cuts are completed by the next. */
static int children_of_thread(void *ctx, pid_t tid)
{
	const struct children_walk *walk = ctx;
	char path[PROC_PATH_MAX];
	char buf[4096];
	autoclose int fd = -1;
	uint64_t id = 0;
	ssize_t n = 0;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", walk->pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ESRCH ? 0 : -errno;
	while (r == 0 && (n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; r == 0 && i < n; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				id = id * 10 + (uint64_t)(buf[i] - '0');
			} else if (id) {
				r = walk->fn(walk->ctx, (pid_t)id);
				id = 0;
			}
		}
	}
	if (r == 0 && n < 0 && errno != ESRCH)
		return -errno;
	if (r == 0 && id)
		r = walk->fn(walk->ctx, (pid_t)id);
	return r;
}

bool children_listed(pid_t pid)
{
	char path[PROC_PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	return access(path, R_OK) == 0;
}

int children_list(pid_t pid, pid_fn *fn, void *ctx)
{
	struct children_walk walk = { pid, fn, ctx };

	return task_list(pid, children_of_thread, &walk);
}

void task_comm(pid_t tid, char *buf, size_t size)
{
	if (proc_read(tid, "comm", buf, size) < 0)
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

void task_exe(pid_t tid, char *buf, size_t size)
{
	char path[PROC_PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", tid);
	n = readlink(path, buf, size - 1);
	buf[n < 0 ? 0 : n] = '\0';
}

ssize_t remote_read(pid_t tid, uint64_t addr, void *buf, size_t len)
{
	struct iovec local = { buf, len };
	struct iovec remote = { (void *)(uintptr_t)addr, len };
	ssize_t n = process_vm_readv(tid, &local, 1, &remote, 1, 0);

	return n < 0 ? -errno : n;
}

int same_address_space(pid_t a, pid_t b)
{
	long r = syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0);

	return r < 0 ? -errno : r == 0;
}

static int query_vma(pid_t tid, struct procmap_query *query)
{
	autoclose int fd = proc_open(tid, "maps", O_RDONLY);

	if (fd < 0)
		return fd;
	return ioctl(fd, PROCMAP_QUERY, query) < 0 ? -errno : 0;
}

bool vma_between(pid_t tid, uint64_t start, uint64_t end)
{
	struct procmap_query query = {
		.size = sizeof(query),
		.query_flags = PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
		.query_addr = start,
	};

	return query_vma(tid, &query) == 0 && query.vma_start < end;
}

int vma_at(pid_t tid, uint64_t addr, struct vma *ret)
{
	struct procmap_query query = { .size = sizeof(query), .query_addr = addr };
	int r = query_vma(tid, &query);

	if (r < 0)
		return r;
	*ret = (struct vma){
		.start = query.vma_start,
		.end = query.vma_end,
		.pgoff = query.vma_offset,
		.ino = query.inode,
		.dev_major = query.dev_major,
		.dev_minor = query.dev_minor,
	};
	ret->flags |= query.vma_flags & PROCMAP_QUERY_VMA_READABLE ? VMA_READ : 0;
	ret->flags |= query.vma_flags & PROCMAP_QUERY_VMA_WRITABLE ? VMA_WRITE : 0;
	ret->flags |= query.vma_flags & PROCMAP_QUERY_VMA_EXECUTABLE ? VMA_EXEC : 0;
	ret->flags |= query.vma_flags & PROCMAP_QUERY_VMA_SHARED ? VMA_SHARED : 0;
	return 0;
}

uint64_t meminfo_hugetlb_bytes(void)
{
	autoclose int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	char buf[8192];
	uint64_t kib = 0;
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (n <= 0)
		return 0;
	buf[n] = '\0';
	(void)status_field(buf, "\nHugetlb:", 10, &kib); /* KERNEL without hugetlb: no such line */
	return kib << 10;
}

uint64_t task_stack_rlimit(pid_t tid)
{
	struct rlimit lim;

	return prlimit(tid, RLIMIT_STACK, NULL, &lim) == 0 ? lim.rlim_cur : UINT64_C(8) << 20;
}

/* Whether the namespaces of TID and us, of the kind NAME, are one. */
static bool in_our_namespace(pid_t tid, const char *name)
{
	char path[PROC_PATH_MAX], own[PROC_PATH_MAX];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", tid, name);
	snprintf(own, sizeof(own), "/proc/self/ns/%s", name);
	return stat(path, &theirs) == 0 && stat(own, &ours) == 0 && theirs.st_dev == ours.st_dev &&
	       theirs.st_ino == ours.st_ino;
}

bool task_in_our_userns(pid_t tid)
{
	return in_our_namespace(tid, "user");
}

bool task_in_our_ipcns(pid_t tid)
{
	return in_our_namespace(tid, "ipc");
}
