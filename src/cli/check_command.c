/* SPDX-License-Identifier: MIT
 *
 * check_command: what limit does this command need?
 *
 * Rests on the engine's peak: Committed_AS with what was reserved, counted where
 * it is new, so that a limit one page above it refuses nothing of the same run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "cli/amount.h"
#include "cli/check.h"
#include "cli/job.h"

enum { EXIT_SIGNALED = 128 };

static int exit_of(int wait_status)
{
	return WIFSIGNALED(wait_status) ? EXIT_SIGNALED + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

static void tell_json(const struct engine_status *st, int wait_status)
{
	json_t *object = json_pack("{s:s, s:s, s:I, s:i}", "schema", "surety.check/1", "row", "command", "charges",
				   (json_int_t)st->charges, "exit_status", exit_of(wait_status));
	char *text;

	json_object_set_new(object, "peak_bytes", amount_json(st->peak_pages));
	json_object_set_new(object, "needed_bytes", amount_json(st->peak_pages + 1));
	text = json_dumps(object, JSON_COMPACT);
	if (text)
		fprintf(stderr, "%s\n", text);
	free(text);
	json_decref(object);
}

static void tell(void *ctx, int wait_status, const struct engine_status *st)
{
	const struct check_opts *opts = ctx;
	char peak[BYTES_FORMAT_MAX];

	if (opts->json) {
		tell_json(st, wait_status);
		return;
	}
	warn_line("'%s': peak Committed_AS %s in %llu charges; the least limit without a refusal is --limit %lluK",
		  opts->command[0], bytes_format(pages_to_bytes(st->peak_pages), peak), (unsigned long long)st->charges,
		  (unsigned long long)pages_to_kib(st->peak_pages + 1));
}

int check_command(const struct check_opts *opts, struct err *err)
{
	const struct run_opts run = {
		.limit_bytes = INT64_MAX & ~(PAGE_BYTES - 1), /* nothing is refused, all is counted */
		.ratio = OPT_UNSET,
		.mode = OVERCOMMIT_NEVER,
		.memory_bytes = OPT_UNSET,
		.swap_bytes = 0,
		.report = "-",
		.command = opts->command,
	};

	return run_command(&run, tell, (void *)opts, err);
}
