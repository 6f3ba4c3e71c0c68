/* SPDX-License-Identifier: MIT
 *
 * view: see the header.
 *
 * Decides what is left out of a terminal that is too small: columns from the
 * least needed on, then lines of the head, never the rows.
 */
#include "top/view.h"

#include <errno.h>
#include <inttypes.h>
#include <ncurses.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "top/text.h"

enum { LINE_MAX_BYTES = 4096, ROWS_LEAST = 4, GROUPS_SHOWN = 4 };
enum pair { PAIR_NONE, PAIR_WARN, PAIR_HEAD };

static const char *const sort_word[] = { "committed", "used", "unused", "stacks", "pid" };

static enum look_key key_of(int sort)
{
	static const enum look_key key[] = { LOOK_BY_COMMITTED, LOOK_BY_USED, LOOK_BY_UNUSED, LOOK_BY_STACKS, LOOK_BY_PID };

	return key[sort];
}

static bool is_wanted(void *ctx, const struct look_process *p)
{
	const struct view *v = ctx;
	char user[USER_NAME_MAX];

	return !v->filter[0] || strcasestr(p->comm, v->filter) || strcasestr(users_name(&v->users, p->uid, user), v->filter);
}

int view_choose(struct view *v)
{
	ssize_t n = sample_rows(v->sample, is_wanted, v, &v->rows.process, &v->rows.room);

	if (n < 0)
		return (int)n;
	v->rows.nr = (size_t)n;
	look_sort(&v->rows, key_of(v->sort));
	return v->tree ? look_tree(&v->rows) : 0;
}

void view_remember(struct view *v)
{
	if (v->nr_history == HISTORY_MAX)
		memmove(v->history, v->history + 1, --v->nr_history * sizeof(v->history[0]));
	v->history[v->nr_history++] = v->sample->info.committed_bytes;
}

static void put(int y, int columns, int attributes, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void put(int y, int columns, int attributes, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* what is ours is ASCII or one column a character; ncurses cuts at the edge */
	attron(attributes);
	mvaddnstr(y, 0, text, columns < LINE_MAX_BYTES ? (int)strlen(text) : LINE_MAX_BYTES);
	attroff(attributes);
}

static int warn_attributes(const struct view *v, bool warn)
{
	if (!warn)
		return 0;
	return v->colour ? COLOR_PAIR(PAIR_WARN) : A_BOLD;
}

static char *short_bytes(uint64_t bytes, char buf[BYTES_FORMAT_MAX])
{
	/* three digits and a unit do for a screen: whole K, M with one decimal */
	return bytes_format(bytes < 1 << 20 ? bytes & ~UINT64_C(1023) : bytes, buf);
}

static int draw_commitment(const struct view *v, int y, int columns)
{
	const struct meminfo *m = &v->sample->info;
	char committed[BYTES_FORMAT_MAX], limit[BYTES_FORMAT_MAX], bar[256] = "", text[128];
	bool over = m->committed_bytes >= m->commit_limit_bytes;
	int left;

	short_bytes(m->committed_bytes, committed);
	short_bytes(m->commit_limit_bytes, limit);
	if (columns < 60)
		snprintf(text, sizeof(text), "Committed %s of %s", committed, limit);
	else
		snprintf(text, sizeof(text), "Committed_AS %s of CommitLimit %s", committed, limit);
	left = columns - (int)strlen(text) - 1;
	if (left >= 6)
		text_bar(m->committed_bytes, m->commit_limit_bytes, left < 60 ? left : 60, bar, sizeof(bar));
	put(y, columns, warn_attributes(v, over), "%s %s", text, bar);
	return y + 1;
}

static int draw_rest(const struct view *v, int y, int columns)
{
	uint64_t held = pages_to_bytes(v->sample->sum.committed);
	uint64_t rest = v->sample->info.committed_bytes > held ? v->sample->info.committed_bytes - held : 0;
	char a[BYTES_FORMAT_MAX], b[BYTES_FORMAT_MAX];

	put(y, columns, 0, columns < 60 ? "processes %s, rest %s" : "processes %s, shared memory and what nobody holds %s",
	    short_bytes(held, a), short_bytes(rest, b));
	return y + 1;
}

static int draw_history(const struct view *v, int y, int columns)
{
	char marks[HISTORY_MAX * 3 + 1];
	char label[96] = "", low[BYTES_FORMAT_MAX], high[BYTES_FORMAT_MAX];
	uint64_t least = UINT64_MAX, most = 0;

	for (size_t i = 0; i < v->nr_history; i++) {
		least = v->history[i] < least ? v->history[i] : least;
		most = v->history[i] > most ? v->history[i] : most;
	}
	if (columns >= 60)
		snprintf(label, sizeof(label), "history, %s to %s ", short_bytes(least, low), short_bytes(most, high));
	text_history(v->history, v->nr_history, columns - (int)strlen(label), v->utf8, marks, sizeof(marks));
	put(y, columns, 0, "%s%s", label, marks);
	return y + 1;
}

static int draw_groups(const struct view *v, int y, int columns)
{
	int shown = v->nr_groups < GROUPS_SHOWN ? v->nr_groups : GROUPS_SHOWN;

	for (int i = 0; i < shown; i++) {
		const struct group_row *g = &v->group[i];
		char a[BYTES_FORMAT_MAX], b[BYTES_FORMAT_MAX], name[256];

		text_name(g->name, columns < 60 ? 12 : 24, name, sizeof(name));
		put(y++, columns, warn_attributes(v, g->refusals != 0), "group %s: %s of %s, %" PRIu64 " refused", name,
		    short_bytes(g->committed_bytes, a), short_bytes(g->limit_bytes, b), g->refusals);
	}
	if (shown < v->nr_groups)
		put(y++, columns, 0, "and %d more groups", v->nr_groups - shown);
	return y;
}

static int draw_title(const struct view *v, int y, int columns)
{
	const struct sample *s = v->sample;
	time_t now = time(NULL);
	struct tm tm = { 0 };

	localtime_r(&now, &tm);
	if (columns < 60)
		put(y, columns, A_BOLD, "surety %02d:%02d:%02d  %u processes", tm.tm_hour, tm.tm_min, tm.tm_sec, s->sum.processes);
	else
		put(y, columns, A_BOLD, "surety top  %02d:%02d:%02d  overcommit_memory %d  %u processes, %u threads%s", tm.tm_hour,
		    tm.tm_min, tm.tm_sec, (int)s->host.mode, s->sum.processes, s->sum.threads,
		    s->denied ? ", some may not be read" : "");
	return y + 1;
}

/* The head, as much of it as leaves room for rows. */
static int draw_head(const struct view *v, int lines, int columns)
{
	int (*const part[])(const struct view *, int, int) = { draw_commitment, draw_title, draw_groups, draw_history, draw_rest };
	int room = lines - ROWS_LEAST - 2, y = 0;

	/* in the order of what matters most, drawn in the order of what reads best */
	bool shown[5] = { room >= 1, room >= 2, room >= 3 + v->nr_groups, room >= 4 + v->nr_groups, room >= 5 + v->nr_groups };
	static const int order[] = { 1, 0, 4, 3, 2 };

	for (size_t i = 0; i < 5; i++)
		if (shown[order[i]])
			y = part[order[i]](v, y, columns);
	return y;
}

struct layout {
	bool user, used, stacks, wide;
};

static struct layout layout_of(int columns)
{
	return (struct layout){ .user = columns >= 58, .used = columns >= 50, .stacks = columns >= 68, .wide = columns >= 76 };
}

static void draw_columns(const struct view *v, int y, int columns)
{
	struct layout l = layout_of(columns);
	char text[256];
	int used = snprintf(text, sizeof(text), "%7s", "PID");

	if (l.user)
		used += snprintf(text + used, sizeof(text) - (size_t)used, " %-8s", "USER");
	used += snprintf(text + used, sizeof(text) - (size_t)used, " %*s", l.wide ? 12 : 9, l.wide ? "Committed_AS" : "Committed");
	if (l.used)
		used += snprintf(text + used, sizeof(text) - (size_t)used, " %9s", "Anonymous");
	used += snprintf(text + used, sizeof(text) - (size_t)used, " %8s", "Unused");
	if (l.stacks)
		used += snprintf(text + used, sizeof(text) - (size_t)used, " %8s", "Stacks");
	snprintf(text + used, sizeof(text) - (size_t)used, "  COMMAND");
	put(y, columns, v->colour ? COLOR_PAIR(PAIR_HEAD) : A_REVERSE, "%-*s", columns, text);
}

static void draw_row(const struct view *v, const struct look_process *p, int y, int columns)
{
	struct layout l = layout_of(columns);
	char text[LINE_MAX_BYTES], user[USER_NAME_MAX], amount[BYTES_FORMAT_MAX], name[256];
	bool shared = p->space_of != p->pid;
	int used = snprintf(text, sizeof(text), "%7d", p->pid), indent = 0;
	size_t size = sizeof(text);

	if (l.user) {
		char shown[64];

		text_name(users_name(&v->users, p->uid, user), 8, shown, sizeof(shown));
		used += snprintf(text + used, size - (size_t)used, " %-8s", shown);
	}
	used += snprintf(text + used, size - (size_t)used, " %*s", l.wide ? 12 : 9,
			 shared ? "shared" : short_bytes(pages_to_bytes(p->committed), amount));
	if (l.used)
		used += snprintf(text + used, size - (size_t)used, " %9s",
				 shared ? "" : short_bytes(pages_to_bytes(p->used), amount));
	used += snprintf(text + used, size - (size_t)used, " %8s",
			 shared ? "" : short_bytes(pages_to_bytes(look_unused(p->committed, p->used)), amount));
	if (l.stacks)
		used += snprintf(text + used, size - (size_t)used, " %8s",
				 shared ? "" : short_bytes(pages_to_bytes(p->stacks), amount));
	if (v->tree && columns - used - 2 > 8) {
		indent = (int)p->depth * 2;
		indent = indent < columns - used - 10 ? indent : columns - used - 10;
	}
	text_name(p->comm, columns - used - 2 - indent, name, sizeof(name));
	snprintf(text + used, size - (size_t)used, "  %*s%s", indent, "", name);
	put(y, columns, 0, "%s", text);
}

static void draw_foot(const struct view *v, int y, int columns)
{
	const char *help = columns < 60 || v->filter[0] ? "q s t / " : "q quit  s sort  t tree  / filter  arrows scroll   ";
	char filter[128];

	text_name(v->filter, columns / 2, filter, sizeof(filter));
	if (v->typing)
		put(y, columns, A_BOLD, "filter: %s_", filter);
	else
		put(y, columns, A_DIM, "%sby %s%s%s%s", help, sort_word[v->sort], v->tree ? ", tree" : "",
		    v->filter[0] ? ", filter " : "", filter);
}

void view_draw(struct view *v)
{
	int lines, columns, y;

	getmaxyx(stdscr, lines, columns);
	erase();
	v->nr_visible = 0;
	if (lines < 3 || columns < 20) {
		put(0, columns, 0, "too small");
		refresh();
		return;
	}
	y = draw_head(v, lines, columns);
	draw_columns(v, y++, columns);
	v->page = (size_t)(lines - 1 - y);
	if (v->first + v->page > v->rows.nr)
		v->first = v->rows.nr > v->page ? v->rows.nr - v->page : 0;
	for (size_t i = v->first; i < v->rows.nr && y < lines - 1; i++, y++) {
		draw_row(v, &v->rows.process[i], y, columns);
		if (v->nr_visible < VISIBLE_MAX)
			v->visible[v->nr_visible++] = v->rows.process[i].pid;
	}
	if (v->rows.nr == 0)
		put(y, columns, 0, "no process matches the filter");
	draw_foot(v, lines - 1, columns);
	refresh();
}

static void type(struct view *v, int key)
{
	size_t len = strlen(v->filter);

	if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		v->typing = false;
	} else if (key == 27) {
		v->typing = false;
		v->filter[0] = '\0';
	} else if ((key == KEY_BACKSPACE || key == 127 || key == 8) && len) {
		v->filter[len - 1] = '\0';
	} else if (key >= 0x20 && key <= 0x7e && len < sizeof(v->filter) - 1) {
		v->filter[len] = (char)key;
		v->filter[len + 1] = '\0';
	}
	v->first = 0;
}

static void scroll_by(struct view *v, long rows)
{
	if (rows < 0 && (size_t)-rows > v->first)
		v->first = 0;
	else
		v->first += (size_t)rows; /* drawing stops it at the last page */
}

bool view_key(struct view *v, int key)
{
	if (v->typing) {
		type(v, key);
		return true;
	}
	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case 's':
		v->sort = (v->sort + 1) % TOP_SORT_NR;
		break;
	case 'S':
		v->sort = (v->sort + TOP_SORT_NR - 1) % TOP_SORT_NR;
		break;
	case 't':
		v->tree = !v->tree;
		break;
	case '/':
		v->typing = true;
		v->filter[0] = '\0';
		break;
	case 27:
		v->filter[0] = '\0';
		break;
	case KEY_UP:
	case 'k':
		scroll_by(v, -1);
		break;
	case KEY_DOWN:
	case 'j':
		scroll_by(v, 1);
		break;
	case KEY_PPAGE:
		scroll_by(v, -(long)v->page);
		break;
	case KEY_NPAGE:
	case ' ':
		scroll_by(v, (long)v->page);
		break;
	case KEY_HOME:
		v->first = 0;
		break;
	case KEY_END:
		v->first = v->rows.nr;
		break;
	default:
		break;
	}
	return true;
}
