/* SPDX-License-Identifier: MIT
 *
 * err: making and printing the one line that a failure gets.
 *
 * Must not allocate.  A line is one write(2), so that lines of several processes
 * do not mix; control characters in it (a file name may hold any) become '?', so
 * that a line stays one line and a terminal obeys nobody's file names.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char prefix[] = "surety: ";

enum { LINE_MAX_BYTES = sizeof(prefix) + sizeof(((struct err *)NULL)->text) };

/* LINE has room for one character more: the newline replaces its NUL. */
static void line_write(char *line)
{
	size_t len = strlen(line);
	ssize_t n;

	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	line[len++] = '\n';
	do {
		n = write(STDERR_FILENO, line, len);
	} while (n < 0 && errno == EINTR);
	/* Any other failure has nowhere to be reported. */
}

int err_set(struct err *err, int status, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (!err)
		return -1;
	err->status = status;
	va_start(ap, fmt);
	if (vsnprintf(err->text, sizeof(err->text), fmt, ap) < 0)
		err->text[0] = '\0'; /* a format that cannot be: the status still tells */
	va_end(ap);
	errno = saved;
	return -1;
}

void err_print(const struct err *err)
{
	char line[LINE_MAX_BYTES + 1];
	int saved = errno;

	(void)snprintf(line, LINE_MAX_BYTES, "%s%s", prefix, err->text);
	line_write(line);
	errno = saved;
}

void warn_line(const char *fmt, ...)
{
	char line[LINE_MAX_BYTES + 1];
	size_t used = sizeof(prefix) - 1;
	int saved = errno;
	va_list ap;

	memcpy(line, prefix, sizeof(prefix));
	va_start(ap, fmt);
	if (vsnprintf(line + used, LINE_MAX_BYTES - used, fmt, ap) < 0)
		line[used] = '\0';
	va_end(ap);
	line_write(line);
	errno = saved;
}
