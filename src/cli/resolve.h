/* SPDX-License-Identifier: MIT
 *
 * resolve: the program that a command name stands for, before anything starts.
 */
#ifndef SURETY_CLI_RESOLVE_H
#define SURETY_CLI_RESOLVE_H

#include <stddef.h>

#include "base/err.h"

/* As execvp(3) would find NAME: by PATH unless it has a slash.  BUF gets the
 * path.  Returns 0, or -1 with ERR set: status 127 when it is not found, 126
 * when what is found cannot be executed. */
int resolve_command(const char *name, char *buf, size_t size, struct err *err);

#endif
