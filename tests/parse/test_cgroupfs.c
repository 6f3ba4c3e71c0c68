/* SPDX-License-Identifier: MIT
 *
 * sys/cgroupfs on trees of files: tests/fixtures/cgroup/NAME.tree holds one,
 * "== path" before each file, "== path/" for a directory and "== path -> target"
 * for a symbolic link.  All belong to a host of 16 GiB with 4 GiB of swap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "sys/cgroupfs.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#define HOST "/proc/meminfo"
#define V2 "/sys/fs/cgroup/"
#define V1 "/sys/fs/cgroup/memory/"

static char root[] = "/tmp/test_cgroupfs.XXXXXX";

/* Makes the directories above PATH. */
static void make_parents(char *path)
{
	for (char *slash = path + sizeof(root); (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			fail_msg("mkdir %s", path);
		*slash = '/';
	}
}

static void unpack(const char *name)
{
	char fixture[128], path[PATH_MAX];
	size_t len;
	char *text, *at, *save = NULL;
	FILE *f = NULL;

	snprintf(fixture, sizeof(fixture), "cgroup/%s.tree", name);
	text = fixture_read(fixture, &len);
	for (at = strtok_r(text, "\n", &save); at; at = strtok_r(NULL, "\n", &save)) {
		char *arrow;

		if (strncmp(at, "== ", 3)) {
			assert_non_null(f);
			fprintf(f, "%s\n", at);
			continue;
		}
		if (f)
			fclose(f);
		f = NULL;
		arrow = strstr(at, " -> ");
		if (arrow)
			*arrow = '\0';
		snprintf(path, sizeof(path), "%s/%s", root, at + 3);
		make_parents(path);
		if (arrow) {
			assert_int_equal(symlink(arrow + 4, path), 0);
		} else if (path[strlen(path) - 1] != '/') {
			f = fopen(path, "w");
			assert_non_null(f);
		}
	}
	if (f)
		fclose(f);
	free(text);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static void clear(void)
{
	assert_int_equal(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	assert_int_equal(mkdir(root, 0700), 0);
}

static const struct {
	const char *tree;
	int error;
	uint64_t ram, swap, hugetlb;
	const char *source;
} rows[] = {
	{ "none", 0, 16 * GIB, 4 * GIB, 16 * MIB, HOST },
	{ "v2-plain", 0, 256 * MIB, 1 * MIB, 0, V2 "user.slice/job/memory.max" },
	{ "v2-nested", 0, 512 * MIB, 0, 0, V2 "a/b/memory.max" },
	{ "v2-max", 0, 16 * GIB, 4 * GIB, 16 * MIB, HOST },
	{ "v2-beyond", 0, 16 * GIB, 4 * GIB, 16 * MIB, HOST },
	{ "v2-swap-only", 0, 16 * GIB, 4096, 16 * MIB, HOST ", " V2 "a/memory.swap.max" },
	{ "v2-zero", 0, 0, 0, 0, V2 "a/memory.max" },
	{ "v2-root", 0, 16 * GIB, 4 * GIB, 16 * MIB, HOST },
	{ "v2-deleted", 0, 4 * MIB, 4 * GIB, 0, V2 "a/memory.max" },
	{ "v2-bad", -EBADMSG, 0, 0, 0, NULL },
	{ "v2-directory", -EISDIR, 0, 0, 0, NULL },
	{ "v2-container", 0, 128 * MIB, 0, 0, V2 "memory.max" },
	{ "v2-two-mounts", 0, 1 * GIB, 4 * GIB, 0, "/mnt/c g\\x/a/memory.max" },
	{ "v2-sibling", 0, 16 * GIB, 4 * GIB, 16 * MIB, HOST },
	{ "v2-outside", 0, 16 * GIB, 4 * GIB, 16 * MIB, HOST },
	{ "v2-above", 0, 2 * GIB, 4 * GIB, 0, V2 "memory.max" },
	{ "v1", 0, 256 * MIB, 512 * MIB, 0, V1 "job/memory.limit_in_bytes" },
	{ "v1-unlimited", 0, 16 * GIB, 4 * GIB, 16 * MIB, HOST },
	{ "v1-no-memsw", 0, 256 * MIB, 4 * GIB, 0, V1 "job/memory.limit_in_bytes" },
	{ "v1-nested", 0, 1 * GIB, 512 * MIB, 0, V1 "a/memory.limit_in_bytes" },
	{ "v1-memsw-below", 0, 256 * MIB, 0, 0, V1 "a/memory.limit_in_bytes" },
	{ "v1-large", 0, 6 * GIB, 2 * GIB, 0, V1 "a/memory.limit_in_bytes" },
	{ "v1-memsw-alone", 0, 1 * GIB, 0, 0, V1 "a/memory.memsw.limit_in_bytes" },
	{ "v1-named", 0, 16 * GIB, 4 * GIB, 16 * MIB, HOST },
	{ "hybrid", 0, 512 * MIB, 4 * GIB, 0, V1 "api/job/memory.limit_in_bytes" },
	{ "foreign", 0, 32 * MIB, 4 * GIB, 0, V2 "a/memory.max" },
	{ "chroot", 0, 32 * MIB, 4 * GIB, 0, V2 "a/memory.max" },
	{ "meminfo-short", -EBADMSG, 0, 0, 0, NULL },
	{ "meminfo-huge", -EBADMSG, 0, 0, 0, NULL },
	{ "meminfo-bad", -EBADMSG, 0, 0, 0, NULL },
	{ "mountinfo-odd", 0, 12 * MIB, 4 * GIB, 0, V2 "a/memory.max" },
};

static void test_trees(void **state)
{
	struct memory_totals totals;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r;

		print_message("%s\n", rows[i].tree);
		unpack(rows[i].tree);
		memset(&totals, 0xa5, sizeof(totals));
		r = cgroupfs_memory_totals(root, 42, &totals);
		assert_int_equal(r, rows[i].error);
		if (r) {
			assert_true(totals.ram_bytes == 0xa5a5a5a5a5a5a5a5); /* left alone */
		} else {
			assert_int_equal(totals.ram_bytes, rows[i].ram);
			assert_int_equal(totals.swap_bytes, rows[i].swap);
			assert_int_equal(totals.hugetlb_bytes, rows[i].hugetlb);
			assert_string_equal(totals.source, rows[i].source);
		}
		assert_int_equal(cgroupfs_memory_totals(root, 43, &totals),
				 r == -EBADMSG && rows[i].tree[0] == 'm' ? -EBADMSG : -ESRCH);
		clear();
	}
	assert_int_equal(cgroupfs_memory_totals(root, 42, &totals), -ENOENT);
}

/* A path that is too long for `source` is cut, one too long for a path fails. */
static void test_long(void **state)
{
	static char deep[8192], path[16384];
	struct memory_totals totals;
	size_t len = 0;
	FILE *f;

	(void)state;
	unpack("v2-max");
	while (len < 600)
		len += (size_t)sprintf(deep + len, "/directory-%04zu", len);
	snprintf(path, sizeof(path), "%s/sys/fs/cgroup%s/memory.max", root, deep);
	make_parents(path);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("4096\n", f);
	fclose(f);
	snprintf(path, sizeof(path), "%s/proc/42/cgroup", root);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "0::%s\n", deep);
	fclose(f);
	assert_int_equal(cgroupfs_memory_totals(root, 42, &totals), 0);
	assert_int_equal(totals.ram_bytes, 4096);
	assert_int_equal(strlen(totals.source), sizeof(totals.source) - 1);

	while (len < 6000)
		len += (size_t)sprintf(deep + len, "/directory-%04zu", len);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "0::%s\n", deep);
	fclose(f);
	assert_int_equal(cgroupfs_memory_totals(root, 42, &totals), -ENAMETOOLONG);
	clear();
	memset(path, 'x', 5000);
	path[5000] = '\0';
	assert_int_equal(cgroupfs_memory_totals(path, 42, &totals), -ENAMETOOLONG);
}

/* Whatever this machine has: no more than its meminfo says. */
static void test_here(void **state)
{
	struct memory_totals totals;
	unsigned long long kib = 0;
	FILE *f = fopen("/proc/meminfo", "r");

	(void)state;
	assert_non_null(f);
	assert_int_equal(fscanf(f, "MemTotal: %llu kB", &kib), 1);
	fclose(f);
	assert_int_equal(cgroupfs_memory_totals("", getpid(), &totals), 0);
	print_message("%llu bytes of RAM, %llu of swap, from %s\n", (unsigned long long)totals.ram_bytes,
		      (unsigned long long)totals.swap_bytes, totals.source);
	assert_true(totals.ram_bytes <= kib * 1024);
	assert_int_equal(totals.source[0], '/');
	assert_true(totals.ram_bytes == kib * 1024 || totals.hugetlb_bytes == 0);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_here),
	};

	return cmocka_run_group_tests_name("cgroupfs", tests, set_up, tear_down);
}
