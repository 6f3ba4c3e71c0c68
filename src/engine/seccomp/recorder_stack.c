/* SPDX-License-Identifier: MIT
 *
 * recorder_stack: the stack of a caller that waits for its answer.
 *
 * Nothing is unwound here: the words that can lead an unwinder on are kept, to
 * be read later with the files that were mapped.  Those are addresses of code
 * and of the stack itself; what a program has in its variables is not copied.
 * A stack with the same addresses of code at the same places is the same one.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/seccomp/recorder_state.h"
#include "sys/procfs.h"

static const uint64_t fnv_start = UINT64_C(0xcbf29ce484222325);

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash ^= value;
	hash *= UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

/* The slot that has HASH or is free; NULL where the table is nearly full. */
static struct told *find_told(struct told *table, size_t slots, uint32_t nr, uint64_t hash)
{
	size_t at = hash % slots;

	while (table[at].id && table[at].hash != hash)
		at = (at + 1) % slots;
	return table[at].id || nr < slots - slots / 8 ? &table[at] : NULL;
}

/* "start-end perms ..." */
static bool parse_line(const char *line, uint64_t *start, uint64_t *end, bool *code, bool *named)
{
	const char *p = line;

	for (*start = 0; *p && *p != '-'; p++)
		*start = *start << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
	if (*p++ != '-')
		return false;
	for (*end = 0; *p && *p != ' '; p++)
		*end = *end << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
	if (strlen(p) < 5)
		return false;
	*code = p[3] == 'x';
	*named = strchr(p, '/') || strchr(p, '[');
	return true;
}

static void add_code(struct recorded *known, uint64_t start, uint64_t end)
{
	uint32_t nr = known->nr_code;

	if (nr && known->code[nr - 1].end == start)
		known->code[nr - 1].end = end;
	else if (nr < RECORDED_CODE)
		known->code[known->nr_code++].start = start, known->code[nr].end = end;
}

/* Reads maps, keeps the lines that matter in r->text.  Returns their length. */
static size_t read_maps(struct recorder *r, pid_t tid, struct recorded *known)
{
	char path[64], line[4352];
	autofclose FILE *f = NULL;
	size_t used = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", tid);
	f = fopen(path, "re");
	known->nr_code = 0;
	while (f && fgets(line, sizeof(line), f)) {
		uint64_t start, end;
		bool code, named;
		size_t len = strlen(line);

		if (!parse_line(line, &start, &end, &code, &named))
			continue;
		if (code)
			add_code(known, start, end);
		if ((!code && !named) || used + len > JOURNAL_MAPS_MAX)
			continue;
		memcpy(r->text + used, line, len);
		used += len;
	}
	return used;
}

static uint64_t hash_text(const char *text, size_t len)
{
	uint64_t hash = fnv_start;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static void take_maps(struct recorder *r, pid_t tid, struct recorded *known)
{
	struct journal_event event = { .kind = JOURNAL_MAPS };
	size_t len = read_maps(r, tid, known);
	uint64_t hash = hash_text(r->text, len);
	struct told *told = find_told(r->maps, MAPS_SLOTS, 0, hash);
	static const size_t keep = MAPS_SLOTS - MAPS_SLOTS / 8;

	if (len == 0)
		return;
	known->maps_changed = false;
	if (told->id) {
		known->maps = told->id;
		return;
	}
	event.maps.id = known->maps = ++r->nr_maps;
	event.maps.text = r->text;
	event.maps.len = len;
	recorder_tell(r, &event);
	/* A full table forgets: the same maps are told twice then. */
	if (r->nr_maps % keep == 0)
		memset(r->maps, 0, sizeof(r->maps));
	else
		*told = (struct told){ hash, known->maps };
}

static bool is_code(const struct recorded *known, uint64_t value)
{
	uint32_t low = 0, high = known->nr_code;

	if (high == 0 || value < known->code[0].start || value >= known->code[high - 1].end)
		return false;
	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (value >= known->code[middle].end)
			low = middle + 1;
		else
			high = middle;
	}
	return value >= known->code[low].start;
}

/* Keeps words of the copied stack in r->word.  The hash is of its code. */
static uint32_t keep_words(struct recorder *r, const struct recorded *known, struct journal_stack *stack, uint64_t *hash)
{
	uint32_t width = stack->compat ? 4 : 8, nr = 0;

	*hash = mix(mix(mix(fnv_start, stack->pc), stack->sp), known->maps);
	for (uint32_t at = 0; at + width <= stack->len && nr < JOURNAL_WORDS_MAX; at += width) {
		uint64_t value = 0;

		memcpy(&value, r->bytes + at, width);
		if (value < 4096)
			continue;
		if (is_code(known, value))
			*hash = mix(mix(*hash, value), at);
		else if (value <= stack->sp + at || value > stack->sp + JOURNAL_STACK_BYTES)
			continue;
		r->word[nr++] = (struct journal_word){ at, value };
	}
	return nr;
}

uint32_t recorder_stack(struct recorder *r, const struct ask *ask, struct recorded *known)
{
	struct journal_event event = { .kind = JOURNAL_STACK };
	struct journal_stack *stack = &event.stack;
	pid_t tid = ask->t->tid;
	struct task_call at;
	struct told *told;
	uint64_t hash;
	ssize_t n;

	if (task_call_read(tid, &at) < 0 || at.where != TASK_BLOCKED)
		return 0;
	if (!known->maps || known->maps_changed)
		take_maps(r, tid, known);
	n = remote_read(tid, at.sp, r->bytes, JOURNAL_STACK_BYTES);
	if (n <= 0 || !known->maps)
		return 0;
	stack->maps = known->maps;
	stack->compat = ask->compat;
	stack->pc = at.pc;
	stack->sp = at.sp;
	stack->len = (uint32_t)n;
	stack->nr = keep_words(r, known, stack, &hash);
	stack->word = r->word;
	told = find_told(r->stack, STACK_SLOTS, r->nr_stacks, hash);
	if (!told)
		return 0;
	if (!told->id) {
		*told = (struct told){ hash, ++r->nr_stacks };
		stack->id = told->id;
		recorder_tell(r, &event);
	}
	return told->id;
}
