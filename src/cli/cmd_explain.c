/* SPDX-License-Identifier: MIT
 *
 * surety explain: checks the command line and hands the record on.
 */
#include <inttypes.h>

#include "cli/cmd.h"
#include "cli/explainer.h"

int cmd_explain(const struct explain_opts *opts, struct err *err)
{
	if (!opts->record)
		return err_set(err, EXIT_SURETY, "no record given: surety explain has nothing to read (surety run --record FILE "
			       "makes one)");
	if (opts->fork_reserve > 100)
		return err_set(err, EXIT_SURETY, "bad --fork-reserve '%" PRIu64 "': it is a part of what a fork charges (1 to "
			       "100)", opts->fork_reserve);
	return explainer_become(opts, err);
}
