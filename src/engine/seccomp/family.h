/* SPDX-License-Identifier: MIT
 *
 * family: an address space, and those that were forked from it under a fork
 * policy and have not called exec.
 *
 * They share pages.  The root is charged all that the kernel charges it, each
 * child its reserve and what it asked for itself.  What the root's charge does
 * not cover is `extra`: the anonymous pages of all of them, each once, less the
 * root's.  It must stay within what the others hold (family_available()); the
 * measuring is in copies.h, what is done about it in watch.h.
 *
 * No charge that may be needed for pages that are there is let go of by an exit
 * or a munmap alone: what the root held at the fork stays held (floor), and what
 * a child held is kept while it has siblings, until the next exact look.
 *
 * All of it is guarded by group.lock.  A group without a policy has none of it.
 */
#ifndef SURETY_ENGINE_SECCOMP_FAMILY_H
#define SURETY_ENGINE_SECCOMP_FAMILY_H

#include "core/forkpolicy.h"
#include "engine/seccomp/group.h"

/* What a look at a member found. */
struct kin_look {
	uint64_t faults; /* minor and major */
	uint64_t anon;   /* anonymous pages, those that are shared included */
};

enum kin_end {
	KIN_LIVES,
	KIN_TERM, /* was sent SIGTERM */
	KIN_KILL, /* and SIGKILL */
};

struct kin {
	struct family *family;
	struct space *space;      /* NULL: a promise's */
	uint64_t base, reserve;   /* of a child: see fork_hold_pages() */
	uint64_t floor;           /* of the root: the least it holds */
	struct kin_look last;     /* at the last exact look, or at the fork */
	uint64_t own_pages;       /* its part of the pages then: Pss */
	uint64_t deadline_ns;     /* CLOCK_MONOTONIC, of its exec; 0 none */
	uint64_t grace_ns;        /* what it was given */
	uint32_t extended;        /* times that this was made longer by a quarter */
	uint64_t run_ns;          /* that it had run then */
	enum rule rule;
	enum kin_end end;
	uint64_t end_ns;
	LIST_ENTRY(kin) entry;
};

struct family {
	struct kin *root; /* NULL: it is gone, and no child could take its place */
	LIST_HEAD(, kin) children;
	uint32_t nr_children, nr_promised;
	uint64_t changes;             /* another number whenever a member came or left */
	struct ledger_holder kept;
	uint64_t extra;               /* at the last exact look */
	bool stale;                   /* faults do not tell what came since */
	uint64_t stale_since_ns;
	uint64_t bound, bound_ns;     /* at the last look */
	uint64_t copied;              /* at most, by faults since the last exact look */
	uint64_t rate;                /* of that, pages a second, the most of late */
	uint64_t exact_cost_ns;       /* of the last exact look */
	uint64_t left;                /* of the bound, what the root gave back since; a count may have it already */
	uint64_t left_ns;             /* when it last gave back much */
	uint64_t root_anon;           /* of the root, at the last look */
	uint64_t short_ns;            /* since when it is short of what it has resident anyway; 0 it is not */
	uint64_t promised_ns;         /* since when children are promised, or were last searched for in earnest */
	uint64_t next_ns;             /* when it is looked at next; 0 not decided */
	LIST_ENTRY(family) entry;
};

/* Policies of a group with one that is not full. */
struct forks {
	const struct fork_policies *policies;
	LIST_HEAD(, family) families;
	uint64_t ended;
	bool raised;      /* a reserve, since the last peak was noted */
	uint64_t changes; /* counts those of all families */
	struct watch *watch;
};

/* What the caller's fork is to be charged for which the kernel charges PAGES. */
uint64_t family_fork_pages(struct group *g, const struct task *t, uint64_t pages, enum rule *ret_rule);

/* T's fork is granted: its child will be of T's family, which is made where
 * there is none.  Returns the child's part, or NULL where the policy is full, or
 * without memory. */
struct kin *family_promise(struct group *g, struct task *t, uint64_t base);

/* The promised child is here, or will never be.  LEFT is what the promise held. */
void family_child_born(struct group *g, struct kin *kin, struct space *s);
void family_child_lost(struct group *g, struct kin *kin, uint64_t left);

/* What a member holds of which the kernel holds PAGES; space_post() asks.  LEAST:
 * what it surely holds by its counters. */
uint64_t family_hold(const struct space *s, uint64_t pages);
uint64_t family_least(const struct space *s);

/* The member's memory is gone: it ended, or has another image.  The caller posts
 * the space anew, or takes it out of the ledger. */
void family_leave(struct group *g, struct space *s);

/* The root is gone and a child has not taken its place: tries that again. */
void family_find_heir(struct group *g, struct family *f);

/* Pages held beside what the kernel holds for the root. */
uint64_t family_available(const struct group *g, const struct family *f);

/* Only an exact look tells what its children share now. */
void family_mark_stale(struct group *g, struct family *f);

/* Keeps PAGES more, which were asked for; lets go of what is kept beyond NEEDED. */
void family_keep_more(struct family *f, uint64_t pages);
void family_keep_only(struct family *f, uint64_t needed);

/* Of what is kept, that which nobody may need: no exact look has been at it yet. */
uint64_t family_doubtful_pages(const struct group *g);

/* The group's sums: charged by the kernel and not here, and the reverse. */
void family_sums(const struct group *g, uint64_t *ret_uncharged, uint64_t *ret_kept);

#endif
