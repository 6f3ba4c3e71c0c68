/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a record: each event that is read keeps the bounds of
 * core/journal.h, and what is made of it (replay, holdings) does not crash.
 *
 * The first byte chooses: the input as a file, or as the payload of a block whose
 * checksum is right, or changes laid over the payload of a sound record.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "report/holdings.h"
#include "report/journal_format.h"
#include "report/journal_read.h"
#include "report/journal_write.h"
#include "report/replay.h"

enum { SOUND_MAX = 8192 };

static int file = -1;
static uint8_t sound[SOUND_MAX]; /* payload of the block behind the front */
static size_t front_len, sound_len;
static uint8_t front[512];

static void tell(struct journal_writer *w, struct journal_event event)
{
	journal_put(w, &event);
}

static void make_sound(void)
{
	static const struct journal_word words[] = { { 8, 0x400123 }, { 16, 0x7ffc0000 } };
	static const struct journal_range ranges[] = { { 16, 32, 16, 4, JOURNAL_HEAP }, { 64, 96, 30, 0, JOURNAL_ANON } };
	static const struct journal_head head = { .limit.mode = OVERCOMMIT_NEVER, .command = "x" };
	static uint8_t whole[SOUND_MAX];
	struct journal_writer *w;
	ssize_t n;

	file = memfd_create("record", MFD_CLOEXEC);
	FUZZ_CHECK(file >= 0);
	w = journal_writer_new(dup(file), &head);
	FUZZ_CHECK(w);
	front_len = (size_t)lseek(file, 0, SEEK_END);
	for (uint32_t i = 1; i <= 3; i++)
		tell(w, (struct journal_event){ .kind = JOURNAL_SPACE, .space = { .id = i, .from = i - 1, .comm = "c" } });
	tell(w, (struct journal_event){ .kind = JOURNAL_MAPS, .maps = { 1, "00400000-00500000 r-xp 0 0:0 0 /x\n", 34 } });
	tell(w, (struct journal_event){ .kind = JOURNAL_STACK, .stack = { 1, 1, 0, 0x400000, 0x7ffb0000, 256, 2, words } });
	for (uint64_t i = 1; i <= 12; i++)
		tell(w, (struct journal_event){ .kind = JOURNAL_REQUEST, .time_ns = i * 1000000,
						.request = { .number = i, .space = (uint32_t)(i % 4), .stack = (uint32_t)(i % 2),
							     .op = (enum operation)(i % OP_NR), .pages = i * 3, .committed = i * 50,
							     .flags = JOURNAL_RANGE, .start = i * 5, .end = i * 9 } });
	tell(w, (struct journal_event){ .kind = JOURNAL_TOTAL, .time_ns = 13000000, .total = { 100, 1, 50, 10, 2 } });
	tell(w, (struct journal_event){ .kind = JOURNAL_RANGES, .time_ns = 14000000, .ranges = { 2, 2, ranges } });
	tell(w, (struct journal_event){ .kind = JOURNAL_FORK_GONE, .time_ns = 15000000, .fork_gone = 4 });
	tell(w, (struct journal_event){ .kind = JOURNAL_GONE, .time_ns = 15000000, .gone = 1 });
	tell(w, (struct journal_event){ .kind = JOURNAL_FINISH, .time_ns = 16000000, .finish = { 0, 12, 0 } });
	FUZZ_CHECK(journal_writer_close(w) == 0);
	n = pread(file, whole, sizeof(whole), 0);
	FUZZ_CHECK(n > 0 && n < SOUND_MAX && front_len < sizeof(front));
	memcpy(front, whole, front_len);
	sound_len = (size_t)n - front_len - JOURNAL_BLOCK_HEAD;
	memcpy(sound, whole + front_len + JOURNAL_BLOCK_HEAD, sound_len);
}

static void put(const void *data, size_t len)
{
	FUZZ_CHECK(write(file, data, len) == (ssize_t)len);
}

static void put_block(const uint8_t *data, size_t len)
{
	uint32_t head[2] = { (uint32_t)len, journal_checksum(data, len) }; /* little-endian like us */

	if (len == 0)
		return;
	put(head, sizeof(head));
	put(data, len);
}

struct reading {
	struct holdings *holdings;
	uint64_t requests, sum;
};

static int take(void *ctx, const struct journal_event *e, const struct replay_request *q)
{
	struct reading *reading = ctx;
	const struct held *row;
	long nr;

	FUZZ_CHECK(e->kind > JOURNAL_END_OF_FILE && e->kind < JOURNAL_NR);
	FUZZ_CHECK((e->kind == JOURNAL_REQUEST) == (q != NULL));
	if (q) {
		reading->requests++;
		FUZZ_CHECK(e->request.op < OP_NR && e->request.rule < RULE_NR);
		FUZZ_CHECK(e->request.pages <= JOURNAL_PAGES_MAX && q->need >= q->held);
		FUZZ_CHECK(!(e->request.flags & JOURNAL_RANGE) || e->request.end >= e->request.start);
	}
	if (e->kind == JOURNAL_MAPS)
		for (size_t i = 0; i < e->maps.len; i++)
			reading->sum += (uint8_t)e->maps.text[i];
	if (e->kind == JOURNAL_STACK)
		for (uint32_t i = 0; i < e->stack.nr; i++)
			FUZZ_CHECK(e->stack.word[i].offset < JOURNAL_STACK_BYTES);
	if (e->kind == JOURNAL_SPACE)
		FUZZ_CHECK(strlen(e->space.comm) < REFUSAL_COMM && e->space.from < e->space.id);
	FUZZ_CHECK(holdings_note(reading->holdings, e) == 0);
	nr = holdings_now(reading->holdings, 1000, &row);
	FUZZ_CHECK(nr >= 0);
	for (long i = 0; i < nr; i++)
		FUZZ_CHECK(row[i].used <= row[i].pages);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct replay_terms terms = { OVERCOMMIT_NEVER, 30 };
	struct fuzz_input in = { .data = data, .left = size };
	uint8_t kind = fuzz_byte(&in), changed[SOUND_MAX];
	struct reading reading = { .holdings = holdings_new() };
	struct err err;
	bool cut;

	FUZZ_CHECK(reading.holdings);
	if (file < 0)
		make_sound();
	FUZZ_CHECK(ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0);
	if (kind % 8 == 0) {
		put(in.data, in.left);
	} else {
		put(front, front_len);
		memcpy(changed, sound, sound_len);
		for (int i = 0; i < kind / 8 % 8 && kind % 2; i++) {
			size_t at = (size_t)(fuzz_byte(&in) << 8 | fuzz_byte(&in)) % sound_len;

			changed[at] = fuzz_byte(&in);
		}
		if (kind % 2)
			put_block(changed, sound_len);
		put_block(in.data, in.left);
	}
	if (replay_run(file, "x", &terms, take, &reading, &cut, &err) < 0)
		FUZZ_CHECK(strlen(err.text) > 0);
	holdings_free(reading.holdings);
	return 0;
}
