/* SPDX-License-Identifier: MIT
 *
 * facts: what every report says of a process and of its group.
 */
#ifndef SURETY_ENGINE_SECCOMP_FACTS_H
#define SURETY_ENGINE_SECCOMP_FACTS_H

#include "engine/seccomp/group.h"

/* Fills R, zeroed before, but for the operation, the call, the request and the
 * rule.  NAME is the group's. */
void facts_of(const struct group *g, const char *name, pid_t pid, pid_t tid, struct refusal *r);

#endif
