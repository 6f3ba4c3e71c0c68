/* SPDX-License-Identifier: MIT
 *
 * run_limit: the group's sysctls, from the options and the machine.
 */
#ifndef SURETY_CLI_RUN_LIMIT_H
#define SURETY_CLI_RUN_LIMIT_H

#include "base/err.h"
#include "cli/opts.h"
#include "core/limit.h"

/* Looks at cgroups and meminfo only for what the options leave open.
 * Returns 0, or -1 with ERR set. */
int run_limit(const struct run_opts *opts, struct limit *ret, struct err *err);

#endif
