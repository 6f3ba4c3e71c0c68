/* SPDX-License-Identifier: MIT
 *
 * procfs: the small per-process files, each read whole in one call.
 *
 * Every function takes a task id: /proc/TID works for any thread.  None
 * allocates.  All return 0 or -errno unless said otherwise; -ENOENT and
 * -ESRCH mean that the task is gone, -EACCES that it is not ours to read.
 */
#ifndef SURETY_SYS_PROCFS_H
#define SURETY_SYS_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/rules.h"

/* mm counters of /proc/TID/statm (fs/proc/task_mmu.c task_statm): pages. */
struct statm {
	uint64_t size;     /* mm->total_vm */
	uint64_t resident;
	uint64_t shared;   /* of resident: pages of files and of shared memory */
	uint64_t anon;     /* of these, of no file and no shared memory; off by a few on each CPU */
	uint64_t data;     /* mm->data_vm + mm->stack_vm */
};

/* An open statm can be read again and again; it follows the task through
 * execve and says ESRCH once the task is gone, even when its id is reused. */
int statm_open(pid_t tid);
int statm_read(int fd, struct statm *ret);
int statm_of(pid_t tid, struct statm *ret);

/* From /proc/TID/stat.  The addresses are 0 where ptrace access is denied. */
struct task_stat {
	char comm[16];
	char state;
	pid_t ppid;
	uint32_t threads;
	bool never_execed;  /* PF_FORKNOEXEC: since it was forked */
	uint64_t faults;    /* minor and major, of all its threads */
	uint64_t start_stack;
	uint64_t start_brk;
};
int task_stat_read(pid_t tid, struct task_stat *ret);

/* From /proc/TID/schedstat: time on processors, and of waiting for one, without a
 * wait that still goes on. */
struct task_sched {
	uint64_t run_ns, wait_ns;
};
int task_sched_read(pid_t tid, struct task_sched *ret);

/* Both at once: the faults of a process and its anonymous pages. */
int task_look(pid_t pid, uint64_t *ret_faults, uint64_t *ret_anon);

/* From /proc/TID/status. */
struct task_ids {
	pid_t tgid, ppid;
	uint64_t cap_effective;
	uint64_t seccomp_filters; /* loaded; KERNEL < 5.9: the mode, 0 or 2 */
};
int task_ids_read(pid_t tid, struct task_ids *ret);

/* Parent of the process PID that PIDFD is of.  Returns 0 or -errno (-ESRCH: it
 * has ended).  KERNEL < 6.13: read from stat, by its id. */
int task_parent(pid_t pid, int pidfd, pid_t *ret);

/* /proc/TID/syscall: where a task stands in the kernel. */
enum task_where {
	TASK_RUNNING, /* on a run queue: nothing can be said */
	TASK_BLOCKED, /* in call nr, with sp and pc */
	TASK_OUTSIDE, /* blocked, but not in a system call */
};
struct task_call {
	enum task_where where;
	int64_t nr;
	uint64_t arg[6];
	uint64_t sp, pc;
};
int task_call_read(pid_t tid, struct task_call *ret);

/* Whether process PID has a thread TID. */
bool task_exists(pid_t pid, pid_t tid);

/* Calls FN for every id listed in /proc/PID/task (task ids), or in the
 * children file of every thread of PID (process ids).  FN's non-zero stops. */
typedef int pid_fn(void *ctx, pid_t pid);
int task_list(pid_t pid, pid_fn *fn, void *ctx);
int children_list(pid_t pid, pid_fn *fn, void *ctx);

/* The same for every process id in /proc.  0, FN's non-zero, or -errno. */
int process_list(pid_fn *fn, void *ctx);

/* Whether there are such files: KERNEL without CONFIG_PROC_CHILDREN has none. */
bool children_listed(pid_t pid);

/* Comm without its newline, and the target of /proc/PID/exe: "" when unknown. */
void task_comm(pid_t tid, char *buf, size_t size);
void task_exe(pid_t tid, char *buf, size_t size);

/* Copies LEN bytes at ADDR of another process.  Returns the number copied
 * (it may be short at an unmapped page) or -errno. */
ssize_t remote_read(pid_t tid, uint64_t addr, void *buf, size_t len);

/* Whether two tasks share an address space: 1, 0, or -errno (kcmp KCMP_VM). */
int same_address_space(pid_t a, pid_t b);

/* The mapping at ADDR, found by index and not by a walk: ioctl PROCMAP_QUERY,
 * Linux 6.11.  Of its flags VMA_READ, VMA_WRITE, VMA_EXEC and VMA_SHARED are filled
 * in, no anonymous_pages.  Returns 0; -ENOTTY before 6.11; -ENOENT where nothing is
 * mapped. */
int vma_at(pid_t tid, uint64_t addr, struct vma *ret);

/* Whether anything is mapped from START to END; false where that cannot be told. */
bool vma_between(pid_t tid, uint64_t start, uint64_t end);

/* Memory in the host's hugetlb pools, of all sizes; 0 also where it cannot be read. */
uint64_t meminfo_hugetlb_bytes(void);

/* RLIMIT_STACK in bytes; the usual 8 MiB where it cannot be read. */
uint64_t task_stack_rlimit(pid_t tid);

/* pid_t lives in the initial user namespace as we see it: its user namespace
 * is ours.  False also when that cannot be read. */
bool task_in_our_userns(pid_t tid);
bool task_in_our_ipcns(pid_t tid); /* likewise */

#endif
