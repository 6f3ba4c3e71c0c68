/* SPDX-License-Identifier: MIT
 *
 * A record: what is written is read again; one that is cut off or damaged is told.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "report/journal_format.h"
#include "report/journal_read.h"
#include "report/journal_write.h"
#include "report/replay.h"

static const struct journal_head head = {
	.started_ns = 1795000000123456789,
	.limit = { .mode = OVERCOMMIT_NEVER, .limit_pages = 1000, .ram_pages = 5000, .swap_pages = 70 },
	.group = "g", .engine = "seccomp", .kernel = "6.18", .command = "prog --opt",
};

static const char maps[] = "00400000-00500000 r-xp 00000000 08:01 12 /bin/prog\n";
static const struct journal_word words[] = { { 8, 0x400123 }, { 24, 0x7ffc00001000 }, { 32, 0x400456 } };
static const struct journal_range ranges[] = {
	{ 0x100, 0x180, 0x80, 0x10, JOURNAL_HEAP }, { 0x7f000, 0x7f100, 0x100, 0x100, JOURNAL_ANON },
};

static struct journal_event space_event(uint32_t id, uint32_t from, enum journal_origin origin, uint64_t fork)
{
	return (struct journal_event){ .kind = JOURNAL_SPACE, .time_ns = 1000000,
				       .space = { id, from, fork, origin, 100 + (pid_t)id, "comm", "/bin/prog" } };
}

static struct journal_event request_event(uint64_t number, enum operation op, uint32_t space, uint64_t pages,
					  uint64_t committed)
{
	return (struct journal_event){ .kind = JOURNAL_REQUEST, .time_ns = number * 1000000,
				       .request = { .number = number, .space = space, .tid = 101, .op = op,
						    .rule = op == OP_FORK ? RULE_FORK : RULE_PRIVATE_ANON,
						    .flags = JOURNAL_PEAK, .pages = pages, .committed = committed } };
}

static struct journal_writer *begin(int *ret_fd)
{
	struct journal_writer *w;

	*ret_fd = memfd_create("record", MFD_CLOEXEC);
	assert_true(*ret_fd >= 0);
	w = journal_writer_new(dup(*ret_fd), &head);
	assert_non_null(w);
	return w;
}

static void put(struct journal_writer *w, struct journal_event event)
{
	journal_put(w, &event);
}

/* One of each kind. */
static int make_record(void)
{
	struct journal_event stack = { .kind = JOURNAL_STACK, .time_ns = 3000000,
				       .stack = { 1, 1, 0, 0x400100, 0x7ffc00000f00, 4096, 3, words } };
	struct journal_event map = { .kind = JOURNAL_MAPS, .time_ns = 2000000, .maps = { 1, maps, sizeof(maps) - 1 } };
	struct journal_event request = request_event(4, OP_MMAP, 1, 64, 200);
	int fd;
	struct journal_writer *w = begin(&fd);

	put(w, space_event(1, 0, JOURNAL_EXECED, 0));
	put(w, map);
	put(w, stack);
	request.request.stack = 1;
	request.request.flags |= JOURNAL_RANGE | JOURNAL_NORESERVE;
	request.request.start = 0x7f000;
	request.request.end = 0x7f040;
	put(w, request);
	put(w, (struct journal_event){ .kind = JOURNAL_TOTAL, .time_ns = 5000000, .total = { 264, 3, 100, 9, 2 } });
	put(w, (struct journal_event){ .kind = JOURNAL_RANGES, .time_ns = 6000000, .ranges = { 1, 2, ranges } });
	put(w, request_event(7, OP_FORK, 1, 264, 264));
	put(w, (struct journal_event){ .kind = JOURNAL_FORK_GONE, .time_ns = 8000000, .fork_gone = 7 });
	put(w, (struct journal_event){ .kind = JOURNAL_GONE, .time_ns = 9000000, .gone = 1 });
	put(w, (struct journal_event){ .kind = JOURNAL_FINISH, .time_ns = 9000000, .finish = { 256, 7, 0 } });
	assert_int_equal(journal_writer_close(w), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void expect(struct journal_reader *r, struct journal_event *e, enum journal_kind kind, uint64_t ms)
{
	assert_int_equal(journal_next(r, e), 1);
	assert_int_equal(e->kind, kind);
	assert_int_equal(e->time_ns, ms * 1000000);
}

static void everything_is_read_again(void **state)
{
	int fd = make_record();
	struct journal_reader *r;
	struct journal_event e;

	(void)state;
	assert_int_equal(journal_reader_new(&r, fd), 0);
	assert_string_equal(journal_head(r)->command, head.command);
	assert_string_equal(journal_head(r)->kernel, head.kernel);
	assert_int_equal(journal_head(r)->started_ns, head.started_ns);
	assert_int_equal(journal_head(r)->limit.swap_pages, 70);
	expect(r, &e, JOURNAL_SPACE, 1);
	assert_int_equal(e.space.pid, 101);
	assert_string_equal(e.space.exe, "/bin/prog");
	expect(r, &e, JOURNAL_MAPS, 2);
	assert_int_equal(e.maps.len, sizeof(maps) - 1);
	assert_memory_equal(e.maps.text, maps, sizeof(maps) - 1);
	expect(r, &e, JOURNAL_STACK, 3);
	assert_int_equal(e.stack.nr, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(e.stack.word[i].offset, words[i].offset);
		assert_int_equal(e.stack.word[i].value, words[i].value);
	}
	expect(r, &e, JOURNAL_REQUEST, 4);
	assert_int_equal(e.request.number, 4);
	assert_int_equal(e.request.rule, RULE_PRIVATE_ANON);
	assert_int_equal(e.request.committed, 200);
	assert_int_equal(e.request.end, 0x7f040);
	assert_int_equal(e.request.flags, JOURNAL_PEAK | JOURNAL_RANGE | JOURNAL_NORESERVE);
	expect(r, &e, JOURNAL_TOTAL, 5);
	assert_int_equal(e.total.objects, 9);
	expect(r, &e, JOURNAL_RANGES, 6);
	assert_int_equal(e.ranges.nr, 2);
	assert_int_equal(e.ranges.range[1].start, 0x7f000);
	assert_int_equal(e.ranges.range[1].used, 0x100);
	assert_int_equal(e.ranges.range[0].kind, JOURNAL_HEAP);
	expect(r, &e, JOURNAL_REQUEST, 7);
	assert_int_equal(e.request.op, OP_FORK);
	expect(r, &e, JOURNAL_FORK_GONE, 8);
	expect(r, &e, JOURNAL_GONE, 9);
	expect(r, &e, JOURNAL_FINISH, 9);
	assert_int_equal(e.finish.status, 256);
	assert_int_equal(journal_next(r, &e), 0);
	assert_false(journal_cut(r));
	journal_reader_free(r);
	close(fd);
}

/* Returns what the first pass over FD ended with; *RET_EVENTS, how many there were. */
static int read_through(int fd, int *ret_events, bool *ret_cut)
{
	struct journal_reader *r;
	struct journal_event e;
	int result;

	*ret_events = 0;
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	result = journal_reader_new(&r, fd);
	if (result < 0)
		return result;
	while ((result = journal_next(r, &e)) == 1)
		(*ret_events)++;
	*ret_cut = journal_cut(r);
	journal_reader_free(r);
	return result;
}

static void a_file_may_end_anywhere(void **state)
{
	int fd = make_record(), events;
	off_t size = lseek(fd, 0, SEEK_END);
	bool cut;

	(void)state;
	assert_int_equal(read_through(fd, &events, &cut), 0);
	assert_int_equal(events, 10);
	for (off_t at = size - 1; at > JOURNAL_MAGIC_LEN; at--) {
		int r;

		assert_int_equal(ftruncate(fd, at), 0);
		r = read_through(fd, &events, &cut);
		if (r == 0)
			assert_true(cut);
		else
			assert_int_equal(r, -EBADMSG); /* within the front */
		assert_int_equal(events, 0); /* of the one block behind it, all or none */
	}
	close(fd);
}

static void a_changed_byte_is_noticed(void **state)
{
	int fd = make_record(), events;
	off_t size = lseek(fd, 0, SEEK_END);
	uint8_t byte, changed, more = 0;
	bool cut;

	(void)state;
	assert_int_equal(pwrite(fd, &more, 1, size), 1); /* so that no block is the last */
	for (off_t at = JOURNAL_MAGIC_LEN; at < size; at++) {
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		changed = byte ^ 0x10;
		assert_int_equal(pwrite(fd, &changed, 1, at), 1);
		if (read_through(fd, &events, &cut) == 0)
			assert_true(cut && events == 0);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
}

static void another_version_is_told(void **state)
{
	int fd = make_record(), events;
	bool cut;

	(void)state;
	assert_int_equal(pwrite(fd, "9", 1, JOURNAL_MAGIC_LEN - 2), 1);
	assert_int_equal(read_through(fd, &events, &cut), -EPROTO);
	assert_int_equal(pwrite(fd, "x", 1, 0), 1);
	assert_int_equal(read_through(fd, &events, &cut), -EBADMSG);
	close(fd);
}

static void a_failed_write_is_kept(void **state)
{
	int fds[2];
	struct journal_writer *w;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	close(fds[1]);
	w = journal_writer_new(fds[0], &head); /* not open for writing */
	assert_non_null(w);
	put(w, space_event(1, 0, JOURNAL_FOUND, 0));
	assert_int_equal(journal_writer_close(w), -EBADF);
}

static void a_long_record_keeps_the_peaks(void **state)
{
	int fd, events;
	struct journal_writer *w = begin(&fd);
	bool cut;
	off_t size;

	(void)state;
	put(w, space_event(1, 0, JOURNAL_FOUND, 0));
	for (uint64_t i = 1; i <= 12000000; i++) {
		struct journal_event e = request_event(i, OP_MMAP, 1, i * 97 % 100000, i * 7919 % 100000);

		e.request.flags = i % 1000 == 0 ? JOURNAL_PEAK : 0;
		put(w, e);
	}
	assert_int_equal(journal_writer_close(w), 0);
	size = lseek(fd, 0, SEEK_END);
	assert_in_range((uint64_t)size, 60 << 20, 80 << 20);
	assert_int_equal(read_through(fd, &events, &cut), 0);
	assert_in_range(events, 100000, 11999000);
	close(fd);
}

struct seen {
	uint64_t need[8];
	int nr;
};

static int note_need(void *ctx, const struct journal_event *event, const struct replay_request *request)
{
	struct seen *seen = ctx;

	(void)event;
	if (request)
		seen->need[seen->nr++] = request->need;
	return 0;
}

/* A fork is charged in part until its child calls execve, and then not at all. */
static void a_fork_reserve_scales_what_a_child_holds(void **state)
{
	struct replay_terms whole = { OVERCOMMIT_NEVER, 100 }, fifth = { OVERCOMMIT_NEVER, 20 };
	struct seen seen = { 0 };
	struct err err;
	int fd;
	struct journal_writer *w = begin(&fd);

	(void)state;
	put(w, space_event(1, 0, JOURNAL_FOUND, 0));
	put(w, request_event(1, OP_FORK, 1, 1000, 1000));
	put(w, space_event(2, 1, JOURNAL_FORKED, 1));
	put(w, request_event(2, OP_MMAP, 2, 10, 2000));
	put(w, space_event(3, 2, JOURNAL_EXECED, 0));
	put(w, request_event(3, OP_MMAP, 3, 10, 1100));
	assert_int_equal(journal_writer_close(w), 0);
	assert_int_equal(replay_run(fd, "x", &whole, note_need, &seen, NULL, &err), 0);
	assert_int_equal(seen.need[0], 2000);
	assert_int_equal(seen.need[1], 2010);
	assert_int_equal(seen.need[2], 1110);
	seen.nr = 0;
	assert_int_equal(replay_run(fd, "x", &fifth, note_need, &seen, NULL, &err), 0);
	assert_int_equal(seen.need[0], 1200);
	assert_int_equal(seen.need[1], 1210);
	assert_int_equal(seen.need[2], 1110);
	close(fd);
}

static void the_terms_decide(void **state)
{
	struct replay_terms terms = { OVERCOMMIT_NEVER, 100 };
	struct replay_request q = { .held = 100, .asked = 10, .need = 110 };

	(void)state;
	assert_true(replay_refused(&terms, &head, 110, &q));
	assert_false(replay_refused(&terms, &head, 111, &q));
	terms.mode = OVERCOMMIT_ALWAYS;
	assert_false(replay_refused(&terms, &head, 1, &q));
	terms.mode = OVERCOMMIT_GUESS;
	assert_false(replay_refused(&terms, &head, 1, &q));
	q.asked = 5071; /* RAM and swap of the head are 5070 */
	assert_true(replay_refused(&terms, &head, 1, &q));
	q.r.flags = JOURNAL_NORESERVE;
	assert_false(replay_refused(&terms, &head, 1, &q));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_read_again),
		cmocka_unit_test(a_file_may_end_anywhere),
		cmocka_unit_test(a_changed_byte_is_noticed),
		cmocka_unit_test(another_version_is_told),
		cmocka_unit_test(a_failed_write_is_kept),
		cmocka_unit_test(a_long_record_keeps_the_peaks),
		cmocka_unit_test(a_fork_reserve_scales_what_a_child_holds),
		cmocka_unit_test(the_terms_decide),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
