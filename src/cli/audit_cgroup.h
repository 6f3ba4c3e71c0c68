/* SPDX-License-Identifier: MIT
 *
 * audit_cgroup: surety audit of a limited cgroup.
 */
#ifndef SURETY_CLI_AUDIT_CGROUP_H
#define SURETY_CLI_AUDIT_CGROUP_H

#include <stdbool.h>

#include "base/err.h"

/* Prints ledger and kernel of every process that is in it or below.  Returns 0
 * where they agree, 1 where they do not, or -1 with ERR set. */
int audit_cgroup(const char *path, bool json, struct err *err);

#endif
