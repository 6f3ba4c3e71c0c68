/* SPDX-License-Identifier: MIT
 *
 * base/err: one failure is one line, written once, whatever is in it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"

/* What one write(2) to stderr carries: a datagram socket keeps writes apart. */
struct capture {
	int saved, ends[2];
};

static void capture_begin(struct capture *c)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, c->ends), 0);
	c->saved = dup(STDERR_FILENO);
	assert_true(c->saved >= 0);
	assert_int_equal(dup2(c->ends[1], STDERR_FILENO), STDERR_FILENO);
}

/* Gives stderr back; returns the first write's text and asserts it was the only one. */
static void capture_end(struct capture *c, char *buf, size_t size)
{
	char more;
	ssize_t n;

	assert_int_equal(dup2(c->saved, STDERR_FILENO), STDERR_FILENO);
	n = recv(c->ends[0], buf, size - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	buf[n] = '\0';
	assert_int_equal(recv(c->ends[0], &more, 1, MSG_DONTWAIT), -1);
	(void)close(c->saved);
	(void)close(c->ends[0]);
	(void)close(c->ends[1]);
}

static void test_err_set(void **state)
{
	struct err err = { 0 };

	(void)state;
	errno = EBADF;
	assert_int_equal(err_set(&err, EXIT_NOT_FOUND, "cannot run '%s': %s", "x", "no"), -1);
	assert_int_equal(err.status, 127);
	assert_string_equal(err.text, "cannot run 'x': no");
	assert_int_equal(errno, EBADF);
	assert_int_equal(err_set(NULL, EXIT_SURETY, "kept %s", "nowhere"), -1);
}

static void test_err_set_cuts(void **state)
{
	struct err err;
	char long_text[2000];

	(void)state;
	memset(long_text, 'a', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	err_set(&err, EXIT_SURETY, "%s", long_text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void test_err_print(void **state)
{
	struct capture c;
	struct err err;
	char buf[1024];

	(void)state;
	err_set(&err, EXIT_SURETY, "cannot read size '%s': not a size", "12Q");
	capture_begin(&c);
	errno = EBADF;
	err_print(&err);
	assert_int_equal(errno, EBADF);
	capture_end(&c, buf, sizeof(buf));
	assert_string_equal(buf, "surety: cannot read size '12Q': not a size\n");
}

static void test_control_characters(void **state)
{
	struct capture c;
	char buf[1024];

	(void)state;
	capture_begin(&c);
	warn_line("cannot open '%s'", "a\nb\x1b[31m\tc\x7f\xc3\xa9");
	capture_end(&c, buf, sizeof(buf));
	assert_string_equal(buf, "surety: cannot open 'a?b?[31m?c?\xc3\xa9'\n");
}

static void test_longest_line(void **state)
{
	struct capture c;
	struct err err;
	char long_text[2000], buf[4000];

	(void)state;
	memset(long_text, 'b', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	err_set(&err, EXIT_SURETY, "%s", long_text);
	capture_begin(&c);
	err_print(&err);
	capture_end(&c, buf, sizeof(buf));
	assert_int_equal(strlen(buf), strlen("surety: ") + sizeof(err.text) - 1 + 1);
	assert_int_equal(buf[strlen(buf) - 1], '\n');

	capture_begin(&c);
	warn_line("%s", long_text);
	capture_end(&c, buf, sizeof(buf));
	assert_int_equal(buf[strlen(buf) - 1], '\n');
	assert_int_equal(buf[strlen(buf) - 2], 'b');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_set),
		cmocka_unit_test(test_err_set_cuts),
		cmocka_unit_test(test_err_print),
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_longest_line),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
