/* SPDX-License-Identifier: MIT
 *
 * frame: one line of a stack.  Texts are NULL where unknown.
 */
#ifndef SURETY_REPORT_FRAME_H
#define SURETY_REPORT_FRAME_H

#include <stdbool.h>
#include <stdint.h>

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

/* Copies all; a text without memory for it is unknown in the copy. */
void frame_copy(struct frame *ret, const struct frame *frame);
void frame_done(struct frame *frame);

/* A copy to free, NULL for NULL and for "". */
char *frame_text(const char *text);

#endif
