/* SPDX-License-Identifier: MIT
 *
 * surety top: hands the command line, found to be right, to surety-top, which
 * links the terminal library that surety does not.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/libexec.h"

int cmd_top(const struct top_opts *opts, struct err *err)
{
	char path[PATH_MAX];

	libexec_find("surety-top", path, sizeof(path));
	execv(path, opts->words);
	return err_set(err, EXIT_SURETY, "cannot start 'surety-top': %s (install it beside surety, or use surety ps)",
		       strerror(errno));
}
