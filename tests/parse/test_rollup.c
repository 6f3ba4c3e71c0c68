/* SPDX-License-Identifier: MIT
 *
 * sys/rollup on files, tests/fixtures/rollup/PID/smaps_rollup, and on ourselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "sys/rollup.h"

#define MIB (UINT64_C(1) << 20)

static void test_fields(void **state)
{
	struct rollup r;

	(void)state;
	assert_int_equal(rollup_read(fixture_path("rollup"), 1, &r), 0);
	assert_int_equal(r.anon, (8003 + 40) << 10);
	assert_int_equal(r.anon_pss, (7001 + 20) << 10);
}

static void test_faults(void **state)
{
	struct rollup r = { 7, 7 };

	(void)state;
	assert_int_equal(rollup_read(fixture_path("rollup"), 2, &r), -EBADMSG); /* KERNEL < 5.1: no Pss_Anon */
	assert_int_equal(rollup_read(fixture_path("rollup"), 3, &r), -ESRCH);   /* its memory is gone */
	assert_int_equal(rollup_read(fixture_path("rollup"), 4, &r), -EBADMSG);
	assert_int_equal(rollup_read(fixture_path("rollup"), 5, &r), -ENOENT);
	assert_int_equal(r.anon, 7);
	assert_int_equal(r.anon_pss, 7);
}

/* What a child shares counts half in each; what it wrote is its own. */
static void test_kernel(void **state)
{
	char *p = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ready[2], done[2];
	struct rollup r;
	int64_t own;
	char c = 0;
	pid_t pid;

	(void)state;
	assert_ptr_not_equal(p, MAP_FAILED);
	memset(p, 1, 8 * MIB);
	assert_int_equal(pipe(ready) | pipe(done), 0);
	pid = fork();
	if (pid == 0) {
		memset(p, 2, 2 * MIB);
		_exit(write(ready[1], &c, 1) != 1 || read(done[0], &c, 1) < 0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(rollup_read("/proc", pid, &r), 0);
	own = (int64_t)(2 * r.anon_pss - r.anon);
	assert_in_range(own, 2 * MIB, 2 * MIB + MIB / 2);
	assert_int_equal(write(done[1], &c, 1), 1);
	(void)waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
