/* SPDX-License-Identifier: MIT
 *
 * surety status: the figures of running groups, named as in /proc/meminfo.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/cmd.h"
#include "cli/control.h"
#include "cli/figures.h"
#include "report/escape.h"

/* The name is the process's own choice. */
static void print_comm(const char *comm)
{
	autofree char *safe = escape_text(comm ? comm : "");

	printf("  %s\n", safe ? safe : "");
}

static void print_processes(json_t *rows)
{
	json_t *row;
	size_t i;

	printf("\n%10s %14s  %s\n", "PID", "Committed_AS", "COMMAND");
	json_array_foreach(rows, i, row) {
		printf("%10" JSON_INTEGER_FORMAT " ", json_integer_value(json_object_get(row, "pid")));
		if (json_is_true(json_object_get(row, "shared")))
			printf("%14s", "shared");
		else
			printf("%11" PRIu64 " kB", figures_bytes(row, "Committed_AS") >> 10);
		print_comm(json_string_value(json_object_get(row, "comm")));
	}
}

static int print_text(const json_t *figures, struct err *err)
{
	autofree char *engine = NULL;
	char label[FIGURES_LABEL_MAX];
	const char *name;

	if (figures_check(figures, err) < 0)
		return -1;
	figures_label(figures, label);
	name = json_string_value(json_object_get(figures, "engine"));
	engine = escape_text(name ? name : "?");
	printf("group %s: engine %s, overcommit_memory %" JSON_INTEGER_FORMAT ", supervisor %" JSON_INTEGER_FORMAT "%s\n\n",
	       label, engine ? engine : "?", json_integer_value(json_object_get(figures, "overcommit_memory")),
	       json_integer_value(json_object_get(figures, "supervisor_pid")),
	       control_same_pids(figures) ? "" : ", process ids of another namespace");
	figures_print(figures, "CommitLimit");
	figures_print(figures, "Committed_AS");
	figures_print(figures, "Peak");
	figures_print(figures, "Shmem");
	figures_print(figures, "Reserved");
	if (figures_bytes(figures, "ForkUncharged") || figures_bytes(figures, "ForkKept")) {
		figures_print(figures, "ForkUncharged");
		figures_print(figures, "ForkKept");
	}
	printf("%-14s %10" JSON_INTEGER_FORMAT "\n", "Charges:", json_integer_value(json_object_get(figures, "charges")));
	printf("%-14s %10" JSON_INTEGER_FORMAT "\n", "Refusals:", json_integer_value(json_object_get(figures, "refusals")));
	if (figures_bytes(figures, "forks_ended"))
		printf("%-14s %10" PRIu64 "\n", "Forks ended:", figures_bytes(figures, "forks_ended"));
	print_processes(json_object_get(figures, "processes"));
	return 0;
}

/* FIGURES are taken over. */
static int print(json_t *figures, bool json, struct err *err)
{
	int r = 0;

	if (json) {
		(void)json_dumpf(figures, stdout, JSON_COMPACT); /* a failure shows in ferror(3) */
		printf("\n");
	} else {
		r = print_text(figures, err);
	}
	json_decref(figures);
	return r;
}

struct listing {
	const struct status_opts *opts;
	struct err *err;
	int shown, failed;
};

static void show_group(void *ctx, const struct control_ref *ref)
{
	struct listing *list = ctx;
	json_t *figures = control_ask(ref, NULL);

	if (!figures)
		return; /* its supervisor was killed: the socket is a left-over */
	if (list->shown++ && !list->opts->json)
		printf("\n");
	if (print(figures, list->opts->json, list->err) < 0)
		list->failed = -1;
}

int cmd_status(const struct status_opts *opts, struct err *err)
{
	struct listing list = { opts, err, 0, 0 };

	if (opts->target) {
		struct control_ref ref;
		json_t *figures = control_find(opts->target, &ref, err);

		if (!figures || print(figures, opts->json, err) < 0)
			return -1;
	} else {
		control_list(show_group, &list);
		if (!list.shown && !opts->json)
			printf("no group is running\n");
	}
	if (fflush(stdout) || ferror(stdout))
		return err_set(err, EXIT_SURETY, "cannot write 'standard output': %s (is the disk full?)", strerror(errno));
	return list.failed;
}
