/* SPDX-License-Identifier: MIT
 *
 * surety-report: records on stdin, reports on a descriptor.
 *
 * Runs beside the supervisor, so that what unwinding costs, and what a hostile
 * file does to it, stays out of the decision.  Ends only when the supervisor
 * closes the pipe: signals meant for the job must not lose its last report.
 * Must not use the network.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "report/event.h"
#include "report/json.h"
#include "report/record.h"
#include "report/text.h"

struct output {
	bool json;
	int fd;
	bool failed; /* said so once */
};

static void output_failed(struct output *o, int error)
{
	if (!o->failed)
		warn_line("cannot write a report: %s", strerror(error));
	o->failed = true;
}

/* One write(2); only what a pipe or a full disk left over takes another. */
static int write_report(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			(void)poll(&p, 1, -1); /* a failure shows at the next write */
			continue;
		}
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static void report_event(void *ctx, const struct event *e)
{
	struct output *o = ctx;
	autofree char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int r = 0;

	if (!f) {
		output_failed(o, ENOMEM);
		return;
	}
	if (o->json)
		r = json_write(f, e);
	else
		text_write(f, e);
	if (fclose(f) != 0 && r == 0)
		r = -ENOMEM;
	if (r == 0)
		r = write_report(o->fd, text, len);
	if (r < 0)
		output_failed(o, -r);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Returns 1 while there is more, 0 at the end, -errno. */
static int take_record(struct event_queue *q, struct stack_resolver *resolver)
{
	struct stack stack = { .end = UNWIND_LOST };
	struct record record;
	int r = record_read(STDIN_FILENO, &record);

	if (r <= 0)
		return r;
	if (record.have_capture)
		stack_resolve(resolver, record.refusal.pid, &record.capture, &stack);
	event_add(q, &record.refusal, &stack, now_ms());
	record_done(&record);
	return 1;
}

static int read_records(struct event_queue *q)
{
	struct stack_resolver resolver = { 0 };
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	int timeout = -1, r = 1;

	while (r > 0) {
		int n = poll(&in, 1, timeout);

		if (n < 0 && errno != EINTR)
			r = -errno;
		else if (n > 0)
			r = take_record(q, &resolver);
		timeout = n > 0 ? 0 : event_expire(q, now_ms());
	}
	event_flush(q);
	stack_resolver_done(&resolver);
	return r;
}

static void usage(FILE *out)
{
	fputs("Usage: surety-report [--format text|json] [--fd N]\n"
	      "Reads refusal records from stdin, as surety writes them, and reports them on\n"
	      "descriptor N (default 2).\n",
	      out);
}

static int parse_options(int argc, char **argv, struct output *o, struct err *err)
{
	static const struct option options[] = {
		{ "format", required_argument, NULL, 'f' },
		{ "fd", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	uint64_t fd;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'f':
			if (strcmp(optarg, "text") && strcmp(optarg, "json"))
				return err_set(err, EXIT_SURETY, "unknown format '%s': it is text or json", optarg);
			o->json = !strcmp(optarg, "json");
			break;
		case 'd':
			if (number_parse(optarg, &fd) < 0 || fd > 1 << 20 || fcntl((int)fd, F_GETFD) < 0)
				return err_set(err, EXIT_SURETY, "descriptor '%s' is not open", optarg);
			o->fd = (int)fd;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			return err_set(err, EXIT_SURETY, "unknown option or missing value '%s'", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return err_set(err, EXIT_SURETY, "unexpected argument '%s'", argv[optind]);
	return 0;
}

int main(int argc, char **argv)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
	static struct event_queue queue; /* too large for a stack */
	struct output output = { .fd = STDERR_FILENO };
	struct err err;
	int r;

	if (parse_options(argc, argv, &output, &err) < 0) {
		err_print(&err);
		return err.status;
	}
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN); /* cannot fail for these */
	(void)unsetenv("DEBUGINFOD_URLS"); /* cannot fail: a valid name */

	queue.fn = report_event;
	queue.ctx = &output;
	r = read_records(&queue);
	if (r == -EBADMSG)
		warn_line("cannot read a refusal record: the stream is damaged or of another version");
	else if (r < 0)
		warn_line("cannot read a refusal record: %s", strerror(-r));
	return r < 0 || output.failed ? EXIT_SURETY : 0;
}
