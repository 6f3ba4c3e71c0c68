/* SPDX-License-Identifier: MIT
 *
 * run_fork: the group's fork policies, from the options.
 */
#ifndef SURETY_CLI_RUN_FORK_H
#define SURETY_CLI_RUN_FORK_H

#include "base/err.h"
#include "cli/opts.h"
#include "core/forkpolicy.h"

/* Returns 0, or -1 with ERR set. */
int run_fork(const struct run_opts *opts, struct fork_policies *ret, struct err *err);

#endif
