/* SPDX-License-Identifier: MIT
 *
 * flags: the kernel's constants in arguments of calls, as C source spells them.
 *
 * Each writes into BUF of SIZE bytes and returns BUF; what has no name is
 * written as a number, so nothing is lost.  All take the raw argument.
 */
#ifndef SURETY_REPORT_FLAGS_H
#define SURETY_REPORT_FLAGS_H

#include <stddef.h>
#include <stdint.h>

char *flags_prot(uint64_t prot, char *buf, size_t size);
char *flags_mmap(uint64_t flags, char *buf, size_t size);
char *flags_mremap(uint64_t flags, char *buf, size_t size);
char *flags_clone(uint64_t flags, char *buf, size_t size); /* the exit signal last: CLONE_VM|SIGCHLD */
char *flags_shmget(uint64_t shmflg, char *buf, size_t size);
char *flags_fallocate(uint64_t mode, char *buf, size_t size);
char *flags_at(uint64_t flags, char *buf, size_t size);
char *flags_ptrace_request(uint64_t request, char *buf, size_t size);

#endif
