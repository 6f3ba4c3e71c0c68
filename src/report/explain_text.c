/* SPDX-License-Identifier: MIT
 *
 * explain_text: what a record says, for people.  Names that the job chose are
 * escaped, always: the reader is a terminal.
 */
#include "report/explain.h"

#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/bytes.h"
#include "report/text.h"

enum { SITES_SHOWN = 20, SITES_PART = 200 /* one that holds less is not shown */ };

static void put_bytes(FILE *out, uint64_t pages)
{
	char text[BYTES_FORMAT_MAX];

	fputs(bytes_format(pages_to_bytes(pages), text), out);
}

/* As --limit takes it, without loss. */
static void put_limit(FILE *out, uint64_t pages)
{
	if (pages % 256 == 0)
		fprintf(out, "%" PRIu64 "M", pages / 256);
	else
		fprintf(out, "%" PRIu64 "K", pages_to_kib(pages));
}

static void put_seconds(FILE *out, uint64_t time_ns)
{
	fprintf(out, "%" PRIu64 ".%03" PRIu64 " s", time_ns / 1000000000, time_ns / 1000000 % 1000);
}

static void put_end(FILE *out, const struct explain *x)
{
	int status = x->finish.status;

	if (!x->finished)
		fputs("its end is not in the record", out);
	else if (WIFSIGNALED(status))
		fprintf(out, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		fprintf(out, "ended by exit status %d", WEXITSTATUS(status));
}

static void put_record(FILE *out, const struct explain *x)
{
	time_t seconds = (time_t)(x->head.started_ns / 1000000000);
	struct tm tm;
	char when[40] = "?";

	if (localtime_r(&seconds, &tm))
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z", &tm);
	fputs("record   ", out);
	text_name(out, x->head.command);
	fputs("\n         group '", out);
	text_name(out, x->head.group);
	fprintf(out, "', %s, Linux ", when);
	text_name(out, x->head.kernel);
	fputs("\n         ", out);
	put_seconds(out, x->duration_ns);
	fprintf(out, ", %" PRIu64 " request%s, ", x->requests, x->requests == 1 ? "" : "s");
	put_end(out, x);
	fputc('\n', out);
	if (x->left_out)
		fprintf(out, "         the file was full: %" PRIu64 " requests that raise no peak were left out\n", x->left_out);
	if (x->refused_in_run)
		fprintf(out, "         %" PRIu64 " request%s refused in this run already: what would have followed is not known\n",
			x->refused_in_run, x->refused_in_run == 1 ? " was" : "s were");
}

/* "mmap of 64M by ingest[2889] at 1.204 s: Committed_AS 250.1M + 64M" */
static void put_request(FILE *out, const struct explain *x, const struct replay_request *q)
{
	const struct journal_space *space = stackbook_space(x->book, q->r.space);

	fprintf(out, "%s of ", operation_name(q->r.op));
	put_bytes(out, q->asked);
	if (space) {
		fputs(" by ", out);
		text_name(out, space->comm);
		fprintf(out, "[%d]", (int)space->pid);
	} else {
		fputs(" to start the command", out);
	}
	fputs(" at ", out);
	put_seconds(out, q->time_ns);
	fputs(": Committed_AS ", out);
	put_bytes(out, q->held);
	fputs(" + ", out);
	put_bytes(out, q->asked);
}

static void put_where(FILE *out, struct explain *x, const struct replay_request *q)
{
	const struct stack *stack = stackbook_stack(x->book, q->r.stack);

	fprintf(out, "         %s %s\n", rule_id(q->r.rule), rule_text(q->r.rule));
	if (q->r.stack)
		text_stack(out, stack);
	else if (q->r.space)
		fputs("    no stack was taken\n", out);
}

static void put_given_limit(FILE *out, struct explain *x)
{
	if (x->terms->limit_pages == UINT64_MAX && x->terms->replay.mode != OVERCOMMIT_GUESS)
		return;
	fputs("\nlimit    ", out);
	if (x->terms->replay.mode == OVERCOMMIT_NEVER)
		put_limit(out, x->terms->limit_pages);
	else
		fprintf(out, "overcommit_memory %d", (int)x->terms->replay.mode);
	if (!x->first.r.number) {
		fputs(" refuses nothing\n", out);
		return;
	}
	fputs(" refuses, and first: ", out);
	put_request(out, x, &x->first);
	fputs(" would pass it\n", out);
	put_where(out, x, &x->first);
}

static void put_least(FILE *out, struct explain *x)
{
	if (!x->peak.r.number) {
		fputs("\npeak     nothing was asked for\n", out);
		return;
	}
	if (x->least_pages) {
		fputs("\nleast    --limit ", out);
		put_limit(out, x->least_pages);
		fputs(" refuses nothing; one page less does\n", out);
	} else {
		fputc('\n', out);
	}
	fputs("peak     ", out);
	put_request(out, x, &x->peak);
	fputc('\n', out);
	put_where(out, x, &x->peak);
}

static void put_sites(FILE *out, const struct explain *x)
{
	uint64_t sum = 0, shown = 0;

	for (size_t i = 0; i < x->nr_sites; i++)
		sum += x->site[i].held.pages;
	if (!sum)
		return;
	fprintf(out, "\nheld at the peak\n%14s %6s %14s  %-15s %s\n", "Committed_AS", "part", "unused", "COMMAND", "CALL SITE");
	for (size_t i = 0; i < x->nr_sites && i < SITES_SHOWN; i++) {
		const struct explain_site *site = &x->site[i];
		char comm[REFUSAL_COMM + 16];

		if (site->held.pages < sum / SITES_PART)
			break;
		shown += site->held.pages;
		fprintf(out, "%11" PRIu64 " kB %4" PRIu64 " %% %11" PRIu64 " kB  ", pages_to_kib(site->held.pages),
			(site->held.pages * 100 + sum / 2) / sum, pages_to_kib(site->held.pages - site->held.used));
		snprintf(comm, sizeof(comm), site->spaces > 1 ? "%s (%u)" : "%s", site->comm, site->spaces);
		text_name(out, comm);
		fprintf(out, "%*s ", (int)(strlen(comm) < 15 ? 15 - strlen(comm) : 0), "");
		text_name(out, site->text);
		fputc('\n', out);
	}
	if (shown < sum)
		fprintf(out, "%11" PRIu64 " kB         %14s  in smaller parts\n", pages_to_kib(sum - shown), "");
}

static void put_steps(FILE *out, const struct explain *x)
{
	if (!x->least_pages)
		return;
	fprintf(out, "\nas the limit falls\n%14s %6s %10s %14s  %s\n", "CommitLimit", "part", "refused", "asked for",
		"FIRST REFUSED");
	for (int i = 0; i < EXPLAIN_STEPS; i++) {
		const struct explain_step *step = &x->step[i];

		fprintf(out, "%11" PRIu64 " kB %4" PRIu64 " %% %10" PRIu64 " %11" PRIu64 " kB  ", pages_to_kib(step->limit_pages),
			step->percent, step->refused, pages_to_kib(step->refused_pages));
		if (step->refused) {
			const struct journal_space *space = stackbook_space(x->book, step->first.r.space);

			put_seconds(out, step->first.time_ns);
			fprintf(out, " %s of ", operation_name(step->first.r.op));
			put_bytes(out, step->first.asked);
			if (space) {
				fputs(" by ", out);
				text_name(out, space->comm);
			}
		} else {
			fputc('-', out);
		}
		fputc('\n', out);
	}
}

void explain_text(FILE *out, struct explain *x)
{
	put_record(out, x);
	put_given_limit(out, x);
	put_least(out, x);
	put_sites(out, x);
	put_steps(out, x);
}

void explain_check(FILE *out, struct explain *x)
{
	const struct stack *stack = stackbook_stack(x->book, x->peak.r.stack);

	if (!x->peak.r.number)
		return;
	fputs("peak     ", out);
	put_request(out, x, &x->peak);
	fputc('\n', out);
	text_stack(out, stack);
	put_sites(out, x);
}
