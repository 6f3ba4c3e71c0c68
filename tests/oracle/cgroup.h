/* SPDX-License-Identifier: MIT
 *
 * cgroup: a cgroup of this script's own, which the bpf engine limits: what
 * `surety attach` does for an administrator.  Only in a test guest.
 *
 * What the engine holds is read from its pinned table, and each process's part is
 * compared with its mappings by the engine's own reading, as `surety audit` does:
 * with one system call each, so that it can be done at every rest.
 *
 * All of it ends the program where it fails.
 */
#ifndef TESTS_ORACLE_CGROUP_H
#define TESTS_ORACLE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "model/script.h"

/* Makes the cgroup, and sets the host's mode: 0, or 1 where the script may be
 * granted more than this machine has. */
void cgroup_open(const struct script_settings *settings);

/* Moves the caller into it; false where that fails.  For a vfork child: no
 * allocation, nothing is printed. */
bool cgroup_enter(void);

/* Limits it as SETTINGS say, above the HELD bytes of the processes that are in it,
 * by SURETY, a program. */
void cgroup_limit(const char *surety, const struct script_settings *settings, uint64_t held);

/* What the engine holds for it, in bytes. */
int64_t cgroup_held(void);

/* How often something went another way than it should since it was limited (struct
 * surety_faults); as of the last call of cgroup_held(). */
uint64_t cgroup_faults(void);

/* By how much the engine's figure for PID is not what its mappings say, in bytes. */
int64_t cgroup_drift(pid_t pid);

/* Removes it when nobody is in it any more.  Returns the bytes that were held to the
 * last: 0, or it is a defect. */
int64_t cgroup_close(void);

#endif
