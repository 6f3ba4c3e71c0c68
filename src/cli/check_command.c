/* SPDX-License-Identifier: MIT
 *
 * check_command: what limit does this command need?
 *
 * Rests on the engine's peak, which is that of a record (docs/RECORD.md): the
 * highest need of any request, so that a limit one page above it refuses nothing of
 * the same run.  The record is read when the command has ended, and not kept.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/amount.h"
#include "cli/check.h"
#include "cli/explainer.h"
#include "cli/job.h"
#include "cli/value.h"

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

struct checked {
	const struct check_opts *opts;
	const char *record; /* NULL: none could be made */
};

static void tell(void *ctx, int wait_status, const struct engine_status *st)
{
	const struct checked *checked = ctx;
	const struct check_opts *opts = checked->opts;
	char peak[BYTES_FORMAT_MAX];
	struct err err;

	if (opts->json) {
		tell_json(st, wait_status);
		return;
	}
	warn_line("'%s': peak Committed_AS %s in %llu charges; the least limit without a refusal is --limit %lluK",
		  opts->command[0], bytes_format(pages_to_bytes(st->peak_pages), peak), (unsigned long long)st->charges,
		  (unsigned long long)pages_to_kib(st->peak_pages + 1));
	if (checked->record && explainer_tell_peak(checked->record, &err) < 0)
		err_print(&err);
}

/* A new file of its own; NULL where there can be none. */
static const char *make_record(char *path, size_t size)
{
	const char *folder = getenv("TMPDIR");
	int fd;

	snprintf(path, size, "%s/surety-check-XXXXXX", folder && *folder ? folder : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return NULL;
	close(fd);
	return path;
}

int check_command(const struct check_opts *opts, struct err *err)
{
	char path[4096];
	struct checked checked = { opts, make_record(path, sizeof(path)) };
	union opts run; /* what surety run has by itself, but for: */
	int status;

	if (value_preset(COMMAND_run, &run, err) < 0)
		return -1;
	run.run.limit_bytes = INT64_MAX & ~(PAGE_BYTES - 1); /* nothing is refused, all is counted */
	run.run.swap_bytes = 0;
	run.run.record = checked.record;
	run.run.command = opts->command;
	status = run_command(&run.run, tell, &checked, err);
	if (checked.record)
		(void)unlink(path); /* by the supervisor, and once more by the guard, should that have been killed */
	return status;
}
