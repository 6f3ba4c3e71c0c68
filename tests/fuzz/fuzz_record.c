/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a stream of records: each that is accepted keeps what record.h
 * promises, and nothing is read past its end.
 *
 * The first byte chooses: the input as it is, or laid over a sound record, so
 * that the checks behind the header are reached.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "report/record.h"

enum { HEADER = 184, SOUND_MAX = 16384 };

static int stream = -1;
static uint8_t sound[SOUND_MAX];
static size_t sound_len;

static void make_sound(void)
{
	struct refusal r;
	struct capture c = { .stack = "stack", .stack_len = 5, .maps = "maps", .maps_len = 4 };
	ssize_t n;

	memset(&r, 0, sizeof(r));
	stream = memfd_create("records", MFD_CLOEXEC);
	FUZZ_CHECK(stream >= 0);
	FUZZ_CHECK(record_write(stream, &r, &c) == 0);
	n = pread(stream, sound, sizeof(sound), 0);
	FUZZ_CHECK(n > HEADER && n < SOUND_MAX);
	sound_len = (size_t)n;
}

static void put(const void *data, size_t len, off_t at)
{
	FUZZ_CHECK(pwrite(stream, data, len, at) == (ssize_t)len);
}

static void check(const struct record *record)
{
	const struct refusal *r = &record->refusal;
	unsigned int sum = 0;

	FUZZ_CHECK(strlen(operation_name(r->op)) > 0);
	FUZZ_CHECK(r->op < OP_NR && r->rule < RULE_NR && r->nr_holders <= REFUSAL_HOLDERS);
	FUZZ_CHECK(strlen(r->group) < sizeof(r->group) && strlen(r->exe) < sizeof(r->exe));
	if (!record->have_capture)
		return;
	/* every byte is ours to read, and maps end */
	for (size_t i = 0; i < record->capture.stack_len; i++)
		sum += ((const unsigned char *)record->capture.stack)[i];
	FUZZ_CHECK(strlen(record->capture.maps) <= record->capture.maps_len);
	FUZZ_CHECK(sum < UINT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { .data = data, .left = size };
	uint8_t kind = fuzz_byte(&in);
	struct record record;
	int r;

	if (stream < 0)
		make_sound();
	FUZZ_CHECK(ftruncate(stream, 0) == 0);
	if (kind & 1) {
		put(sound, sound_len, 0);
		for (int i = 0; i < (kind >> 1) % 8 + 1; i++) {
			/* half of the changes within the header */
			size_t at = (fuzz_byte(&in) << 8 | fuzz_byte(&in)) % (i & 1 ? sound_len : HEADER);
			uint8_t byte = fuzz_byte(&in);

			put(&byte, 1, (off_t)at);
		}
	}
	put(in.data, in.left, kind & 1 ? (off_t)sound_len : 0);
	FUZZ_CHECK(lseek(stream, 0, SEEK_SET) == 0);
	while ((r = record_read(stream, &record)) == 1) {
		check(&record);
		record_done(&record);
	}
	FUZZ_CHECK(r <= 0);
	FUZZ_CHECK(r == 0 ? lseek(stream, 0, SEEK_CUR) == lseek(stream, 0, SEEK_END) : 1);
	return 0;
}
