/* SPDX-License-Identifier: MIT
 *
 * unwind: return addresses from a captured stack.
 */
#ifndef SURETY_REPORT_UNWIND_H
#define SURETY_REPORT_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

#include "report/image.h"

enum { UNWIND_FRAMES = 256 };

/* Why there is no further frame. */
enum unwind_end {
	UNWIND_OUTERMOST, /* the thread's first function was reached */
	UNWIND_LIMIT,     /* UNWIND_FRAMES were found; there are more */
	UNWIND_CUT,       /* the caller's frame lies beyond the copied part of the stack */
	UNWIND_LOST,      /* nothing tells where the caller is */
};

struct unwind {
	int nr;
	struct {
		uint64_t pc;   /* innermost: the next instruction; else the return address */
		uint64_t call; /* an address inside the instruction that is under way */
	} frame[UNWIND_FRAMES];
	enum unwind_end end;
};

/* Unwinds CAPTURE, of which IMAGE was made.  Always finds at least frame 0. */
void unwind_capture(struct image *image, const struct capture *capture, struct unwind *ret);

#endif
