/* SPDX-License-Identifier: MIT
 *
 * limit: CommitLimit of a group, and the decision on one request
 * (mm/util.c vm_commit_limit, __vm_enough_memory).
 *
 * Pure and checked: no figure that can be given overflows or wraps.
 */
#ifndef SURETY_CORE_LIMIT_H
#define SURETY_CORE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/mode.h"

/* The sysctls' meanings, per group.  All amounts are pages. */
struct limit {
	enum overcommit mode;
	bool by_ratio;                /* else by pages: overcommit_kbytes */
	uint64_t limit_pages;         /* overcommit_kbytes, without swap */
	uint64_t ratio;               /* overcommit_ratio, per cent; may pass 100 */
	uint64_t ram_pages;           /* total RAM of the group */
	uint64_t swap_pages;          /* total swap of the group */
	uint64_t hugetlb_pages;       /* taken from RAM in the ratio form only */
	uint64_t admin_reserve_pages; /* kept from callers without CAP_SYS_ADMIN */
	uint64_t user_reserve_pages;  /* kept from every caller, capped by its size */
};

/* CommitLimit in pages: kbytes or (ram - hugetlb) * ratio / 100, plus swap.
 * Saturates at UINT64_MAX; hugetlb beyond RAM counts as all of it. */
uint64_t limit_commit(const struct limit *limit);

enum verdict {
	VERDICT_GRANT,
	VERDICT_OVER_LIMIT, /* mode 2: Committed_AS would reach what is allowed */
	VERDICT_OBVIOUS,    /* mode 0: this one request is beyond RAM plus swap */
};

/* Who asks: what the reserves depend on. */
struct requester {
	bool cap_sys_admin;      /* in the initial user namespace */
	uint64_t total_vm_pages; /* size of its address space; for fork the parent's */
};

/* What mode 2 lets this caller's group reach: CommitLimit less the reserves.
 * Admission is strict (<): a request that lands exactly on it is refused. */
uint64_t limit_allowed(const struct limit *limit, const struct requester *who);

/* Decides on REQUEST pages over COMMITTED pages. */
enum verdict limit_decide(const struct limit *limit, uint64_t committed_pages, uint64_t request_pages,
			  const struct requester *who);

#endif
