/* SPDX-License-Identifier: MIT
 *
 * stackbook: the stacks of a record, with names for those that are asked for.
 *
 * The files that were mapped are opened when a stack is read: one that was
 * replaced since gives addresses without names.
 */
#ifndef SURETY_REPORT_STACKBOOK_H
#define SURETY_REPORT_STACKBOOK_H

#include "core/journal.h"
#include "report/stack.h"

struct stackbook;

struct stackbook *stackbook_new(void); /* NULL without memory */
void stackbook_free(struct stackbook *b);

/* Keeps what EVENT tells of stacks, mappings and processes.  Returns 0 or -ENOMEM. */
int stackbook_note(struct stackbook *b, const struct journal_event *event);

/* Stack ID, the book's own; one without frames for 0 and where nothing can be read. */
const struct stack *stackbook_stack(struct stackbook *b, uint32_t id);

/* What is known of a space; NULL for 0. */
const struct journal_space *stackbook_space(const struct stackbook *b, uint32_t id);

#endif
