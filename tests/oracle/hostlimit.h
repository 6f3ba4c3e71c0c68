/* SPDX-License-Identifier: MIT
 *
 * hostlimit: the kernel itself as the one that refuses, by its sysctls.
 *
 * Only in a test guest: every function ends the program elsewhere (the word
 * surety.guest on the kernel's command line says where).
 */
#ifndef TESTS_ORACLE_HOSTLIMIT_H
#define TESTS_ORACLE_HOSTLIMIT_H

#include "model/script.h"

/* Mode 0 without reserves, for the start. */
void hostlimit_open(void);

/* The script's own, above what is committed now.  A `ratio` is set first, to
 * compare the CommitLimit that the kernel makes of it with the formula; what
 * remains set is the same number of bytes by overcommit_kbytes. */
void hostlimit_set(const struct script_settings *settings);

/* The same without a limit of the host's own: mode 0 or 1. */
void hostlimit_mode(int mode);

/* Writes the mode again: the kernel then folds its per-CPU counts into the one
 * that it compares (mm/util.c overcommit_policy_handler, sync_overcommit_as), so
 * that the next request of a batch or more is decided exactly. */
void hostlimit_fold(void);

#endif
