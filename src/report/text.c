/* SPDX-License-Identifier: MIT
 *
 * text: see text.h.  The first line stands alone; what follows is indented, so
 * that reports are found in a job's own output.  Names that the job chose are
 * escaped, always: the reader is a terminal.
 */
#include "report/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "report/allocator.h"
#include "report/decode.h"
#include "report/escape.h"
#include "report/shortfall.h"

enum { TEXT_CALL = 512, TEXT_PATH = 40 };

void text_name(FILE *out, const char *name)
{
	autofree char *safe = escape_text(name);

	fputs(safe ? safe : "?", out);
}

static void put_label(FILE *out, const char *label)
{
	fprintf(out, "  %-8s ", label);
}

/* "Committed_AS 12.3M + 512M would pass CommitLimit 256M" */
static void put_reason(FILE *out, const struct refusal *r)
{
	char request[BYTES_FORMAT_MAX], committed[BYTES_FORMAT_MAX], reserved[BYTES_FORMAT_MAX];
	char limit[BYTES_FORMAT_MAX], allowed[BYTES_FORMAT_MAX];

	bytes_format(r->request_bytes, request);
	bytes_format(r->committed_bytes, committed);
	bytes_format(r->reserved_bytes, reserved);
	bytes_format(r->limit_bytes, limit);
	bytes_format(r->allowed_bytes, allowed);

	if (r->verdict == VERDICT_OBVIOUS) {
		fprintf(out, "%s at once is more than RAM plus swap", request);
		return;
	}
	fprintf(out, "Committed_AS %s", committed);
	if (r->reserved_bytes)
		fprintf(out, " + %s promised", reserved);
	fprintf(out, " + %s would pass CommitLimit %s", request, limit);
	if (r->allowed_bytes != r->limit_bytes)
		fprintf(out, " (%s less reserves)", allowed);
}

/* "ended by SIGTERM after 38.1M of copies: " */
static void put_ended(FILE *out, const struct refusal *r)
{
	char signal[24], copied[BYTES_FORMAT_MAX];

	fprintf(out, "surety: ended by %s after %s of copies: ", decode_signal(r->signal, signal, sizeof(signal)),
		bytes_format(r->args[1], copied));
}

static void put_headline(FILE *out, const struct event *e)
{
	const struct refusal *r = &e->call[0].refusal;
	char request[BYTES_FORMAT_MAX];

	if (r->op == OP_COPY)
		put_ended(out, r);
	else
		fprintf(out, "surety: refused %s of %s: ", operation_name(r->op), bytes_format(r->request_bytes, request));
	text_name(out, r->comm);
	fprintf(out, "[%d] in group '", (int)r->pid);
	text_name(out, r->group);
	fputs("': ", out);
	put_reason(out, r);
	fputc('\n', out);
}

static void put_time(FILE *out, const struct refusal *r)
{
	time_t seconds = (time_t)(r->time_ns / 1000000000);
	struct tm tm;
	char when[32] = "?", zone[8] = "";

	if (localtime_r(&seconds, &tm)) {
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		(void)strftime(zone, sizeof(zone), "%z", &tm);
	}
	put_label(out, "time");
	fprintf(out, "%s.%06u %s   refusal %" PRIu64 " of the group\n", when,
		(unsigned int)(r->time_ns % 1000000000 / 1000), zone, r->sequence);
}

static void put_process(FILE *out, const struct refusal *r)
{
	put_label(out, "process");
	fprintf(out, "%d", (int)r->pid);
	if (r->tid != r->pid)
		fprintf(out, " thread %d", (int)r->tid);
	fputs(" (", out);
	text_name(out, r->comm);
	fputs(") ", out);
	text_name(out, *r->exe ? r->exe : "?");
	fputc('\n', out);
	put_label(out, "group");
	text_name(out, r->group);
	fprintf(out, ", overcommit_memory %d, engine ", (int)r->mode);
	text_name(out, r->engine);
	fputc('\n', out);
}

static void put_calls(FILE *out, const struct event *e)
{
	uint64_t more = event_suppressed(e);

	for (int i = 0; i < e->nr; i++) {
		const struct refusal *r = &e->call[i].refusal;
		struct decoded decoded;
		char call[TEXT_CALL], error[24];

		decode_call(r, &decoded);
		put_label(out, i ? "" : "call");
		fprintf(out, "%s = %s", decode_text(&decoded, call, sizeof(call)),
			r->op == OP_COPY ? decode_signal(r->signal, error, sizeof(error)) :
					   decode_errno(r->error, error, sizeof(error)));
		if (!strcmp(decoded.abi, "i386") || !strcmp(decoded.abi, "x32"))
			fprintf(out, " (%s)", decoded.abi);
		fputc('\n', out);
	}
	if (more) {
		put_label(out, "");
		fprintf(out, "and %" PRIu64 " more like it\n", more);
	}
}

/* Whom the child that was ended belonged to. */
static void put_parent(FILE *out, const struct refusal *r)
{
	if (r->op != OP_COPY)
		return;
	put_label(out, "parent");
	if (!r->parent_state) {
		fputs("gone\n", out);
		return;
	}
	fprintf(out, "%d (", (int)r->args[0]);
	text_name(out, r->parent_comm);
	fprintf(out, ") goes on, %s\n", r->parent_state == 'R' ? "running" :
					r->parent_state == 'S' || r->parent_state == 'D' ? "sleeping" :
					r->parent_state == 'T' || r->parent_state == 't' ? "stopped" :
											  "ended");
}

/* The end of a long path, whole components. */
static const char *path_tail(const char *path, size_t max)
{
	const char *tail = path;
	size_t len = strlen(path);

	while (len - (size_t)(tail - path) > max) {
		const char *slash = strchr(tail + 1, '/');

		if (!slash)
			break;
		tail = slash;
	}
	return tail;
}

static void put_source(FILE *out, const struct frame *f)
{
	const char *tail = path_tail(f->file, TEXT_PATH);

	fputs(tail == f->file ? " at " : " at ...", out);
	text_name(out, tail);
	if (f->line)
		fprintf(out, ":%d", f->line);
}

/* The line of the program that asked, if the allocator was told apart. */
static void put_caller(FILE *out, const struct stack *s)
{
	int outer = allocator_outer(s);
	const struct frame *f;

	if (outer == s->nr)
		return;
	f = &s->frame[outer];
	put_label(out, "caller");
	text_name(out, f->symbol ? f->symbol : f->module ? f->module : "?");
	if (f->file)
		put_source(out, f);
	fprintf(out, "   (frame %d)\n", outer);
}

static void put_rule(FILE *out, const struct refusal *r)
{
	put_label(out, "rule");
	fprintf(out, "%s %s\n", rule_id(r->rule), rule_text(r->rule));
}

static void put_amount(FILE *out, const char *name, uint64_t bytes)
{
	char people[BYTES_FORMAT_MAX];

	fprintf(out, "    %-14s%14" PRIu64 " kB %10s\n", name, pages_to_kib(bytes_to_pages(bytes)),
		bytes_format(bytes, people));
}

static void put_amounts(FILE *out, const struct refusal *r)
{
	uint64_t shortfall = shortfall_bytes(r);

	fputc('\n', out);
	if (r->op == OP_COPY) {
		put_amount(out, "copied", r->args[1]);
		put_amount(out, "fork reserve", r->args[2]);
	}
	put_amount(out, "requested", r->request_bytes);
	put_amount(out, "Committed_AS", r->committed_bytes);
	if (r->reserved_bytes)
		put_amount(out, "promised", r->reserved_bytes);
	put_amount(out, "CommitLimit", r->limit_bytes);
	if (r->allowed_bytes != r->limit_bytes)
		put_amount(out, "less reserves", r->allowed_bytes);
	if (shortfall)
		put_amount(out, "short by", shortfall);
}

static void put_module_offset(FILE *out, const struct frame *f)
{
	const char *slash = strrchr(f->module, '/');

	fputs(" (", out);
	text_name(out, slash ? slash + 1 : f->module);
	fprintf(out, "+0x%" PRIx64 ")", f->offset);
}

static void put_frame(FILE *out, int nr, const struct frame *f)
{
	char address[24];

	if (f->inlined)
		(void)snprintf(address, sizeof(address), "inlined");
	else
		(void)snprintf(address, sizeof(address), "0x%" PRIx64, f->pc);
	fprintf(out, "    #%-3d%-15s", nr, address);
	text_name(out, f->symbol ? f->symbol : "?");
	if (f->symbol && !f->inlined)
		fprintf(out, "+0x%" PRIx64, f->symbol_offset);
	if (f->file)
		put_source(out, f);
	if (f->module && !f->inlined)
		put_module_offset(out, f);
	fputc('\n', out);
}

void text_stack(FILE *out, const struct stack *s)
{
	for (int i = 0; i < s->nr; i++)
		put_frame(out, i, &s->frame[i]);
	if (!s->nr)
		fputs("    not available\n", out);
	else if (s->end == UNWIND_LIMIT)
		fputs("    ... more frames\n", out);
	else if (s->end == UNWIND_CUT)
		fputs("    ... goes on beyond the part of the stack that was copied\n", out);
	else if (s->end == UNWIND_LOST)
		fputs("    ... no unwind information leads further\n", out);
}

/* Each file of the stack once, for whoever resolves the offsets elsewhere. */
static void put_modules(FILE *out, const struct stack *s)
{
	const char *title = "\n  modules\n";

	for (int i = 0; i < s->nr; i++) {
		const struct frame *f = &s->frame[i];
		int seen = 0;

		for (int j = 0; j < i && f->module && !seen; j++)
			seen = s->frame[j].module && !strcmp(s->frame[j].module, f->module);
		if (!f->module || seen)
			continue;
		fprintf(out, "%s    %-40s ", title, f->build_id ? f->build_id : "(no build-id)");
		text_name(out, f->module);
		fputc('\n', out);
		title = "";
	}
}

static void put_holders(FILE *out, const struct refusal *r)
{
	if (!r->nr_holders)
		return;
	fprintf(out, "\n  largest holders\n    %14s %8s  %s\n", "Committed_AS", "PID", "COMMAND");
	for (uint32_t i = 0; i < r->nr_holders; i++) {
		const struct refusal_holder *h = &r->holders[i];

		fprintf(out, "    %11" PRIu64 " kB ", pages_to_kib(bytes_to_pages(h->bytes)));
		if (h->pid) {
			fprintf(out, "%8d  ", (int)h->pid);
			text_name(out, h->comm);
		} else {
			fprintf(out, "%8s  shared memory", "-");
		}
		fputc('\n', out);
	}
}

void text_write(FILE *out, const struct event *e)
{
	const struct refusal *r = &e->call[0].refusal;

	put_headline(out, e);
	put_time(out, r);
	put_process(out, r);
	put_calls(out, e);
	put_parent(out, r);
	put_caller(out, &e->call[0].stack);
	put_rule(out, r);
	put_amounts(out, r);
	fputs("\n  stack\n", out);
	text_stack(out, &e->call[0].stack);
	put_modules(out, &e->call[0].stack);
	put_holders(out, r);
	fputc('\n', out);
}
