/* SPDX-License-Identifier: MIT
 *
 * limit: vm_commit_limit() and __vm_enough_memory() of mm/util.c, for one group.
 *
 * Decides on one request against one group.  Must not count anything.
 *
 * Rests on: the kernel adds the request first and then asks whether the sum is
 * below what is allowed, so a request that lands exactly on the limit is refused
 * and a request of 0 pages is refused once the limit has been reached.
 * Its `allowed` is signed, so reserves larger than the limit refuse everything;
 * here they leave 0, below which no sum can be.
 *
 * Differs on purpose: the kernel's sum is off by up to a percpu batch on every
 * CPU; a group's is exact.
 */
#include "core/limit.h"

#include "base/arith.h"

static uint64_t ratio_pages(const struct limit *limit)
{
	unsigned __int128 pages = over(limit->ram_pages, limit->hugetlb_pages);

	pages = pages * limit->ratio / 100;
	return pages > UINT64_MAX ? UINT64_MAX : (uint64_t)pages;
}

uint64_t limit_commit(const struct limit *limit)
{
	uint64_t pages = limit->by_ratio ? ratio_pages(limit) : limit->limit_pages;

	return add_saturating(pages, limit->swap_pages);
}

uint64_t limit_allowed(const struct limit *limit, const struct requester *who)
{
	uint64_t allowed = limit_commit(limit);
	uint64_t user = who->total_vm_pages / 32;

	if (user > limit->user_reserve_pages)
		user = limit->user_reserve_pages;
	if (!who->cap_sys_admin)
		allowed = over(allowed, limit->admin_reserve_pages);
	return over(allowed, user);
}

enum verdict limit_decide(const struct limit *limit, uint64_t committed_pages,
			  uint64_t request_pages, const struct requester *who)
{
	switch (limit->mode) {
	case OVERCOMMIT_ALWAYS:
		return VERDICT_GRANT;
	case OVERCOMMIT_GUESS:
		return request_pages > add_saturating(limit->ram_pages, limit->swap_pages) ?
			       VERDICT_OBVIOUS :
			       VERDICT_GRANT;
	case OVERCOMMIT_NEVER:
		break;
	}
	return add_saturating(committed_pages, request_pages) < limit_allowed(limit, who) ?
		       VERDICT_GRANT :
		       VERDICT_OVER_LIMIT;
}
