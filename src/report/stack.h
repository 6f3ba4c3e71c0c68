/* SPDX-License-Identifier: MIT
 *
 * stack: the user-space stack of a refused call, with names.
 */
#ifndef SURETY_REPORT_STACK_H
#define SURETY_REPORT_STACK_H

#include "report/frame.h"
#include "report/image.h"
#include "report/known.h"
#include "report/unwind.h"

enum { STACK_FRAMES = 256 };

struct stack {
	int nr;
	enum unwind_end end; /* of a stack that has frames */
	struct frame *frame; /* innermost first */
};

/* What is kept from one stack to the next; starts as zeros. */
struct stack_resolver {
	struct image_cache images;
	struct known *known;
};

void stack_resolver_done(struct stack_resolver *resolver);

/* Unwinds and names CAPTURE of process PID.  What cannot be found is left out;
 * a stack without memory to hold it is empty. */
void stack_resolve(struct stack_resolver *resolver, pid_t pid, const struct capture *capture, struct stack *ret);
void stack_done(struct stack *stack);

#endif
