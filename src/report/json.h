/* SPDX-License-Identifier: MIT
 *
 * json: a refusal report for programs; docs/REPORT.md is its contract.
 */
#ifndef SURETY_REPORT_JSON_H
#define SURETY_REPORT_JSON_H

#include <stdio.h>

#include <jansson.h>

#include "report/event.h"

/* Writes one object and a newline.  Returns 0 or -ENOMEM (nothing was written);
 * failures of OUT show in ferror(). */
int json_write(FILE *out, const struct event *e);

/* The stack of a report, for others; *FAILED is set where there was no memory. */
json_t *json_stack(const struct stack *s, int *failed);

#endif
