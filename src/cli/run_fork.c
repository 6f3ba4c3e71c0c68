/* SPDX-License-Identifier: MIT
 *
 * run_fork: see the header.
 */
#include "cli/run_fork.h"

#include <string.h>

#include "base/duration.h"
#include "cli/value.h"
#include "core/mode.h"

static int policy_list(const char *list, struct fork_policies *ret, struct err *err)
{
	const char *at, *why = fork_policies_add(ret, list, &at);
	char entry[64];

	if (!why)
		return 0;
	(void)strncpy(entry, at, sizeof(entry) - 1); /* cut: it is only shown */
	entry[sizeof(entry) - 1] = '\0';
	entry[strcspn(entry, ",")] = '\0';
	return err_set(err, EXIT_SURETY, "bad --fork-policy '%s': %s (as in redis-server:reserve=25%%,exec-grace=200ms)",
		       quote_word(entry).text, why);
}

int run_fork(const struct run_opts *opts, struct fork_policies *ret, struct err *err)
{
	memset(ret, 0, sizeof(*ret));
	ret->end_by_kill = opts->fork_end == FORK_END_KILL;
	if (duration_parse(opts->fork_end_grace, &ret->end_grace_ms) < 0)
		return err_set(err, EXIT_SURETY, "bad --fork-end-grace '%s': not a time (a whole number with ms, s or m behind "
			       "it, as in 500ms)", quote_word(opts->fork_end_grace).text);
	if (opts->fork_reserve) {
		ret->others.kind = FORK_RESERVE;
		ret->others_given = true;
		if (fork_percent_parse(opts->fork_reserve, &ret->others.percent) < 0)
			return err_set(err, EXIT_SURETY, "bad --fork-reserve '%s': not a part of the parent (per cent from 1 to "
				       "100, as in 25%%)", quote_word(opts->fork_reserve).text);
	}
	if (opts->fork_policy && policy_list(opts->fork_policy, ret, err) < 0)
		return -1;
	if (opts->mode != OVERCOMMIT_NEVER && fork_policies_active(ret))
		return err_set(err, EXIT_SURETY, "cannot use '--%s': only a group with overcommit_memory 2 refuses forks (leave "
			       "one of them out)", opts->fork_reserve ? "fork-reserve" : "fork-policy");
	return 0;
}
