/* SPDX-License-Identifier: MIT
 *
 * surety explain: hands the record to surety-explain, which has the unwinder.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/libexec.h"
#include "core/mode.h"

#define EXPLAIN_NAME "surety-explain"

int cmd_explain(const struct explain_opts *opts, struct err *err)
{
	char program[4096], limit[24] = "-", mode[4], percent[24];
	const char *format = opts->json ? "json" : "text";
	char *const argv[] = { (char *)EXPLAIN_NAME, (char *)opts->record, limit, mode, percent, (char *)format,
			       (char *)opts->html, NULL };

	if (!opts->record)
		return err_set(err, EXIT_SURETY, "no record given: surety explain has nothing to read (surety run --record FILE "
			       "makes one)");
	if (opts->fork_reserve > 100)
		return err_set(err, EXIT_SURETY, "bad --fork-reserve '%" PRIu64 "': it is a part of what a fork charges (1 to "
			       "100)", opts->fork_reserve);
	if (opts->limit_bytes != OPT_UNSET)
		snprintf(limit, sizeof(limit), "%" PRIu64, opts->limit_bytes);
	snprintf(mode, sizeof(mode), "%d", opts->mode);
	snprintf(percent, sizeof(percent), "%" PRIu64, opts->fork_reserve);
	libexec_find(EXPLAIN_NAME, program, sizeof(program));
	execv(program, argv);
	return err_set(err, EXIT_SURETY, "cannot start '%s': %s (it belongs beside surety)", EXPLAIN_NAME, strerror(errno));
}
