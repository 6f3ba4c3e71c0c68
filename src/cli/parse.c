/* SPDX-License-Identifier: MIT
 *
 * Decides what the words of the command line mean and whether they go
 * together.  Options of run end at the first word that is none, or at "--":
 * what follows belongs to the command that is run.  An option may not be shortened:
 * a script must not break when a new option takes its beginning.
 */
#include <string.h>

#include "cli/parse.h"
#include "cli/suggest.h"
#include "cli/value.h"

/* Where the parser stands in one command's words. */
struct cursor {
	const struct command *command;
	char **argv;
	int argc, next;
	bool help;
	bool seen[OPTION_NR];
	union opts *opts;
	struct err *err;
};

static enum command_id command_id(const struct command *command)
{
	return (enum command_id)(command - command_table);
}

static const struct option_row *find_long(enum command_id command, const char *name, size_t len)
{
	for (size_t i = 0; i < OPTION_NR; i++) {
		const struct option_row *row = &option_table[i];

		if (row->command == command && strlen(row->name) == len && !memcmp(row->name, name, len))
			return row;
	}
	return NULL;
}

static const struct option_row *find_letter(enum command_id command, char letter)
{
	for (size_t i = 0; i < OPTION_NR; i++)
		if (option_table[i].command == command && option_table[i].letter == letter)
			return &option_table[i];
	return NULL;
}

static int unknown_option(const struct cursor *c, const char *word)
{
	const char *name = c->command->name;
	struct suggestion near = { 0 };
	char bare[WORD_MAX];
	size_t len = strcspn(word, "=");

	if (word[1] == '-' && len - 2 < sizeof(bare)) {
		memcpy(bare, word + 2, len - 2);
		bare[len - 2] = '\0';
		for (size_t i = 0; i < OPTION_NR; i++)
			if (option_table[i].command == command_id(c->command))
				suggestion_weigh(&near, bare, option_table[i].name);
		suggestion_weigh(&near, bare, "help");
	}
	if (suggestion_word(&near))
		return err_set(c->err, EXIT_SURETY,
			       "unknown option '%s': surety %s does not have it (did you mean --%s?)",
			       quote_word(word).text, name, suggestion_word(&near));
	return err_set(c->err, EXIT_SURETY,
		       "unknown option '%s': surety %s does not have it (surety %s --help lists what it has)",
		       quote_word(word).text, name, name);
}

/* Two options that set one thing, and the limit in two forms. */
static int check_exclusive(const struct cursor *c, const struct option_row *row)
{
	for (size_t i = 0; i < OPTION_NR; i++) {
		const struct option_row *other = &option_table[i];

		if (c->seen[i] && other != row && other->command == row->command && other->offset == row->offset)
			return err_set(c->err, EXIT_SURETY,
				       "cannot use '--%s': --%s sets the same thing (give one of them)", row->name,
				       other->name);
	}
	return 0;
}

static int take_option(struct cursor *c, const struct option_row *row, const char *argument)
{
	if (check_exclusive(c, row) < 0)
		return -1;
	c->seen[row - option_table] = true;
	return value_store(row, argument, c->opts, c->err);
}

/* The word behind an option that needs one.  A word with two dashes is taken
 * for the next option: its argument was forgotten. */
static const char *next_argument(struct cursor *c, const struct option_row *row)
{
	const char *word = c->next < c->argc ? c->argv[c->next] : NULL;

	if (!word || !strncmp(word, "--", 2)) {
		(void)err_set(c->err, EXIT_SURETY, "missing argument of '--%s': it needs %s (as in --%s=%s)", row->name,
			      row->argument, row->name, row->argument);
		return NULL;
	}
	c->next++;
	return word;
}

static int take_long(struct cursor *c, const char *word)
{
	const char *name = word + 2;
	size_t len = strcspn(name, "=");
	const char *argument = name[len] == '=' ? name + len + 1 : NULL;
	const struct option_row *row = find_long(command_id(c->command), name, len);

	if (!strcmp(name, "help")) {
		c->help = true;
		return 0;
	}
	if (!row)
		return unknown_option(c, word);
	if (row->kind == OPT_FLAG && argument)
		return err_set(c->err, EXIT_SURETY, "bad option '%s': it takes no argument (write --%s alone)",
			       quote_word(word).text, row->name);
	if (row->kind != OPT_FLAG && !argument) {
		argument = next_argument(c, row);
		if (!argument)
			return -1;
	}
	return take_option(c, row, argument);
}

static int take_letters(struct cursor *c, const char *word)
{
	for (const char *p = word + 1; *p; p++) {
		const struct option_row *row = find_letter(command_id(c->command), *p);
		const char *argument = NULL;

		if (*p == 'h') {
			c->help = true;
			return 0;
		}
		if (!row)
			return unknown_option(c, word);
		if (row->kind != OPT_FLAG) {
			argument = p[1] ? p + 1 : next_argument(c, row);
			if (!argument)
				return -1;
		}
		if (take_option(c, row, argument) < 0)
			return -1;
		if (argument)
			break;
	}
	return 0;
}

/* The rest of the words: the command to run. */
static int take_command(struct cursor *c)
{
	void *member = (char *)c->opts + c->command->operand_offset;

	if (c->next == c->argc)
		return err_set(c->err, EXIT_SURETY,
			       "no command given: surety %s has nothing to start "
			       "(put it after the options: surety %s -- CMD)", c->command->name,
			       c->command->operands == OPERANDS_COMMAND ? "run --limit 256M" : c->command->name);
	if (c->argv[c->next][0] == '\0')
		return err_set(c->err, EXIT_NOT_FOUND, "cannot run '': the command is empty (is a variable unset?)");
	*(char ***)member = c->argv + c->next;
	return 0;
}

/* The one operand of a command that is not run; options may stand behind it. */
static int take_operand(struct cursor *c, const char *word)
{
	const char **member = (const char **)((char *)c->opts + c->command->operand_offset);
	int most = c->command->operands == OPERANDS_NONE ? 0 : 1;

	if (!most || *member)
		return err_set(c->err, EXIT_SURETY, "unexpected '%s': surety %s takes %s (surety %s --help)",
			       quote_word(word).text, c->command->name, most ? "one operand" : "no operand",
			       c->command->name);
	if (word[0] == '\0')
		return err_set(c->err, EXIT_SURETY, "bad operand '': it is empty (surety %s --help)", c->command->name);
	*member = word;
	return 0;
}

static int check_run(const struct run_opts *run, struct err *err)
{
	if (run->limit_bytes != OPT_UNSET && run->ratio != OPT_UNSET)
		return err_set(
			err, EXIT_SURETY,
			"cannot use '--overcommit-ratio': the limit is given as a size already (give one of them)");
	if (run->mode == 2 && run->limit_bytes == OPT_UNSET && run->ratio == OPT_UNSET && !run->record)
		return err_set(err, EXIT_SURETY,
			       "no limit given: a group with overcommit_memory 2 has none by itself "
			       "(add --limit SIZE or --overcommit-ratio PCT)");
	return 0;
}

static int parse_command(struct cursor *c)
{
	bool runs = operands_run(c->command->operands), options_end = false;

	if (value_preset(command_id(c->command), c->opts, c->err) < 0)
		return -1;
	while (c->next < c->argc && !c->help) {
		const char *word = c->argv[c->next];
		bool is_option = !options_end && word[0] == '-' && word[1] != '\0';
		int r;

		if (!is_option && runs)
			break;
		c->next++;
		if (is_option && !strcmp(word, "--")) {
			options_end = true;
			continue;
		}
		if (!is_option)
			r = take_operand(c, word);
		else
			r = word[1] == '-' ? take_long(c, word) : take_letters(c, word);
		if (r < 0)
			return -1;
	}
	if (command_id(c->command) == COMMAND_top)
		c->opts->top.words = c->argv;
	if (c->help || !runs)
		return 0;
	if (c->command->operands == OPERANDS_COMMAND_OR_NONE && !options_end && c->next == c->argc)
		return 0;
	if (take_command(c) < 0)
		return -1;
	return command_id(c->command) == COMMAND_run ? check_run(&c->opts->run, c->err) : 0;
}

static int unknown_command(const char *word, struct err *err)
{
	struct suggestion near = { 0 };

	if (word[0] == '-')
		return err_set(err, EXIT_SURETY,
			       "unknown option '%s': options stand behind a command (surety --help lists them)",
			       quote_word(word).text);
	for (size_t i = 0; i < COMMAND_NR; i++)
		suggestion_weigh(&near, word, command_table[i].name);
	if (suggestion_word(&near))
		return err_set(err, EXIT_SURETY, "unknown command '%s': surety has none of that name (did you mean %s?)",
			       quote_word(word).text, suggestion_word(&near));
	return err_set(err, EXIT_SURETY,
		       "unknown command '%s': surety has none of that name "
		       "(to start a program: surety run --limit 256M -- CMD)",
		       quote_word(word).text);
}

int parse_command_line(int argc, char **argv, struct parsed *ret, struct err *err)
{
	struct cursor c = { .argv = argv, .argc = argc, .next = 2, .opts = &ret->opts, .err = err };
	const char *word = argc > 1 ? argv[1] : NULL;

	memset(ret, 0, sizeof(*ret));
	if (!word)
		return err_set(err, EXIT_SURETY,
			       "no command given: surety has nothing to do (surety --help lists what it can do)");
	if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
		ret->version = true;
		return 0;
	}
	if (!strcmp(word, "--help") || !strcmp(word, "-h"))
		word = "help";
	c.command = command_find(word);
	if (!c.command)
		return unknown_command(word, err);
	if (parse_command(&c) < 0)
		return -1;
	ret->command = command_id(c.command);
	if (c.help) {
		ret->command = COMMAND_help;
		ret->opts.help.topic = c.command->name;
	}
	return 0;
}
