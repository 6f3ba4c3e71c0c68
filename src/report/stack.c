/* SPDX-License-Identifier: MIT
 *
 * stack: see stack.h.  Puts unwind, symbol and perfmap together.
 */
#include "report/stack.h"

#include <stdlib.h>

#include "report/perfmap.h"
#include "report/symbol.h"

void stack_resolver_done(struct stack_resolver *resolver)
{
	image_cache_done(&resolver->images);
	known_free(&resolver->known);
}

void stack_resolve(struct stack_resolver *resolver, pid_t pid, const struct capture *capture, struct stack *ret)
{
	struct image *image;
	struct unwind unwind;

	*ret = (struct stack){ .end = UNWIND_LOST };
	if (image_get(&resolver->images, pid, capture, &image) < 0)
		return;
	ret->frame = calloc(STACK_FRAMES, sizeof(*ret->frame));
	if (!ret->frame)
		return;

	unwind_capture(image, capture, &unwind);
	ret->end = unwind.end;
	for (int i = 0; i < unwind.nr; i++) {
		if (ret->nr == STACK_FRAMES) {
			ret->end = UNWIND_LIMIT;
			break;
		}
		ret->nr += symbol_frames(image, &resolver->known, unwind.frame[i].pc, unwind.frame[i].call,
					 &ret->frame[ret->nr], STACK_FRAMES - ret->nr);
	}
	perfmap_resolve(pid, ret);
}

void stack_done(struct stack *stack)
{
	for (int i = 0; i < stack->nr; i++)
		frame_done(&stack->frame[i]);
	free(stack->frame);
	*stack = (struct stack){ .end = UNWIND_LOST };
}
