/* SPDX-License-Identifier: MIT
 *
 * escape: names that a job chose (comm, paths, symbols), made harmless.
 *
 * A name may hold anything but NUL: terminal sequences, line ends, bytes that
 * are no UTF-8, characters that turn the reading direction.
 */
#ifndef SURETY_REPORT_ESCAPE_H
#define SURETY_REPORT_ESCAPE_H

#include <stddef.h>

/* For people: a control character, a byte that is no UTF-8, and a character
 * that changes the order of what follows are written as \xNN a byte, a
 * backslash as \\.  Returns a string to free, NULL when there is no memory. */
char *escape_text(const char *name);

/* For JSON: valid UTF-8 stays as it is (the writer escapes what JSON needs);
 * a byte that is no UTF-8 becomes the four characters \xNN.  As above. */
char *escape_utf8(const char *name);

#endif
