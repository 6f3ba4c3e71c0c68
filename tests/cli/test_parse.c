/* SPDX-License-Identifier: MIT
 *
 * cli/parse: what a right command line stores, in every form it can be written.
 * The wrong ones are rows of test_options.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/parse.h"
#include "core/mode.h"
#include "engine/engine.h"

enum { WORDS = 40 };

/* Parses TEXT, split at blanks; the words stay until the next call. */
static struct parsed parse(const char *text)
{
	static char buf[512];
	static char *argv[WORDS + 1];
	struct err err = { 0 };
	struct parsed ret;
	int argc = 0;

	assert_true(strlen(text) < sizeof(buf));
	strcpy(buf, text);
	for (char *p = strtok(buf, " "); p; p = strtok(NULL, " ")) {
		assert_true(argc < WORDS);
		argv[argc++] = p;
	}
	argv[argc] = NULL;
	if (parse_command_line(argc, argv, &ret, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return ret;
}

static struct run_opts parse_run(const char *text)
{
	struct parsed parsed = parse(text);

	assert_int_equal(parsed.command, COMMAND_run);
	return parsed.opts.run;
}

static void run_defaults(void **state)
{
	struct run_opts run = parse_run("surety run --limit 256M cmd");

	(void)state;
	assert_int_equal(run.limit_bytes, 256 << 20);
	assert_int_equal(run.ratio, OPT_UNSET);
	assert_int_equal(run.mode, OVERCOMMIT_NEVER);
	assert_int_equal(run.memory_bytes, OPT_UNSET);
	assert_int_equal(run.swap_bytes, OPT_UNSET);
	assert_int_equal(run.admin_reserve_bytes, 0);
	assert_int_equal(run.user_reserve_bytes, 0);
	assert_int_equal(run.on_refusal, ON_REFUSAL_RETURN);
	assert_string_equal(run.report, "-");
	assert_int_equal(run.format, REPORT_TEXT);
	assert_false(run.summary);
	assert_null(run.name);
	assert_int_equal(run.engine, ENGINE_AUTO);
	assert_string_equal(run.command[0], "cmd");
	assert_null(run.command[1]);
}

static void run_every_option(void **state)
{
	struct run_opts run = parse_run("surety run --overcommit-ratio 150 --overcommit-memory 2 --memory 4G --swap 1M "
					"--admin-reserve 8M --user-reserve=128K --on-refusal abort --report r.log "
					"--format json --summary --name web.1 --engine seccomp -- c -l 1");

	(void)state;
	assert_int_equal(run.limit_bytes, OPT_UNSET);
	assert_int_equal(run.ratio, 150);
	assert_int_equal(run.memory_bytes, UINT64_C(4) << 30);
	assert_int_equal(run.swap_bytes, 1 << 20);
	assert_int_equal(run.admin_reserve_bytes, 8 << 20);
	assert_int_equal(run.user_reserve_bytes, 128 << 10);
	assert_int_equal(run.on_refusal, ON_REFUSAL_ABORT);
	assert_string_equal(run.report, "r.log");
	assert_int_equal(run.format, REPORT_JSON);
	assert_true(run.summary);
	assert_string_equal(run.name, "web.1");
	assert_int_equal(run.engine, ENGINE_SECCOMP);
	assert_string_equal(run.command[0], "c");
	assert_string_equal(run.command[1], "-l");
}

static void run_forms_of_the_limit(void **state)
{
	static const char *const same[] = {
		"surety run --limit 64M c",
		"surety run --limit=64M c",
		"surety run -l 64M c",
		"surety run -l64M c",
		"surety run --limit 65536K c",
		"surety run --limit 67108864 c",
		"surety run --limit 64MiB c",
		"surety run --limit 1G --limit 64M c",
		"surety run --overcommit-kbytes 65536 c",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_int_equal(parse_run(same[i]).limit_bytes, 64 << 20);
	assert_int_equal(parse_run("surety run -l 4096 c").limit_bytes, 4096);
	assert_int_equal(parse_run("surety run -l 9223372036854775807 c").limit_bytes, INT64_MAX);
}

static void run_choices_are_the_enums(void **state)
{
	(void)state;
	assert_int_equal(parse_run("surety run --overcommit-memory 0 c").mode, OVERCOMMIT_GUESS);
	assert_int_equal(parse_run("surety run --overcommit-memory 1 c").mode, OVERCOMMIT_ALWAYS);
	assert_int_equal(parse_run("surety run -l 1G --on-refusal return c").on_refusal, ON_REFUSAL_RETURN);
	assert_int_equal(parse_run("surety run -l 1G --on-refusal stop c").on_refusal, ON_REFUSAL_STOP);
	assert_int_equal(parse_run("surety run -l 1G --on-refusal kill c").on_refusal, ON_REFUSAL_KILL);
	assert_int_equal(parse_run("surety run -l 1G --format text c").format, REPORT_TEXT);
	assert_int_equal(parse_run("surety run -l 1G --engine auto c").engine, ENGINE_AUTO);
	assert_int_equal(parse_run("surety run -l 1G --engine null c").engine, ENGINE_NULL);
}

static void run_ends_of_options(void **state)
{
	struct run_opts run = parse_run("surety run -l 1G cmd --limit 2G --help");

	(void)state;
	assert_int_equal(run.limit_bytes, 1 << 30);
	assert_string_equal(run.command[1], "--limit");
	run = parse_run("surety run -l 1G -- --help --version");
	assert_string_equal(run.command[0], "--help");
	run = parse_run("surety run -l 1G -- -- x");
	assert_string_equal(run.command[0], "--");
	run = parse_run("surety run -l 1G - x");
	assert_string_equal(run.command[0], "-");
}

static void other_commands(void **state)
{
	struct parsed parsed = parse("surety status");

	(void)state;
	assert_int_equal(parsed.command, COMMAND_status);
	assert_null(parsed.opts.status.target);
	assert_false(parsed.opts.status.json);
	parsed = parse("surety status --json 1234");
	assert_string_equal(parsed.opts.status.target, "1234");
	assert_true(parsed.opts.status.json);
	parsed = parse("surety audit -- --odd");
	assert_int_equal(parsed.command, COMMAND_audit);
	assert_string_equal(parsed.opts.audit.target, "--odd");
	parsed = parse("surety status web --json");
	assert_string_equal(parsed.opts.status.target, "web");
	assert_true(parsed.opts.status.json);
	parsed = parse("surety probe --engine=null --json");
	assert_int_equal(parsed.command, COMMAND_probe);
	assert_int_equal(parsed.opts.probe.engine, ENGINE_NULL);
	parsed = parse("surety run --help");
	assert_int_equal(parsed.command, COMMAND_help);
	assert_string_equal(parsed.opts.help.topic, "run");
	assert_true(parse("surety --version").version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run_defaults),		  cmocka_unit_test(run_every_option),
		cmocka_unit_test(run_forms_of_the_limit), cmocka_unit_test(run_choices_are_the_enums),
		cmocka_unit_test(run_ends_of_options),	  cmocka_unit_test(other_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
