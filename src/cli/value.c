/* SPDX-License-Identifier: MIT
 *
 * Decides what is a valid argument of an option, alone; what goes together is
 * decided in parse.c.  Must not open, look up or start anything.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/place.h"
#include "cli/value.h"

struct quoted quote_word(const char *word)
{
	struct quoted ret;
	size_t len = strlen(word), keep = len;
	static const char cut[] = "...";

	if (keep >= sizeof(ret.text)) {
		keep = sizeof(ret.text) - sizeof(cut);
		while (keep && ((unsigned char)word[keep] & 0xc0) == 0x80)
			keep--; /* not inside a UTF-8 sequence */
	}
	for (size_t i = 0; i < keep; i++) {
		unsigned char c = (unsigned char)word[i];

		ret.text[i] = c < 0x20 || c == 0x7f || c == '\'' ? '?' : (char)c;
	}
	if (keep < len)
		memcpy(ret.text + keep, cut, sizeof(cut));
	else
		ret.text[keep] = '\0';
	return ret;
}

static int bad_value(const struct option_row *row, const char *argument, const char *why, struct err *err)
{
	return err_set(err, EXIT_SURETY, "bad --%s '%s': %s", row->name, quote_word(argument).text, why);
}

/* Sizes and KiB to bytes; LIMIT on both ends is the caller's kind. */
static int read_bytes(const struct option_row *row, const char *argument, uint64_t *ret, struct err *err)
{
	int kib = row->kind == OPT_KIB_POSITIVE;
	uint64_t bytes;
	int r;

	if (argument[0] == '-' || argument[0] == '+')
		return bad_value(row, argument, "a size has no sign (a whole number, as in 256M)", err);
	r = kib ? number_parse(argument, &bytes) : bytes_parse(argument, &bytes);
	if (r == -EINVAL && kib)
		return bad_value(row, argument,
				 "not a number of KiB (a whole number without a unit; "
				 "--limit takes 256M)",
				 err);
	if (r == -EINVAL)
		return bad_value(row, argument, "not a size (a whole number with K, M, G or T behind it, as in 256M)",
				 err);
	if (r < 0 || bytes > (uint64_t)INT64_MAX / (kib ? 1024 : 1))
		return bad_value(row, argument, "too large (less than 8388608T)", err);
	if (kib)
		bytes *= 1024;
	if (row->kind != OPT_SIZE && bytes == 0)
		return bad_value(row, argument, "nothing can start with none (a size such as 256M)", err);
	if (row->kind != OPT_SIZE && bytes < PAGE_BYTES)
		return bad_value(row, argument, "less than a page of 4096 bytes (add the unit, as in 256M)", err);
	*ret = bytes;
	return 0;
}

static int read_percent(const struct option_row *row, const char *argument, uint64_t *ret, struct err *err)
{
	uint64_t number;
	int r = number_parse(argument, &number);

	if (r == -EINVAL)
		return bad_value(row, argument, "not a whole number (per cent of the RAM, as in 50)", err);
	if (r < 0 || number > INT32_MAX) /* the sysctl is an int */
		return bad_value(row, argument, "too large (at most 2147483647)", err);
	if (number == 0)
		return bad_value(row, argument, "nothing can start with none (per cent of the RAM, as in 50)", err);
	*ret = number;
	return 0;
}

static int read_count(const struct option_row *row, const char *argument, uint64_t *ret, struct err *err)
{
	uint64_t number;
	int r = number_parse(argument, &number);

	if (r == -EINVAL)
		return bad_value(row, argument, row->kind == OPT_COUNT ? "not a whole number (1 or more)" :
										 "not a whole number (0 or more)", err);
	if (r < 0 || number > INT32_MAX)
		return bad_value(row, argument, "too large (at most 2147483647)", err);
	if (number == 0 && row->kind == OPT_COUNT)
		return bad_value(row, argument, "it is 0 (1 or more)", err);
	*ret = number;
	return 0;
}

static int read_choice(const struct option_row *row, const char *argument, int *ret, struct err *err)
{
	char word[WORD_MAX], why[128], *end = why;
	size_t used = 0;

	for (int i = 0; choice_word(row->argument, i, word); i++) {
		if (!strcmp(word, argument)) {
			*ret = i;
			return 0;
		}
	}
	for (const char *p = row->argument; *p && used < sizeof(why) - 3; p++) {
		if (*p == '|') {
			end[used++] = ',';
			end[used++] = ' ';
		} else {
			end[used++] = *p;
		}
	}
	why[used] = '\0';
	return err_set(err, EXIT_SURETY, "bad --%s '%s': not one of the values it takes (%s)", row->name,
		       quote_word(argument).text, why);
}

static int read_name(const struct option_row *row, const char *argument, const char **ret, struct err *err)
{
	static const char digits[] = "0123456789";
	size_t len = strlen(argument);

	if (len > PLACE_NAME_MAX)
		return bad_value(row, argument, "too long (at most 63 characters)", err);
	if (!place_is_name(argument))
		return bad_value(row, argument, "not a name (letters, digits and . _ -, a letter or digit first)", err);
	if (strspn(argument, digits) == len)
		return bad_value(row, argument, "digits alone are a process id (add a letter)", err);
	*ret = argument;
	return 0;
}

/* Two numbers of at most four digits each. */
static int read_version(const struct option_row *row, const char *argument, const char **ret, struct err *err)
{
	static const char digits[] = "0123456789";
	size_t major = strspn(argument, digits), minor = argument[major] ? strspn(argument + major + 1, digits) : 0;

	if (major == 0 || major > 4 || argument[major] != '.' || minor == 0 || minor > 4 || argument[major + 1 + minor])
		return bad_value(row, argument, "not a version (two numbers, as in 6.12)", err);
	*ret = argument;
	return 0;
}

int value_store(const struct option_row *row, const char *argument, union opts *opts, struct err *err)
{
	void *member = (char *)opts + row->offset;

	if (argument && argument[0] == '\0')
		return err_set(err, EXIT_SURETY, "bad --%s '': it is empty (give %s)", row->name, row->argument);
	switch (row->kind) {
	case OPT_FLAG:
		*(bool *)member = true;
		return 0;
	case OPT_SIZE:
	case OPT_SIZE_POSITIVE:
	case OPT_KIB_POSITIVE:
		return read_bytes(row, argument, member, err);
	case OPT_PERCENT:
		return read_percent(row, argument, member, err);
	case OPT_NUMBER:
	case OPT_COUNT:
		return read_count(row, argument, member, err);
	case OPT_CHOICE:
		return read_choice(row, argument, member, err);
	case OPT_NAME:
		return read_name(row, argument, member, err);
	case OPT_VERSION:
		return read_version(row, argument, member, err);
	case OPT_STRING:
	case OPT_WORD:
		*(const char **)member = argument;
		return 0;
	}
	return err_set(err, EXIT_SURETY, "bad --%s '%s': it has no kind (this is a bug)", row->name, argument);
}

int value_pid(const char *word, pid_t *ret, struct err *err)
{
	uint64_t number;

	if (number_parse(word, &number) < 0 || number == 0 || number > INT32_MAX)
		return err_set(err, EXIT_SURETY, "bad process id '%s': not a whole number (ps lists them)",
			       quote_word(word).text);
	*ret = (pid_t)number;
	return 0;
}

int value_preset(enum command_id command, union opts *opts, struct err *err)
{
	memset(opts, 0, sizeof(*opts));
	for (size_t i = 0; i < OPTION_NR; i++) {
		const struct option_row *row = &option_table[i];

		if (row->command != command)
			continue;
		if (row->preset) {
			if (value_store(row, row->preset, opts, err) < 0)
				return -1;
			continue;
		}
		switch (row->kind) {
		case OPT_SIZE:
		case OPT_SIZE_POSITIVE:
		case OPT_KIB_POSITIVE:
		case OPT_PERCENT:
		case OPT_NUMBER:
		case OPT_COUNT:
			*(uint64_t *)((char *)opts + row->offset) = OPT_UNSET;
			break;
		case OPT_FLAG:
		case OPT_CHOICE:
		case OPT_STRING:
		case OPT_WORD:
		case OPT_NAME:
		case OPT_VERSION:
			break; /* false, the first word, NULL: the memset */
		}
	}
	return 0;
}
