/* SPDX-License-Identifier: MIT
 *
 * explain: what a record says about limits, as data for people, JSON and a page.
 */
#ifndef SURETY_REPORT_EXPLAIN_H
#define SURETY_REPORT_EXPLAIN_H

#include <stdio.h>

#include "report/holdings.h"
#include "report/replay.h"
#include "report/stackbook.h"

enum {
	EXPLAIN_STEPS = 11,
	EXPLAIN_COLUMNS = 1200, /* of the picture over time, at most */
	EXPLAIN_REFUSED = 500,  /* requests that are marked in it, at most */
	EXPLAIN_MOMENTS = 120,  /* at which it is told what is held, at most */
};

struct explain_terms {
	const char *path;
	struct replay_terms replay;
	uint64_t limit_pages; /* UINT64_MAX: none was given */
	bool picture;         /* columns and moments are wanted too */
};

/* What the limit at some part of the least one comes to. */
struct explain_step {
	uint64_t percent, limit_pages;
	uint64_t refused, refused_pages;
	struct replay_request first; /* where refused is not 0 */
};

/* Memory that is held from one place. */
struct explain_site {
	struct held held;    /* pages and used are sums */
	const char *comm;    /* of the process, "" where it is of nobody */
	unsigned int spaces; /* address spaces that hold it */
	char *text;          /* "table_grow at ingest.c:8", or what kind of memory it is */
};

/* One column: the highest need in it, and what was there at its end. */
struct explain_column {
	uint64_t time_ns, need, committed, used;
	bool told; /* used was */
};

struct explain_moment {
	uint64_t time_ns, committed;
	bool peak;
	struct held *held;
	size_t nr;
};

struct explain {
	const struct explain_terms *terms;
	struct journal_head head;
	struct stackbook *book;
	bool cut, finished;
	struct journal_finish finish;
	uint64_t duration_ns;
	uint64_t requests, left_out; /* in the record; missing between them */
	uint64_t refused_in_run;
	struct replay_request peak; /* the highest need; number 0: there was no request */
	struct replay_request first; /* refused by the limit that was given; number 0: none */
	uint64_t least_pages;        /* least limit that refuses nothing, 0: any does */
	struct explain_step step[EXPLAIN_STEPS];
	struct explain_site *site; /* at the peak, the largest first */
	size_t nr_sites;
	struct explain_column *column;
	size_t nr_columns;
	struct replay_request *refused; /* by the limit given, the first of them */
	size_t nr_refused;
	uint64_t refused_count;         /* all of them */
	struct explain_moment *moment;
	size_t nr_moments;
};

/* Reads the record of FD.  Returns 0 or -1 with ERR set; explain_done() frees in
 * both cases. */
int explain_read(struct explain *x, int fd, const struct explain_terms *terms, struct err *err);
void explain_done(struct explain *x);

/* What kind of memory it is, where no stack tells. */
const char *explain_kind_text(const struct held *held);

/* Where a held row comes from, in a word or two; to free, NULL without memory. */
char *explain_site_text(struct explain *x, const struct held *held);

void explain_text(FILE *out, struct explain *x);
int explain_json(FILE *out, struct explain *x); /* 0 or -ENOMEM */
int explain_html(FILE *out, struct explain *x); /* likewise */

/* For surety check -- CMD: the peak, where it comes from, and the limit that it needs. */
void explain_check(FILE *out, struct explain *x);

#endif
