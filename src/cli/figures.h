/* SPDX-License-Identifier: MIT
 *
 * figures: what status and audit read of a group's answer (surety.status/1).
 */
#ifndef SURETY_CLI_FIGURES_H
#define SURETY_CLI_FIGURES_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"

/* 0, or -1 with ERR set when an answer is not one of this version. */
int figures_check(const json_t *figures, struct err *err);

/* A figure in bytes, 0 when absent. */
uint64_t figures_bytes(const json_t *figures, const char *name);

/* Whose group it is and its name, harmless on a terminal: NAME, of another
 * user USER:NAME. */
enum { FIGURES_LABEL_MAX = 128 };
void figures_label(const json_t *figures, char buf[FIGURES_LABEL_MAX]);

/* A line as /proc/meminfo has it: "Committed_AS:     12345 kB". */
void figures_print(const json_t *figures, const char *name);

#endif
