/* SPDX-License-Identifier: MIT
 *
 * look: who on this host has been promised what, with no engine.
 *
 * One scan makes one picture: processes, shared-memory objects, and the host's
 * own figures before and after.  Nothing is changed, stopped or traced, and
 * what may not be read is counted and not guessed.
 *
 * All amounts are pages.
 */
#ifndef SURETY_LOOK_LOOK_H
#define SURETY_LOOK_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "look/names.h"
#include "sys/meminfo.h"

enum look_flag {
	LOOK_EXACT = 1 << 0,  /* by the flags in smaps; else by the mm counters */
	LOOK_DENIED = 1 << 1, /* smaps was wanted and may not be read */
	LOOK_MOVING = 1 << 2, /* smaps did not agree with the counters in any of the tries */
};

struct look_process {
	pid_t pid, ppid;
	pid_t space_of; /* the process whose row counts the address space: its own pid, or one before it */
	uid_t uid;
	uint32_t threads;
	uint32_t flags; /* enum look_flag */
	uint32_t cgroup, exe; /* look.names; 0: not known, or not wanted */
	uint32_t depth; /* below the roots of the tree, after look_tree() */
	char comm[16];
	uint64_t committed; /* exact: mappings marked ac.  Else VmData + VmStk */
	uint64_t used;	    /* exact: private pages present or swapped in these.  Else RssAnon + VmSwap */
	uint64_t noreserve; /* exact only: what mode 2 would add */
	uint64_t stacks;    /* of committed, thread stacks.  Not exact: threads but one, by RLIMIT_STACK */
	uint64_t size;	    /* total_vm */
};

enum look_object_kind {
	LOOK_SHARED_ANON, /* charged for its size */
	LOOK_SYSV,	  /* charged for its size */
	LOOK_MEMFD,	  /* charged for its pages */
	LOOK_TMPFS,	  /* a whole filesystem: its used blocks */
};

struct look_object {
	enum look_object_kind kind;
	uint64_t dev, ino; /* ino 0: a whole filesystem */
	uint64_t size;	   /* what may be in it; 0 for a filesystem */
	uint64_t touched;  /* pages that it has, in RAM or in swap */
	uint64_t charged;
	uint64_t noreserve; /* what mode 2 would add: MAP_NORESERVE, where the flags were read */
	uint32_t holders;  /* processes that map it or have it open; attachments of a SysV segment */
	pid_t holder;	   /* one of them, or its creator; 0: none is known */
	char name[64];
};

/* What is wanted beyond pid, comm, uid and the counters. */
struct look_want {
	bool exact;	 /* flags of every mapping */
	bool objects;	 /* shared memory */
	bool cgroups, exes;
	pid_t subtree;	    /* only this process and what descends from it; 0: all */
	const char *cgroup; /* only this cgroup and what is below it; NULL: all */
	bool by_user;	    /* only processes of UID */
	uid_t uid;
};

/* What could not be read. */
struct look_missing {
	uint32_t processes;   /* nothing of them could be read */
	uint32_t smaps;	      /* their mappings could not: their counters stand */
	uint32_t moving;
	uint32_t files;	      /* their descriptors could not */
	uint32_t objects;     /* shared memory whose size is not told */
	uint32_t filesystems; /* tmpfs without a size limit, or that cannot be reached */
	bool hidden;	      /* /proc shows only our own processes (hidepid) */
	bool namespace;	      /* a PID namespace: the host has processes that are not seen */
	bool kcmp;	      /* address spaces could not be compared */
};

struct look {
	struct look_process *process;
	size_t nr, room;
	uint32_t nr_spaces;
	struct look_object *object;
	size_t nr_objects;
	struct look_missing missing;
	struct meminfo before, after;
	struct limit host;
	struct names names;
};

/* Fills *RET, which look_free() releases, also after a failure.  Returns 0, -ENOMEM,
 * -ESRCH (there is no process want->subtree) or the error of /proc itself. */
int look_scan(struct look *ret, const struct look_want *want);
void look_free(struct look *l);

/* Sum over the address spaces, each once. */
struct look_sum {
	uint32_t processes, threads;
	uint64_t committed, used, noreserve, stacks;
};
void look_sum_add(struct look_sum *sum, const struct look_process *p);
struct look_sum look_sum(const struct look *l);
uint64_t look_objects_charged(const struct look *l);
uint64_t look_objects_noreserve(const struct look *l);

/* What is promised and not present. */
uint64_t look_unused(uint64_t committed, uint64_t used);

enum look_key { LOOK_BY_COMMITTED, LOOK_BY_USED, LOOK_BY_UNUSED, LOOK_BY_NORESERVE, LOOK_BY_STACKS, LOOK_BY_PID };

/* Largest first; by pid, lowest first. */
void look_sort(struct look *l, enum look_key key);

/* Brings every process behind its parent and sets depth; siblings keep their order. */
int look_tree(struct look *l);

enum look_by { LOOK_EACH, LOOK_CGROUP, LOOK_USER, LOOK_EXE };

struct look_group {
	uint32_t name; /* of look.names */
	uid_t uid;
	struct look_sum sum;
};

/* Sums by cgroup, user or program, sorted by KEY; *RET is to be freed.  Returns
 * their number or -ENOMEM. */
ssize_t look_group(const struct look *l, enum look_by by, enum look_key key, struct look_group **ret);

#endif
