/* SPDX-License-Identifier: MIT
 *
 * script_read: the text of a script, line by line, into struct script.
 *
 * Decides what is a script: every word of it is understood, or the reading ends
 * with the number of the line.  What can only be known by running it (a region
 * that is not mapped by then, a process that has ended) is not decided here.
 *
 * Must not read files: the caller has the text.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "model/script_reader.h"

enum { TEXT = 300 };

/* No size in a script is greater: sums of two fit an int64_t. */
#define SIZE_LIMIT (UINT64_C(1) << 62)

int reader_bad(struct reader *r, const char *fmt, ...)
{
	char text[TEXT];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	return err_set(r->err, EXIT_SURETY, "cannot read script '%.*s': line %u: %s", READER_QUOTE, r->name, r->line, text);
}

/* What the rest of the line should have been. */
int reader_bad_arguments(struct reader *r, enum script_verb verb)
{
	static const char *const arguments[VERB_NR] = {
#define VERB(name, word, args) [VERB_##name] = args,
#include "model/verbs.def"
#undef VERB
	};

	if (r->next < r->nr)
		return reader_bad(r, "'%.*s' has no meaning here (%s %s)", READER_QUOTE, r->word[r->next], script_verb_word(verb),
			   arguments[verb]);
	return reader_bad(r, "'%s' lacks a word (%s %s)", script_verb_word(verb), script_verb_word(verb), arguments[verb]);
}

char *reader_next(struct reader *r)
{
	return r->next < r->nr ? r->word[r->next++] : NULL;
}

bool reader_next_is(struct reader *r, const char *word)
{
	if (r->next >= r->nr || strcmp(r->word[r->next], word) != 0)
		return false;
	r->next++;
	return true;
}

int reader_size(struct reader *r, const char *word, uint64_t *ret)
{
	uint64_t value;
	int error = bytes_parse(word, &value);

	if (error == -EINVAL)
		return reader_bad(r, "'%.*s' is not a size (a whole number with K, M, G or T behind it, as in 256M)", READER_QUOTE,
			   word);
	if (error < 0 || value > SIZE_LIMIT)
		return reader_bad(r, "'%.*s' is too large", READER_QUOTE, word);
	*ret = value;
	return 0;
}

static int check_name(struct reader *r, const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	size_t len = strspn(name, allowed);

	if (len == 0 || name[len])
		return reader_bad(r, "'%.*s' is not a name (letters, digits and _)", READER_QUOTE, name);
	if (len >= SCRIPT_NAME)
		return reader_bad(r, "'%.*s' is too long for a name (at most %d characters)", READER_QUOTE, name, SCRIPT_NAME - 1);
	return 0;
}

/* Makes room for one more of SIZE bytes in a list that holds NR: it doubles. */
static int grow(struct reader *r, void *list, size_t nr, size_t size)
{
	void **array = list;
	void *larger;

	if (nr & (nr - 1))
		return 0; /* full only at powers of two */
	larger = reallocarray(*array, nr ? nr * 2 : 1, size);
	if (!larger)
		return reader_bad(r, "%s (the script is too long)", strerror(ENOMEM));
	*array = larger;
	return 0;
}

int reader_find_process(const struct script *script, const char *name)
{
	for (int i = 0; i < script->nr_processes; i++)
		if (strcmp(script->processes[i].name, name) == 0)
			return i;
	return SCRIPT_NONE;
}

int reader_find_region(const struct script *script, const char *name)
{
	for (int i = 0; i < script->nr_regions; i++)
		if (strcmp(script->regions[i].name, name) == 0)
			return i;
	return SCRIPT_NONE;
}

int reader_find_object(const struct script *script, const char *name)
{
	for (int i = 0; i < script->nr_objects; i++)
		if (strcmp(script->objects[i].name, name) == 0)
			return i;
	return SCRIPT_NONE;
}

int reader_add_process(struct reader *r, const char *name, int parent)
{
	struct script *s = r->script;

	if (check_name(r, name) < 0)
		return -1;
	if (reader_find_process(s, name) != SCRIPT_NONE)
		return reader_bad(r, "there is a process '%s' already (a name is forked once)", name);
	if (grow(r, &s->processes, (size_t)s->nr_processes, sizeof(*s->processes)) < 0)
		return -1;
	s->processes[s->nr_processes] = (struct script_process){ .parent = parent };
	strcpy(s->processes[s->nr_processes].name, name);
	return s->nr_processes++;
}

/* The region NAME, made where there is none. */
int reader_take_region(struct reader *r, const char *name)
{
	struct script *s = r->script;
	int i = reader_find_region(s, name);

	if (i != SCRIPT_NONE)
		return i;
	if (check_name(r, name) < 0 || grow(r, &s->regions, (size_t)s->nr_regions, sizeof(*s->regions)) < 0)
		return -1;
	s->regions[s->nr_regions] = (struct script_region){ .below = 0 };
	strcpy(s->regions[s->nr_regions].name, name);
	return s->nr_regions++;
}

int reader_add_object(struct reader *r, const char *name, enum script_object_kind kind, uint64_t bytes)
{
	struct script *s = r->script;
	size_t nr = (size_t)s->nr_objects;

	if (check_name(r, name) < 0)
		return -1;
	if (reader_find_object(s, name) != SCRIPT_NONE)
		return reader_bad(r, "there is an object '%s' already (a name is made once)", name);
	if (grow(r, &s->objects, nr, sizeof(*s->objects)) < 0 ||
	    grow(r, &r->segment_bytes, nr, sizeof(*r->segment_bytes)) < 0)
		return -1;
	s->objects[nr] = (struct script_object){ .kind = kind };
	strcpy(s->objects[nr].name, name);
	r->segment_bytes[nr] = bytes;
	return s->nr_objects++;
}

static int find_verb(const char *word)
{
	for (int i = 0; i < VERB_NR; i++)
		if (strcmp(script_verb_word((enum script_verb)i), word) == 0)
			return i;
	return SCRIPT_NONE;
}

static int read_operation(struct reader *r)
{
	struct script *s = r->script;
	struct script_op op = {
		.line = r->line, .process = SCRIPT_MAIN, .region = SCRIPT_NONE,
		.new_region = SCRIPT_NONE, .object = SCRIPT_NONE, .other = SCRIPT_NONE,
	};
	size_t len = strlen(r->word[0]);
	int verb;

	if (r->word[0][len - 1] == ':') {
		r->word[0][len - 1] = '\0';
		op.process = reader_find_process(s, reader_next(r));
		if (op.process == SCRIPT_NONE)
			return reader_bad(r, "no process '%.*s' has been forked", READER_QUOTE, r->word[0]);
		if (r->next == r->nr)
			return reader_bad(r, "process '%s' does nothing", r->word[0]);
	}
	verb = find_verb(r->word[r->next]);
	if (verb == SCRIPT_NONE)
		return reader_bad(r, "'%.*s' is no operation", READER_QUOTE, r->word[r->next]);
	r->next++;
	op.verb = (enum script_verb)verb;
	if (reader_arguments(r, &op) < 0)
		return -1;
	if (r->next < r->nr)
		return reader_bad_arguments(r, op.verb);
	if (grow(r, &s->ops, s->nr_ops, sizeof(*s->ops)) < 0)
		return -1;
	s->ops[s->nr_ops++] = op;
	return 0;
}

/* A line at the top: NEEDS stands as often as it is needed, all others once. */
static int read_needs(struct reader *r, struct script_settings *set)
{
	char *word = reader_next(r), *end;
	unsigned long major, minor;

	if (!word)
		return reader_bad(r, "'needs' lacks a word (hugetlb, thp-never or a version as in 6.7)");
	if (strcmp(word, "hugetlb") == 0) {
		set->needs |= NEED_HUGETLB;
		return 0;
	}
	if (strcmp(word, "thp-never") == 0) {
		set->needs |= NEED_THP_NEVER;
		return 0;
	}
	errno = 0;
	major = strtoul(word, &end, 10);
	if (word[0] < '0' || word[0] > '9' || *end != '.' || end[1] < '0' || end[1] > '9')
		return reader_bad(r, "'%.*s' is nothing to need (hugetlb, thp-never or a version as in 6.7)", READER_QUOTE,
				  word);
	minor = strtoul(end + 1, &end, 10);
	if (*end || errno || major > UINT16_MAX || minor > UINT16_MAX)
		return reader_bad(r, "'%.*s' is not a version (as in 6.7)", READER_QUOTE, word);
	if (major > set->kernel_major || (major == set->kernel_major && minor > set->kernel_minor)) {
		set->kernel_major = (unsigned int)major;
		set->kernel_minor = (unsigned int)minor;
	}
	return 0;
}

static int read_number(struct reader *r, uint64_t max, uint64_t *ret)
{
	char *word = reader_next(r);

	if (!word)
		return reader_bad(r, "'%s' lacks a number", r->word[0]);
	if (number_parse(word, ret) < 0 || *ret > max)
		return reader_bad(r, "'%.*s' is no number for '%s' (0 to %llu)", READER_QUOTE, word, r->word[0],
				  (unsigned long long)max);
	return 0;
}

static int read_amount(struct reader *r, uint64_t *ret)
{
	char *word = reader_next(r);

	return word ? reader_size(r, word, ret) : reader_bad(r, "'%s' lacks a SIZE", r->word[0]);
}

enum setting { SET_LIMIT, SET_MODE, SET_MEMORY, SET_RATIO, SET_ADMIN, SET_USER, SET_NEEDS, SET_NR };

static const char *const setting_words[SET_NR] = {
	"limit", "mode", "memory", "ratio", "admin-reserve", "user-reserve", "needs",
};

static int find_setting(const char *word)
{
	for (int i = 0; i < SET_NR; i++)
		if (strcmp(setting_words[i], word) == 0)
			return i;
	return SCRIPT_NONE;
}

static int read_setting_value(struct reader *r, enum setting setting, struct script_settings *set)
{
	uint64_t mode;

	switch (setting) {
	case SET_LIMIT:
		set->has_limit = true;
		return read_amount(r, &set->limit);
	case SET_MODE:
		if (read_number(r, OVERCOMMIT_NEVER, &mode) < 0)
			return -1;
		set->has_mode = true;
		set->mode = (enum overcommit)mode;
		return 0;
	case SET_MEMORY:
		set->has_memory = true;
		return read_amount(r, &set->memory);
	case SET_RATIO:
		set->has_ratio = true;
		return read_number(r, INT32_MAX, &set->ratio);
	case SET_ADMIN:
		return read_amount(r, &set->admin_reserve);
	case SET_USER:
		return read_amount(r, &set->user_reserve);
	case SET_NEEDS:
	case SET_NR:
		break;
	}
	return read_needs(r, set);
}

static int read_setting(struct reader *r, enum setting setting)
{
	struct script_settings *set = &r->script->settings;

	if (r->script->nr_ops)
		return reader_bad(r, "'%s' stands behind an operation (it belongs at the top)", r->word[0]);
	if (setting != SET_NEEDS && r->settings_seen & 1u << setting)
		return reader_bad(r, "'%s' stands twice", r->word[0]);
	r->settings_seen |= 1u << setting;
	r->next = 1;
	if (read_setting_value(r, setting, set) < 0)
		return -1;
	if (set->has_limit && set->has_ratio)
		return reader_bad(r, "'limit' and 'ratio' exclude each other");
	if (r->next < r->nr)
		return reader_bad(r, "'%.*s' has no meaning here", READER_QUOTE, r->word[r->next]);
	return 0;
}

/* Cuts TEXT, which ends in NUL, into words up to a word that begins with #. */
static int cut_words(struct reader *r, char *text)
{
	static const char blanks[] = " \t\r\f\v";
	char *save = NULL;

	r->nr = r->next = 0;
	for (char *word = strtok_r(text, blanks, &save); word; word = strtok_r(NULL, blanks, &save)) {
		if (word[0] == '#')
			break;
		if (r->nr == READER_WORDS)
			return reader_bad(r, "too many words (at most %d)", READER_WORDS);
		r->word[r->nr++] = word;
	}
	return 0;
}

static int read_line(struct reader *r, char *text)
{
	int setting;

	if (cut_words(r, text) < 0)
		return -1;
	if (r->nr == 0)
		return 0;
	setting = find_setting(r->word[0]);
	return setting == SCRIPT_NONE ? read_operation(r) : read_setting(r, (enum setting)setting);
}

static int read_lines(struct reader *r, char *text, size_t len)
{
	char *end = text + len, *next;

	if (reader_add_process(r, "main", SCRIPT_NONE) < 0)
		return -1;
	for (; text < end; text = next) {
		char *newline = memchr(text, '\n', (size_t)(end - text));

		r->line++;
		next = newline ? newline + 1 : end;
		if (newline)
			*newline = '\0';
		if (memchr(text, '\0', (size_t)(next - text) - !!newline))
			return reader_bad(r, "a byte of value 0 (a script is text)");
		if (read_line(r, text) < 0)
			return -1;
	}
	return 0;
}

/* All places together must fit an address space. */
static int check_room(struct reader *r)
{
	uint64_t sum = 0;

	for (int i = 0; i < r->script->nr_regions; i++) {
		const struct script_region *region = &r->script->regions[i];

		sum += region->below + region->above + SCRIPT_ROOM_GAP; /* each at most twice 16T */
		if (sum > SCRIPT_ROOM_MAX)
			return reader_bad(r, "region '%s' and those before it need more room than there is (16T)",
					  region->name);
	}
	return 0;
}

int script_parse(const char *name, const char *text, size_t len, struct script **ret, struct err *err)
{
	struct reader r = { .name = name, .err = err };
	char *copy = malloc(len + 1);
	int status = -1;

	r.script = calloc(1, sizeof(*r.script));
	if (!copy || !r.script) {
		status = err_set(err, EXIT_SURETY, "cannot read script '%.*s': %s (it is too long)", READER_QUOTE, name,
				 strerror(ENOMEM));
	} else {
		memcpy(copy, text, len);
		copy[len] = '\0';
		r.script->settings.mode = OVERCOMMIT_NEVER;
		status = read_lines(&r, copy, len) < 0 ? -1 : check_room(&r);
	}
	free(copy);
	free(r.segment_bytes);
	if (status < 0) {
		script_free(r.script);
		return -1;
	}
	*ret = r.script;
	return 0;
}
