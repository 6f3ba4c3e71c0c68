/* SPDX-License-Identifier: MIT
 *
 * forkpolicy: what a fork is charged, by the group's declaration.
 *
 * The kernel charges a fork all that the parent is charged, though parent and
 * child share every page until one of them writes it.  A policy charges the
 * child a part, its reserve, and what is really copied is measured and held
 * against that.
 *
 * Pure.  All amounts are pages.
 */
#ifndef SURETY_CORE_FORKPOLICY_H
#define SURETY_CORE_FORKPOLICY_H

#include <stdbool.h>
#include <stdint.h>

enum fork_kind {
	FORK_FULL,       /* the kernel's own rule */
	FORK_RESERVE,    /* a part of it, till the child calls exec or ends */
	FORK_EXEC_GRACE, /* nothing, for a time; then all of it */
};

struct fork_policy {
	enum fork_kind kind;
	uint32_t percent;  /* FORK_RESERVE: 1 to 100 */
	uint64_t grace_ms; /* FORK_EXEC_GRACE */
};

enum { FORK_ROWS = 16, FORK_EXE = 64 };

struct fork_row {
	char exe[FORK_EXE]; /* last component of the forking program's path */
	struct fork_policy policy;
};

struct fork_policies {
	struct fork_policy others; /* whom no row names */
	bool others_given;
	uint32_t nr;
	struct fork_row row[FORK_ROWS];
	bool end_by_kill;      /* a child is ended by SIGKILL at once, else by SIGTERM first */
	uint64_t end_grace_ms; /* between the two */
};

/* Adds a list such as "redis-server:reserve=25,exec-grace=200ms" to RET.
 * Returns NULL, or what is wrong with it as a part of a sentence; *RET_ENTRY is
 * then where in TEXT. */
const char *fork_policies_add(struct fork_policies *ret, const char *text, const char **ret_entry);

/* "25" or "25%", 1 to 100.  Returns 0 or -EINVAL. */
int fork_percent_parse(const char *text, uint32_t *ret);

/* Whether any fork is charged otherwise than by the kernel. */
bool fork_policies_active(const struct fork_policies *policies);

/* The policy of a program; EXE is its path, and asked for only where
 * policies->nr is not 0. */
const struct fork_policy *fork_policy_of(const struct fork_policies *policies, const char *exe);

/* What a fork is charged for which the kernel would charge PAGES: rounded up. */
uint64_t fork_reserve_pages(const struct fork_policy *policy, uint64_t pages);

/* What a child holds for which the kernel holds PAGES now and held BASE when it
 * was forked: all that came since, and RESERVE of the rest.  It never falls below
 * the reserve but where PAGES does.  RESERVE is at most BASE. */
uint64_t fork_hold_pages(uint64_t pages, uint64_t base, uint64_t reserve);

#endif
