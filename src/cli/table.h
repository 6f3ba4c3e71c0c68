/* SPDX-License-Identifier: MIT
 *
 * table: the commands and options of commands.def and options.def as data.
 * The parser, the help and the generator of the documents all read this and
 * nothing else.
 */
#ifndef SURETY_CLI_TABLE_H
#define SURETY_CLI_TABLE_H

#include <stddef.h>

enum command_id {
#define COMMAND(name, operands, synopsis, summary, description) COMMAND_##name,
#include "cli/commands.def"
#undef COMMAND
	COMMAND_NR
};

/* What may stand behind the options. */
enum operands {
	OPERANDS_NONE,
	OPERANDS_COMMAND, /* a command and its arguments, at least one word */
	OPERANDS_COMMAND_OR_NONE,
	OPERANDS_TARGET,  /* at most one: a group or a pid */
	OPERANDS_SCRIPT,  /* one: a file */
	OPERANDS_RECORD,  /* the file of a record */
	OPERANDS_TOPIC,   /* at most one: the name of a command */
};

/* Whether the words behind the options are a command to run. */
static inline int operands_run(enum operands operands)
{
	return operands == OPERANDS_COMMAND || operands == OPERANDS_COMMAND_OR_NONE;
}

/* How an argument is read, and the type of the member it is stored in. */
enum opt_kind {
	OPT_FLAG,          /* no argument; bool */
	OPT_SIZE,          /* 0 or more; uint64_t bytes */
	OPT_SIZE_POSITIVE, /* a page or more; uint64_t bytes */
	OPT_KIB_POSITIVE,  /* a plain number of KiB, a page or more; uint64_t bytes */
	OPT_PERCENT,       /* a plain number, 1 or more; uint64_t */
	OPT_NUMBER,        /* a plain number, 0 or more; uint64_t */
	OPT_COUNT,         /* a plain number, 1 or more; uint64_t */
	OPT_CHOICE,        /* one of the words; int, its index */
	OPT_STRING,        /* the name of a file, not empty; const char * */
	OPT_WORD,          /* not empty, and no file; const char * */
	OPT_VERSION,       /* of a kernel, as 6.12; const char * */
	OPT_NAME,          /* the name of a group; const char * */
};

struct command {
	const char *name;
	enum operands operands;
	const char *synopsis, *summary, *description;
	size_t operand_offset; /* of the operands in union opts; none for OPERANDS_NONE */
};

struct option_row {
	enum command_id command;
	const char *name; /* without the dashes */
	char letter;      /* or 0 */
	const char *argument;
	enum opt_kind kind;
	size_t offset; /* of the member in union opts */
	const char *preset;
	const char *group, *help, *detail;
};

enum {
	OPTION_NR = 0
#define OPT(command, name, letter, argument, kind, field, preset, group, help, detail) +1
#include "cli/options.def"
#undef OPT
};

enum { WORD_MAX = 32 }; /* longest command, option or choice, with its NUL */

extern const struct command command_table[COMMAND_NR];
extern const struct option_row option_table[OPTION_NR];

/* NULL where there is none of that name. */
const struct command *command_find(const char *name);

/* Copies word INDEX of LIST ("a|b|c") to RET.  Returns 0 past the last one. */
int choice_word(const char *list, int index, char ret[WORD_MAX]);

#endif
