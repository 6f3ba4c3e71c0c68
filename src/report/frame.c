/* SPDX-License-Identifier: MIT
 *
 * frame: see frame.h.
 */
#include "report/frame.h"

#include <stdlib.h>
#include <string.h>

char *frame_text(const char *text)
{
	return text && *text ? strdup(text) : NULL;
}

void frame_copy(struct frame *ret, const struct frame *frame)
{
	*ret = *frame;
	ret->module = frame_text(frame->module);
	ret->build_id = frame_text(frame->build_id);
	ret->symbol = frame_text(frame->symbol);
	ret->file = frame_text(frame->file);
}

void frame_done(struct frame *frame)
{
	free(frame->module);
	free(frame->build_id);
	free(frame->symbol);
	free(frame->file);
	*frame = (struct frame){ 0 };
}
