/* SPDX-License-Identifier: MIT
 *
 * report/record: what goes in comes out; what is damaged is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "report/record.h"

static struct refusal sample(void)
{
	struct refusal r;

	memset(&r, 0, sizeof(r)); /* holes too: records are compared as bytes */
	r.time_ns = 123456789;
	strcpy(r.group, "a group");
	strcpy(r.engine, "seccomp");
	strcpy(r.comm, "comm");
	strcpy(r.exe, "/bin/exe");
	r.mode = OVERCOMMIT_NEVER;
	r.pid = 12;
	r.tid = 13;
	r.op = OP_MREMAP;
	r.args[5] = UINT64_MAX;
	r.request_bytes = 1 << 20;
	r.verdict = VERDICT_OVER_LIMIT;
	r.rule = RULE_MREMAP_GROW;
	r.error = ENOMEM;
	r.nr_holders = 2;
	r.holders[1].pid = 99;
	strcpy(r.holders[1].comm, "holder");
	return r;
}

static struct capture sample_capture(const char *stack, const char *maps)
{
	struct capture c = { .full_regs = 1, .compat = 1, .sp = 0x1000, .pc = 0x2000 };

	for (int i = 0; i < CAPTURE_REGS; i++)
		c.regs[i] = (uint64_t)i << 60 | (uint64_t)i;
	c.stack = stack;
	c.stack_len = strlen(stack);
	c.maps = maps;
	c.maps_len = strlen(maps);
	return c;
}

static int memory_file(void)
{
	int fd = memfd_create("record", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_round_trip(void **state)
{
	struct refusal in = sample();
	struct capture c = sample_capture("the stack", "the maps\n");
	struct record out;
	int fd = memory_file();

	(void)state;
	assert_int_equal(record_write(fd, &in, &c), 0);
	assert_int_equal(record_write(fd, &in, NULL), 0);
	lseek(fd, 0, SEEK_SET);

	assert_int_equal(record_read(fd, &out), 1);
	assert_memory_equal(&out.refusal, &in, sizeof(in));
	assert_true(out.have_capture);
	assert_int_equal(out.capture.full_regs, 1);
	assert_int_equal(out.capture.compat, 1);
	assert_memory_equal(out.capture.regs, c.regs, sizeof(c.regs));
	assert_int_equal(out.capture.sp, 0x1000);
	assert_int_equal(out.capture.pc, 0x2000);
	assert_int_equal(out.capture.stack_len, 9);
	assert_memory_equal(out.capture.stack, "the stack", 9);
	assert_int_equal(out.capture.maps_len, 9);
	assert_string_equal(out.capture.maps, "the maps\n"); /* with a NUL behind it */
	record_done(&out);

	assert_int_equal(record_read(fd, &out), 1);
	assert_memory_equal(&out.refusal, &in, sizeof(in));
	assert_false(out.have_capture);
	record_done(&out);
	assert_int_equal(record_read(fd, &out), 0);
	close(fd);
}

/* Every byte count short of a whole record is damage, none is the end. */
static void test_truncated(void **state)
{
	struct refusal in = sample();
	struct capture c = sample_capture("stack", "maps");
	struct record out;
	int fd = memory_file();
	off_t size;

	(void)state;
	assert_int_equal(record_write(fd, &in, &c), 0);
	size = lseek(fd, 0, SEEK_CUR);
	for (off_t cut = size - 1; cut > 0; cut--) {
		assert_int_equal(ftruncate(fd, cut), 0);
		lseek(fd, 0, SEEK_SET);
		assert_int_equal(record_read(fd, &out), -EBADMSG);
	}
	close(fd);
}

static int read_back(const struct refusal *in)
{
	struct record out;
	int fd = memory_file(), r;

	assert_int_equal(record_write(fd, in, NULL), 0);
	lseek(fd, 0, SEEK_SET);
	r = record_read(fd, &out);
	if (r == 1)
		record_done(&out);
	close(fd);
	return r;
}

#define REFUSED(change)                                       \
	do {                                                  \
		struct refusal bad = sample();                \
		change;                                       \
		assert_int_equal(read_back(&bad), -EBADMSG); \
	} while (0)

static void test_values(void **state)
{
	struct refusal good = sample();

	(void)state;
	assert_int_equal(read_back(&good), 1);
	REFUSED(bad.op = OP_NR);
	REFUSED(bad.op = (enum operation)-1);
	REFUSED(bad.mode = (enum overcommit)3);
	REFUSED(bad.verdict = (enum verdict)77);
	REFUSED(bad.rule = RULE_NR);
	REFUSED(bad.nr_holders = REFUSAL_HOLDERS + 1);
	REFUSED(bad.nr_holders = UINT32_MAX);
	REFUSED(memset(bad.group, 'x', sizeof(bad.group)));
	REFUSED(memset(bad.engine, 'x', sizeof(bad.engine)));
	REFUSED(memset(bad.comm, 'x', sizeof(bad.comm)));
	REFUSED(memset(bad.exe, 'x', sizeof(bad.exe)));
	REFUSED(memset(bad.holders[1].comm, 'x', sizeof(bad.holders[1].comm)));
}

/* Each byte of the header that is changed is noticed, unless it is a register. */
static void test_header(void **state)
{
	enum { CHECKED = 16 + 16 }; /* up to the two lengths */
	struct refusal in = sample();
	struct capture c = sample_capture("stack", "maps");
	struct record out;
	int fd = memory_file();
	unsigned char byte, changed;

	(void)state;
	assert_int_equal(record_write(fd, &in, &c), 0);
	for (int at = 0; at < CHECKED; at++) {
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		changed = at == 6 ? 0xf0 : byte + 1; /* flags: those that mean nothing */
		assert_int_equal(pwrite(fd, &changed, 1, at), 1);
		lseek(fd, 0, SEEK_SET);
		/* a length that is one too large runs into the end */
		assert_int_equal(record_read(fd, &out), -EBADMSG);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
}

struct pipe_job {
	int fd;
	const struct refusal *refusal;
	const struct capture *capture;
	int result;
};

static void *write_job(void *arg)
{
	struct pipe_job *job = arg;

	job->result = record_write(job->fd, job->refusal, job->capture);
	close(job->fd);
	return NULL;
}

/* Larger than any pipe, and larger than what is sent of a stack. */
static void test_pipe(void **state)
{
	enum { STACK = 9 << 20, KEPT = 8 << 20 };
	struct refusal in = sample();
	struct capture c = sample_capture("", "maps\n");
	char *stack = malloc(STACK);
	struct pipe_job job = { .refusal = &in, .capture = &c };
	struct record out;
	pthread_t thread;
	int fds[2];

	(void)state;
	assert_non_null(stack);
	for (int i = 0; i < STACK; i++)
		stack[i] = (char)(i * 7 + (i >> 12));
	c.stack = stack;
	c.stack_len = STACK;
	/* the writer's end must wait by itself when it is non-blocking */
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	job.fd = fds[1];
	assert_int_equal(pthread_create(&thread, NULL, write_job, &job), 0);
	assert_int_equal(record_read(fds[0], &out), 1);
	pthread_join(thread, NULL);
	assert_int_equal(job.result, 0);
	assert_int_equal(out.capture.stack_len, KEPT);
	assert_memory_equal(out.capture.stack, stack, KEPT);
	assert_string_equal(out.capture.maps, "maps\n");
	record_done(&out);
	assert_int_equal(record_read(fds[0], &out), 0);
	close(fds[0]);
	free(stack);
}

static void test_reader_gone(void **state)
{
	struct refusal in = sample();
	int fds[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(record_write(fds[1], &in, NULL), -EPIPE);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_values),     cmocka_unit_test(test_header),
		cmocka_unit_test(test_pipe),       cmocka_unit_test(test_reader_gone),
	};

	alarm(60); /* a writer or reader that waits for ever is a failure */
	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
