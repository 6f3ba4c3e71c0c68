/* SPDX-License-Identifier: MIT
 *
 * script: the words of a script, and operations written as text again.
 *
 * Must not decide what an operation does: that is the model's, and the kernel's.
 * What reads a script is script_read.c.
 */
#include "model/script.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>

#include "model/script_words.h"

static const char *const verb_words[VERB_NR] = {
#define VERB(name, word, arguments) [VERB_##name] = word,
#include "model/verbs.def"
#undef VERB
};

const struct script_word script_map_flags[] = {
	{ "noreserve", MAP_NORESERVE }, { "growsdown", MAP_GROWSDOWN }, { "hugetlb", MAP_HUGETLB },
	{ "populate", MAP_POPULATE },	{ "locked", MAP_LOCKED },	{ "stack", MAP_STACK },
	{ NULL, 0 },
};

const struct script_word script_map_types[] = {
	{ "private", MAP_PRIVATE },
	{ "shared", MAP_SHARED },
	{ "droppable", MAP_DROPPABLE },
	{ NULL, 0 },
};

const struct script_word script_prots[] = {
	{ "none", PROT_NONE },
	{ "r", PROT_READ },
	{ "rw", PROT_READ | PROT_WRITE },
	{ "rx", PROT_READ | PROT_EXEC },
	{ "rwx", PROT_READ | PROT_WRITE | PROT_EXEC },
	{ NULL, 0 },
};

const struct script_word script_segment_flags[] = {
	{ "noreserve", SHM_NORESERVE },
	{ "hugetlb", SHM_HUGETLB },
	{ NULL, 0 },
};

const char *script_verb_word(enum script_verb verb)
{
	return verb_words[verb];
}

void script_free(struct script *script)
{
	if (!script)
		return;
	free(script->ops);
	free(script->processes);
	free(script->regions);
	free(script->objects);
	free(script);
}

/* A line that is being written: what does not fit sets `full`. */
struct line {
	char *buf;
	size_t size, used;
	bool full;
};

static void put(struct line *line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *line, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (line->full)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line->buf + line->used, line->size - line->used, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= line->size - line->used)
		line->full = true;
	else
		line->used += (size_t)n;
}

/* In the largest unit that says it exactly. */
static void put_size(struct line *line, uint64_t bytes)
{
	static const char units[] = "KMGT";
	int unit = -1;

	while (bytes && bytes % 1024 == 0 && unit < 3) {
		bytes /= 1024;
		unit++;
	}
	if (unit < 0)
		put(line, "%" PRIu64, bytes);
	else
		put(line, "%" PRIu64 "%c", bytes, units[unit]);
}

static void put_word(struct line *line, const struct script_word *words, int value)
{
	for (; words->word; words++)
		if (words->value == value)
			put(line, " %s", words->word);
}

static void put_flags(struct line *line, const struct script_word *words, int flags)
{
	for (; words->word; words++)
		if (flags & words->value)
			put(line, " %s", words->word);
}

static void put_region(struct line *line, const struct script *script, const struct script_op *op)
{
	put(line, " %s", script->regions[op->region].name);
	if (op->whole || (op->verb == VERB_MAP && op->flags & MAP_FIXED_NOREPLACE))
		return;
	put(line, "%c", op->offset < 0 ? '-' : '+');
	put_size(line, op->offset < 0 ? -(uint64_t)op->offset : (uint64_t)op->offset);
	if (op->verb != VERB_MAP) {
		put(line, ":");
		put_size(line, op->length);
	}
}

static void put_map(struct line *line, const struct script *script, const struct script_op *op)
{
	put(line, " ");
	put_size(line, op->size);
	put_word(line, script_prots, op->prot);
	if ((op->flags & MAP_TYPE) != MAP_PRIVATE)
		put_word(line, script_map_types, op->flags & MAP_TYPE);
	put_flags(line, script_map_flags, op->flags);
	if (op->zero)
		put(line, " zero");
	if (op->object != SCRIPT_NONE)
		put(line, " of %s", script->objects[op->object].name);
	if (op->read_only)
		put(line, " read-only");
}

static void put_remap(struct line *line, const struct script *script, const struct script_op *op)
{
	put(line, " ");
	put_size(line, op->size);
	if (op->new_region != SCRIPT_NONE)
		put(line, " %s", script->regions[op->new_region].name);
	if (op->flags & MREMAP_DONTUNMAP)
		put(line, " dontunmap");
}

static void put_object(struct line *line, const struct script *script, const struct script_op *op)
{
	put(line, " %s", script->objects[op->object].name);
	switch (op->verb) {
	case VERB_ALLOCATE:
	case VERB_PUNCH:
	case VERB_WRITE:
	case VERB_READ:
		put(line, " ");
		put_size(line, op->object_offset);
		/* fall through */
	case VERB_FILE:
	case VERB_MEMFD:
	case VERB_TMPFS:
	case VERB_RESIZE:
	case VERB_SEGMENT:
		put(line, " ");
		put_size(line, op->size);
		break;
	default:
		break;
	}
	if (op->verb == VERB_SEGMENT)
		put_flags(line, script_segment_flags, op->flags);
	if (op->verb == VERB_ATTACH)
		put(line, " %s", script->regions[op->region].name);
}

static void put_other(struct line *line, const struct script *script, const struct script_op *op)
{
	switch (op->verb) {
	case VERB_BREAK:
	case VERB_STACK:
	case VERB_EXEC:
		put(line, " %s", op->shrink ? "-" : "");
		put_size(line, op->size);
		break;
	case VERB_FORK:
		put(line, " %s", script->processes[op->other].name);
		break;
	default:
		break;
	}
}

char *script_format(const struct script *script, const struct script_op *op, char *buf, size_t size)
{
	struct line line = { buf, size, 0, size == 0 };

	if (op->process != SCRIPT_MAIN)
		put(&line, "%s: ", script->processes[op->process].name);
	put(&line, "%s", script_verb_word(op->verb));
	if (op->object != SCRIPT_NONE && op->verb != VERB_MAP)
		put_object(&line, script, op);
	else if (op->region != SCRIPT_NONE)
		put_region(&line, script, op);
	else
		put_other(&line, script, op);
	if (op->verb == VERB_MAP)
		put_map(&line, script, op);
	if (op->verb == VERB_PROTECT)
		put_word(&line, script_prots, op->prot);
	if (op->verb == VERB_REMAP)
		put_remap(&line, script, op);
	if (op->verb == VERB_TOUCH && op->read)
		put(&line, " read");
	if (op->verb == VERB_POKE && op->other != SCRIPT_NONE)
		put(&line, " of %s", script->processes[op->other].name);
	if (size && line.full)
		buf[0] = '\0';
	return buf;
}
