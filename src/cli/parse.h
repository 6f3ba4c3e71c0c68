/* SPDX-License-Identifier: MIT
 *
 * parse: words of the command line to struct opts.
 */
#ifndef SURETY_CLI_PARSE_H
#define SURETY_CLI_PARSE_H

#include <stdbool.h>

#include "base/err.h"
#include "cli/opts.h"
#include "cli/table.h"

struct parsed {
	enum command_id command;
	bool version; /* --version stands in place of a command; the rest is void */
	union opts opts;
};

/* Reads the whole command line; opens and starts nothing.  A request for help
 * in any form becomes the command help.  The strings in *RET are borrowed from
 * ARGV.  Returns 0, or -1 with ERR set: status 125, or 127 where the command to
 * run is an empty word. */
int parse_command_line(int argc, char **argv, struct parsed *ret, struct err *err);

#endif
