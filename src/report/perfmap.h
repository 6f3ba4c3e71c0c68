/* SPDX-License-Identifier: MIT
 *
 * perfmap: names of code that a program made itself (a JIT), from the file
 * /tmp/perf-PID.map that it writes for perf(1) when asked to (node
 * --perf-basic-prof, python -X perf, java with an agent).
 */
#ifndef SURETY_REPORT_PERFMAP_H
#define SURETY_REPORT_PERFMAP_H

#include <stdio.h>
#include <sys/types.h>

#include "report/stack.h"

/* Names frames that lie in no module.  The file is used only if it is a regular
 * file of the process's owner or ours; its text is trusted with nothing. */
void perfmap_resolve(pid_t pid, struct stack *stack);

/* The same from an open file. */
void perfmap_read(FILE *file, struct stack *stack);

#endif
