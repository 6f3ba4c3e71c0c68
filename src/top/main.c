/* SPDX-License-Identifier: MIT
 *
 * surety-top: the live view.  Started by surety with its own command line, which
 * is read again by the same parser.
 *
 * Decides when to look and when to draw.  Leaves the terminal as it found it.
 */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/parse.h"
#include "sys/clock.h"
#include "top/view.h"

static int start_terminal(struct view *v, struct err *err)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return err_set(err, EXIT_SURETY, "cannot show 'top': standard input or output is no terminal (surety ps prints "
			       "the same once)");
	setlocale(LC_CTYPE, "");
	v->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	if (!newterm(NULL, stdout, stdin))
		return err_set(err, EXIT_SURETY, "cannot show 'top' on terminal '%s': it is not known here (set TERM, as in "
			       "TERM=xterm)", term ? term : "");
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	set_escdelay(25);
	(void)curs_set(0); /* a terminal that cannot hide it */
	v->colour = !(no_color && no_color[0]) && has_colors();
	if (v->colour) {
		start_color();
		use_default_colors();
		init_pair(1, COLOR_RED, -1);
		init_pair(2, COLOR_BLACK, COLOR_CYAN);
	}
	return 0;
}

/* Whether the terminal is gone: reading from it then says nothing for ever. */
static bool hung_up(void)
{
	struct pollfd pfd = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0 && pfd.revents & (POLLHUP | POLLERR | POLLNVAL);
}

static int look(struct view *v)
{
	int r = sample_look(v->sample, v->visible, v->nr_visible);

	if (!r)
		r = view_choose(v);
	if (!r)
		view_remember(v);
	v->nr_groups = groups_get(v->group);
	return r;
}

static int run(struct view *v, const struct top_opts *opts)
{
	uint64_t period = opts->delay * 1000, next = clock_ns(CLOCK_MONOTONIC) / 1000000, times = 0;
	int r;

	for (;;) {
		uint64_t now = clock_ns(CLOCK_MONOTONIC) / 1000000;
		int key;

		if (now >= next) {
			if (opts->times != OPT_UNSET && times++ == opts->times)
				return 0;
			r = look(v);
			if (r)
				return r;
			view_draw(v);
			/* a machine that was asleep is not caught up with */
			next = now + period;
		}
		timeout((int)(next - now < 3600000 ? next - now : 3600000));
		key = getch();
		if (key == ERR) {
			if (hung_up())
				return 0;
			continue;
		}
		if (!view_key(v, key))
			return 0;
		r = view_choose(v);
		if (r)
			return r;
		view_draw(v);
	}
}

int main(int argc, char **argv)
{
	struct err err = { .status = EXIT_SURETY };
	struct sample sample;
	struct parsed parsed;
	struct view *v = calloc(1, sizeof(*v));
	int r = parse_command_line(argc, argv, &parsed, &err);

	if (r == 0 && (parsed.version || parsed.command != COMMAND_top))
		r = err_set(&err, EXIT_SURETY, "cannot run 'surety-top' by itself: it is a part of surety (surety top)");
	if (r == 0 && !v)
		r = err_set(&err, EXIT_SURETY, "cannot show 'top': %s (free some memory)", strerror(ENOMEM));
	if (r == 0)
		r = start_terminal(v, &err);
	if (r < 0) {
		err_print(&err);
		return err.status;
	}
	sample_init(&sample);
	v->sample = &sample;
	v->sort = parsed.opts.top.sort;
	v->tree = parsed.opts.top.tree;
	if (parsed.opts.top.filter)
		snprintf(v->filter, sizeof(v->filter), "%s", parsed.opts.top.filter);
	users_load(&v->users, "/etc/passwd");
	groups_start();
	r = run(v, &parsed.opts.top);
	endwin();
	sample_free(&sample);
	users_free(&v->users);
	free(v->rows.process);
	free(v);
	if (r < 0) {
		(void)err_set(&err, EXIT_SURETY, "cannot read '/proc': %s (is it mounted?)", strerror(-r));
		err_print(&err);
		return err.status;
	}
	return 0;
}
