/* SPDX-License-Identifier: MIT
 *
 * forkpolicy: see the header.  Decides nothing about what fits: limit.c does.
 */
#include "core/forkpolicy.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/arith.h"
#include "base/bytes.h"
#include "base/duration.h"

enum { WORD = 64 };

int fork_percent_parse(const char *text, uint32_t *ret)
{
	size_t len = strlen(text);
	char number[8];
	uint64_t n;

	if (len && text[len - 1] == '%')
		len--;
	if (len == 0 || len >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, len);
	number[len] = '\0';
	if (number_parse(number, &n) < 0 || n < 1 || n > 100)
		return -EINVAL;
	*ret = (uint32_t)n;
	return 0;
}

static const char *parse_policy(const char *word, struct fork_policy *ret)
{
	static const char reserve[] = "reserve=", grace[] = "exec-grace=";

	*ret = (struct fork_policy){ .kind = FORK_FULL };
	if (strcmp(word, "full") == 0)
		return NULL;
	if (strncmp(word, reserve, sizeof(reserve) - 1) == 0) {
		ret->kind = FORK_RESERVE;
		return fork_percent_parse(word + sizeof(reserve) - 1, &ret->percent) < 0 ?
			       "its reserve is not a per cent from 1 to 100" :
			       NULL;
	}
	if (strncmp(word, grace, sizeof(grace) - 1) == 0) {
		ret->kind = FORK_EXEC_GRACE;
		return duration_parse(word + sizeof(grace) - 1, &ret->grace_ms) < 0 || ret->grace_ms == 0 ?
			       "its grace is not a time as 200ms or 2s" :
			       NULL;
	}
	return "a policy is full, reserve=PCT or exec-grace=TIME";
}

static const char *add_entry(struct fork_policies *ret, char *entry)
{
	char *colon = strrchr(entry, ':');
	struct fork_policy policy;
	const char *why = parse_policy(colon ? colon + 1 : entry, &policy);

	if (why)
		return why;
	if (!colon) {
		if (ret->others_given)
			return "the policy of all others is given twice";
		ret->others = policy;
		ret->others_given = true;
		return NULL;
	}
	*colon = '\0';
	if (entry[0] == '\0' || strchr(entry, '/'))
		return "a program is named by the last part of its path";
	for (uint32_t i = 0; i < ret->nr; i++)
		if (strcmp(ret->row[i].exe, entry) == 0)
			return "a program is named twice";
	if (ret->nr == FORK_ROWS)
		return "more than 16 programs are named";
	memcpy(ret->row[ret->nr].exe, entry, strlen(entry) + 1);
	ret->row[ret->nr++].policy = policy;
	return NULL;
}

const char *fork_policies_add(struct fork_policies *ret, const char *text, const char **ret_entry)
{
	struct fork_policies made = *ret;
	char entry[FORK_EXE + WORD];
	const char *why;

	for (;;) {
		size_t len = strcspn(text, ",");
		const char *colon = memchr(text, ':', len);

		*ret_entry = text;
		if (len >= sizeof(entry) || (colon && colon - text >= FORK_EXE))
			return "an entry is too long";
		memcpy(entry, text, len);
		entry[len] = '\0';
		why = add_entry(&made, entry);
		if (why)
			return why;
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	*ret = made;
	return NULL;
}

bool fork_policies_active(const struct fork_policies *policies)
{
	for (uint32_t i = 0; i < policies->nr; i++)
		if (policies->row[i].policy.kind != FORK_FULL)
			return true;
	return policies->others.kind != FORK_FULL;
}

const struct fork_policy *fork_policy_of(const struct fork_policies *policies, const char *exe)
{
	static const char deleted[] = " (deleted)";
	const char *slash = exe ? strrchr(exe, '/') : NULL;
	const char *name = slash ? slash + 1 : exe;

	for (uint32_t i = 0; name && i < policies->nr; i++) {
		size_t len = strlen(policies->row[i].exe);

		if (strncmp(name, policies->row[i].exe, len) == 0 && (name[len] == '\0' || strcmp(name + len, deleted) == 0))
			return &policies->row[i].policy;
	}
	return &policies->others;
}

uint64_t fork_reserve_pages(const struct fork_policy *policy, uint64_t pages)
{
	switch (policy->kind) {
	case FORK_RESERVE:
		return pages / 100 * policy->percent + (pages % 100 * policy->percent + 99) / 100;
	case FORK_EXEC_GRACE:
		return 0;
	case FORK_FULL:
		break;
	}
	return pages;
}

uint64_t fork_hold_pages(uint64_t pages, uint64_t base, uint64_t reserve)
{
	return larger(over(pages, base - reserve), smaller(pages, reserve));
}
