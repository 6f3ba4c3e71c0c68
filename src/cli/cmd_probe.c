/* SPDX-License-Identifier: MIT
 *
 * surety probe: which engines work here, and what each would miss.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "engine/engine.h"

enum { EXIT_UNUSABLE = 1 };

static void print_text(const struct engine_ops *ops, const struct probe_report *report)
{
	printf("%s: %s\n", ops->name, report->usable ? "works here" : "does not work here");
	for (int i = 0; i < report->nr; i++) {
		const struct probe_line *line = &report->line[i];

		printf("  %-4s %-38s %s\n", line->ok ? "ok" : line->fatal ? "NO" : "less", line->what, line->why);
	}
}

static void print_json(const struct engine_ops *ops, const struct probe_report *report)
{
	json_t *lines = json_array();
	json_t *object;

	for (int i = 0; i < report->nr; i++) {
		const struct probe_line *line = &report->line[i];

		json_array_append_new(lines, json_pack("{s:b, s:b, s:s, s:s}", "ok", line->ok, "fatal", line->fatal, "what",
						       line->what, "why", line->why));
	}
	object = json_pack("{s:s, s:s, s:b, s:o}", "schema", "surety.probe/1", "engine", ops->name, "usable",
			   report->usable, "checks", lines);
	json_dumpf(object, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(object);
}

int cmd_probe(const struct probe_opts *opts, struct err *err)
{
	static const struct engine_ops *const all[] = { &engine_seccomp, &engine_null };
	struct probe_report report;
	bool usable = false;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		bool is_null = all[i] == &engine_null;

		if (opts->engine == ENGINE_AUTO ? is_null : (opts->engine == ENGINE_NULL) != is_null)
			continue;
		all[i]->probe(&report);
		usable |= report.usable;
		if (opts->json)
			print_json(all[i], &report);
		else
			print_text(all[i], &report);
	}
	if (opts->engine == ENGINE_AUTO && !opts->json)
		printf("surety run uses: %s\n", usable ? "seccomp" : "none: the group could not be accounted");
	if (fflush(stdout) || ferror(stdout))
		return err_set(err, EXIT_SURETY, "cannot write 'standard output': %s (is the disk full?)", strerror(errno));
	return usable ? 0 : EXIT_UNUSABLE;
}
