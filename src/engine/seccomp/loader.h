/* SPDX-License-Identifier: MIT
 *
 * loader: where the dynamic loader of a process lies.
 */
#ifndef SURETY_ENGINE_SECCOMP_LOADER_H
#define SURETY_ENGINE_SECCOMP_LOADER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Addresses of the interpreter's image (AT_BASE of the auxiliary vector).
 * False for a static program, or where it cannot be read. */
bool loader_range(pid_t pid, uint64_t *ret_start, uint64_t *ret_end);

#endif
