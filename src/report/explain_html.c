/* SPDX-License-Identifier: MIT
 *
 * explain_html: the picture of a record, one page that needs no network.
 *
 * The page is explain_page.html with the data in its midst, as JSON.  Names that
 * the job chose are data there and nothing else: no character of them is one
 * that HTML knows, and the page sets them as text.
 */
#include "report/explain.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "explain_page.h"
#include "report/escape.h"

#define PLACE "@DATA@"

static json_t *number(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *milliseconds(uint64_t time_ns)
{
	return json_real((double)(time_ns / 1000) / 1000.0);
}

static json_t *name(const char *text)
{
	autofree char *valid = escape_text(text);

	return valid ? json_string(valid) : NULL;
}

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

static void set_id(json_t *object, int *failed, uint32_t id, json_t *value)
{
	char key[16];

	snprintf(key, sizeof(key), "%" PRIu32, id);
	set(object, failed, key, value);
}

struct tables {
	struct explain *x;
	json_t *stacks, *frames, *sites, *spaces;
	json_t *frame_index; /* key to number */
	int failed;
};

/* TEXT with MORE behind it; TEXT is taken over. */
static char *append_text(char *text, const char *more)
{
	char *grown = text ? realloc(text, strlen(text) + strlen(more) + 1) : NULL;

	if (!grown)
		free(text);
	return grown ? strcat(grown, more) : NULL;
}

static json_t *frame_pair(const struct frame *f)
{
	const char *slash = f->module ? strrchr(f->module, '/') : NULL;
	const char *module = slash ? slash + 1 : f->module ? f->module : "?";
	char place[64] = "";
	autofree char *what = NULL, *where = NULL;
	const char *file = f->file ? strrchr(f->file, '/') : NULL;
	json_t *pair;
	int failed = 0;

	if (f->symbol) {
		what = escape_text(f->symbol);
	} else {
		snprintf(place, sizeof(place), "+0x%" PRIx64, f->module ? f->offset : f->pc);
		what = escape_text(module);
		what = append_text(what, place);
	}
	if (f->file && asprintf(&where, "%s:%d, %s", file ? file + 1 : f->file, f->line, module) < 0)
		where = NULL;
	else if (!f->file)
		where = strdup(module);
	if (!what || !where)
		return NULL;
	pair = json_array();
	append(pair, &failed, json_string(what));
	append(pair, &failed, name(where));
	if (failed) {
		json_decref(pair);
		return NULL;
	}
	return pair;
}

/* The number of a frame in the table, put there when it is new; -1 without memory. */
static json_int_t frame_number(struct tables *t, const struct frame *f)
{
	json_t *pair = frame_pair(f), *known;
	autofree char *key = pair ? json_dumps(pair, JSON_COMPACT) : NULL;
	json_int_t at = (json_int_t)json_array_size(t->frames);

	if (!key) {
		json_decref(pair);
		return -1;
	}
	known = json_object_get(t->frame_index, key);
	if (known) {
		json_decref(pair);
		return json_integer_value(known);
	}
	append(t->frames, &t->failed, pair);
	set(t->frame_index, &t->failed, key, json_integer(at));
	return at;
}

static void add_stack(struct tables *t, const struct held *held)
{
	const struct stack *stack = stackbook_stack(t->x->book, held->stack);
	autofree char *site = NULL;
	json_t *frames;
	char key[16];

	snprintf(key, sizeof(key), "%" PRIu32, held->stack);
	if (held->stack == 0 || json_object_get(t->stacks, key))
		return;
	frames = json_array();
	for (int i = stack->nr - 1; i >= 0; i--)
		append(frames, &t->failed, json_integer(frame_number(t, &stack->frame[i])));
	set(t->stacks, &t->failed, key, frames);
	site = stack->nr ? explain_site_text(t->x, held) : NULL;
	if (site)
		set(t->sites, &t->failed, key, name(site));
}

static void add_space(struct tables *t, uint32_t id)
{
	const struct journal_space *space = stackbook_space(t->x->book, id);
	json_t *pair;
	char key[16];

	snprintf(key, sizeof(key), "%" PRIu32, id);
	if (!space || json_object_get(t->spaces, key))
		return;
	pair = json_array();
	append(pair, &t->failed, name(space->comm));
	append(pair, &t->failed, json_integer(space->pid));
	set(t->spaces, &t->failed, key, pair);
}

static int by_owner(const void *a, const void *b)
{
	const struct held *x = a, *y = b;

	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	if (x->stack != y->stack)
		return x->stack < y->stack ? -1 : 1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

/* Rows of one owner become one. */
static json_t *rows_array(struct tables *t, struct explain_moment *m)
{
	json_t *rows = json_array();

	qsort(m->held, m->nr, sizeof(*m->held), by_owner);
	for (size_t i = 0; i < m->nr;) {
		struct held sum = m->held[i];
		json_t *row = json_array();

		for (i++; i < m->nr && by_owner(&sum, &m->held[i]) == 0; i++) {
			sum.pages += m->held[i].pages;
			sum.used += m->held[i].used;
		}
		add_stack(t, &sum);
		add_space(t, sum.space);
		append(row, &t->failed, json_integer(sum.space));
		append(row, &t->failed, json_integer(sum.stack));
		append(row, &t->failed, json_integer(sum.kind));
		append(row, &t->failed, number(sum.pages));
		append(row, &t->failed, number(sum.used));
		append(rows, &t->failed, row);
	}
	return rows;
}

static json_t *moments_array(struct tables *t)
{
	json_t *moments = json_array();

	for (size_t i = 0; i < t->x->nr_moments; i++) {
		struct explain_moment *m = &t->x->moment[i];
		json_t *object = json_object();

		set(object, &t->failed, "ms", milliseconds(m->time_ns));
		set(object, &t->failed, "pages", number(m->committed));
		set(object, &t->failed, "peak", json_boolean(m->peak));
		set(object, &t->failed, "rows", rows_array(t, m));
		append(moments, &t->failed, object);
	}
	return moments;
}

static json_t *columns_array(struct tables *t)
{
	json_t *columns = json_array();

	for (size_t i = 0; i < t->x->nr_columns; i++) {
		const struct explain_column *c = &t->x->column[i];
		json_t *column = json_array();

		append(column, &t->failed, milliseconds(c->time_ns));
		append(column, &t->failed, number(c->need));
		append(column, &t->failed, number(c->committed));
		append(column, &t->failed, c->told ? number(c->used) : json_null());
		append(columns, &t->failed, column);
	}
	return columns;
}

static json_t *refused_array(struct tables *t)
{
	json_t *array = json_array();

	for (size_t i = 0; i < t->x->nr_refused; i++) {
		const struct replay_request *q = &t->x->refused[i];
		const struct journal_space *space = stackbook_space(t->x->book, q->r.space);
		char size[BYTES_FORMAT_MAX], text[128];
		json_t *mark = json_array();

		bytes_format(pages_to_bytes(q->asked), size);
		snprintf(text, sizeof(text), "%s of %s by %s", operation_name(q->r.op), size, space ? space->comm : "surety");
		append(mark, &t->failed, milliseconds(q->time_ns));
		append(mark, &t->failed, number(q->need));
		append(mark, &t->failed, name(text));
		append(array, &t->failed, mark);
	}
	return array;
}

static json_t *kinds_object(int *failed)
{
	static const struct held shared = { .kind = HELD_REQUEST };
	json_t *kinds = json_object();

	for (int kind = HELD_REQUEST; kind <= HELD_REST; kind++) {
		const struct held held = { .kind = (enum held_kind)kind, .space = 1 };

		set_id(kinds, failed, (uint32_t)kind, json_string(explain_kind_text(&held)));
	}
	set(kinds, failed, "shared", json_string(explain_kind_text(&shared)));
	return kinds;
}

static json_t *data_object(struct tables *t)
{
	const struct explain *x = t->x;
	bool limited = x->terms->limit_pages != UINT64_MAX && x->terms->replay.mode == OVERCOMMIT_NEVER;
	json_t *object = json_object();
	int *failed = &t->failed;

	set(object, failed, "command", name(x->head.command));
	set(object, failed, "group", name(x->head.group));
	set(object, failed, "kernel", name(x->head.kernel));
	set(object, failed, "started_ms", number(x->head.started_ns / 1000000));
	set(object, failed, "duration_ms", milliseconds(x->duration_ns));
	set(object, failed, "requests", number(x->requests));
	set(object, failed, "complete", json_boolean(x->finished));
	set(object, failed, "peak_pages", number(x->peak.need));
	set(object, failed, "least_pages", number(x->least_pages));
	set(object, failed, "limit_pages", limited ? number(x->terms->limit_pages) : json_null());
	set(object, failed, "refused_count", number(x->refused_count));
	set(object, failed, "refused", refused_array(t));
	set(object, failed, "columns", columns_array(t));
	set(object, failed, "moments", moments_array(t));
	set(object, failed, "kinds", kinds_object(failed));
	set(object, failed, "stacks", json_incref(t->stacks));
	set(object, failed, "sites", json_incref(t->sites));
	set(object, failed, "spaces", json_incref(t->spaces));
	set(object, failed, "frames", json_incref(t->frames));
	return object;
}

/* What could end the script element, or begin another, is written as JSON escapes. */
static void write_data(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<' || *text == '>' || *text == '&')
			fprintf(out, "\\u%04x", (unsigned int)*text);
		else
			fputc(*text, out);
	}
}

int explain_html(FILE *out, struct explain *x)
{
	struct tables t = { x, json_object(), json_array(), json_object(), json_object(), json_object(), 0 };
	const char *place = strstr(explain_page, PLACE);
	json_t *object = data_object(&t);
	autofree char *text = t.failed ? NULL : json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);

	json_decref(object);
	json_decref(t.stacks);
	json_decref(t.frames);
	json_decref(t.sites);
	json_decref(t.spaces);
	json_decref(t.frame_index);
	if (!text || !place)
		return -ENOMEM;
	fwrite(explain_page, 1, (size_t)(place - explain_page), out);
	write_data(out, text);
	fputs(place + strlen(PLACE), out);
	return 0;
}
