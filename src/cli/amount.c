/* SPDX-License-Identifier: MIT
 *
 * amount: see the header.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/amount.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "report/escape.h"

json_t *name_json(const char *name)
{
	autofree char *safe = name[0] ? escape_utf8(name) : NULL;

	return safe ? json_string(safe) : json_null();
}

int output_end(struct err *err)
{
	if (fflush(stdout) || ferror(stdout))
		return err_set(err, EXIT_SURETY, "cannot write 'standard output': %s (is the disk full?)", strerror(errno));
	return 0;
}
