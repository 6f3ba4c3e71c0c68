/* SPDX-License-Identifier: MIT
 *
 * simulate: see the header.  Decides nothing but how outcomes look: in one mode a
 * line each, in three a table.
 */
#include "cli/simulate.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

enum { OPERATION_WIDTH = 44, CELL = OUTCOME_TEXT + 16, CELL_WIDTH = 16 };

static const char schema[] = "surety.simulate/1";

static bool refused(const struct outcome *outcome)
{
	return outcome->kind == OUTCOME_ERROR || outcome->kind == OUTCOME_SIGNAL;
}

/* What decided, and how much it was about. */
static void print_detail(const struct outcome *outcome)
{
	if (outcome->rule != RULE_NR)
		printf(" %s", rule_id(outcome->rule));
	if (outcome->asked)
		printf(" %" PRIu64 " kB", pages_to_kib(outcome->request_pages));
	if (outcome->asked && refused(outcome)) {
		if (outcome->admission == RULE_GUESS)
			printf(", RAM and swap are %" PRIu64 " kB", pages_to_kib(outcome->allowed_pages - 1));
		else
			printf(", %" PRIu64 " kB of %" PRIu64 " kB are held", pages_to_kib(outcome->held_pages),
			       pages_to_kib(outcome->allowed_pages));
		if (outcome->admission != RULE_NEVER)
			printf(" (%s)", rule_id(outcome->admission));
	}
	if (outcome->unsure)
		printf(", not certain");
}

static void print_line(const struct script_op *op, const struct outcome *outcome)
{
	char text[OUTCOME_TEXT];

	printf("%u %s", op->line, outcome_format(outcome, text));
	print_detail(outcome);
	putchar('\n');
}

static const char *cell(const struct outcome *outcome, char buf[CELL])
{
	char text[OUTCOME_TEXT];
	bool decided = refused(outcome) && outcome->rule != RULE_NR;

	snprintf(buf, CELL, "%s%s%s%s", outcome_format(outcome, text), decided ? " " : "",
		 decided ? rule_id(outcome->rule) : "", outcome->unsure ? " ?" : "");
	return buf;
}

static void print_row(const struct simulation *s, const struct script_op *op, const struct outcome *outcome)
{
	char text[SCRIPT_LINE], buf[CELL];

	printf("%5u  %-*s", op->line, OPERATION_WIDTH, script_format(s->script, op, text, sizeof(text)));
	for (int i = 0; i < s->nr; i++)
		printf(" %-*s", i + 1 < s->nr ? CELL_WIDTH : 0, cell(&outcome[i], buf));
	putchar('\n');
}

static void print_json(const struct simulation *s, const struct script_op *op, const struct outcome *outcome,
		       enum overcommit mode)
{
	char text[SCRIPT_LINE], name[OUTCOME_TEXT];
	json_t *object = json_pack("{s:s, s:I, s:i, s:s, s:s}", "schema", schema, "line", (json_int_t)op->line, "mode",
				   (int)mode, "operation", script_format(s->script, op, text, sizeof(text)), "outcome",
				   outcome->kind == OUTCOME_REST ? "rest" : outcome_format(outcome, name));

	if (outcome->rule != RULE_NR)
		json_object_set_new(object, "rule", json_string(rule_id(outcome->rule)));
	if (outcome->kind == OUTCOME_REST)
		json_object_set_new(object, "held_bytes",
				    json_integer((json_int_t)pages_to_bytes(outcome->held_pages)));
	if (outcome->asked) {
		json_object_set_new(object, "admission", json_string(rule_id(outcome->admission)));
		json_object_set_new(object, "request_bytes",
				    json_integer((json_int_t)pages_to_bytes(outcome->request_pages)));
		json_object_set_new(object, "held_bytes",
				    json_integer((json_int_t)pages_to_bytes(outcome->held_pages)));
		if (outcome->allowed_pages != UINT64_MAX)
			json_object_set_new(object, "allowed_bytes",
					    json_integer((json_int_t)pages_to_bytes(outcome->allowed_pages)));
	}
	json_object_set_new(object, "certain", json_boolean(!outcome->unsure));
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

void simulate_begin(const struct simulation *s)
{
	if (s->json || s->nr == 1)
		return;
	printf("%5s  %-*s", "line", OPERATION_WIDTH, "operation");
	for (int i = 0; i < s->nr; i++)
		printf(" mode %-*d", i + 1 < s->nr ? CELL_WIDTH - 5 : 0, (int)s->mode[i]);
	putchar('\n');
}

void simulate_step(const struct simulation *s, const struct script_op *op, const struct outcome *outcome)
{
	if (s->json)
		for (int i = 0; i < s->nr; i++)
			print_json(s, op, &outcome[i], s->mode[i]);
	else if (s->nr == 1)
		print_line(op, outcome);
	else
		print_row(s, op, outcome);
}

static void end_json(const struct simulation *s)
{
	for (int i = 0; i < s->nr; i++) {
		const struct model *m = s->model[i];
		json_t *object = json_pack("{s:s, s:i, s:I, s:I, s:I}", "schema", schema, "mode", (int)s->mode[i],
					   "refusals", (json_int_t)model_refusals(m), "peak_bytes",
					   (json_int_t)pages_to_bytes(model_peak_pages(m)), "end_bytes",
					   (json_int_t)pages_to_bytes(model_held_pages(m)));

		json_dumpf(object, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(object);
	}
}

void simulate_end(const struct simulation *s)
{
	if (s->json) {
		end_json(s);
		return;
	}
	for (int i = 0; i < s->nr; i++) {
		const struct model *m = s->model[i];

		if (s->nr > 1)
			printf("mode %d: ", (int)s->mode[i]);
		printf("refusals %" PRIu64 ", peak %" PRIu64 " kB, at the end %" PRIu64 " kB\n", model_refusals(m),
		       pages_to_kib(model_peak_pages(m)), pages_to_kib(model_held_pages(m)));
	}
}
