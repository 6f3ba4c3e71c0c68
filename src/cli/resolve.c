/* SPDX-License-Identifier: MIT
 *
 * resolve: see the header.
 */
#include "cli/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/bin:/usr/bin" /* execvp(3), where PATH is unset */

/* 0, or the errno that execve would give. */
static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

static int cannot(const char *name, int error, struct err *err)
{
	if (error == ENOENT || error == ENOTDIR)
		return err_set(err, EXIT_NOT_FOUND, "cannot run '%s': not found (check the name and PATH)", name);
	if (error == EISDIR)
		return err_set(err, EXIT_CANNOT_EXEC, "cannot run '%s': it is a directory (name a program)", name);
	return err_set(err, EXIT_CANNOT_EXEC, "cannot run '%s': %s (is it executable?)", name, strerror(error));
}

static int search(const char *name, char *buf, size_t size, struct err *err)
{
	const char *path = getenv("PATH");
	int found = ENOENT;

	if (!path)
		path = DEFAULT_PATH;
	for (;;) {
		size_t len = strcspn(path, ":");
		int n = len ? snprintf(buf, size, "%.*s/%s", (int)len, path, name) : snprintf(buf, size, "./%s", name);
		int error = n < 0 || (size_t)n >= size ? ENAMETOOLONG : executable(buf);

		if (error == 0)
			return 0;
		if (error == EACCES) /* execvp(3) goes on, and remembers */
			found = EACCES;
		if (!path[len])
			return cannot(name, found, err);
		path += len + 1;
	}
}

int resolve_command(const char *name, char *buf, size_t size, struct err *err)
{
	int error;

	if (!strchr(name, '/') && name[0])
		return search(name, buf, size, err);
	if ((size_t)snprintf(buf, size, "%s", name) >= size)
		return cannot(name, ENAMETOOLONG, err);
	error = executable(buf);
	return error ? cannot(name, error, err) : 0;
}
