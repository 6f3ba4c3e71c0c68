/* SPDX-License-Identifier: MIT
 *
 * sys/smaps: texts of the kernel, names that look like text of the kernel,
 * numbers without end, and every way to cut a text into pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "sys/smaps.h"

enum { SEEN_MAX = 64 };

struct seen {
	int nr;
	int stop_at; /* callback that stops the walk, from 1; 0: none */
	struct {
		struct vma vma;
		char name[128];
	} row[SEEN_MAX];
};

static int see(void *ctx, const struct vma *vma, const char *name)
{
	struct seen *seen = ctx;

	assert_true(seen->nr < SEEN_MAX);
	seen->row[seen->nr].vma = *vma;
	snprintf(seen->row[seen->nr].name, sizeof(seen->row[0].name), "%.127s", name);
	seen->nr++;
	return seen->stop_at == seen->nr ? 42 : 0;
}

static int parse(const char *text, size_t len, int smaps, struct seen *seen)
{
	static struct smaps_parser p;

	memset(&p, 0xa5, sizeof(p)); /* init must not rest on zeroed storage */
	memset(seen, 0, sizeof(*seen));
	smaps_parser_init(&p, smaps, see, seen);
	smaps_parser_feed(&p, text, len);
	return smaps_parser_end(&p);
}

static void assert_same(const struct seen *a, const struct seen *b, int nr)
{
	for (int i = 0; i < nr; i++) {
		const struct vma *x = &a->row[i].vma, *y = &b->row[i].vma;

		assert_true(x->start == y->start && x->end == y->end);
		assert_true(x->pgoff == y->pgoff && x->ino == y->ino);
		assert_true(x->dev_major == y->dev_major && x->dev_minor == y->dev_minor);
		assert_int_equal(x->flags, y->flags);
		assert_true(x->anonymous_pages == y->anonymous_pages);
		assert_string_equal(a->row[i].name, b->row[i].name);
	}
}

static void test_kernel_text(void **state)
{
	static struct seen seen;
	uint64_t account = 0, anonymous = 0;
	size_t len;
	char *text = fixture_read("smaps/sleep.smaps", &len);

	(void)state;
	assert_int_equal(parse(text, len, 1, &seen), 0);
	assert_int_equal(seen.nr, 24);
	for (int i = 0; i < seen.nr; i++) {
		if (seen.row[i].vma.flags & VMA_ACCOUNT)
			account += (seen.row[i].vma.end - seen.row[i].vma.start) / 4096;
		anonymous += seen.row[i].vma.anonymous_pages;
	}
	assert_int_equal(account, 96);
	assert_int_equal(anonymous, 24);

	assert_int_equal(seen.row[1].vma.start, 0x5610744b9000);
	assert_int_equal(seen.row[1].vma.end, 0x5610744be000);
	assert_int_equal(seen.row[1].vma.pgoff, 0x2000);
	assert_int_equal(seen.row[1].vma.dev_major, 0xfe);
	assert_int_equal(seen.row[1].vma.dev_minor, 0);
	assert_int_equal(seen.row[1].vma.ino, 248056);
	assert_int_equal(seen.row[1].vma.flags, VMA_READ | VMA_EXEC);
	assert_string_equal(seen.row[1].name, "/usr/bin/sleep");
	/* made read-only after it was written to: still charged */
	assert_int_equal(seen.row[3].vma.flags, VMA_READ | VMA_ACCOUNT);
	assert_string_equal(seen.row[6].name, "");
	assert_int_equal(seen.row[22].vma.flags, VMA_READ | VMA_WRITE | VMA_ACCOUNT | VMA_GROWSDOWN);
	assert_string_equal(seen.row[22].name, "[stack]");
	assert_int_equal(seen.row[23].vma.start, 0xffffffffff600000);
	free(text);
}

static void test_maps_text(void **state)
{
	static struct seen seen, maps;
	size_t len;
	char *text = fixture_read("smaps/sleep.smaps", &len);

	(void)state;
	assert_int_equal(parse(text, len, 1, &seen), 0);
	free(text);
	text = fixture_read("smaps/sleep.maps", &len);
	assert_int_equal(parse(text, len, 0, &maps), 0);
	assert_int_equal(maps.nr, seen.nr);
	for (int i = 0; i < seen.nr; i++) {
		seen.row[i].vma.flags &= VMA_READ | VMA_WRITE | VMA_EXEC | VMA_SHARED;
		seen.row[i].vma.anonymous_pages = 0;
	}
	assert_same(&seen, &maps, seen.nr);
	free(text);
}

static void test_hostile(void **state)
{
	static struct seen seen;
	size_t len;
	char *text = fixture_read("smaps/hostile.smaps", &len);

	(void)state;
	assert_int_equal(parse(text, len, 1, &seen), 0);
	assert_int_equal(seen.nr, 8);
	/* an escaped newline stays in the name */
	assert_string_equal(seen.row[0].name, "/tmp/x\\01200500000-00600000 rw-p 00000000 00:00 0 ");
	assert_int_equal(seen.row[0].vma.end, 0x402000);
	assert_int_equal(seen.row[0].vma.dev_minor, 1);
	assert_int_equal(seen.row[0].vma.anonymous_pages, 2);
	assert_string_equal(seen.row[1].name, "/tmp/a  b (deleted) (deleted)");
	assert_true(seen.row[1].vma.ino == UINT64_MAX);
	assert_string_equal(seen.row[2].name, "/dev/shm/VmFlags: rd wr ac");
	assert_int_equal(seen.row[2].vma.flags, VMA_READ | VMA_WRITE | VMA_SHARED);
	assert_int_equal(seen.row[2].vma.anonymous_pages, 0); /* swap of the object */
	/* two counts that saturate as kB */
	assert_true(seen.row[3].vma.anonymous_pages == UINT64_C(1) << 63);
	assert_true(seen.row[3].vma.pgoff == 0xfffffffffffff000);
	assert_int_equal(seen.row[3].vma.dev_major, 0xfff);
	assert_int_equal(seen.row[3].vma.dev_minor, 0xfffff);
	assert_int_equal(seen.row[4].vma.flags, VMA_READ | VMA_WRITE);
	assert_int_equal(seen.row[4].vma.anonymous_pages, 1);
	assert_string_equal(seen.row[5].name, "[anon: a  b]");
	assert_int_equal(seen.row[5].vma.flags, VMA_READ | VMA_WRITE | VMA_EXEC | VMA_NORESERVE | VMA_DONTCOPY |
							VMA_GROWSDOWN | VMA_HUGETLB | VMA_DROPPABLE);
	assert_int_equal(seen.row[5].vma.anonymous_pages, 1); /* 1 kB is a page begun */
	assert_int_equal(seen.row[6].vma.flags, 0);
	assert_int_equal(seen.row[6].vma.anonymous_pages, 0);
	assert_int_equal(seen.row[7].vma.flags, VMA_EXEC);
	free(text);
}

static void test_pieces(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 7, 61, 127, 4096 };
	static struct seen whole, seen;
	static struct smaps_parser p;
	size_t len;
	char *text = fixture_read("smaps/hostile.smaps", &len);

	(void)state;
	assert_int_equal(parse(text, len, 1, &whole), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(&seen, 0, sizeof(seen));
		smaps_parser_init(&p, 1, see, &seen);
		for (size_t at = 0; at < len; at += sizes[i])
			assert_int_equal(smaps_parser_feed(&p, text + at, len - at < sizes[i] ? len - at : sizes[i]), 0);
		assert_int_equal(smaps_parser_end(&p), 0);
		assert_int_equal(seen.nr, whole.nr);
		assert_same(&seen, &whole, whole.nr);
	}
	free(text);
}

/* Cut at any byte: an error unless at the end of a line, and whatever was
 * handed out before the last mapping is right. */
static void cut_everywhere(const char *name, int smaps)
{
	static struct seen whole, seen;
	static struct smaps_parser p;
	size_t len;
	char *text = fixture_read(name, &len);

	assert_int_equal(parse(text, len, smaps, &whole), 0);
	for (size_t cut = 0; cut <= len; cut++) {
		int at_line_end = cut == 0 || text[cut - 1] == '\n';
		int r = parse(text, cut, smaps, &seen);

		assert_int_equal(r, at_line_end ? 0 : -EBADMSG);
		assert_true(seen.nr <= whole.nr);
		assert_same(&seen, &whole, smaps && seen.nr ? seen.nr - 1 : seen.nr);

		/* the same text in two pieces is the whole of it */
		memset(&seen, 0, sizeof(seen));
		smaps_parser_init(&p, smaps, see, &seen);
		assert_int_equal(smaps_parser_feed(&p, text, cut), 0);
		assert_int_equal(smaps_parser_feed(&p, text + cut, len - cut), 0);
		assert_int_equal(smaps_parser_end(&p), 0);
		assert_int_equal(seen.nr, whole.nr);
		assert_same(&seen, &whole, whole.nr);
	}
	free(text);
}

static void test_cut(void **state)
{
	(void)state;
	cut_everywhere("smaps/hostile.smaps", 1);
	cut_everywhere("smaps/sleep.smaps", 1);
	cut_everywhere("smaps/sleep.maps", 0);
}

static void test_bad_headers(void **state)
{
	static const char *const lines[] = {
		"\n",
		"Size: 4 kB\n",
		"hello\n",
		"00400000-00401000\n",
		"-00401000 rw-p 00000000 00:00 0 \n",
		"00400000-00401000 rw-p 00000000 00:00\n",
		"00400000-00401000 rw-p 00000000 00:00 \n",
		"00400000-00401000 rw-p 00000000 00:00 0x\n",
		"00400000-00401000 rw-q 00000000 00:00 0 \n",
		"00400000-00401000 wr-p 00000000 00:00 0 \n",
		"00400000-00401000 rw-  00000000 00:00 0 \n",
		"00400000 00401000 rw-p 00000000 00:00 0 \n",
		"00400000-00400000 rw-p 00000000 00:00 0 \n",
		"00401000-00400000 rw-p 00000000 00:00 0 \n",
		"00400001-00401000 rw-p 00000000 00:00 0 \n",
		"00400000-00401001 rw-p 00000000 00:00 0 \n",
		"00400000-10000000000001000 rw-p 00000000 00:00 0 \n",
		"00400000-00401000 rw-p 00000000000000000 00:00 0 \n",
		"00400000-00401000 rw-p 00000000 00:00 18446744073709551616 \n",
	};
	static struct seen seen;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		for (int smaps = 0; smaps < 2; smaps++) {
			assert_int_equal(parse(lines[i], strlen(lines[i]), smaps, &seen), -EBADMSG);
			assert_int_equal(seen.nr, 0);
		}
	}
	/* a field has no place in maps */
	assert_int_equal(parse("00400000-00401000 rw-p 00000000 00:00 0 \nSize: 4 kB\n", 53, 0, &seen), -EBADMSG);
	assert_int_equal(parse("", 0, 1, &seen), 0);
	assert_int_equal(seen.nr, 0);
}

static void test_long_lines(void **state)
{
	enum { LONG = 20000 };
	static struct {
		struct smaps_parser p;
		char guard[2 * LONG];
	} here;
	static const char untouched[sizeof(here.guard)];
	static struct seen seen;
	static char text[3 * LONG];
	struct smaps_parser *p = &here.p;
	size_t head = (size_t)sprintf(text, "00400000-00401000 rw-p 00000000 00:00 5 ");

	(void)state;
	/* a name longer than any buffer, whole and byte by byte; then an ordinary line */
	memset(text + head, 'n', LONG);
	sprintf(text + head + LONG, "\nVmFlags: %0*d ac \n00500000-00501000 r--p 00000000 00:00 0 \n", LONG, 0);
	for (int step = 0; step < 2; step++) {
		size_t len = strlen(text), piece = step ? 1 : len;

		memset(&seen, 0, sizeof(seen));
		smaps_parser_init(p, 1, see, &seen);
		for (size_t at = 0; at < len; at += piece)
			assert_int_equal(smaps_parser_feed(p, text + at, piece), 0);
		assert_int_equal(strlen(p->name), 0);
		assert_int_equal(smaps_parser_end(p), 0);
		assert_memory_equal(here.guard, untouched, sizeof(untouched));
		assert_int_equal(seen.nr, 2);
		assert_int_equal(seen.row[0].vma.ino, 5);
		assert_int_equal(strlen(seen.row[0].name), 127);
		assert_int_equal(seen.row[1].vma.start, 0x500000);
	}
}

static void test_stop(void **state)
{
	static struct seen seen;
	static struct smaps_parser p;
	size_t len;
	char *text = fixture_read("smaps/sleep.smaps", &len);

	(void)state;
	smaps_parser_init(&p, 1, see, &seen);
	seen.stop_at = 3;
	assert_int_equal(smaps_parser_feed(&p, text, len), 42);
	assert_int_equal(smaps_parser_feed(&p, text, len), 42);
	assert_int_equal(smaps_parser_end(&p), 42);
	assert_int_equal(seen.nr, 3);

	/* the last one, in end() */
	memset(&seen, 0, sizeof(seen));
	seen.stop_at = 24;
	smaps_parser_init(&p, 1, see, &seen);
	assert_int_equal(smaps_parser_feed(&p, text, len), 0);
	assert_int_equal(smaps_parser_end(&p), 42);
	free(text);
}

static void test_walk(void **state)
{
	char root[] = "/tmp/test_smaps.XXXXXX", path[128];
	static struct seen seen;
	size_t len;
	char *text = fixture_read("smaps/sleep.smaps", &len);
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(root));
	assert_int_equal(smaps_walk(root, 42, see, &seen), -ENOENT);
	snprintf(path, sizeof(path), "%s/42", root);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/42/smaps", root);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);

	assert_int_equal(smaps_walk(root, 42, see, &seen), 0);
	assert_int_equal(seen.nr, 24);
	assert_int_equal(maps_walk(root, 42, see, &seen), -ENOENT);
	memset(&seen, 0, sizeof(seen));
	seen.stop_at = 2;
	assert_int_equal(smaps_walk(root, 42, see, &seen), 42);
	assert_int_equal(seen.nr, 2);

	unlink(path);
	snprintf(path, sizeof(path), "%s/42", root);
	rmdir(path);
	rmdir(root);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_text), cmocka_unit_test(test_maps_text),
		cmocka_unit_test(test_hostile),	    cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_cut),	    cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_long_lines),  cmocka_unit_test(test_stop),
		cmocka_unit_test(test_walk),
	};

	return cmocka_run_group_tests_name("smaps", tests, NULL, NULL);
}
