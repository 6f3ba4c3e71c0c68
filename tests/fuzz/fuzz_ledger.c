/* SPDX-License-Identifier: MIT
 *
 * fuzz_ledger: any sequence of ledger calls over a tree of groups against sums
 * made anew from the holders after every call.
 */
#include <stdbool.h>

#include "core/ledger.h"
#include "fuzz.h"

enum { GROUPS = 8, HOLDERS = 12 };

typedef unsigned __int128 wide;

struct model {
	struct ledger_group group[GROUPS];
	struct ledger_holder holder[HOLDERS];
	/* What the ledger should say. */
	int where[HOLDERS]; /* group, or -1 */
	wide pages[HOLDERS];
	wide peak[GROUPS], refused[GROUPS];
	uint64_t charges[GROUPS], refusals[GROUPS];
	int parent[GROUPS]; /* -1 at a top */
};

static bool is_below(const struct model *m, int group, int above)
{
	for (; group >= 0; group = m->parent[group])
		if (group == above)
			return true;
	return false;
}

static wide naive_committed(const struct model *m, int group)
{
	wide sum = 0;

	for (int h = 0; h < HOLDERS; h++)
		if (m->where[h] >= 0 && is_below(m, m->where[h], group))
			sum += m->pages[h];
	return sum;
}

/* What holder H may get when it asks for WANT pages in GROUP. */
static wide naive_cut(struct model *m, int h, int group, wide want)
{
	int where = m->where[h];
	wide others, room;
	int top = group;

	while (m->parent[top] >= 0)
		top = m->parent[top];
	m->where[h] = -1;
	others = naive_committed(m, top);
	m->where[h] = where;
	room = UINT64_MAX - others;
	return want < room ? want : room;
}

static wide naive_limit(const struct limit *l)
{
	wide ram = l->hugetlb_pages > l->ram_pages ? 0 : l->ram_pages - l->hugetlb_pages;
	wide pages = l->by_ratio ? ram * l->ratio / 100 : l->limit_pages;

	/* The product of two numbers of 64 bits fits; only the sum is cut. */
	pages = pages > UINT64_MAX ? UINT64_MAX : pages;
	pages += l->swap_pages;
	return pages > UINT64_MAX ? UINT64_MAX : pages;
}

/* Signed, as the kernel has it. */
static enum verdict naive_decide(const struct limit *l, wide committed, uint64_t request,
				 const struct requester *who)
{
	__int128 allowed = (__int128)naive_limit(l);
	uint64_t user = who->total_vm_pages / 32;
	wide all = (wide)l->ram_pages + l->swap_pages;
	wide sum = committed + request;

	if (l->mode == OVERCOMMIT_ALWAYS)
		return VERDICT_GRANT;
	if (l->mode == OVERCOMMIT_GUESS)
		return request > all ? VERDICT_OBVIOUS : VERDICT_GRANT;
	if (!who->cap_sys_admin)
		allowed -= l->admin_reserve_pages;
	allowed -= user < l->user_reserve_pages ? user : l->user_reserve_pages;
	return (__int128)sum < allowed ? VERDICT_GRANT : VERDICT_OVER_LIMIT;
}

static void check_sums(const struct model *m)
{
	for (int g = 0; g < GROUPS; g++) {
		uint64_t holders = 0;

		for (int h = 0; h < HOLDERS; h++)
			holders += m->where[h] == g;
		FUZZ_CHECK(m->group[g].committed == naive_committed(m, g));
		FUZZ_CHECK(m->group[g].holders == holders);
		FUZZ_CHECK(m->group[g].peak == m->peak[g]);
		FUZZ_CHECK(m->group[g].charges == m->charges[g]);
		FUZZ_CHECK(m->group[g].refusals == m->refusals[g]);
		FUZZ_CHECK(m->group[g].refused_pages ==
			   (m->refused[g] > UINT64_MAX ? UINT64_MAX : m->refused[g]));
	}
	for (int h = 0; h < HOLDERS; h++) {
		int g = m->where[h];

		FUZZ_CHECK(m->holder[h].group == (g < 0 ? NULL : &m->group[g]));
		FUZZ_CHECK(m->holder[h].pages == (g < 0 ? 0 : m->pages[h]));
	}
}

static void check_decision(struct model *m, int g, struct fuzz_input *in)
{
	const struct ledger_group *at = NULL, *want_at = NULL;
	enum verdict want = VERDICT_GRANT;
	struct requester who;
	uint64_t request;

	who.cap_sys_admin = fuzz_byte(in) & 1;
	who.total_vm_pages = fuzz_number(in);
	request = fuzz_number(in);
	for (int up = g; up >= 0 && want == VERDICT_GRANT; up = m->parent[up]) {
		want = naive_decide(&m->group[up].limit, naive_committed(m, up), request, &who);
		want_at = want == VERDICT_GRANT ? NULL : &m->group[up];
	}
	FUZZ_CHECK(ledger_decide(&m->group[g], request, &who, &at) == want);
	FUZZ_CHECK(at == want_at);
	FUZZ_CHECK(ledger_decide(&m->group[g], request, &who, NULL) == want);
}

static void count(struct model *m, int g, struct fuzz_input *in)
{
	uint64_t pages = fuzz_number(in);
	bool refusal = fuzz_byte(in) & 1;

	if (refusal)
		ledger_count_refusal(&m->group[g], pages);
	else
		ledger_count_charge(&m->group[g]);
	for (; g >= 0; g = m->parent[g]) {
		m->refusals[g] += refusal;
		m->charges[g] += !refusal;
		m->refused[g] += refusal ? pages : 0;
	}
}

static void note_peak(struct model *m, int g)
{
	ledger_note_peak(&m->group[g], 0);
	for (; g >= 0; g = m->parent[g])
		if (naive_committed(m, g) > m->peak[g])
			m->peak[g] = naive_committed(m, g);
}

static void change_holder(struct model *m, int h, int g, struct fuzz_input *in)
{
	if (m->where[h] < 0) {
		ledger_join(&m->holder[h], &m->group[g]);
		m->where[h] = g;
		m->pages[h] = 0;
		return;
	}
	switch (fuzz_byte(in) % 4) {
	case 0:
		ledger_leave(&m->holder[h]);
		m->where[h] = -1;
		break;
	case 1:
		m->pages[h] = naive_cut(m, h, g, m->pages[h]);
		ledger_move(&m->holder[h], &m->group[g]);
		m->where[h] = g;
		break;
	default: {
		uint64_t want = fuzz_number(in);

		m->pages[h] = naive_cut(m, h, m->where[h], want);
		ledger_set(&m->holder[h], want);
	}
	}
}

static void model_init(struct model *m, struct fuzz_input *in)
{
	*m = (struct model){ 0 };
	for (int g = 0; g < GROUPS; g++) {
		uint8_t shape = fuzz_byte(in);
		struct limit limit = {
			.mode = shape % 8 < 6 ? OVERCOMMIT_NEVER :
				shape % 8 < 7 ? OVERCOMMIT_GUESS : OVERCOMMIT_ALWAYS,
			.by_ratio = shape & 8,
			.limit_pages = fuzz_number(in), .ratio = fuzz_number(in),
			.ram_pages = fuzz_number(in), .swap_pages = fuzz_number(in),
			.hugetlb_pages = fuzz_number(in),
			.admin_reserve_pages = fuzz_number(in),
			.user_reserve_pages = fuzz_number(in),
		};

		m->parent[g] = g > 0 && shape & 0x30 ? (shape >> 4) % g : -1;
		ledger_group_init(&m->group[g], m->parent[g] < 0 ? NULL : &m->group[m->parent[g]],
				  &limit);
	}
	for (int h = 0; h < HOLDERS; h++)
		m->where[h] = -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	static struct model m;

	model_init(&m, &in);
	while (in.left) {
		uint8_t what = fuzz_byte(&in);
		int g = fuzz_byte(&in) % GROUPS;

		if (what % 8 == 0)
			check_decision(&m, g, &in);
		else if (what % 8 == 1)
			count(&m, g, &in);
		else if (what % 8 == 2)
			note_peak(&m, g);
		else
			change_holder(&m, what / 8 % HOLDERS, g, &in);
		check_sums(&m);
	}
	return 0;
}
