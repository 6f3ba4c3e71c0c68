/* SPDX-License-Identifier: MIT
 *
 * view: what is on the screen, drawn anew as a whole each time.
 */
#ifndef SURETY_TOP_VIEW_H
#define SURETY_TOP_VIEW_H

#include "cli/opts.h"
#include "look/users.h"
#include "top/groups.h"
#include "top/sample.h"

enum {
	HISTORY_MAX = 512,
	VISIBLE_MAX = 512,
	FILTER_MAX = 32,
};

struct view {
	struct sample *sample;
	struct users users;
	int sort; /* enum top_sort */
	bool tree, typing, utf8, colour;
	char filter[FILTER_MAX];
	size_t first;	   /* row at the top */
	struct look rows;  /* chosen and sorted; only its processes are set */
	uint64_t history[HISTORY_MAX];
	size_t nr_history;
	pid_t visible[VISIBLE_MAX];
	size_t nr_visible, page;
	struct group_row group[GROUPS_MAX];
	int nr_groups;
};

/* Takes the rows anew from the sample. 0 or -ENOMEM. */
int view_choose(struct view *v);

/* Notes the host's Committed_AS, for the history line. */
void view_remember(struct view *v);

/* Draws into the terminal of ncurses, whatever size it has. */
void view_draw(struct view *v);

/* Takes a key.  False: the user wants to end. */
bool view_key(struct view *v, int key);

#endif
