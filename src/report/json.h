/* SPDX-License-Identifier: MIT
 *
 * json: a refusal report for programs; docs/REPORT.md is its contract.
 */
#ifndef SURETY_REPORT_JSON_H
#define SURETY_REPORT_JSON_H

#include <stdio.h>

#include "report/event.h"

/* Writes one object and a newline.  Returns 0 or -ENOMEM (nothing was written);
 * failures of OUT show in ferror(). */
int json_write(FILE *out, const struct event *e);

#endif
