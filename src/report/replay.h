/* SPDX-License-Identifier: MIT
 *
 * replay: a record, judged by another limit than the one it was made under.
 *
 * A run is the same up to the first request that is refused; what a program does
 * then is not in the record.  So the first refusal at a limit, and the least limit
 * without one, are exact; the number of refusals below it counts the requests
 * of this run that would not have fitted.
 */
#ifndef SURETY_REPORT_REPLAY_H
#define SURETY_REPORT_REPLAY_H

#include <stdbool.h>

#include "base/err.h"
#include "core/journal.h"
#include "report/journal_read.h"

/* What is decided by. */
struct replay_terms {
	enum overcommit mode;
	uint64_t fork_percent; /* of its charge, for a child until it calls execve; 100: all */
};

/* A request with what the terms make of it. */
struct replay_request {
	struct journal_request r;
	uint64_t time_ns;
	uint64_t held; /* pages before it, reserved ones too */
	uint64_t asked;
	uint64_t need; /* of both; what a limit has to exceed */
};

/* Called for every event in its order; REQUEST is NULL but for requests.
 * Non-zero stops. */
typedef int replay_fn(void *ctx, const struct journal_event *event, const struct replay_request *request);

/* Runs over FD from its start.  Returns 0, what FN returned, or -1 with ERR set.
 * *RET_CUT (may be NULL): the record has no end. */
int replay_run(int fd, const char *path, const struct replay_terms *terms, replay_fn *fn, void *ctx, bool *ret_cut,
	       struct err *err);

/* Whether a group with LIMIT_PAGES refuses it.  HEAD tells RAM and swap, for mode 0. */
bool replay_refused(const struct replay_terms *terms, const struct journal_head *head, uint64_t limit_pages,
		    const struct replay_request *request);

/* The front alone.  Returns 0 or -1 with ERR set. */
int replay_head(int fd, const char *path, struct journal_head *ret, struct err *err);

#endif
