/* SPDX-License-Identifier: MIT
 *
 * libexec: the programs that belong to surety and are started by it.
 */
#ifndef SURETY_CLI_LIBEXEC_H
#define SURETY_CLI_LIBEXEC_H

#include <stddef.h>

/* Path of program NAME: beside our own, as built; else where it is installed. */
void libexec_find(const char *name, char *buf, size_t size);

#endif
