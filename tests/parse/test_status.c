/* SPDX-License-Identifier: MIT
 *
 * Status and meminfo texts: what is read of them, and what is refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fixture.h"
#include "look/users.h"
#include "sys/meminfo.h"
#include "sys/mountinfo.h"
#include "sys/status.h"

#define HEAD "Name:\tcat\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t7\nPid:\t7\nPPid:\t3\nUid:\t1000\t0\t1000\t1000\n"
#define MEMORY "VmPeak:\t 9000 kB\nVmSize:\t    8000 kB\nRssAnon:\t     120 kB\nRssFile:\t 4 kB\n" \
	       "VmData:\t     400 kB\nVmStk:\t     132 kB\nVmSwap:\t      8 kB\n"
#define TAIL "Threads:\t5\nSigQ:\t0/1\n"

static int parse(const char *text, struct task_status *st)
{
	return task_status_parse(text, strlen(text), st);
}

static void test_status(void **state)
{
	struct task_status st;

	(void)state;
	assert_int_equal(parse(HEAD MEMORY TAIL, &st), 0);
	assert_string_equal(st.comm, "cat");
	assert_int_equal(st.state, 'S');
	assert_int_equal(st.ppid, 3);
	assert_int_equal(st.uid, 0); /* the effective one */
	assert_int_equal(st.threads, 5);
	assert_true(st.has_space);
	assert_int_equal(st.size, 2000);
	assert_int_equal(st.data, 133);
	assert_int_equal(st.anon, 30);
	assert_int_equal(st.swap, 2);
}

static void test_kernel_thread(void **state)
{
	struct task_status st;

	(void)state;
	assert_int_equal(parse(HEAD TAIL, &st), 0);
	assert_false(st.has_space);
	assert_int_equal(st.data, 0);
}

static void test_hostile_names(void **state)
{
	static const struct {
		const char *text, *comm;
	} row[] = {
		{ "Name:\ta\\nb\n", "a\nb" },
		{ "Name:\ta\\\\nb\n", "a\\nb" },
		{ "Name:\tState: X\\nPP\n", "State: X\nPP" },
		{ "Name:\t\n", "" },
		{ "Name:\t\ttab\n", "\ttab" },
		{ "Name:\t\x1b[31m\n", "\x1b[31m" },
		{ "Name:\tlast\\\n", "last\\" },
		{ "Name:\ta-name-that-no-task-can-have\n", "a-name-that-no-" },
	};
	struct task_status st;
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		snprintf(text, sizeof(text), "%s%s", row[i].text, strchr(HEAD, '\n') + 1);
		strcat(text, MEMORY TAIL);
		assert_int_equal(parse(text, &st), 0);
		assert_string_equal(st.comm, row[i].comm);
		assert_int_equal(st.ppid, 3);
	}
}

static void test_bad_status(void **state)
{
	static const char *const text[] = {
		"", "\n", HEAD, "Name:\tcat\n", HEAD MEMORY, "Name:\tx\nState:\tS\nPPid:\tx\nUid:\t0\t0\nThreads:\t1\n",
		"Name:\tx\nState:\tS\nPPid:\t1\nUid:\t0\nThreads:\t1\n", HEAD "VmSize:\tmany kB\n" TAIL,
		HEAD "VmData:\n" TAIL,
	};
	struct task_status st = { .threads = 77 };

	(void)state;
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		assert_int_equal(parse(text[i], &st), -EBADMSG);
	assert_int_equal(st.threads, 77);
	/* a number beyond 64 bits saturates and does no harm */
	assert_int_equal(parse(HEAD "VmData:\t99999999999999999999999 kB\n" TAIL, &st), 0);
	assert_true(st.data > UINT64_C(1) << 50);
}

static void test_long_groups(void **state)
{
	char dir[] = "/tmp/surety-status-XXXXXX", path[64], file[80];
	struct task_status st;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/7", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(file, sizeof(file), "%s/status", path);
	f = fopen(file, "w");
	assert_non_null(f);
	fprintf(f, HEAD "Groups:\t");
	for (int i = 0; i < 65536; i++)
		fprintf(f, "%d ", 100000 + i);
	fprintf(f, "\n" MEMORY TAIL);
	fclose(f);
	assert_int_equal(task_status_read(dir, 7, &st), 0);
	assert_int_equal(st.data, 133);
	assert_int_equal(st.threads, 5);
	assert_int_equal(task_status_read(dir, 8, &st), -ENOENT);
	remove(file);
	remove(path);
	remove(dir);
}

static void test_meminfo(void **state)
{
	struct meminfo info = { .ram_bytes = 77 };
	struct limit limit;

	(void)state;
	assert_int_equal(meminfo_read(fixture_path("host/ok"), &info), 0);
	assert_int_equal(info.ram_bytes, UINT64_C(2097152) << 10);
	assert_int_equal(info.swap_bytes, UINT64_C(1048576) << 10);
	assert_int_equal(info.hugetlb_bytes, UINT64_C(4096) << 10);
	assert_int_equal(info.commit_limit_bytes, UINT64_C(2095104) << 10);
	assert_int_equal(info.committed_bytes, UINT64_C(123456) << 10);
	assert_int_equal(meminfo_limit(fixture_path("host/ok"), &info, &limit), 0);
	assert_int_equal(limit.mode, OVERCOMMIT_NEVER);
	assert_true(limit.by_ratio);
	assert_int_equal(limit.ratio, 50);
	assert_int_equal(limit.admin_reserve_pages, 2048);
	assert_int_equal(limit.user_reserve_pages, 32768);
	assert_int_equal(limit_commit(&limit), info.commit_limit_bytes >> 12);
}

static void test_bad_meminfo(void **state)
{
	struct meminfo info = { .ram_bytes = 77 };
	struct limit limit;

	(void)state;
	assert_int_equal(meminfo_read(fixture_path("host/short"), &info), -EBADMSG);
	assert_int_equal(meminfo_read(fixture_path("host/bad"), &info), -EBADMSG);
	assert_int_equal(meminfo_read(fixture_path("host/none"), &info), -ENOENT);
	assert_int_equal(info.ram_bytes, 77);
	assert_int_equal(meminfo_limit(fixture_path("host/bad"), &info, &limit), -EBADMSG); /* mode 3 */
	assert_int_equal(meminfo_limit(fixture_path("host/short"), &info, &limit), -ENOENT);
}

static void test_mountinfo(void **state)
{
	char ok[] = "26 1 0:23 / /run/a\\040b\\011 rw shared:5 master:1 - tmpfs none rw,size=4k";
	struct mount mount;
	static const char *const bad[] = { "", "1", "26 1 0:23 / /run rw", "26 1 0:23 / /run rw -", "26 1 0:23 / /run rw - tmpfs",
					   "26 1 0:23 / /run rw - tmpfs none" };

	(void)state;
	assert_true(mountinfo_split(ok, &mount));
	assert_string_equal(mount.point, "/run/a b\t");
	assert_string_equal(mount.fstype, "tmpfs");
	assert_string_equal(mount.super, "rw,size=4k");
	assert_int_equal(mount.dev, 23);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char line[128];

		snprintf(line, sizeof(line), "%s", bad[i]);
		assert_false(mountinfo_split(line, &mount));
	}
}

static void test_users(void **state)
{
	struct users users;
	char buf[USER_NAME_MAX];
	uid_t uid = 0;

	(void)state;
	users_load(&users, fixture_path("host/passwd"));
	assert_string_equal(users_name(&users, 0, buf), "root");
	assert_string_equal(users_name(&users, 1000, buf), "ann");
	assert_string_equal(users_name(&users, 1001, buf), "1001"); /* its line is none */
	assert_string_equal(users_name(&users, 1002, buf), "no-password");
	assert_int_equal(users_find(&users, "ann", &uid), 0);
	assert_int_equal(uid, 1000);
	assert_int_equal(users_find(&users, "4242", &uid), 0);
	assert_int_equal(uid, 4242);
	assert_int_equal(users_find(&users, "nobody-here", &uid), -ENOENT);
	assert_int_equal(users_find(&users, "4294967295", &uid), -ENOENT);
	users_free(&users);
	users_load(&users, "/nonexistent");
	assert_string_equal(users_name(&users, 0, buf), "0");
	users_free(&users);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),	   cmocka_unit_test(test_kernel_thread), cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_bad_status), cmocka_unit_test(test_long_groups),	 cmocka_unit_test(test_meminfo),
		cmocka_unit_test(test_bad_meminfo), cmocka_unit_test(test_mountinfo),	 cmocka_unit_test(test_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
