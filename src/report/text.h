/* SPDX-License-Identifier: MIT
 *
 * text: a refusal report for people; docs/REPORT.md shows one.
 */
#ifndef SURETY_REPORT_TEXT_H
#define SURETY_REPORT_TEXT_H

#include <stdio.h>

#include "report/event.h"

/* Writes the report and an empty line behind it.  Failures show in ferror(). */
void text_write(FILE *out, const struct event *e);

/* Parts of it, for others: a name that the job chose, and the lines of a stack. */
void text_name(FILE *out, const char *name);
void text_stack(FILE *out, const struct stack *s);

#endif
