/* SPDX-License-Identifier: MIT
 *
 * surety: parse, dispatch, exit code.  Everything else is in src/cli/.
 */
#include <fcntl.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/parse.h"

/* Whoever starts us may have closed 0, 1 or 2.  The next file to be opened would
 * take that number, and a message would be written into it. */
static int keep_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return -1;
	} while (fd <= STDERR_FILENO);
	return close(fd);
}

static int dispatch(const struct parsed *parsed, struct err *err)
{
	if (parsed->version)
		return cmd_version(err);
	switch (parsed->command) {
#define COMMAND(name, operands, synopsis, summary, description) \
	case COMMAND_##name:                                    \
		return cmd_##name(&parsed->opts.name, err);
#include "cli/commands.def"
#undef COMMAND
	case COMMAND_NR:
		break;
	}
	return err_set(err, EXIT_SURETY, "no command was chosen: this is a bug (please report it)");
}

int main(int argc, char **argv)
{
	struct err err = { .status = EXIT_SURETY };
	struct parsed parsed;
	int status;

	if (keep_standard_fds() < 0)
		return EXIT_SURETY; /* there may be nowhere to say it */
	status = parse_command_line(argc, argv, &parsed, &err);
	if (status == 0)
		status = dispatch(&parsed, &err);
	if (status < 0) {
		err_print(&err);
		return err.status;
	}
	return status;
}
