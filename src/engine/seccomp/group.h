/* SPDX-License-Identifier: MIT
 *
 * group: what the supervisor knows about the processes of its group.
 *
 * A charge is held by an address space, not by a process: threads, vfork
 * children and CLONE_VM tasks share one.  For each the supervisor keeps an
 * upper bound of what the kernel would hold in the group's mode, made of parts
 * that can be checked at different cost:
 *
 *     data      mm->data_vm + mm->stack_vm when last looked at (statm, O(1))
 *   + landed    granted since, and carried out by now
 *   + inflight  granted, and perhaps not carried out yet
 *   + sticky    read-only but still charged: a bound until counted
 *   + forced    copied without a charge: likewise
 *   + before    sticky and forced of an image that execve has perhaps replaced
 *   + exposed   what calls in flight were found to replace, and may find gone
 *
 * and no less than what the image of an execve in flight may need.
 *
 * Only a granted call raises the true figure (and stack growth, which shows at
 * the next look), so the bound may be used to grant.  To refuse, the group is
 * counted first: see vault.h.
 *
 * All of it is guarded by one lock, group.lock.
 */
#ifndef SURETY_ENGINE_SECCOMP_GROUP_H
#define SURETY_ENGINE_SECCOMP_GROUP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "core/ledger.h"
#include "core/refusal.h"
#include "engine/seccomp/listener.h"
#include "engine/seccomp/program.h"
#include "sys/procfs.h"
#include "sys/shmobj.h"

struct space {
	struct ledger_holder hold; /* hold.pages is the bound, or what a fork policy makes of it */
	struct kin *kin;           /* its part in a family (family.h); mostly NULL */
	uint64_t data, landed, inflight, sticky, forced;
	uint64_t looked_inflight; /* inflight at the last look: of it, some may be in data as well */
	uint64_t looked_moving; /* moving then: of it, some may be in data twice */
	uint64_t netted;  /* what calls in flight charge at most beyond what they were asked for */
	uint64_t exposed; /* of that, by those that were in flight at the last look */
	uint32_t movers; /* mremap calls in flight */
	uint64_t moving; /* pages that they move: till it is over the kernel may have them in data twice */
	uint64_t looks;   /* counts the looks */
	uint64_t looked_call; /* group.notifications at the last one */
	uint64_t exec_image; /* an execve is in flight whose image may need so much: no less is held */
	bool exact_only; /* data contains what is not charged: only a count tells */
	bool odd;        /* it may at any time: memory is mapped that statm counts and the rules do not */
	uint64_t counted_ms, counted_size, counted_data; /* when it was last counted, and statm then */
	uint64_t counted_sticky; /* of sticky, what was counted and was not made writable since */
	uint64_t counted_kept; /* sticky and forced then */
	uint64_t peak_ms; /* when sticky was first doubtful, or last counted for that; 0: never yet */
	bool steady;          /* the last looks for a peak found the same, */
	uint64_t steady_data; /* which was this, */
	enum operation steady_op; /* at this call, */
	uint64_t steady_pages;    /* which asked for so much */
	bool unreadable; /* its smaps is denied to us: data + sticky is all there is */
	uint64_t start_stack, start_brk; /* tell one exec from the next; 0 unknown */
	uint64_t brk;                    /* last break that was granted; 0 unknown */
	bool brk_unsure;                 /* the kernel may not have moved it */
	bool image_unsure; /* an execve is over, and it is not known whether it failed */
	uint64_t before_sticky, before_forced; /* then: what the image before it would still hold */
	uint64_t replaced; /* of the bound: what the image before an execve held, if that went well */
	uint32_t replaced_calls; /* so many more are not looked at for the peak because of it */
	struct recorded *recorded;       /* see recorder.h; NULL: not told of yet */
	bool outside;                    /* our own image, before the first execve: not of the group */
	LIST_HEAD(, proc) procs;         /* its users; never empty */
	LIST_ENTRY(space) entry;
};

struct proc {
	pid_t pid;
	int pidfd;    /* -1 where descriptors ran out */
	int statm_fd; /* likewise, and where it has not been read yet */
	const struct group *group;
	bool exec_pending;
	struct space *space;
	uint32_t nr_tasks;
	uint32_t prune_at; /* look for dead threads when nr_tasks gets here */
	LIST_HEAD(, task) tasks;
	LIST_ENTRY(proc) in_space;
	LIST_ENTRY(proc) hash;
};

/* A granted call of a thread that may not have been carried out yet. */
enum flight {
	FLIGHT_NONE,
	FLIGHT_SPACE,  /* charges the caller's address space */
	FLIGHT_FORK,   /* makes a new one: a promise */
	FLIGHT_EXEC,   /* replaces it */
	FLIGHT_OBJECT, /* makes or grows a shared-memory object */
	FLIGHT_RESERVE, /* maps one, or sets its size: its holes are reserved */
};

struct task {
	pid_t tid;
	struct proc *proc;
	uint64_t seen_ms; /* when it last made a call, CLOCK_MONOTONIC_COARSE */
	bool live;        /* mark of a walk over the threads */
	enum flight flight;
	uint64_t flight_pages;
	uint64_t flight_most;   /* ask.most_pages */
	uint64_t flight_looks;  /* space.looks before it */
	uint64_t flight_moves;  /* group.moves before it; another number when one was in flight */
	uint64_t flight_sticky; /* pages that may be charged and not in statm's data afterwards */
	uint64_t flight_dev, flight_ino; /* of the memfd or tmpfs file that is filled, mapped or resized; 0 */
	uint64_t flight_base;   /* what its space had in statm's data before */
	bool flight_base_known; /* it was read in that same call: no stack has grown since */
	int32_t flight_nr; /* the call, to recognise it in /proc/TID/syscall */
	uint64_t flight_arg0, flight_arg1;
	enum operation flight_op;
	struct promise *promise; /* FLIGHT_FORK */
	struct program *flight_program; /* FLIGHT_EXEC: what is remembered of it, or NULL */
	uint64_t flight_image;   /* likewise: all that its image may need */
	LIST_ENTRY(task) in_proc;
	LIST_ENTRY(task) hash;
};

/* A granted fork whose child has not been seen. */
struct promise {
	pid_t parent;
	struct task *task; /* NULL once the fork has returned, or its caller is gone */
	uint64_t pages, sticky, forced;
	uint64_t recorded; /* number of the request, 0: none */
	uint64_t charged; /* of these, by the fork policy */
	uint64_t netted;  /* of these, what the fork was not asked for (ask.most_pages) */
	struct kin *kin;  /* the child's part in a family; NULL: charged in full */
	uint64_t start_stack, start_brk, brk;
	bool brk_unsure, exact_only, odd;
	bool mixed; /* its parent forked again before the child was seen: it may be the other's */
	bool candidate; /* mark of promise_of() */
	LIST_ENTRY(promise) entry;
};

enum object_kind {
	OBJECT_ANON,  /* MAP_SHARED|MAP_ANONYMOUS, /dev/zero: charged whole */
	OBJECT_SYSV,  /* shmget: charged whole */
	OBJECT_SHMEM, /* memfd, POSIX, tmpfs: charged page by page */
};

struct object {
	enum object_kind kind;
	uint64_t dev, ino;       /* SysV: ino is the shmid */
	uint64_t pages;          /* committed for it by this group */
	uint64_t size_pages;
	uint64_t baseline_pages; /* present before the group came to it: not ours */
	uint64_t reserved;       /* holes that a mapping can fill without a call */
	bool noreserve;          /* an anonymous or SysV one that is charged page by page */
	bool unsized;            /* an anonymous one: pages is a bound, its size is to be asked for again */
	bool by_scan;            /* met in a scan, before the call that made it was over */
	uint64_t mapped_pages;   /* mapped shared in the group, the same page perhaps several times */
	uint64_t mapped_least;   /* in a scan: what is believed whatever it finds */
	uint32_t reserving;      /* calls in flight that map it shared, set its size or fill it */
	bool seen;               /* mark of a scan */
	char path[SHMOBJ_PATH];  /* of a named one, to find it when nobody has it open; else "" */
	LIST_ENTRY(object) entry;
};

enum { PID_BUCKETS = 4096 };

struct group {
	pthread_mutex_t lock;
	struct ledger_group *ledger;
	struct listener listener;
	int epoll_fd;  /* the pidfds */
	int hangup_fd; /* readable when the last task of the group is gone */
	uint32_t reap_at; /* look for ended processes when nr_procs gets here */
	pid_t supervisor; /* every process of the group descends from it */
	uint64_t stale_ms; /* how long an id surely rests; 0 not known yet */
	uint64_t started_ns; /* CLOCK_REALTIME_COARSE: what is older is not the group's */
	bool killing;     /* the job is being ended: nothing more is granted */
	uint64_t own_filters; /* loaded on the supervisor: a process of the group has more */

	LIST_HEAD(, proc) procs[PID_BUCKETS];
	LIST_HEAD(, task) tasks[PID_BUCKETS];
	LIST_HEAD(, space) spaces;
	const struct task *caller; /* whose call is being decided, or NULL: it is kept, ended or not */
	uint32_t nr_procs;
	uint32_t nr_unwatched; /* of these, without a pidfd */
	int fd_max;            /* RLIMIT_NOFILE */

	LIST_HEAD(, promise) promises;
	struct ledger_holder promised; /* sum over promises */
	uint64_t promises_doubt; /* of these, what may be of children that were found already */

	LIST_HEAD(, object) objects;
	struct ledger_holder objects_held;     /* sum over objects */
	struct ledger_holder objects_inflight; /* granted, object not identified yet */
	uint64_t objects_netted;               /* of these, what was not asked for (ask.most_pages) */
	uint64_t objects_unfound;              /* of these: made, and moved before they were looked for */
	uint64_t moves, moving; /* calls that move mappings, in another process perhaps: started; in flight */
	uint64_t reserved;                     /* sum of object.reserved */
	bool has_shmem;                        /* some process may hold a memfd or tmpfs file */

	struct forks *forks; /* NULL: every fork is charged in full */

	struct programs programs;
	struct recorder *recorder; /* NULL: nothing is recorded */
	uint64_t needed_peak; /* highest Committed_AS plus reserved, pages */
	uint64_t notifications;
	uint64_t hugetlb_asked_ms;  /* when the host was asked for its pool */
	bool hugetlb_pool;          /* it has huge pages */
	uint64_t looked_ms;         /* when everybody was last looked at, because of stacks */
	uint64_t chance;            /* see vault_look_for_peak() */
	uint64_t grants_since_look; /* paces the group-wide looks for the peak */
};

int group_init(struct group *g, struct ledger_group *ledger, pid_t supervisor);
void group_done(struct group *g);

/* The thread that made a call, made known if it is new.  ID is the
 * notification, checked after its files are opened.  NULL: the caller is gone,
 * or its files cannot be read at all. */
struct task *group_task(struct group *g, pid_t tid, uint64_t id);

struct proc *group_find_proc(struct group *g, pid_t pid);

/* Whether the process behind P has ended, its id perhaps another's by now. */
bool group_proc_ended(const struct proc *p);

/* Sends SIG to P and to nobody else, even if its id is another's by now. */
void group_signal_proc(const struct proc *p, int sig);

/* The counters of P's leader; -ESRCH when P has ended. */
int group_proc_statm(struct proc *p, struct statm *ret);

/* True half of the time, without a rhythm. */
bool group_coin(struct group *g);

/* A process that was found rather than heard of; NULL when it is gone. */
struct proc *group_adopt(struct group *g, pid_t pid, pid_t ppid);

/* The process has ended: gives back all that only it held. */
void group_drop_proc(struct group *g, struct proc *p);

/* The first process, before its execve: a copy of ourselves, of which nothing
 * counts.  Returns 0 or -errno. */
int group_adopt_main(struct group *g, pid_t pid);

/* Drops the processes that have ended, but for the caller's; never waits.  It is done
 * before a refusal, a count and a look at everybody, and when there are many more. */
void group_reap(struct group *g);

/* Whether no task of the group is left.  Without the lock. */
bool group_hung_up(const struct group *g);

/* Threads of P that have ended are forgotten, but for the caller. */
void group_prune_tasks(struct group *g, struct proc *p);

#endif
