/* SPDX-License-Identifier: MIT
 *
 * status: what /proc/PID/status tells of a process and its mm counters
 * (fs/proc/array.c proc_pid_status, fs/proc/task_mmu.c task_mem).
 */
#ifndef SURETY_SYS_STATUS_H
#define SURETY_SYS_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Amounts are pages. */
struct task_status {
	char comm[16];
	char state;     /* R, S, Z ... */
	pid_t ppid;
	uid_t uid;      /* effective */
	uint32_t threads;
	bool has_space; /* an address space: no kernel thread, no zombie */
	uint64_t size;  /* VmSize: mm->total_vm */
	uint64_t data;  /* VmData + VmStk: as data of struct statm */
	uint64_t anon;  /* RssAnon */
	uint64_t swap;  /* VmSwap */
};

/* Reads the text of a status file of LEN bytes.  Returns 0, or -EBADMSG where a
 * line that every process has is missing or is no number. */
int task_status_parse(const char *text, size_t len, struct task_status *ret);

/* Reads PROC_ROOT/PID/status.  Returns 0, -EBADMSG or -errno (-ENOENT, -ESRCH: the
 * process is gone; -EACCES, -EPERM: /proc is mounted with hidepid). */
int task_status_read(const char *proc_root, pid_t pid, struct task_status *ret);

#endif
