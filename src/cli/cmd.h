/* SPDX-License-Identifier: MIT
 *
 * cmd: the commands themselves, one file each.
 *
 * Each does what its options ask for and returns the exit status of surety, or
 * -1 with ERR set, which main prints and whose status it returns.
 */
#ifndef SURETY_CLI_CMD_H
#define SURETY_CLI_CMD_H

#include "base/err.h"
#include "cli/opts.h"

#define COMMAND(name, operands, synopsis, summary, description) \
	int cmd_##name(const struct name##_opts *opts, struct err *err);
#include "cli/commands.def"
#undef COMMAND

/* surety --version. */
int cmd_version(struct err *err);

#endif
