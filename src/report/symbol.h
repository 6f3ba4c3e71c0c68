/* SPDX-License-Identifier: MIT
 *
 * symbol: what stands at an address of a process.
 */
#ifndef SURETY_REPORT_SYMBOL_H
#define SURETY_REPORT_SYMBOL_H

#include "report/stack.h"

/* Describes one unwound frame: ROOM frames at most into RET, of which all but
 * the last were inlined into it.  CALL lies inside the instruction under way.
 * Returns how many were written, at least 1 (ROOM is). */
int symbol_frames(struct image *image, uint64_t pc, uint64_t call, struct frame *ret, int room);

void frame_done(struct frame *frame);

#endif
