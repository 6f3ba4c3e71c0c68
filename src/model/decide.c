/* SPDX-License-Identifier: MIT
 *
 * decide: whether a request of the model's fits, by core/limit.h.
 *
 * Decides how sure the answer is.  The kernel tests a sum that is off by up to a
 * batch on each CPU (mm/util.c, lib/percpu_counter.c); the seccomp engine may
 * grant over what it has not seen yet.
 */
#include <errno.h>

#include "base/arith.h"
#include "base/bytes.h"
#include "model/state.h"

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* What the seccomp engine may not know of when it decides. */
static uint64_t unseen_pages(const struct model *m)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->nr_inodes; i++)
		sum += m->inode[i].unseen_pages;
	for (int p = 0; p < m->script->nr_processes; p++)
		sum += m->process[p].mm.unseen_pages;
	return sum;
}

static struct requester requester_of(const struct turn *t, const struct mm *mm)
{
	return (struct requester){ t->p->cap_sys_admin, mm_total_vm(mm) };
}

/* Which rule made the difference. */
static enum rule admission(const struct limit *limit, const struct requester *who, uint64_t sum, uint64_t pages)
{
	struct requester other = *who;

	if (limit->mode != OVERCOMMIT_NEVER)
		return limit->mode == OVERCOMMIT_GUESS ? RULE_GUESS : RULE_ALWAYS;
	if (sum < limit_allowed(limit, who))
		return RULE_NEVER;
	if (pages == 0)
		return RULE_ZERO_REQUEST;
	other.total_vm_pages = 0;
	if (sum < limit_allowed(limit, &other))
		return RULE_USER_RESERVE;
	other.cap_sys_admin = true;
	return sum < limit_allowed(limit, &other) ? RULE_ADMIN_RESERVE : RULE_NEVER;
}

/* What is promised beside the ledger, in a mode that looks at sums. */
static uint64_t beside(const struct model *m)
{
	return m->own_limit.mode == OVERCOMMIT_NEVER ? m->reserved : 0;
}

/* Below what a request with all that is held has to stay. */
static uint64_t edge(const struct limit *limit, const struct requester *who)
{
	if (limit->mode == OVERCOMMIT_NEVER)
		return limit_allowed(limit, who);
	if (limit->mode == OVERCOMMIT_ALWAYS)
		return UINT64_MAX;
	return add_saturating(add_saturating(limit->ram_pages, limit->swap_pages), 1);
}

static void note(struct turn *t, const struct requester *who, enum rule rule, uint64_t pages, bool granted)
{
	struct model *m = t->m;
	struct limit *limit = &m->own_limit;
	uint64_t held = add_saturating(m->group.committed, beside(m)), sum = add_saturating(held, pages);
	uint64_t tested = limit->mode == OVERCOMMIT_NEVER ? sum : pages;

	t->out->asked = true;
	t->out->rule = rule;
	t->out->request_pages = pages + (granted ? t->out->request_pages : 0); /* a call may ask piece by piece */
	t->out->held_pages = held;
	t->out->allowed_pages = edge(limit, who);
	t->out->admission = admission(limit, who, sum, pages);
	if (t->out->allowed_pages != UINT64_MAX && distance(tested, t->out->allowed_pages) < m->config.margin_pages)
		t->out->unsure = true;
	if (!granted && as_seccomp(m) && limit->mode == OVERCOMMIT_NEVER &&
	    sum - unseen_pages(m) < t->out->allowed_pages)
		t->out->unsure = true;
}

bool turn_would_admit(struct turn *t, const struct mm *mm, uint64_t largest)
{
	struct requester who = requester_of(t, mm);

	return t->m->own_limit.mode != OVERCOMMIT_GUESS ||
	       ledger_decide(&t->m->group, largest, &who, NULL) == VERDICT_GRANT;
}

bool turn_admit_pieces(struct turn *t, const struct mm *mm, enum rule rule, uint64_t pages, uint64_t largest)
{
	struct requester who = requester_of(t, mm);
	uint64_t asked = t->m->own_limit.mode == OVERCOMMIT_GUESS ? largest : add_saturating(pages, beside(t->m));
	bool granted = ledger_decide(&t->m->group, asked, &who, NULL) == VERDICT_GRANT;

	note(t, &who, rule, granted ? pages : asked - beside(t->m), granted);
	if (granted) {
		ledger_count_charge(&t->m->group);
		return true;
	}
	ledger_count_refusal(&t->m->group, pages);
	turn_fail(t, ENOMEM, rule);
	return false;
}

bool turn_admit(struct turn *t, const struct mm *mm, enum rule rule, uint64_t pages)
{
	return turn_admit_pieces(t, mm, rule, pages, pages);
}

bool turn_admit_holes(struct turn *t, int object, uint64_t size_pages, uint64_t more)
{
	struct inode *inode = &t->m->inode[object];
	uint64_t mapped = inode_mapped_pages(t->m, object);
	uint64_t now = inode_holes(t->m, object, bytes_to_pages(inode->size_bytes), mapped);
	uint64_t then = inode_holes(t->m, object, size_pages, mapped + more);

	inode->known = true;
	if (t->m->config.limit.mode != OVERCOMMIT_NEVER || then <= now)
		return true;
	return turn_admit(t, &t->p->mm, RULE_SHMEM_RESERVE, then - now);
}

uint64_t turn_admit_each(struct turn *t, const struct mm *mm, enum rule rule, uint64_t pages)
{
	struct requester who = requester_of(t, mm);
	uint64_t allowed = edge(&t->m->own_limit, &who), room = UINT64_MAX;
	uint64_t held = t->m->group.committed;

	if (t->m->own_limit.mode == OVERCOMMIT_NEVER)
		room = allowed > held ? allowed - held - 1 : 0;
	else if (ledger_decide(&t->m->group, 1, &who, NULL) != VERDICT_GRANT)
		room = 0;
	if (pages <= room) {
		if (t->m->own_limit.mode == OVERCOMMIT_NEVER)
			(void)turn_admit(t, mm, rule, pages); /* it does: the last page is the test */
		else
			note(t, &who, rule, pages, true);
		return pages;
	}
	note(t, &who, rule, pages, false);
	t->out->unsure |= t->m->config.margin_pages > 0; /* which page is the last depends on the batch */
	ledger_count_refusal(&t->m->group, pages - room);
	return room;
}
