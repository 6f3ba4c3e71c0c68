/* SPDX-License-Identifier: MIT
 *
 * Expands the two .def files.  Decides nothing.
 */
#include <string.h>

#include "cli/opts.h"
#include "cli/table.h"

#define OFFSET_OPERANDS_NONE(name) 0
#define OFFSET_OPERANDS_COMMAND(name) offsetof(union opts, name.command)
#define OFFSET_OPERANDS_COMMAND_OR_NONE(name) offsetof(union opts, name.command)
#define OFFSET_OPERANDS_TARGET(name) offsetof(union opts, name.target)
#define OFFSET_OPERANDS_SCRIPT(name) offsetof(union opts, name.script)
#define OFFSET_OPERANDS_RECORD(name) offsetof(union opts, name.record)
#define OFFSET_OPERANDS_TOPIC(name) offsetof(union opts, name.topic)

const struct command command_table[COMMAND_NR] = {
#define COMMAND(name, operands, synopsis, summary, description) \
	{ #name, operands, synopsis, summary, description, OFFSET_##operands(name) },
#include "cli/commands.def"
#undef COMMAND
};

const struct option_row option_table[OPTION_NR] = {
#define OPT(command, name, letter, argument, kind, field, preset, group, help, detail)               \
	{ COMMAND_##command, name, letter, argument, kind, offsetof(union opts, command.field), preset, \
	  group, help, detail },
#include "cli/options.def"
#undef OPT
};

/* The member that a row names must have the type that its kind stores. */
#define TYPE_OPT_FLAG bool
#define TYPE_OPT_SIZE uint64_t
#define TYPE_OPT_SIZE_POSITIVE uint64_t
#define TYPE_OPT_KIB_POSITIVE uint64_t
#define TYPE_OPT_PERCENT uint64_t
#define TYPE_OPT_NUMBER uint64_t
#define TYPE_OPT_COUNT uint64_t
#define TYPE_OPT_CHOICE int
#define TYPE_OPT_STRING const char *
#define TYPE_OPT_VERSION const char *
#define TYPE_OPT_WORD const char *
#define TYPE_OPT_NAME const char *
#define OPT(command, name, letter, argument, kind, field, preset, group, help, detail)                \
	_Static_assert(__builtin_types_compatible_p(__typeof__(((union opts *)0)->command.field),        \
						    TYPE_##kind),                                        \
		       "--" name " of " #command " does not fit its field");                             \
	_Static_assert(sizeof(name) <= WORD_MAX, "--" name " is too long");
#include "cli/options.def"
#undef OPT

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < COMMAND_NR; i++)
		if (!strcmp(command_table[i].name, name))
			return &command_table[i];
	return NULL;
}

int choice_word(const char *list, int index, char ret[WORD_MAX])
{
	size_t len;

	for (; index > 0; index--) {
		list = strchr(list, '|');
		if (!list)
			return 0;
		list++;
	}
	len = strcspn(list, "|");
	if (len >= WORD_MAX)
		len = WORD_MAX - 1;
	memcpy(ret, list, len);
	ret[len] = '\0';
	return 1;
}
