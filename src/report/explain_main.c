/* SPDX-License-Identifier: MIT
 *
 * surety-explain: a record in, what it says about limits out.
 *
 *     surety-explain FILE LIMIT_BYTES|- MODE FORK_PERCENT text|json|check [HTML]
 *
 * A program of its own because it unwinds: surety links no unwinder.  surety
 * starts it, with arguments that it has checked.  The exit status is 1 where
 * the limit that was given refuses something.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "report/explain.h"

struct arguments {
	struct explain_terms terms;
	const char *format;
	const char *html; /* or NULL */
};

static int parse(int argc, char **argv, struct arguments *a, struct err *err)
{
	uint64_t limit = UINT64_MAX, mode;

	if ((argc != 6 && argc != 7) || (strcmp(argv[2], "-") != 0 && number_parse(argv[2], &limit) < 0) ||
	    number_parse(argv[3], &mode) < 0 || mode > OVERCOMMIT_NEVER ||
	    number_parse(argv[4], &a->terms.replay.fork_percent) < 0 || a->terms.replay.fork_percent > 100)
		return err_set(err, EXIT_SURETY, "cannot use 'surety-explain': bad arguments (surety explain starts it)");
	a->terms.path = argv[1];
	a->terms.limit_pages = limit == UINT64_MAX ? limit : limit >> PAGE_SHIFT;
	a->terms.replay.mode = (enum overcommit)mode;
	a->format = argv[5];
	a->html = argv[6];
	a->terms.picture = a->html != NULL;
	return 0;
}

static int write_out(struct explain *x, const char *format, struct err *err)
{
	int r = 0;

	if (!strcmp(format, "json"))
		r = explain_json(stdout, x);
	else if (!strcmp(format, "check"))
		explain_check(stdout, x);
	else
		explain_text(stdout, x);
	if (r < 0)
		return err_set(err, EXIT_SURETY, "cannot explain the record '%s': %s (free some memory)", x->terms->path,
			       strerror(-r));
	if (fflush(stdout) || ferror(stdout))
		return err_set(err, EXIT_SURETY, "cannot write 'standard output': %s (is the disk full?)", strerror(errno));
	return 0;
}

static int write_page(struct explain *x, const char *path, struct err *err)
{
	FILE *f = fopen(path, "we");
	int error = f ? 0 : errno;

	if (f && explain_html(f, x) < 0)
		error = ENOMEM;
	if (f && ferror(f) && !error)
		error = EIO;
	if (f && fclose(f) != 0 && !error)
		error = errno;
	if (error)
		return err_set(err, EXIT_SURETY, "cannot write the page '%s': %s (give another --html FILE)", path,
			       strerror(error));
	return 0;
}

static int explain(const struct arguments *a, struct err *err)
{
	autoclose int fd = open(a->terms.path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct explain x;
	int r;

	if (fd < 0)
		return err_set(err, EXIT_SURETY, "cannot read the record '%s': %s (give the file that --record wrote)",
			       a->terms.path, strerror(errno));
	r = explain_read(&x, fd, &a->terms, err);
	if (r == 0) {
		if (x.cut)
			warn_line("the record '%s' has no end: what follows is of the part that is there", a->terms.path);
		if (a->html)
			r = write_page(&x, a->html, err);
		if (r == 0)
			r = write_out(&x, a->format, err);
	}
	if (r == 0)
		r = x.first.r.number ? 1 : 0;
	explain_done(&x);
	return r;
}

int main(int argc, char **argv)
{
	struct err err = { .status = EXIT_SURETY };
	struct arguments arguments = { 0 };
	int r;

	(void)unsetenv("DEBUGINFOD_URLS"); /* cannot fail: a valid name */
	r = parse(argc, argv, &arguments, &err);
	if (r == 0)
		r = explain(&arguments, &err);
	if (r < 0) {
		err_print(&err);
		return err.status;
	}
	return r;
}
