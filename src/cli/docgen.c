/* SPDX-License-Identifier: MIT
 *
 * docgen: the man page and the bash completion, made from the option table
 * while surety is built.  Runs on the build machine; no part of surety.
 *
 *     docgen man TEMPLATE    the template, its @NAME@ lines replaced (mdoc)
 *     docgen completion      a bash script
 *
 * Prose belongs to the template or to the tables, never here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"

static int option_is_of(const struct option_row *row, size_t command)
{
	return row->command == (enum command_id)command;
}

/* Running text: one sentence a line, as mdoc wants it, with nothing that roff
 * would read as a request. */
static void man_text(const char *text)
{
	int line_start = 1;

	for (const char *p = text; *p; p++) {
		if (line_start && (*p == '.' || *p == '\''))
			printf("\\&");
		line_start = 0;
		if (*p == '\\') {
			printf("\\e");
		} else if (*p == '.' && p[1] == ' ') {
			printf(".\n");
			p++;
			line_start = 1;
		} else {
			putchar(*p);
		}
	}
	putchar('\n');
}

/* "[--] COMMAND [ARG...]" as mdoc macros, a line each. */
static void man_synopsis(const char *synopsis)
{
	while (*synopsis) {
		size_t len = strcspn(synopsis, " ");
		int optional = synopsis[0] == '[';
		const char *word = synopsis + optional;
		int word_len = (int)len - 2 * optional;

		printf(".%s", optional ? "Op " : "");
		if (word_len == 2 && !memcmp(word, "--", 2))
			printf("Fl -\n");
		else
			printf("Ar %.*s\n", word_len, word);
		synopsis += len;
		synopsis += strspn(synopsis, " ");
	}
}

static void man_synopses(void)
{
	for (size_t i = 0; i < COMMAND_NR; i++) {
		int options = 0;

		for (size_t j = 0; j < OPTION_NR; j++)
			options += option_is_of(&option_table[j], i);
		printf(".Nm\n.Cm %s\n", command_table[i].name);
		if (options)
			printf(".Op Ar OPTION ...\n");
		man_synopsis(command_table[i].synopsis);
	}
	printf(".Nm\n.Fl -help | Fl -version\n");
}

static void man_commands(void)
{
	printf(".Bl -tag -width Ds\n");
	for (size_t i = 0; i < COMMAND_NR; i++) {
		printf(".It Cm %s\n", command_table[i].name);
		man_text(command_table[i].description);
	}
	printf(".El\n");
}

static void man_option(const struct option_row *row)
{
	printf(".It ");
	if (row->letter)
		printf("Fl %c%s%s , ", row->letter, row->argument ? " Ar " : "", row->argument ? row->argument : "");
	printf("Fl -%s%s%s\n", row->name, row->argument ? " Ar " : "", row->argument ? row->argument : "");
	printf("%c", row->help[0] >= 'a' && row->help[0] <= 'z' ? row->help[0] - 'a' + 'A' : row->help[0]);
	printf("%s.\n", row->help + 1);
	if (row->detail[0])
		man_text(row->detail);
	if (row->preset)
		printf("The default is\n.Cm %s .\n", row->preset);
}

static void man_options(void)
{
	for (size_t i = 0; i < COMMAND_NR; i++) {
		int rows = 0;

		for (size_t j = 0; j < OPTION_NR; j++) {
			if (!option_is_of(&option_table[j], i))
				continue;
			if (rows++ == 0)
				printf(".Ss Options of surety %s\n.Bl -tag -width Ds\n", command_table[i].name);
			man_option(&option_table[j]);
		}
		if (rows)
			printf(".El\n");
	}
}

static int man_page(const char *template)
{
	static const struct {
		const char *line;
		void (*print)(void);
	} parts[] = {
		{ "@SYNOPSIS@\n", man_synopses },
		{ "@COMMANDS@\n", man_commands },
		{ "@OPTIONS@\n", man_options },
	};
	char line[1024];
	FILE *f = fopen(template, "re");

	if (!f) {
		perror(template);
		return 1;
	}
	while (fgets(line, sizeof(line), f)) {
		size_t i;

		for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
			if (!strcmp(line, parts[i].line))
				break;
		if (i < sizeof(parts) / sizeof(parts[0])) {
			parts[i].print();
		} else if (line[0] == '@') {
			fprintf(stderr, "%s: unknown part %s", template, line);
			return 1;
		} else {
			fputs(line, stdout);
		}
	}
	(void)fclose(f); /* read only */
	return 0;
}

static void completion_arguments(size_t command)
{
	for (size_t j = 0; j < OPTION_NR; j++) {
		const struct option_row *row = &option_table[j];
		char word[WORD_MAX];

		if (!option_is_of(row, command) || row->kind != OPT_CHOICE)
			continue;
		printf("\t%s:--%s) words='", command_table[command].name, row->name);
		for (int i = 0; choice_word(row->argument, i, word); i++)
			printf("%s%s", i ? " " : "", word);
		printf("' ;;\n");
	}
	for (size_t j = 0; j < OPTION_NR; j++)
		if (option_is_of(&option_table[j], command) && option_table[j].kind == OPT_STRING)
			printf("\t%s:--%s) files=1 ;;\n", command_table[command].name, option_table[j].name);
}

static void completion_tables(void)
{
	printf("# The options of a command.\n_surety_options()\n{\n\tcase $1 in\n");
	for (size_t i = 0; i < COMMAND_NR; i++) {
		printf("\t%s) echo '", command_table[i].name);
		for (size_t j = 0; j < OPTION_NR; j++)
			if (option_is_of(&option_table[j], i))
				printf("--%s ", option_table[j].name);
		printf("--help' ;;\n");
	}
	printf("\tesac\n}\n\n# Whether the option $2 of command $1 takes an argument.\n"
	       "_surety_takes_argument()\n{\n\tcase $1:$2 in\n");
	for (size_t i = 0; i < COMMAND_NR; i++) {
		for (size_t j = 0; j < OPTION_NR; j++) {
			const struct option_row *row = &option_table[j];

			if (!option_is_of(row, i) || !row->argument)
				continue;
			printf("\t%s:--%s", command_table[i].name, row->name);
			if (row->letter)
				printf(" | %s:-%c", command_table[i].name, row->letter);
			printf(") return 0 ;;\n");
		}
	}
	printf("\tesac\n\treturn 1\n}\n\n");
}

/* What stands behind the options begins with word $2. */
static void completion_operand(void)
{
	printf("# The operands of command $1 begin with word $2.\n"
	       "_surety_operand()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]-}\n\n\tcase $1 in\n");
	for (size_t i = 0; i < COMMAND_NR; i++) {
		if (operands_run(command_table[i].operands))
			printf("\t%s)\n"
			       "\t\tif declare -F _command_offset >/dev/null; then\n"
			       "\t\t\t_command_offset \"$2\"\n"
			       "\t\telif [ \"$COMP_CWORD\" -eq \"$2\" ]; then\n"
			       "\t\t\tCOMPREPLY=($(compgen -c -- \"$cur\"))\n"
			       "\t\telse\n"
			       "\t\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
			       "\t\tfi\n\t\t;;\n",
			       command_table[i].name);
		if (command_table[i].operands == OPERANDS_SCRIPT)
			printf("\t%s) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n", command_table[i].name);
		if (command_table[i].operands != OPERANDS_TOPIC)
			continue;
		printf("\t%s) COMPREPLY=($(compgen -W '", command_table[i].name);
		for (size_t j = 0; j < COMMAND_NR; j++)
			printf("%s%s", j ? " " : "", command_table[j].name);
		printf("' -- \"$cur\")) ;;\n");
	}
	printf("\tesac\n}\n\n");
}

static void completion(void)
{
	printf("# bash completion for surety(1), made from src/cli/options.def\n\n");
	completion_tables();
	completion_operand();
	printf("_surety()\n{\n"
	       "\tlocal command=${COMP_WORDS[1]-} cur=${COMP_WORDS[COMP_CWORD]-} i option= words= files=\n\n"
	       "\tCOMPREPLY=()\n"
	       "\tif [ \"$COMP_CWORD\" -le 1 ]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W '");
	for (size_t i = 0; i < COMMAND_NR; i++)
		printf("%s ", command_table[i].name);
	printf("--help --version' -- \"$cur\"))\n\t\treturn\n\tfi\n"
	       "\t# Find the option whose argument is being typed, or the word where the options end.\n"
	       "\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
	       "\t\tif [ -n \"$option\" ]; then\n"
	       "\t\t\t[ \"${COMP_WORDS[i]}\" = = ] || option=\n"
	       "\t\telif _surety_takes_argument \"$command\" \"${COMP_WORDS[i]}\"; then\n"
	       "\t\t\toption=${COMP_WORDS[i]}\n"
	       "\t\telif [ \"${COMP_WORDS[i]}\" = -- ]; then\n"
	       "\t\t\t_surety_operand \"$command\" $((i + 1))\n\t\t\treturn\n"
	       "\t\telif [[ ${COMP_WORDS[i]} != -* ]]; then\n"
	       "\t\t\t_surety_operand \"$command\" $i\n\t\t\treturn\n"
	       "\t\tfi\n"
	       "\tdone\n"
	       "\t[ \"$cur\" = = ] && cur=\n"
	       "\tcase $command:$option in\n");
	for (size_t i = 0; i < COMMAND_NR; i++)
		completion_arguments(i);
	printf("\t*:) [[ $cur == -* ]] || { _surety_operand \"$command\" \"$COMP_CWORD\"; return; }\n"
	       "\t\twords=$(_surety_options \"$command\") ;;\n"
	       "\tesac\n"
	       "\tif [ -n \"$files\" ]; then\n"
	       "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
	       "\telif [ -n \"$words\" ]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	       "\tfi\n}\n\n"
	       "complete -F _surety surety\n");
}

int main(int argc, char **argv)
{
	int status = 2;

	if (argc == 3 && !strcmp(argv[1], "man")) {
		status = man_page(argv[2]);
	} else if (argc == 2 && !strcmp(argv[1], "completion")) {
		completion();
		status = 0;
	} else {
		fprintf(stderr, "usage: docgen man TEMPLATE | docgen completion\n");
	}
	if (fflush(stdout) || ferror(stdout))
		return 1;
	return status;
}
