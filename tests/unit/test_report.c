/* SPDX-License-Identifier: MIT
 *
 * report/text, report/json, report/escape, report/shortfall, report/perfmap,
 * report/known: what is printed of an event, and that names a job chose do no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "report/escape.h"
#include "report/json.h"
#include "report/known.h"
#include "report/perfmap.h"
#include "report/shortfall.h"
#include "report/text.h"

#define MIB (UINT64_C(1) << 20)

static struct frame frames[] = {
	{ .pc = 0x7f0000001010, .module = "/lib/libc.so.6", .build_id = "aa11", .offset = 0x100f,
	  .symbol = "mmap", .symbol_offset = 0x10 },
	{ .pc = 0x401020, .module = "/bin/prog", .symbol = "helper", .file = "prog.c", .line = 7,
	  .offset = 0x40101f, .inlined = true },
	{ .pc = 0x401020, .module = "/bin/prog", .symbol = "main", .symbol_offset = 0x20, .file = "prog.c",
	  .line = 9, .offset = 0x40101f },
	{ .pc = 0x7f0000002000 },
};

static struct event event;

static int setup(void **state)
{
	struct refusal *r = &event.call[0].refusal;

	(void)state;
	memset(&event, 0, sizeof(event));
	event.nr = 1;
	event.call[0].stack = (struct stack){ .nr = 4, .frame = frames, .end = UNWIND_OUTERMOST };
	*r = (struct refusal){
		.time_ns = UINT64_C(1700000000123456789), .mode = OVERCOMMIT_NEVER, .pid = 42, .tid = 43,
		.op = OP_MMAP, .arch = AUDIT_ARCH_X86_64, .syscall_nr = SYS_mmap,
		.args = { 0, 512 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, UINT64_MAX, 0 },
		.request_bytes = 512 * MIB, .committed_bytes = 12 * MIB, .limit_bytes = 256 * MIB,
		.allowed_bytes = 256 * MIB, .verdict = VERDICT_OVER_LIMIT, .rule = RULE_PRIVATE_ANON,
		.error = ENOMEM, .sequence = 5, .nr_holders = 2,
	};
	strcpy(r->group, "x");
	strcpy(r->engine, "seccomp");
	strcpy(r->comm, "python3");
	strcpy(r->exe, "/usr/bin/python3");
	r->holders[0] = (struct refusal_holder){ .pid = 42, .bytes = 8 * MIB, .comm = "python3" };
	r->holders[1] = (struct refusal_holder){ .pid = 0, .bytes = 4 * MIB };
	return 0;
}

static char *printed(void)
{
	static char buf[16384];
	FILE *f = fmemopen(buf, sizeof(buf), "w");

	assert_non_null(f);
	text_write(f, &event);
	assert_int_equal(ferror(f), 0);
	fclose(f);
	return buf;
}

static json_t *parsed(void)
{
	static char buf[65536];
	FILE *f = fmemopen(buf, sizeof(buf), "w");
	json_t *object;
	json_error_t error;

	assert_non_null(f);
	assert_int_equal(json_write(f, &event), 0);
	fclose(f);
	assert_ptr_equal(strchr(buf, '\n'), buf + strlen(buf) - 1); /* one line */
	object = json_loads(buf, JSON_REJECT_DUPLICATES, &error);
	if (!object)
		fail_msg("%s: %s", error.text, buf);
	return object;
}

static void assert_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *p = text; (p = strstr(p, line)); p++)
		if ((p == text || p[-1] == '\n') && p[len] == '\n')
			return;
	fail_msg("no line '%s' in:\n%s", line, text);
}

static void test_text(void **state)
{
	const char *text = printed();

	(void)state;
	assert_int_equal(strncmp(text,
				 "surety: refused mmap of 512M: python3[42] in group 'x': "
				 "Committed_AS 12M + 512M would pass CommitLimit 256M\n", 108), 0);
	assert_line(text, "  process  42 thread 43 (python3) /usr/bin/python3");
	assert_line(text, "  group    x, overcommit_memory 2, engine seccomp");
	assert_line(text, "  call     mmap(NULL, 512M, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS) = ENOMEM");
	assert_line(text, "  caller   helper at prog.c:7   (frame 1)");
	assert_non_null(strstr(text, "  rule     R-010 "));
	assert_line(text, "    requested             524288 kB       512M");
	assert_line(text, "    Committed_AS           12288 kB        12M");
	assert_line(text, "    CommitLimit           262144 kB       256M");
	assert_line(text, "    short by              274436 kB     268.0M");
	assert_line(text, "    #0  0x7f0000001010 mmap+0x10 (libc.so.6+0x100f)");
	assert_line(text, "    #1  inlined        helper at prog.c:7");
	assert_line(text, "    #2  0x401020       main+0x20 at prog.c:9 (prog+0x40101f)");
	assert_line(text, "    #3  0x7f0000002000 ?");
	assert_line(text, "    (no build-id)                            /bin/prog");
	assert_line(text, "           8192 kB       42  python3");
	assert_line(text, "           4096 kB        -  shared memory");
	assert_null(strstr(text, "less reserves"));
	assert_null(strstr(text, "more like it"));
	assert_null(strstr(text, "promised"));
	assert_string_equal(text + strlen(text) - 2, "\n\n"); /* an empty line ends it */
}

static void be_ended(void)
{
	struct refusal *r = &event.call[0].refusal;

	r->op = OP_COPY;
	r->syscall_nr = -1;
	r->arch = 0;
	r->signal = 15;
	r->rule = RULE_FORK_RESERVE;
	r->args[0] = 41;
	r->args[1] = 38 * MIB;
	r->args[2] = 40 * MIB;
	r->parent_state = 'S';
	strcpy(r->parent_comm, "par\033ent");
}

/* A child whose reserve was used up. */
static void test_ended(void **state)
{
	const char *text;
	json_t *ended, *object;

	(void)state;
	be_ended();
	text = printed();
	assert_int_equal(strncmp(text, "surety: ended by SIGTERM after 38M of copies: python3[42] in group 'x': Committed_AS", 84), 0);
	assert_line(text, "  call     copy-on-write(41, 38M, 40M) = SIGTERM");
	assert_line(text, "  parent   41 (par\\x1bent) goes on, sleeping");
	assert_line(text, "    copied                 38912 kB        38M");
	assert_line(text, "    fork reserve           40960 kB        40M");
	object = parsed();
	ended = json_object_get(object, "ended");
	assert_string_equal(json_string_value(json_object_get(ended, "signal")), "SIGTERM");
	assert_int_equal(json_integer_value(json_object_get(ended, "copied_bytes")), 38 * MIB);
	assert_int_equal(json_integer_value(json_object_get(ended, "fork_reserve_bytes")), 40 * MIB);
	assert_int_equal(json_integer_value(json_object_get(ended, "parent_pid")), 41);
	assert_string_equal(json_string_value(json_object_get(ended, "parent_state")), "S");
	json_decref(object);

	event.call[0].refusal.parent_state = 0;
	assert_line(printed(), "  parent   gone");
	object = parsed();
	assert_true(json_is_null(json_object_get(json_object_get(object, "ended"), "parent_pid")));
	json_decref(object);
}

static void test_text_variants(void **state)
{
	struct refusal *r = &event.call[0].refusal;

	(void)state;
	r->allowed_bytes = 200 * MIB;
	r->reserved_bytes = MIB;
	r->suppressed = 17;
	r->tid = r->pid;
	event.call[0].stack.end = UNWIND_CUT;
	assert_non_null(strstr(printed(), "Committed_AS 12M + 1M promised + 512M would pass CommitLimit 256M "
					  "(200M less reserves)\n"));
	assert_line(printed(), "  process  42 (python3) /usr/bin/python3");
	assert_line(printed(), "           and 17 more like it");
	assert_line(printed(), "    less reserves         204800 kB       200M");
	assert_line(printed(), "    promised                1024 kB         1M");
	assert_non_null(strstr(printed(), "beyond the part of the stack that was copied"));

	r->verdict = VERDICT_OBVIOUS;
	r->mode = OVERCOMMIT_GUESS;
	event.call[0].stack.nr = 0;
	assert_non_null(strstr(printed(), ": 512M at once is more than RAM plus swap\n"));
	assert_non_null(strstr(printed(), "\n  stack\n    not available\n"));
	assert_null(strstr(printed(), "short by"));
	assert_null(strstr(printed(), "caller"));
}

/* No byte of a report is a control character or broken UTF-8. */
static void test_hostile_text(void **state)
{
	struct refusal *r = &event.call[0].refusal;
	struct frame evil = { .pc = 1, .module = "/tmp/\033[2J\n#0 fake", .symbol = "a\rb", .file = "\xff.c", .line = 1 };

	(void)state;
	strcpy(r->comm, "a\nsurety: x\033[");
	strcpy(r->exe, "/\xe2\x80\xae/\\x1b\x7f");
	strcpy(r->group, "g\xc2\x9b'");
	strcpy(r->holders[0].comm, "\xf0\x9f\x92\xa9\a");
	event.call[0].stack = (struct stack){ .nr = 1, .frame = &evil };
	for (const char *p = printed(); *p; p++)
		assert_true(*p == '\n' || (unsigned char)*p >= 0x20);
	assert_int_equal(strncmp(printed(), "surety: refused mmap of 512M: a\\x0asurety: x\\x1b[[42] in group 'g\\xc2\\x9b'", 72), 0);
	assert_line(printed(), "  process  42 thread 43 (a\\x0asurety: x\\x1b[) /\\xe2\\x80\\xae/\\\\x1b\\x7f");
	assert_line(printed(), "    #0  0x1            a\\x0db+0x0 at \\xff.c:1 (\\x1b[2J\\x0a#0 fake+0x0)");
	assert_non_null(strstr(printed(), "\xf0\x9f\x92\xa9\\x07")); /* harmless UTF-8 stays */
}

static json_int_t integer(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		fail_msg("%s is no integer", key);
	return json_integer_value(value);
}

static const char *string(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (!json_is_string(value))
		fail_msg("%s is no string", key);
	return json_string_value(value);
}

static void test_json(void **state)
{
	json_t *o, *call, *arg, *frame, *holders;

	(void)state;
	event.nr = 2;
	event.call[1].refusal = event.call[0].refusal;
	event.call[1].refusal.op = OP_BRK;
	event.call[1].refusal.syscall_nr = SYS_brk;
	event.call[1].refusal.suppressed = 2;
	event.call[0].refusal.suppressed = 1;
	o = parsed();
	assert_string_equal(string(o, "schema"), "surety.refusal/1");
	assert_string_equal(string(o, "time"), "2023-11-14T22:13:20.123456789Z");
	assert_string_equal(string(o, "group"), "x");
	assert_string_equal(string(o, "verdict"), "over_limit");
	assert_int_equal(integer(o, "overcommit_memory"), 2);
	assert_int_equal(integer(o, "requested_bytes"), 512 * MIB);
	assert_int_equal(integer(o, "committed_bytes"), 12 * MIB);
	assert_int_equal(integer(o, "limit_bytes"), 256 * MIB);
	assert_int_equal(integer(o, "allowed_bytes"), 256 * MIB);
	assert_int_equal(integer(o, "shortfall_bytes"), 268 * MIB + 4096);
	assert_int_equal(integer(o, "suppressed"), 3);
	assert_string_equal(string(json_object_get(o, "errno"), "name"), "ENOMEM");
	assert_string_equal(string(json_object_get(o, "rule"), "id"), "R-010");

	assert_int_equal(json_array_size(json_object_get(o, "calls")), 2);
	call = json_array_get(json_object_get(o, "calls"), 0);
	assert_string_equal(string(call, "syscall"), "mmap");
	assert_string_equal(string(call, "abi"), "x86_64");
	arg = json_array_get(json_object_get(call, "args"), 4);
	assert_string_equal(string(arg, "name"), "fd");
	assert_string_equal(string(arg, "value"), "-1");
	assert_string_equal(string(arg, "raw"), "0xffffffffffffffff");
	call = json_array_get(json_object_get(o, "calls"), 1);
	assert_string_equal(string(call, "operation"), "brk");

	assert_string_equal(string(json_object_get(o, "stack"), "end"), "outermost");
	assert_int_equal(integer(json_object_get(o, "stack"), "caller"), 1);
	frame = json_array_get(json_object_get(json_object_get(o, "stack"), "frames"), 2);
	assert_string_equal(string(frame, "pc"), "0x401020");
	assert_string_equal(string(frame, "offset"), "0x40101f");
	assert_string_equal(string(frame, "symbol"), "main");
	assert_int_equal(integer(frame, "symbol_offset"), 0x20);
	assert_int_equal(integer(frame, "line"), 9);
	assert_true(json_is_null(json_object_get(frame, "build_id")));
	assert_true(json_is_false(json_object_get(frame, "inlined")));
	frame = json_array_get(json_object_get(json_object_get(o, "stack"), "frames"), 3);
	assert_true(json_is_null(json_object_get(frame, "module")));
	assert_true(json_is_null(json_object_get(frame, "offset")));

	holders = json_object_get(o, "holders");
	assert_int_equal(json_array_size(holders), 2);
	assert_int_equal(integer(json_array_get(holders, 0), "bytes"), 8 * MIB);
	assert_true(json_is_null(json_object_get(json_array_get(holders, 1), "pid")));
	json_decref(o);
}

static void test_json_hostile(void **state)
{
	struct refusal *r = &event.call[0].refusal;
	json_t *o;

	(void)state;
	strcpy(r->comm, "a\xff\n\"\\");
	strcpy(r->exe, "");
	r->limit_bytes = UINT64_MAX;
	r->verdict = VERDICT_OBVIOUS;
	event.call[0].stack.nr = 0;
	o = parsed();
	assert_string_equal(string(o, "comm"), "a\\xff\n\"\\");
	assert_true(json_is_null(json_object_get(o, "exe")));
	assert_true(integer(o, "limit_bytes") == INT64_MAX);
	assert_true(json_is_null(json_object_get(o, "shortfall_bytes")));
	assert_string_equal(string(json_object_get(o, "stack"), "end"), "none");
	assert_true(json_is_null(json_object_get(json_object_get(o, "stack"), "caller")));
	json_decref(o);
}

static void assert_escaped(char *got, const char *wanted)
{
	assert_string_equal(got, wanted);
	free(got);
}

static void test_escape(void **state)
{
	(void)state;
	assert_escaped(escape_text("plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_escaped(escape_text("\\\t\x1f\x7f"), "\\\\\\x09\\x1f\\x7f");
	assert_escaped(escape_text("\xc2\x85\xe2\x80\xa8\xe2\x81\xa6"), "\\xc2\\x85\\xe2\\x80\\xa8\\xe2\\x81\\xa6");
	/* overlong, surrogate, beyond the last, cut short, stray */
	assert_escaped(escape_utf8("\xc0\xaf"), "\\xc0\\xaf");
	assert_escaped(escape_utf8("\xed\xa0\x80"), "\\xed\\xa0\\x80");
	assert_escaped(escape_utf8("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
	assert_escaped(escape_utf8("\xe2\x82"), "\\xe2\\x82");
	assert_escaped(escape_utf8("\xf8\x88\x80\x80\x80z"), "\\xf8\\x88\\x80\\x80\\x80z");
	assert_escaped(escape_utf8("\x80\xbf\xfe"), "\\x80\\xbf\\xfe");
	assert_escaped(escape_utf8("\\\n\xc3\xa9"), "\\\n\xc3\xa9");
	assert_escaped(escape_utf8(""), "");
}

static void test_shortfall(void **state)
{
	struct refusal r = { .verdict = VERDICT_OVER_LIMIT, .committed_bytes = 100 * MIB, .request_bytes = 28 * MIB,
			     .limit_bytes = 128 * MIB, .allowed_bytes = 128 * MIB };

	(void)state;
	assert_int_equal(shortfall_bytes(&r), 4096); /* lands on it exactly: refused all the same */
	r.reserved_bytes = 4096;
	assert_int_equal(shortfall_bytes(&r), 8192);
	r.allowed_bytes = 0;
	r.request_bytes = UINT64_MAX;
	assert_true(shortfall_bytes(&r) == UINT64_MAX);
	r.verdict = VERDICT_OBVIOUS;
	assert_int_equal(shortfall_bytes(&r), 0);
}

static void test_perfmap(void **state)
{
	static char text[4096];
	struct frame f[] = { { .pc = 0x1011 }, { .pc = 0x1010 }, { .pc = 0x2001, .module = "/bin/prog" } };
	struct stack s = { .nr = 3, .frame = f };
	FILE *file;

	(void)state;
	strcpy(text, "1000 10 early\n1010 8 a name\n1008 8 late\n2000 10 not_for_modules\n1010\n1010 8\nxyz 8 bad\n");
	memset(text + strlen(text), '1', 2000); /* a line without end */
	file = fmemopen(text, strlen(text), "r");
	assert_non_null(file);
	perfmap_read(file, &s);
	fclose(file);
	assert_string_equal(f[0].symbol, "a name");
	assert_int_equal(f[0].symbol_offset, 1);
	assert_string_equal(f[1].symbol, "late"); /* the call is before the return address */
	assert_int_equal(f[1].symbol_offset, 8);
	assert_null(f[2].symbol);
	free(f[0].symbol);
	free(f[1].symbol);
}

static void put_known(struct known **known, uint64_t ino, uint64_t offset)
{
	struct known_place place = { .build_id = "aa11", .ino = ino, .offset = offset };

	known_put(known, &place, &frames[1], 2);
}

static void test_known(void **state)
{
	struct known_place place = { .build_id = "aa11", .ino = 7, .offset = 0x100 };
	struct known *known = NULL;
	struct frame f[2];

	(void)state;
	assert_int_equal(known_get(known, &place, f, 2), 0);
	put_known(&known, 7, 0x100);
	assert_int_equal(known_get(known, &place, f, 2), 2);
	assert_null(f[0].module); /* of the process */
	assert_string_equal(f[0].symbol, "helper");
	assert_true(f[0].inlined);
	assert_string_equal(f[1].symbol, "main");
	assert_int_equal(f[1].line, 9);
	frame_done(&f[0]);
	frame_done(&f[1]);

	assert_int_equal(known_get(known, &place, f, 1), 0); /* not in part */
	place.exact = true;
	assert_int_equal(known_get(known, &place, f, 2), 0);
	place.exact = false;
	place.ino = 8; /* another file that claims to be this one */
	assert_int_equal(known_get(known, &place, f, 2), 0);
	place.ino = 7;

	for (uint64_t i = 1; i < KNOWN_MAX; i++)
		put_known(&known, 9, i);
	assert_int_equal(known_get(known, &place, f, 2), 2);
	frame_done(&f[0]);
	frame_done(&f[1]);
	put_known(&known, 9, KNOWN_MAX);
	assert_int_equal(known_get(known, &place, f, 2), 0);
	known_free(&known);
	assert_null(known);
}

#define REPORT_TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPORT_TEST(test_text),         REPORT_TEST(test_text_variants), REPORT_TEST(test_ended), REPORT_TEST(test_hostile_text),
		REPORT_TEST(test_json),         REPORT_TEST(test_json_hostile),  REPORT_TEST(test_escape),
		REPORT_TEST(test_shortfall),    REPORT_TEST(test_perfmap),
		REPORT_TEST(test_known),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
