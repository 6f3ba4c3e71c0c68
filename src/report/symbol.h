/* SPDX-License-Identifier: MIT
 *
 * symbol: what stands at an address of a process.
 */
#ifndef SURETY_REPORT_SYMBOL_H
#define SURETY_REPORT_SYMBOL_H

#include "report/frame.h"
#include "report/image.h"
#include "report/known.h"

/* Describes one unwound frame: ROOM frames at most into RET, of which all but
 * the last were inlined into it.  CALL lies inside the instruction under way.
 * Takes what is known and adds to it.  Returns how many were written, at least
 * 1 (ROOM is). */
int symbol_frames(struct image *image, struct known **known, uint64_t pc, uint64_t call, struct frame *ret,
		  int room);

#endif
