/* SPDX-License-Identifier: MIT
 *
 * allocator: frames that belong to a memory allocator or the C library.
 */
#ifndef SURETY_REPORT_ALLOCATOR_H
#define SURETY_REPORT_ALLOCATOR_H

#include <stdbool.h>

#include "report/stack.h"

/* By the file's name (libc, the dynamic loader, jemalloc, tcmalloc, mimalloc)
 * or, in a static program and for the layers that languages and programs put on
 * top (C++ new, PyMem_, xmalloc), by the symbol. */
bool allocator_frame(const struct frame *frame);

/* The first frame beyond the allocator: who asked.  STACK->nr where all are. */
int allocator_outer(const struct stack *stack);

#endif
