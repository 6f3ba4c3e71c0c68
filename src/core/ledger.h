/* SPDX-License-Identifier: MIT
 *
 * ledger: who holds what.
 *
 * A group has been promised `committed` pages: the sum over its holders
 * (address spaces, shared-memory objects, promises in flight) and over its
 * child groups.  A change counts in every ancestor.  The caller owns the
 * storage; nothing here allocates, and nothing decides: limit.h does.
 */
#ifndef SURETY_CORE_LEDGER_H
#define SURETY_CORE_LEDGER_H

#include <stdint.h>

#include "core/limit.h"

struct ledger_group {
	struct ledger_group *parent; /* NULL at the top */
	struct limit limit;
	uint64_t committed; /* pages; Committed_AS */
	uint64_t peak;      /* highest committed that ledger_note_peak() saw */
	uint64_t holders;   /* live holders directly in this group */
	uint64_t charges;   /* granted requests */
	uint64_t refusals;  /* refused requests */
	uint64_t refused_pages;
};

struct ledger_holder {
	struct ledger_group *group; /* NULL: not in a ledger */
	uint64_t pages;
};

void ledger_group_init(struct ledger_group *group, struct ledger_group *parent, const struct limit *limit);

/* Puts a holder, zeroed and not in a ledger, into GROUP with no pages; takes it
 * out with all it holds (nothing happens to one that is not in a ledger). */
void ledger_join(struct ledger_holder *holder, struct ledger_group *group);
void ledger_leave(struct ledger_holder *holder);

/* Moves a holder and all that it holds: no ancestor common to both sees a change. */
void ledger_move(struct ledger_holder *holder, struct ledger_group *group);

/* Sets what the holder has been promised.  Sums saturate rather than wrap: where
 * the top group's would pass UINT64_MAX the holder gets what is left (see pages);
 * taking more than is held is a bug that is stopped by an assertion. */
void ledger_set(struct ledger_holder *holder, uint64_t pages);

/* Decides on a request against GROUP and every ancestor.  Returns
 * VERDICT_GRANT, or the first refusal met going up; *RET_AT (may be NULL) is
 * the group that refused, NULL for a grant.  Counts nothing. */
enum verdict ledger_decide(const struct ledger_group *group, uint64_t request_pages, const struct requester *who,
			   const struct ledger_group **ret_at);

/* Counts an outcome in the group and every ancestor. */
void ledger_count_charge(struct ledger_group *group);
void ledger_count_refusal(struct ledger_group *group, uint64_t pages);

/* Raises peak to committed where it is higher, up to the top; UNSURE_PAGES of it
 * may be counted twice, and are left out.  Separate from ledger_set() because an
 * engine may hold upper bounds that it first tightens. */
void ledger_note_peak(struct ledger_group *group, uint64_t unsure_pages);

#endif
