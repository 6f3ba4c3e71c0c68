/* SPDX-License-Identifier: MIT
 *
 * abi: what the programs in the kernel and surety have in common.  Types only.
 *
 * Fixed widths, no holes that are not named.  The maps are pinned and outlive
 * the program that made them: whoever finds maps of another SURETY_ABI leaves
 * them alone, and a changed layout is a new number.
 *
 * All amounts are pages of 4096 bytes.
 */
#ifndef SURETY_BPF_ABI_H
#define SURETY_BPF_ABI_H

#include <linux/types.h>

enum {
	SURETY_ABI = 1,
	GROUPS_MAX = 1024, /* a power of two; number 0 is none */
	GROUPS_DEPTH = 16, /* limited groups above one another */
	SPACES_MAX = 1 << 20,
	OBJECTS_MAX = 1 << 20,
	STACK_COPY = 65536, /* what a report gets of a stack */
	EVENTS_BYTES = 4 << 20,
};

enum group_state {
	GROUP_FREE,
	GROUP_LIVE,
	GROUP_REMOVED, /* its cgroup is gone; objects still hold a charge */
};

enum group_flag {
	GROUP_SEEDED = 1 << 0, /* what lived in it before it was attached is counted */
};

struct surety_group {
	__u64 cgroup_id;
	__u32 state; /* enum group_state */
	__u32 flags; /* enum group_flag */
	__u32 parent; /* the nearest group above, 0: none */
	__u32 mode;   /* enum overcommit */
	__u64 limit;  /* CommitLimit */
	__u64 admin_reserve, user_reserve;
	__u64 ram_swap; /* total RAM plus swap: mode 0 */
	__s64 committed; /* of all below too */
	__s64 peak;
	__s64 objects; /* the part of committed that shared memory holds */
	__s64 debt;    /* admitted past the limit, ever: what could not be refused */
	__u64 charges;
	__u64 refusals, refused; /* calls; pages */
	__u64 created_ns;	 /* CLOCK_REALTIME */
};

/* What went another way than it should, host-wide; each is shown. */
struct surety_faults {
	__u64 lost_events; /* refusals that found the ring full */
	__u64 untracked;   /* charges of an address space that could not be entered */
	__u64 unseeded;	   /* address spaces moved in that could not be read then */
	__u64 underflow;   /* pages released that the ledger did not hold */
	__u64 resynced;	   /* address spaces read anew after a call that failed halfway */
	__u64 corrected;   /* how many of them had been off */
};

struct surety_table {
#ifdef __bpf__
	struct bpf_spin_lock lock;
#else
	__u32 lock;
#endif
	__u32 abi;
	__u32 generation; /* which cgroups are groups: changes with every attach and detach */
	__u32 used;	  /* groups below this number were ever in use */
	__u64 sequence;	  /* of refusals */
	struct surety_faults faults;
	struct surety_group group[GROUPS_MAX];
};

/* An address space, by the address of its mm_struct. */
struct surety_space {
	__u64 mm; /* the key again: an entry found earlier may be another's by now */
	__u32 group;
	__u32 pid; /* of the process that it was made for */
	__u32 seeded; /* 0: ac and nr are not known yet */
	__u32 unmapped_nr; /* nr was given back since the last mremap, which may only have moved it */
	__s64 ac;	/* charged by the kernel: VM_ACCOUNT */
	__s64 nr;	/* MAP_NORESERVE that a mode-2 group charges all the same */
	__s64 nr_kept;	/* the part of nr that is read-only by now, and touched */

	/* Between two hooks of one call, under the mmap lock that the call holds. */
	__u64 child;	/* being filled by a fork, while fork_seq is the lock's */
	__u32 fork_seq;
	__u32 last_seq; /* of last */
	__s64 last, last_nr; /* charged by the call under way */
	__u32 last_tid;
	__u32 gather_seq;
	__s64 gather_nr, gather_kept; /* of what is being unmapped */
	__s64 drop_ac, drop_nr, keep_nr; /* of an mprotect that takes write away */
	__s64 exec_left; /* what execve may still take past the limit */
};

enum object_flag {
	OBJECT_RESERVED = 1 << 0, /* holds its size; else the pages that it has */
	OBJECT_OURS = 1 << 1,	  /* reserved by the group: the kernel charges it page by page */
};

/* A shared-memory object, by the address of its inode. */
struct surety_object {
	__u64 inode;
	__u32 group;
	__u32 flags; /* enum object_flag */
	__s64 pages;
	__s64 before; /* pages that it had when the group first met it: nobody's */
};

enum refusal_kind {
	REFUSED_SPACE,
	REFUSED_FORK,
	REFUSED_EXEC,
	REFUSED_STACK,
	REFUSED_SHMEM,
};

enum { REFUSAL_REGS = 17, REFUSAL_ARGS = 6 };

struct surety_refusal {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 sequence;
	__u64 cgroup_id; /* of the group that refused */
	__u32 group;	 /* its number */
	__u32 kind;	 /* enum refusal_kind */
	__u32 pid, tid;
	__u32 mode; /* of the group that refused */
	__u32 compat;
	__s64 syscall_nr; /* -1: a page fault */
	__u64 args[REFUSAL_ARGS];
	__u64 request;
	__s64 committed;
	__u64 limit, allowed;
	__u64 regs[REFUSAL_REGS]; /* in the order of struct capture */
	__u64 sp, pc;
	__u32 stack_len;
	__u32 reserved;
	__u8 comm[16];
};

struct surety_event {
	struct surety_refusal refusal;
	__u8 stack[STACK_COPY];
};

/* Commands of surety to the programs: argument of the program surety_control. */
enum control_op {
	CONTROL_START,	/* the first: sets abi and used */
	CONTROL_ATTACH, /* entry GROUP becomes what NEW says */
	CONTROL_LIMIT,	/* its limit, mode and reserves become those of NEW */
	CONTROL_ADOPT,	/* group CHILD, below GROUP, gets it as its parent */
	CONTROL_DETACH, /* GROUP is none any more; its charges are its parent's */
	CONTROL_SEEDED, /* sets GROUP_SEEDED */
};

struct surety_control {
	__u32 op; /* enum control_op */
	__u32 group, child;
	__s32 result; /* 0 or -errno */
	struct surety_group new;
};

/* Argument of surety_seed and surety_audit, which read one process. */
struct surety_reading {
	__u32 pid;
	__s32 result; /* 0; -EAGAIN: it was changing, try again; -ESRCH; -ENOENT: in no group */
	__u32 group;
	__u32 known; /* it had an entry that was seeded */
	__u64 mm;
	__s64 ledger_ac, ledger_nr;
	__s64 kernel_ac, kernel_nr;
};

#ifndef __bpf__
_Static_assert(sizeof(struct surety_group) == 120, "abi");
_Static_assert(sizeof(struct surety_space) == 136, "abi");
_Static_assert(sizeof(struct surety_object) == 32, "abi");
#endif

#endif
