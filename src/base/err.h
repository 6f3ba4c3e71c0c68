/* SPDX-License-Identifier: MIT
 *
 * err: why a boundary function failed, in words for the user.
 *
 * Fixed storage, so that running out of memory can be reported.  A message is
 * made once, where the failure is understood, and printed once, by main:
 *
 *     surety: what failed 'object': why (what to do)
 */
#ifndef SURETY_BASE_ERR_H
#define SURETY_BASE_ERR_H

struct err {
	int status;     /* exit status that main returns: 125, 126 or 127 */
	char text[512]; /* the line, without the "surety: " and the newline */
};

enum {
	EXIT_SURETY = 125,     /* surety itself failed; the command did not start */
	EXIT_CANNOT_EXEC = 126,
	EXIT_NOT_FOUND = 127,
};

/* Sets ERR to STATUS and the formatted line.  Always returns -1, so that a
 * caller can write `return err_set(...)`.  ERR may be NULL: nothing is kept. */
int err_set(struct err *err, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Writes "surety: " TEXT to stderr in one write(2). */
void err_print(const struct err *err);

/* The same for a line that is not a failure of the whole command. */
void warn_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
