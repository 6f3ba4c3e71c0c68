/* SPDX-License-Identifier: MIT
 *
 * help and version: what surety says about itself, made from the option table.
 * Written to stdout; a failed write is a failure.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/table.h"
#include "cli/value.h"
#include "config.h"

enum {
	COLUMNS = 80,
	HELP_INDENT = 31, /* column of the text behind an option */
};

static int finish(struct err *err)
{
	if (fflush(stdout) || ferror(stdout))
		return err_set(err, EXIT_SURETY, "cannot write 'standard output': %s (is the disk full?)",
			       strerror(errno));
	return 0;
}

/* Prints TEXT in lines of COLUMNS, each but the first indented; the first
 * starts in column AT. */
static void print_wrapped(const char *text, size_t at, size_t indent)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (at + 1 + len > COLUMNS && at > indent) {
			printf("\n%*s", (int)indent, "");
			at = indent;
		} else if (at > indent) {
			putchar(' ');
			at++;
		}
		printf("%.*s", (int)len, text);
		at += len;
		text += len;
		text += strspn(text, " ");
	}
	putchar('\n');
}

/* Prints LEFT and, from column HELP_INDENT on, TEXT. */
static void print_row(const char *left, const char *text)
{
	size_t used = strlen(left);

	printf("%s", left);
	if (used + 2 > HELP_INDENT) {
		putchar('\n');
		used = 0;
	}
	printf("%*s", (int)(HELP_INDENT - used), "");
	print_wrapped(text, HELP_INDENT, HELP_INDENT);
}

static void print_option(const struct option_row *row)
{
	char left[96], text[160], letter[8] = "    ";

	if (row->letter)
		(void)snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	(void)snprintf(left, sizeof(left), "  %s--%s%s%s", letter, row->name, row->argument ? " " : "",
		       row->argument ? row->argument : "");
	if (row->preset)
		(void)snprintf(text, sizeof(text), "%s (default %s)", row->help, row->preset);
	else
		(void)snprintf(text, sizeof(text), "%s", row->help);
	print_row(left, text);
}

static void print_command_help(const struct command *command)
{
	enum command_id id = (enum command_id)(command - command_table);
	const char *group = NULL;

	printf("Usage: surety %s [OPTION...]%s%s\n\n", command->name, command->synopsis[0] ? " " : "", command->synopsis);
	print_wrapped(command->description, 0, 0);
	for (size_t i = 0; i < OPTION_NR; i++) {
		const struct option_row *row = &option_table[i];

		if (row->command != id)
			continue;
		if (!group || strcmp(group, row->group) != 0)
			printf("\n%s:\n", row->group);
		group = row->group;
		print_option(row);
	}
	printf("\n");
	print_row("  -h, --help", "show this help");
	if (command->operands == OPERANDS_COMMAND)
		printf("\nA SIZE is a whole number with K, M, G or T behind it, powers of 1024: 256M.\n");
}

static void print_overview(void)
{
	printf("Usage: surety COMMAND [OPTION...] [OPERAND...]\n\n");
	print_wrapped("Gives one job its own strict memory commitment: what vm.overcommit_memory=2 does to a whole "
		      "host, done to a process tree, with the host left alone.",
		      0, 0);
	printf("\nCommands:\n");
	for (size_t i = 0; i < COMMAND_NR; i++) {
		char left[WORD_MAX + 64];

		(void)snprintf(left, sizeof(left), "  %s %s", command_table[i].name, command_table[i].synopsis);
		print_row(left, command_table[i].summary);
	}
	printf("\nOptions:\n");
	print_row("  -h, --help", "show this help; behind a command, its options");
	print_row("  -V, --version", "show the version");
	printf("\nExample:\n  surety run --limit 256M --summary -- make -j4\n\n");
	print_wrapped("Exit status: that of the command that was run, 128+n where signal n ended it; 125 surety "
		      "itself failed, 126 the command cannot be executed, 127 it was not found.",
		      0, 0);
}

int cmd_help(const struct help_opts *opts, struct err *err)
{
	const struct command *command = NULL;

	if (opts->topic) {
		command = command_find(opts->topic);
		if (!command)
			return err_set(err, EXIT_SURETY,
				       "no help on '%s': surety has no command of that name (surety --help lists them)",
				       quote_word(opts->topic).text);
		print_command_help(command);
	} else {
		print_overview();
	}
	return finish(err);
}

int cmd_version(struct err *err)
{
	printf("surety %s\n", SURETY_VERSION);
	return finish(err);
}
