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

static const struct {
	const struct engine_ops *ops;
	int choice;
	bool chosen; /* by auto */
} engines[] = {
	{ &engine_seccomp, ENGINE_SECCOMP, true },
	{ &engine_bpf, ENGINE_BPF, false },
	{ &engine_null, ENGINE_NULL, false },
};

int cmd_probe(const struct probe_opts *opts, struct err *err)
{
	struct probe_report report;
	bool usable = false, chosen = false;

	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		if (opts->engine == ENGINE_AUTO ? engines[i].choice == ENGINE_NULL : opts->engine != engines[i].choice)
			continue;
		engines[i].ops->probe(&report);
		usable |= report.usable;
		chosen |= report.usable && engines[i].chosen;
		if (opts->json)
			print_json(engines[i].ops, &report);
		else
			print_text(engines[i].ops, &report);
	}
	if (opts->engine == ENGINE_AUTO && !opts->json)
		printf("surety run uses: %s\n", chosen ? "seccomp" : "none: the group could not be accounted");
	if (fflush(stdout) || ferror(stdout))
		return err_set(err, EXIT_SURETY, "cannot write 'standard output': %s (is the disk full?)", strerror(errno));
	return (opts->engine == ENGINE_AUTO ? chosen : usable) ? 0 : EXIT_UNUSABLE;
}
