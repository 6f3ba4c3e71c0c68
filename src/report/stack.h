/* SPDX-License-Identifier: MIT
 *
 * stack: the user-space stack of a refused call, with names.
 */
#ifndef SURETY_REPORT_STACK_H
#define SURETY_REPORT_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report/image.h"
#include "report/unwind.h"

enum { STACK_FRAMES = 256 };

/* Texts are NULL where unknown. */
struct frame {
	uint64_t pc;            /* innermost: the next instruction; else the return address */
	uint64_t offset;        /* of the call, as addr2line -e MODULE takes it */
	uint64_t symbol_offset; /* pc less the start of the symbol */
	char *module;           /* path as in /proc/PID/maps, or "[vdso]" */
	char *build_id;         /* hex */
	char *symbol;           /* as in the symbol table: not demangled */
	char *file;             /* as in the debug information, perhaps relative */
	int line;               /* 0: unknown */
	bool inlined;           /* was compiled into the next frame, whose pc it has */
};

struct stack {
	int nr;
	enum unwind_end end; /* of a stack that has frames */
	struct frame *frame; /* innermost first */
};

/* Unwinds and names CAPTURE of process PID.  What cannot be found is left out;
 * a stack without memory to hold it is empty. */
void stack_resolve(struct image_cache *cache, pid_t pid, const struct capture *capture, struct stack *ret);
void stack_done(struct stack *stack);

#endif
