/* SPDX-License-Identifier: MIT
 *
 * ledger: the sums over holders and nested groups.
 *
 * Decides nothing beyond asking limit.c of each group on the way up.  Must not
 * allocate, and must not know what a holder is.
 *
 * Kept true after every call: a group's committed is the sum over the holders
 * directly in it and over its child groups.  A sum that could pass UINT64_MAX is
 * cut where it enters, in the holder, so that what is taken out later is always
 * what was put in; the top group's sum bounds all below it, so it alone is asked.
 */
#include "core/ledger.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

void ledger_group_init(struct ledger_group *group, struct ledger_group *parent,
		       const struct limit *limit)
{
	*group = (struct ledger_group){ .parent = parent, .limit = *limit };
}

/* How many pages more the groups from GROUP upwards can hold. */
static uint64_t chain_room(const struct ledger_group *group)
{
	while (group->parent)
		group = group->parent;
	return UINT64_MAX - group->committed;
}

/* Adds to every group from GROUP up to, not including, END. */
static void chain_add(struct ledger_group *group, const struct ledger_group *end, uint64_t pages)
{
	for (; group != end; group = group->parent) {
		assert(pages <= UINT64_MAX - group->committed);
		group->committed += pages;
	}
}

static void chain_sub(struct ledger_group *group, const struct ledger_group *end, uint64_t pages)
{
	for (; group != end; group = group->parent) {
		assert(pages <= group->committed);
		group->committed -= pages;
	}
}

static bool chain_contains(const struct ledger_group *from, const struct ledger_group *wanted)
{
	for (; from; from = from->parent)
		if (from == wanted)
			return true;
	return false;
}

/* The lowest group that both are in or below; NULL when they share none. */
static struct ledger_group *common_ancestor(struct ledger_group *a, const struct ledger_group *b)
{
	while (a && !chain_contains(b, a))
		a = a->parent;
	return a;
}

void ledger_join(struct ledger_holder *holder, struct ledger_group *group)
{
	assert(!holder->group);
	*holder = (struct ledger_holder){ .group = group };
	group->holders++;
}

void ledger_leave(struct ledger_holder *holder)
{
	if (!holder->group)
		return;
	chain_sub(holder->group, NULL, holder->pages);
	assert(holder->group->holders > 0);
	holder->group->holders--;
	*holder = (struct ledger_holder){ 0 };
}

void ledger_move(struct ledger_holder *holder, struct ledger_group *group)
{
	struct ledger_group *common = common_ancestor(holder->group, group);

	assert(holder->group && holder->group->holders > 0);
	chain_sub(holder->group, common, holder->pages);
	if (!common && holder->pages > chain_room(group))
		holder->pages = chain_room(group);
	chain_add(group, common, holder->pages);
	holder->group->holders--;
	group->holders++;
	holder->group = group;
}

void ledger_set(struct ledger_holder *holder, uint64_t pages)
{
	uint64_t room;

	assert(holder->group);
	if (pages <= holder->pages) {
		chain_sub(holder->group, NULL, holder->pages - pages);
		holder->pages = pages;
		return;
	}
	room = chain_room(holder->group);
	if (pages - holder->pages > room)
		pages = holder->pages + room;
	chain_add(holder->group, NULL, pages - holder->pages);
	holder->pages = pages;
}

enum verdict ledger_decide(const struct ledger_group *group, uint64_t request_pages,
			   const struct requester *who, const struct ledger_group **ret_at)
{
	enum verdict verdict = VERDICT_GRANT;

	for (; group; group = group->parent) {
		verdict = limit_decide(&group->limit, group->committed, request_pages, who);
		if (verdict != VERDICT_GRANT)
			break;
	}
	if (ret_at)
		*ret_at = group;
	return verdict;
}

void ledger_count_charge(struct ledger_group *group)
{
	for (; group; group = group->parent)
		group->charges++;
}

void ledger_count_refusal(struct ledger_group *group, uint64_t pages)
{
	for (; group; group = group->parent) {
		group->refusals++;
		if (__builtin_add_overflow(group->refused_pages, pages, &group->refused_pages))
			group->refused_pages = UINT64_MAX;
	}
}

void ledger_note_peak(struct ledger_group *group, uint64_t unsure_pages)
{
	for (; group; group = group->parent)
		if (group->committed > unsure_pages && group->committed - unsure_pages > group->peak)
			group->peak = group->committed - unsure_pages;
}
