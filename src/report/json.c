/* SPDX-License-Identifier: MIT
 *
 * json: see json.h.  Decides only on the form; a change that takes a field away
 * or gives it another meaning needs a new number in SCHEMA.
 *
 * JSON numbers are safe up to 2^53 in many readers: addresses, raw arguments and
 * times are strings, amounts are integers.
 */
#include "report/json.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "report/allocator.h"
#include "report/decode.h"
#include "report/escape.h"
#include "report/shortfall.h"

#define SCHEMA "surety.refusal/1"

static json_t *number(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *hex(uint64_t value)
{
	return json_sprintf("0x%" PRIx64, value);
}

/* A name that the job chose; null for none. */
static json_t *name(const char *text)
{
	autofree char *valid = text ? escape_utf8(text) : NULL;

	if (!text)
		return json_null();
	return valid ? json_string(valid) : NULL;
}

/* Every value is checked at once at the end: json_object_set_new() takes a NULL
 * for a failure and returns -1. */
static void set(json_t *object, int *failed, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		*failed = 1;
}

static void append(json_t *array, int *failed, json_t *value)
{
	if (json_array_append_new(array, value) < 0)
		*failed = 1;
}

static json_t *time_text(uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / 1000000000);
	struct tm tm;
	char when[32];

	if (!gmtime_r(&seconds, &tm) || !strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm))
		return json_null();
	return json_sprintf("%s.%09uZ", when, (unsigned int)(time_ns % 1000000000));
}

static json_t *error_object(int error, int *failed)
{
	json_t *object = json_object();
	char text[16];

	set(object, failed, "name", json_string(decode_errno(error, text, sizeof(text))));
	set(object, failed, "number", json_integer(error));
	return object;
}

static json_t *rule_object(enum rule rule, int *failed)
{
	json_t *object = json_object();

	set(object, failed, "id", json_string(rule_id(rule)));
	set(object, failed, "text", json_string(rule_text(rule)));
	set(object, failed, "source", json_string(rule_source(rule)));
	return object;
}

static json_t *args_array(const struct decoded *d, int *failed)
{
	json_t *array = json_array();

	for (int i = 0; i < d->nr; i++) {
		json_t *object = json_object();

		set(object, failed, "name", json_string(d->arg[i].name));
		set(object, failed, "value", json_string(d->arg[i].value));
		set(object, failed, "raw", hex(d->arg[i].raw));
		append(array, failed, object);
	}
	return array;
}

static json_t *call_object(const struct refusal *r, int *failed)
{
	json_t *object = json_object();
	struct decoded d;
	char text[512];

	decode_call(r, &d);
	set(object, failed, "time", time_text(r->time_ns));
	set(object, failed, "sequence", number(r->sequence));
	set(object, failed, "operation", json_string(operation_name(r->op)));
	set(object, failed, "text", json_string(decode_text(&d, text, sizeof(text))));
	set(object, failed, "syscall", json_string(d.call));
	set(object, failed, "syscall_nr", json_integer(r->syscall_nr));
	set(object, failed, "abi", json_string(d.abi));
	set(object, failed, "args", args_array(&d, failed));
	set(object, failed, "requested_bytes", number(r->request_bytes));
	set(object, failed, "committed_bytes", number(r->committed_bytes));
	set(object, failed, "rule", rule_object(r->rule, failed));
	set(object, failed, "errno", error_object(r->error, failed));
	set(object, failed, "suppressed", number(r->suppressed));
	return object;
}

static json_t *frame_object(const struct frame *f, int *failed)
{
	json_t *object = json_object();

	set(object, failed, "pc", hex(f->pc));
	set(object, failed, "module", name(f->module));
	set(object, failed, "build_id", name(f->build_id));
	set(object, failed, "offset", f->module ? hex(f->offset) : json_null());
	set(object, failed, "symbol", name(f->symbol));
	set(object, failed, "symbol_offset", f->symbol && !f->inlined ? number(f->symbol_offset) : json_null());
	set(object, failed, "file", name(f->file));
	set(object, failed, "line", f->line ? json_integer(f->line) : json_null());
	set(object, failed, "inlined", json_boolean(f->inlined));
	return object;
}

json_t *json_stack(const struct stack *s, int *failed)
{
	static const char *const ends[] = {
		[UNWIND_OUTERMOST] = "outermost",
		[UNWIND_LIMIT] = "limit",
		[UNWIND_CUT] = "cut",
		[UNWIND_LOST] = "lost",
	};
	json_t *object = json_object(), *frames = json_array();
	int outer = allocator_outer(s);

	for (int i = 0; i < s->nr; i++)
		append(frames, failed, frame_object(&s->frame[i], failed));
	set(object, failed, "end", json_string(s->nr ? ends[s->end] : "none"));
	set(object, failed, "caller", outer < s->nr ? json_integer(outer) : json_null());
	set(object, failed, "frames", frames);
	return object;
}

static json_t *holders_array(const struct refusal *r, int *failed)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < r->nr_holders; i++) {
		const struct refusal_holder *h = &r->holders[i];
		json_t *object = json_object();

		set(object, failed, "pid", h->pid ? json_integer(h->pid) : json_null());
		set(object, failed, "comm", h->pid ? name(h->comm) : json_null());
		set(object, failed, "bytes", number(h->bytes));
		append(array, failed, object);
	}
	return array;
}

static void set_subject(json_t *object, const struct event *e, int *failed)
{
	const struct refusal *r = &e->call[0].refusal;

	set(object, failed, "schema", json_string(SCHEMA));
	set(object, failed, "time", time_text(r->time_ns));
	set(object, failed, "group", name(r->group));
	set(object, failed, "engine", name(r->engine));
	set(object, failed, "overcommit_memory", json_integer(r->mode));
	set(object, failed, "sequence", number(r->sequence));
	set(object, failed, "suppressed", number(event_suppressed(e)));
	set(object, failed, "pid", json_integer(r->pid));
	set(object, failed, "tid", json_integer(r->tid));
	set(object, failed, "comm", name(r->comm));
	set(object, failed, "exe", name(*r->exe ? r->exe : NULL));
}

/* The child that was ended, and its parent. */
static json_t *ended_object(const struct refusal *r, int *failed)
{
	json_t *object = json_object();
	char text[24], state[2] = { r->parent_state, '\0' };
	int known = r->parent_state >= 'A' && r->parent_state <= 'z';

	set(object, failed, "signal", json_string(decode_signal(r->signal, text, sizeof(text))));
	set(object, failed, "copied_bytes", number(r->args[1]));
	set(object, failed, "fork_reserve_bytes", number(r->args[2]));
	set(object, failed, "parent_pid", known ? number(r->args[0]) : json_null());
	set(object, failed, "parent_comm", known ? name(r->parent_comm) : json_null());
	set(object, failed, "parent_state", known ? json_string(state) : json_null());
	return object;
}

static void set_decision(json_t *object, const struct refusal *r, int *failed)
{
	int over = r->verdict == VERDICT_OVER_LIMIT;

	set(object, failed, "operation", json_string(operation_name(r->op)));
	set(object, failed, "verdict", json_string(over ? "over_limit" : "obvious"));
	set(object, failed, "requested_bytes", number(r->request_bytes));
	set(object, failed, "committed_bytes", number(r->committed_bytes));
	set(object, failed, "reserved_bytes", number(r->reserved_bytes));
	set(object, failed, "limit_bytes", number(r->limit_bytes));
	set(object, failed, "allowed_bytes", number(r->allowed_bytes));
	set(object, failed, "shortfall_bytes", over ? number(shortfall_bytes(r)) : json_null());
	set(object, failed, "errno", error_object(r->error, failed));
	set(object, failed, "rule", rule_object(r->rule, failed));
	set(object, failed, "ended", r->op == OP_COPY ? ended_object(r, failed) : json_null());
}

int json_write(FILE *out, const struct event *e)
{
	json_t *object = json_object(), *calls = json_array();
	const struct refusal *r = &e->call[0].refusal;
	autofree char *line = NULL;
	int failed = 0;

	set_subject(object, e, &failed);
	set_decision(object, r, &failed);
	for (int i = 0; i < e->nr; i++)
		append(calls, &failed, call_object(&e->call[i].refusal, &failed));
	set(object, &failed, "calls", calls);
	set(object, &failed, "stack", json_stack(&e->call[0].stack, &failed));
	set(object, &failed, "holders", holders_array(r, &failed));

	if (!failed)
		line = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (!line)
		return -ENOMEM;
	fprintf(out, "%s\n", line);
	return 0;
}
