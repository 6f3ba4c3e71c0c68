/* SPDX-License-Identifier: MIT
 *
 * value: the argument of one option, read and checked.
 */
#ifndef SURETY_CLI_VALUE_H
#define SURETY_CLI_VALUE_H

#include <sys/types.h>

#include "base/err.h"
#include "cli/opts.h"
#include "cli/table.h"

/* A word of the user's for an error line: cut, with nothing that would break
 * the line or act on a terminal. */
struct quoted {
	char text[68];
};

struct quoted quote_word(const char *word);

/* Stores ARGUMENT (NULL for a flag) in the member of OPTS that ROW names.
 * Returns 0, or -1 with ERR set and OPTS untouched. */
int value_store(const struct option_row *row, const char *argument, union opts *opts, struct err *err);

/* A word that must be the id of a process.  Returns 0, or -1 with ERR set. */
int value_pid(const char *word, pid_t *ret, struct err *err);

/* Gives every option of COMMAND its default. */
int value_preset(enum command_id command, union opts *opts, struct err *err);

#endif
