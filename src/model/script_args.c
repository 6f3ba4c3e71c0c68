/* SPDX-License-Identifier: MIT
 *
 * script_args: the words of one operation.
 *
 * Decides what each operation takes, and how much room a region needs.  Must not
 * know about lines: script_read.c has cut them.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "model/script_reader.h"
#include "model/script_words.h"

static int next_size(struct reader *r, enum script_verb verb, uint64_t *ret)
{
	char *word = reader_next(r);

	return word ? reader_size(r, word, ret) : reader_bad_arguments(r, verb);
}

/* An object that has been made, a segment or anything but one. */
static int next_object(struct reader *r, enum script_verb verb, bool segment, int *ret)
{
	char *word = reader_next(r);
	int i;

	if (!word)
		return reader_bad_arguments(r, verb);
	i = reader_find_object(r->script, word);
	if (i == SCRIPT_NONE)
		return reader_bad(r, "no object '%.*s' has been made", READER_QUOTE, word);
	if (segment != (r->script->objects[i].kind == OBJECT_SEGMENT))
		return reader_bad(r, segment ? "'%s' is not a segment" : "'%s' is a segment (use attach, detach, destroy)",
			   word);
	*ret = i;
	return 0;
}

/* Cuts "NAME+OFFSET" in WORD after NAME.  *RET_OFFSET is left alone without one. */
static int cut_offset(struct reader *r, char *word, int64_t *ret_offset)
{
	size_t len = strcspn(word, "+-");
	bool below = word[len] == '-';
	uint64_t bytes;

	if (!word[len])
		return 0;
	word[len] = '\0';
	if (reader_size(r, word + len + 1, &bytes) < 0)
		return -1;
	if (bytes % PAGE_BYTES)
		return reader_bad(r, "the offset '%s' is not of whole pages (a page is %" PRIu64 " bytes)", word + len + 1,
			   PAGE_BYTES);
	*ret_offset = below ? -(int64_t)bytes : (int64_t)bytes;
	return 0;
}

/* Keeps the region's place large enough for LENGTH bytes at OFFSET. */
static int note_extent(struct reader *r, int region, int64_t offset, uint64_t length)
{
	struct script_region *at = &r->script->regions[region];
	int64_t end = offset + (int64_t)pages_to_bytes(bytes_to_pages(length));

	if (offset < 0 && -(uint64_t)offset > at->below)
		at->below = -(uint64_t)offset;
	if (end > 0 && (uint64_t)end > at->above)
		at->above = (uint64_t)end;
	if (at->below > SCRIPT_ROOM_MAX || at->above > SCRIPT_ROOM_MAX)
		return reader_bad(r, "region '%s' is too large (all regions together have room for 16T)", at->name);
	return 0;
}

static int next_region(struct reader *r, enum script_verb verb, char **ret)
{
	*ret = reader_next(r);
	return *ret ? 0 : reader_bad_arguments(r, verb);
}

static int old_region(struct reader *r, const char *name, int *ret)
{
	*ret = reader_find_region(r->script, name);
	if (*ret == SCRIPT_NONE)
		return reader_bad(r, "no region '%.*s' has been mapped", READER_QUOTE, name);
	return 0;
}

/* RANGE: NAME, NAME+OFFSET:SIZE or NAME-OFFSET:SIZE. */
static int next_range(struct reader *r, struct script_op *op)
{
	char *word, *size;

	if (next_region(r, op->verb, &word) < 0)
		return -1;
	size = strchr(word, ':');
	if (size)
		*size++ = '\0';
	op->whole = !size;
	if (!size != !strpbrk(word, "+-"))
		return reader_bad(r, "'%.*s' is half a range (NAME, or NAME+OFFSET:SIZE)", READER_QUOTE, word);
	if (cut_offset(r, word, &op->offset) < 0 || old_region(r, word, &op->region) < 0)
		return -1;
	if (!size)
		return 0;
	if (reader_size(r, size, &op->length) < 0)
		return -1;
	return note_extent(r, op->region, op->offset, op->length);
}

static int find_word(const struct script_word *words, const char *word, int *ret)
{
	for (; words->word; words++) {
		if (strcmp(words->word, word) == 0) {
			*ret = words->value;
			return 0;
		}
	}
	return -ENOENT;
}

static int next_prot(struct reader *r, struct script_op *op)
{
	char *word = reader_next(r);

	if (!word)
		return reader_bad_arguments(r, op->verb);
	if (find_word(script_prots, word, &op->prot) < 0)
		return reader_bad(r, "'%.*s' is no protection (none, r, rw, rx or rwx)", READER_QUOTE, word);
	return 0;
}

static int read_map_flag(struct reader *r, struct script_op *op)
{
	int value;

	if (reader_next_is(r, "of"))
		return op->object == SCRIPT_NONE ? next_object(r, op->verb, false, &op->object) :
						   reader_bad(r, "'of' stands twice");
	if (reader_next_is(r, "zero")) {
		op->zero = true;
		return 0;
	}
	if (reader_next_is(r, "read-only")) {
		op->read_only = true;
		return 0;
	}
	if (find_word(script_map_flags, r->word[r->next], &value) < 0)
		return reader_bad(r, "'%.*s' is no flag of map", READER_QUOTE, r->word[r->next]);
	r->next++;
	op->flags |= value;
	return 0;
}

static int read_map_flags(struct reader *r, struct script_op *op)
{
	int type = 0, value;

	while (r->next < r->nr) {
		if (find_word(script_map_types, r->word[r->next], &value) == 0) {
			if (type)
				return reader_bad(r, "'%s' is one too many (private, shared or droppable)", r->word[r->next]);
			type = value;
			r->next++;
		} else if (read_map_flag(r, op) < 0) {
			return -1;
		}
	}
	if (op->zero && op->object != SCRIPT_NONE)
		return reader_bad(r, "'zero' and 'of' exclude each other");
	if (op->read_only && !op->zero && op->object == SCRIPT_NONE)
		return reader_bad(r, "'read-only' is for 'zero' and 'of OBJECT'");
	op->flags |= type ? type : MAP_PRIVATE;
	if (!op->zero && op->object == SCRIPT_NONE)
		op->flags |= MAP_ANONYMOUS;
	return 0;
}

static int read_map(struct reader *r, struct script_op *op)
{
	char *word;
	bool fixed;

	if (next_region(r, op->verb, &word) < 0)
		return -1;
	if (strchr(word, ':'))
		return reader_bad(r, "'%.*s' is a range (map NAME+OFFSET SIZE)", READER_QUOTE, word);
	fixed = strpbrk(word, "+-");
	if (cut_offset(r, word, &op->offset) < 0)
		return -1;
	op->flags = fixed ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	if (fixed && old_region(r, word, &op->region) < 0)
		return -1;
	if (!fixed && (op->region = reader_take_region(r, word)) < 0)
		return -1;
	if (next_size(r, op->verb, &op->size) < 0 || next_prot(r, op) < 0 || read_map_flags(r, op) < 0)
		return -1;
	return note_extent(r, op->region, op->offset, op->size);
}

static int read_protect(struct reader *r, struct script_op *op)
{
	return next_range(r, op) < 0 ? -1 : next_prot(r, op);
}

static int read_remap(struct reader *r, struct script_op *op)
{
	char *word;

	if (next_range(r, op) < 0 || next_size(r, op->verb, &op->size) < 0)
		return -1;
	word = reader_next(r);
	if (!word)
		return note_extent(r, op->region, op->offset, op->size);
	op->new_region = reader_take_region(r, word);
	if (op->new_region < 0)
		return -1;
	if (op->new_region == op->region)
		return reader_bad(r, "region '%s' cannot be moved to its own place", word);
	op->flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	if (reader_next_is(r, "dontunmap"))
		op->flags |= MREMAP_DONTUNMAP;
	return note_extent(r, op->new_region, 0, op->size);
}

static int read_break(struct reader *r, struct script_op *op)
{
	char *word = reader_next(r);

	if (!word)
		return reader_bad_arguments(r, op->verb);
	op->shrink = word[0] == '-';
	return reader_size(r, word + op->shrink, &op->size);
}

static int read_touch(struct reader *r, struct script_op *op)
{
	if (next_range(r, op) < 0)
		return -1;
	op->read = reader_next_is(r, "read");
	return 0;
}

static int read_poke(struct reader *r, struct script_op *op)
{
	char *word;

	if (next_range(r, op) < 0)
		return -1;
	if (!reader_next_is(r, "of"))
		return 0;
	word = reader_next(r);
	if (!word)
		return reader_bad_arguments(r, op->verb);
	op->other = reader_find_process(r->script, word);
	if (op->other == SCRIPT_NONE)
		return reader_bad(r, "no process '%.*s' has been forked", READER_QUOTE, word);
	if (op->other == op->process)
		return reader_bad(r, "a process cannot trace itself ('%s')", word);
	return 0;
}

static int read_amount(struct reader *r, struct script_op *op)
{
	return next_size(r, op->verb, &op->size);
}

static int read_amount_maybe(struct reader *r, struct script_op *op)
{
	return r->next < r->nr ? next_size(r, op->verb, &op->size) : 0;
}

static int read_fork(struct reader *r, struct script_op *op)
{
	char *word = reader_next(r);

	if (!word)
		return reader_bad_arguments(r, op->verb);
	op->other = reader_add_process(r, word, op->process);
	return op->other < 0 ? -1 : 0;
}

static int read_nothing(struct reader *r, struct script_op *op)
{
	(void)r; /* what follows is told by the caller */
	(void)op;
	return 0;
}

static int read_new_object(struct reader *r, struct script_op *op)
{
	static const enum script_object_kind kinds[VERB_NR] = {
		[VERB_FILE] = OBJECT_FILE,
		[VERB_MEMFD] = OBJECT_MEMFD,
		[VERB_TMPFS] = OBJECT_TMPFS,
		[VERB_SEGMENT] = OBJECT_SEGMENT,
	};
	bool optional = op->verb == VERB_MEMFD || op->verb == VERB_TMPFS;
	char *name = reader_next(r);
	int value;

	if (!name)
		return reader_bad_arguments(r, op->verb);
	if ((!optional || r->next < r->nr) && next_size(r, op->verb, &op->size) < 0)
		return -1;
	while (op->verb == VERB_SEGMENT && r->next < r->nr) {
		if (find_word(script_segment_flags, r->word[r->next], &value) < 0)
			return reader_bad_arguments(r, op->verb);
		r->next++;
		op->flags |= value;
	}
	op->object = reader_add_object(r, name, kinds[op->verb], op->size);
	return op->object < 0 ? -1 : 0;
}

static int read_object(struct reader *r, struct script_op *op)
{
	return next_object(r, op->verb, op->verb == VERB_DESTROY, &op->object);
}

static int read_resize(struct reader *r, struct script_op *op)
{
	return read_object(r, op) < 0 ? -1 : next_size(r, op->verb, &op->size);
}

static int read_object_range(struct reader *r, struct script_op *op)
{
	if (read_object(r, op) < 0 || next_size(r, op->verb, &op->object_offset) < 0)
		return -1;
	return next_size(r, op->verb, &op->size);
}

static int read_attach(struct reader *r, struct script_op *op)
{
	char *word;

	if (next_object(r, op->verb, true, &op->object) < 0 || next_region(r, op->verb, &word) < 0)
		return -1;
	op->region = reader_take_region(r, word);
	if (op->region < 0)
		return -1;
	op->whole = true;
	return note_extent(r, op->region, 0, r->segment_bytes[op->object]);
}

static int read_detach(struct reader *r, struct script_op *op)
{
	char *word;

	op->whole = true;
	return next_region(r, op->verb, &word) < 0 ? -1 : old_region(r, word, &op->region);
}

static int (*const read_arguments[VERB_NR])(struct reader *r, struct script_op *op) = {
	[VERB_MAP] = read_map,
	[VERB_PROTECT] = read_protect,
	[VERB_UNMAP] = next_range,
	[VERB_REMAP] = read_remap,
	[VERB_BREAK] = read_break,
	[VERB_TOUCH] = read_touch,
	[VERB_DISCARD] = next_range,
	[VERB_REMOVE] = next_range,
	[VERB_DONTFORK] = next_range,
	[VERB_DOFORK] = next_range,
	[VERB_WIPEONFORK] = next_range,
	[VERB_LOCK] = next_range,
	[VERB_POKE] = read_poke,
	[VERB_STACK] = read_amount,
	[VERB_FORK] = read_fork,
	[VERB_EXEC] = read_amount_maybe,
	[VERB_SPAWN] = read_nothing,
	[VERB_THREAD] = read_nothing,
	[VERB_EXIT] = read_nothing,
	[VERB_DROP] = read_nothing,
	[VERB_FILE] = read_new_object,
	[VERB_MEMFD] = read_new_object,
	[VERB_TMPFS] = read_new_object,
	[VERB_RESIZE] = read_resize,
	[VERB_ALLOCATE] = read_object_range,
	[VERB_PUNCH] = read_object_range,
	[VERB_WRITE] = read_object_range,
	[VERB_READ] = read_object_range,
	[VERB_CLOSE] = read_object,
	[VERB_SEGMENT] = read_new_object,
	[VERB_ATTACH] = read_attach,
	[VERB_DETACH] = read_detach,
	[VERB_DESTROY] = read_object,
	[VERB_REST] = read_nothing,
};

int reader_arguments(struct reader *r, struct script_op *op)
{
	return read_arguments[op->verb](r, op);
}
