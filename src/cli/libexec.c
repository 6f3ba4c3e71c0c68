/* SPDX-License-Identifier: MIT
 *
 * libexec: see the header.
 */
#include "cli/libexec.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

void libexec_find(const char *name, char *buf, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", buf, size - strlen(name) - 1);
	char *slash;

	buf[n < 0 ? 0 : n] = '\0';
	slash = strrchr(buf, '/');
	if (slash) {
		strcpy(slash + 1, name);
		if (access(buf, X_OK) == 0)
			return;
	}
	snprintf(buf, size, "%s/%s", SURETY_LIBEXECDIR, name);
}
