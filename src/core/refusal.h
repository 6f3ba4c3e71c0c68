/* SPDX-License-Identifier: MIT
 *
 * refusal: the facts of one denied charge, engine to report.
 * Types only.  Everything is a value: a refusal outlives the process it is about.
 */
#ifndef SURETY_CORE_REFUSAL_H
#define SURETY_CORE_REFUSAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/limit.h"
#include "core/rules.h"

enum operation {
#define OPERATION(name, text) OP_##name,
#include "core/operations.def"
#undef OPERATION
	OP_NR
};

const char *operation_name(enum operation op); /* "mmap", "brk", ... */

enum {
	REFUSAL_HOLDERS = 8,
	REFUSAL_COMM = 16, /* TASK_COMM_LEN */
	REFUSAL_EXE = 256,
	REFUSAL_GROUP = 64,
};

struct refusal_holder {
	pid_t pid; /* 0: shared memory objects of the group, taken together */
	uint64_t bytes;
	char comm[REFUSAL_COMM];
};

struct refusal {
	uint64_t time_ns;          /* CLOCK_REALTIME */
	char group[REFUSAL_GROUP]; /* name of the group that refused */
	char engine[16];
	enum overcommit mode;
	pid_t pid, tid;
	char comm[REFUSAL_COMM];
	char exe[REFUSAL_EXE];
	enum operation op;
	uint32_t arch; /* AUDIT_ARCH_* of the call */
	int32_t syscall_nr;
	uint64_t args[6];
	uint64_t request_bytes;   /* what the call would have charged */
	uint64_t committed_bytes; /* Committed_AS at the decision */
	uint64_t limit_bytes;     /* CommitLimit */
	uint64_t allowed_bytes;   /* CommitLimit less the reserves for this caller */
	uint64_t reserved_bytes;  /* promised to mapped shared memory, not yet committed */
	enum verdict verdict;
	enum rule rule;
	int error;           /* errno that the caller sees */
	/* OP_COPY: a child that was ended.  args are its parent's pid, and the bytes
	 * copied and reserved; its own call was not refused. */
	int signal;                     /* that ended it; 0: nobody was ended */
	char parent_comm[REFUSAL_COMM];
	char parent_state;              /* letter of /proc/PID/stat; 0: it is gone */
	uint64_t sequence;   /* number of this refusal in its group, from 1 */
	uint64_t suppressed; /* like ones refused just before without a report of their own */
	uint32_t nr_holders;
	struct refusal_holder holders[REFUSAL_HOLDERS]; /* largest first */
};

/* x86-64 registers in DWARF order: rax rdx rcx rbx rsi rdi rbp rsp r8..r15, rip.
 * For an i386 task: eax ecx edx ebx esp ebp esi edi eip. */
enum { CAPTURE_REGS = 17 };

/* A thread's stack as it stood when its call was refused. */
struct capture {
	int full_regs;               /* 0: only the stack pointer and pc are known */
	int compat;                  /* an i386 task */
	uint64_t regs[CAPTURE_REGS]; /* when full_regs */
	uint64_t sp, pc;
	const void *stack; /* copied from sp upwards */
	size_t stack_len;
	const char *maps; /* text of /proc/PID/maps */
	size_t maps_len;
};

#endif
