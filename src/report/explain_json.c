/* SPDX-License-Identifier: MIT
 *
 * explain_json: what a record says, as one JSON object (docs/RECORD.md).
 */
#include "report/explain.h"

#include <errno.h>
#include <jansson.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "report/escape.h"
#include "report/json.h"

#define SCHEMA "surety.explain/1"

static json_t *number(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *bytes(uint64_t pages)
{
	return number(pages_to_bytes(pages));
}

static json_t *name(const char *text)
{
	autofree char *valid = escape_utf8(text);

	return valid ? json_string(valid) : NULL;
}

static void set(json_t *object, int *failed, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		*failed = 1;
}

static json_t *request_object(struct explain *x, const struct replay_request *q, int *failed)
{
	const struct journal_space *space = stackbook_space(x->book, q->r.space);
	json_t *object = json_object();

	if (!q->r.number) {
		json_decref(object);
		return json_null();
	}
	set(object, failed, "request", number(q->r.number));
	set(object, failed, "time_ns", number(q->time_ns));
	set(object, failed, "operation", json_string(operation_name(q->r.op)));
	set(object, failed, "rule", json_string(rule_id(q->r.rule)));
	set(object, failed, "pid", space ? json_integer(space->pid) : json_null());
	set(object, failed, "comm", space ? name(space->comm) : json_null());
	set(object, failed, "requested_bytes", bytes(q->asked));
	set(object, failed, "committed_bytes", bytes(q->held));
	set(object, failed, "stack", json_stack(stackbook_stack(x->book, q->r.stack), failed));
	return object;
}

static json_t *sites_array(const struct explain *x, int *failed)
{
	json_t *array = json_array();

	for (size_t i = 0; i < x->nr_sites; i++) {
		const struct explain_site *site = &x->site[i];
		json_t *object = json_object();

		set(object, failed, "comm", *site->comm ? name(site->comm) : json_null());
		set(object, failed, "site", name(site->text));
		set(object, failed, "committed_bytes", bytes(site->held.pages));
		set(object, failed, "unused_bytes", bytes(site->held.pages - site->held.used));
		*failed |= json_array_append_new(array, object) < 0;
	}
	return array;
}

static json_t *steps_array(struct explain *x, int *failed)
{
	json_t *array = json_array();

	for (int i = 0; i < EXPLAIN_STEPS && x->least_pages; i++) {
		const struct explain_step *step = &x->step[i];
		json_t *object = json_object();

		set(object, failed, "percent", number(step->percent));
		set(object, failed, "limit_bytes", bytes(step->limit_pages));
		set(object, failed, "refusals", number(step->refused));
		set(object, failed, "refused_bytes", bytes(step->refused_pages));
		set(object, failed, "first_request", step->refused ? number(step->first.r.number) : json_null());
		*failed |= json_array_append_new(array, object) < 0;
	}
	return array;
}

static json_t *record_object(const struct explain *x, int *failed)
{
	json_t *object = json_object();

	set(object, failed, "command", name(x->head.command));
	set(object, failed, "group", name(x->head.group));
	set(object, failed, "kernel", name(x->head.kernel));
	set(object, failed, "started_ns", json_sprintf("%llu", (unsigned long long)x->head.started_ns));
	set(object, failed, "overcommit_memory", json_integer(x->head.limit.mode));
	set(object, failed, "duration_ns", number(x->duration_ns));
	set(object, failed, "complete", json_boolean(x->finished));
	set(object, failed, "wait_status", x->finished ? json_integer(x->finish.status) : json_null());
	set(object, failed, "requests", number(x->requests));
	set(object, failed, "requests_left_out", number(x->left_out));
	set(object, failed, "refusals", number(x->refused_in_run));
	return object;
}

int explain_json(FILE *out, struct explain *x)
{
	const struct explain_terms *terms = x->terms;
	json_t *object = json_object();
	autofree char *line = NULL;
	int failed = 0;

	set(object, &failed, "schema", json_string(SCHEMA));
	set(object, &failed, "record", record_object(x, &failed));
	set(object, &failed, "overcommit_memory", json_integer(terms->replay.mode));
	set(object, &failed, "fork_reserve_percent", number(terms->replay.fork_percent));
	set(object, &failed, "limit_bytes", terms->limit_pages == UINT64_MAX ? json_null() : bytes(terms->limit_pages));
	set(object, &failed, "first_refusal", request_object(x, &x->first, &failed));
	set(object, &failed, "least_limit_bytes", x->least_pages ? bytes(x->least_pages) : json_null());
	set(object, &failed, "peak", request_object(x, &x->peak, &failed));
	set(object, &failed, "held_at_peak", sites_array(x, &failed));
	set(object, &failed, "steps", steps_array(x, &failed));
	if (!failed)
		line = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (!line)
		return -ENOMEM;
	fprintf(out, "%s\n", line);
	return 0;
}
