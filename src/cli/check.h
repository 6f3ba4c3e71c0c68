/* SPDX-License-Identifier: MIT
 *
 * check: the verdict on a host, as text or as JSON (schema surety.check/1).
 */
#ifndef SURETY_CLI_CHECK_H
#define SURETY_CLI_CHECK_H

#include "base/err.h"
#include "cli/opts.h"
#include "core/forecast.h"
#include "look/look.h"

struct check_view {
	const struct check_opts *opts;
	struct look *look; /* the rows may be sorted anew */
	struct forecast_in in;
	struct forecast f;
	struct forecast rebooted; /* without what nobody holds */
	int64_t unheld_pages;
	bool certain; /* nothing that matters was out of reach */
};

void check_print_text(const struct check_view *view);
void check_print_json(const struct check_view *view);

/* "lives", "raise", "beyond" */
const char *check_outlook(enum outlook outlook);

/* Runs a command without refusing anything; tells its peak and the limit that
 * it needs on standard error.  Its exit status, or -1 with ERR. */
int check_command(const struct check_opts *opts, struct err *err);

#endif
