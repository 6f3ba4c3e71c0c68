/* SPDX-License-Identifier: MIT
 *
 * ps: what was seen of the host, as text or as JSON (schema surety.ps/1).
 */
#ifndef SURETY_CLI_PS_H
#define SURETY_CLI_PS_H

#include "cli/opts.h"
#include "look/look.h"
#include "look/users.h"

/* GROUP is NULL for a row a process. */
struct ps_view {
	const struct ps_opts *opts;
	const struct look *look;
	const struct look_group *group;
	size_t nr_groups;
	bool whole; /* nothing was left out: the host's own figures mean something */
	struct users users;
};

void ps_print_text(const struct ps_view *view);
void ps_print_json(const struct ps_view *view);

/* What Committed_AS has and nobody seen holds; negative where more was counted. */
int64_t ps_unheld_pages(const struct ps_view *view);

/* "anonymous", "sysv", ... */
const char *ps_object_kind(enum look_object_kind kind);

#endif
