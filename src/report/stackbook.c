/* SPDX-License-Identifier: MIT
 *
 * stackbook: see the header.
 *
 * A copy of the stack is made again of the words that were kept: what stands
 * between was no address, and is zero.  rbp is not known.  Where a function
 * needs it, the first word pair on the stack that looks as `push %rbp` leaves it
 * behind a call is taken: a stack address, and an address of code above it.
 */
#include "report/stackbook.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { RBP = 6, RSP = 7, RIP = 16, I386_SP = 4, I386_BP = 5, I386_IP = 8 };

struct kept_stack {
	struct journal_stack stack;
	struct journal_word *word; /* ours */
	pid_t pid;                 /* of the first that asked from it */
	bool read;
	struct stack names;
};

struct kept_maps {
	char *text;
	size_t len;
};

struct stackbook {
	struct kept_stack *stack;
	struct kept_maps *maps;
	struct journal_space *space;
	size_t nr_stacks, stacks_room, nr_maps, maps_room, nr_spaces, spaces_room; /* index is the id */
	struct stack_resolver resolver;
	struct stack none;
};

struct stackbook *stackbook_new(void)
{
	struct stackbook *b = calloc(1, sizeof(*b));

	if (b)
		b->none.end = UNWIND_LOST;
	return b;
}

void stackbook_free(struct stackbook *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->nr_stacks; i++) {
		free(b->stack[i].word);
		stack_done(&b->stack[i].names);
	}
	for (size_t i = 0; i < b->nr_maps; i++)
		free(b->maps[i].text);
	stack_resolver_done(&b->resolver);
	free(b->stack);
	free(b->maps);
	free(b->space);
	free(b);
}

/* A new element at index ID, which is at most one past the last. */
static void *element(void *array, size_t *nr, size_t *room, size_t size, uint32_t id)
{
	if (id >= *room) {
		size_t more = *room ? 2 * *room : 64;
		void *grown = reallocarray(*(void **)array, more, size);

		if (!grown)
			return NULL;
		memset((char *)grown + *room * size, 0, (more - *room) * size);
		*(void **)array = grown;
		*room = more;
	}
	*nr = (size_t)id + 1;
	return (char *)*(void **)array + (size_t)id * size;
}

static int keep_stack(struct stackbook *b, const struct journal_stack *stack)
{
	struct kept_stack *kept = element(&b->stack, &b->nr_stacks, &b->stacks_room, sizeof(*kept), stack->id);

	if (!kept)
		return -ENOMEM;
	kept->stack = *stack;
	kept->word = calloc(stack->nr + 1, sizeof(*kept->word));
	if (!kept->word)
		return -ENOMEM;
	memcpy(kept->word, stack->word, stack->nr * sizeof(*kept->word));
	return 0;
}

int stackbook_note(struct stackbook *b, const struct journal_event *event)
{
	const struct journal_request *q = &event->request;
	struct journal_space *space;
	struct kept_maps *maps;

	switch (event->kind) {
	case JOURNAL_STACK: return keep_stack(b, &event->stack);
	case JOURNAL_MAPS:
		maps = element(&b->maps, &b->nr_maps, &b->maps_room, sizeof(*maps), event->maps.id);
		if (!maps)
			return -ENOMEM;
		maps->text = malloc(event->maps.len + 1);
		if (!maps->text)
			return -ENOMEM;
		memcpy(maps->text, event->maps.text, event->maps.len);
		maps->text[event->maps.len] = '\0';
		maps->len = event->maps.len;
		return 0;
	case JOURNAL_SPACE:
		space = element(&b->space, &b->nr_spaces, &b->spaces_room, sizeof(*space), event->space.id);
		if (!space)
			return -ENOMEM;
		*space = event->space;
		return 0;
	case JOURNAL_REQUEST:
		if (q->stack && q->stack < b->nr_stacks && q->space && !b->stack[q->stack].pid)
			b->stack[q->stack].pid = b->space[q->space].pid;
		return 0;
	default: return 0;
	}
}

const struct journal_space *stackbook_space(const struct stackbook *b, uint32_t id)
{
	return id && id < b->nr_spaces ? &b->space[id] : NULL;
}

static uint64_t word_at(const struct kept_stack *kept, uint32_t offset)
{
	for (uint32_t i = 0; i < kept->stack.nr; i++)
		if (kept->word[i].offset == offset)
			return kept->word[i].value;
	return 0;
}

static uint64_t guess_rbp(const struct kept_stack *kept)
{
	const struct journal_stack *s = &kept->stack;
	uint32_t width = s->compat ? 4 : 8;

	for (uint32_t i = 0; i < s->nr; i++) {
		uint64_t at = s->sp + kept->word[i].offset, value = kept->word[i].value;
		uint64_t above = word_at(kept, kept->word[i].offset + width);
		bool to_stack = value > at && value <= s->sp + JOURNAL_STACK_BYTES;

		if (to_stack && above && !(above > s->sp && above <= s->sp + JOURNAL_STACK_BYTES))
			return at;
	}
	return 0;
}

static void set_regs(struct capture *c, const struct kept_stack *kept)
{
	c->full_regs = 1;
	c->compat = kept->stack.compat;
	c->sp = kept->stack.sp;
	c->pc = kept->stack.pc;
	c->regs[c->compat ? I386_SP : RSP] = c->sp;
	c->regs[c->compat ? I386_IP : RIP] = c->pc;
	c->regs[c->compat ? I386_BP : RBP] = guess_rbp(kept);
}

static void read_names(struct stackbook *b, struct kept_stack *kept)
{
	const struct journal_stack *s = &kept->stack;
	autofree char *bytes = calloc(1, s->len + 8);
	struct capture c = { .stack = bytes, .stack_len = s->len };

	kept->read = true;
	kept->names.end = UNWIND_LOST;
	if (!bytes || s->maps >= b->nr_maps || !b->maps[s->maps].text)
		return;
	for (uint32_t i = 0; i < s->nr; i++)
		memcpy(bytes + kept->word[i].offset, &kept->word[i].value, s->compat ? 4 : 8);
	c.maps = b->maps[s->maps].text;
	c.maps_len = b->maps[s->maps].len;
	set_regs(&c, kept);
	stack_resolve(&b->resolver, kept->pid, &c, &kept->names);
	if (kept->names.end == UNWIND_LOST && s->len == JOURNAL_STACK_BYTES)
		kept->names.end = UNWIND_CUT;
}

const struct stack *stackbook_stack(struct stackbook *b, uint32_t id)
{
	if (id == 0 || id >= b->nr_stacks)
		return &b->none;
	if (!b->stack[id].read)
		read_names(b, &b->stack[id]);
	return &b->stack[id].names;
}
