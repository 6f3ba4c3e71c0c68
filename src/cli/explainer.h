/* SPDX-License-Identifier: MIT
 *
 * explainer: surety-explain, which reads a record and has the unwinder.
 */
#ifndef SURETY_CLI_EXPLAINER_H
#define SURETY_CLI_EXPLAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cli/opts.h"

/* Becomes it, for `surety explain`.  Returns only on failure: -1 with ERR set. */
int explainer_become(const struct explain_opts *opts, struct err *err);

/* Runs it over the record at PATH and waits: where the peak comes from, in
 * people's words, on standard error.  Returns 0 or -1 with ERR set. */
int explainer_tell_peak(const char *path, struct err *err);

#endif
