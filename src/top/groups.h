/* SPDX-License-Identifier: MIT
 *
 * groups: the running groups (of this user; for root, all), asked in the background.
 *
 * A supervisor reads all of its group to answer, and one that is stopped does
 * not answer for seconds: neither may hold up the screen.
 */
#ifndef SURETY_TOP_GROUPS_H
#define SURETY_TOP_GROUPS_H

#include <stdint.h>

#include "cli/figures.h"

enum { GROUPS_MAX = 16 };

struct group_row {
	char name[FIGURES_LABEL_MAX];
	uint64_t committed_bytes, limit_bytes, refusals;
};

/* Starts asking, every few seconds; without a thread there are no groups. */
void groups_start(void);

/* Copies what is known.  Returns the number of groups; at most GROUPS_MAX rows are set. */
int groups_get(struct group_row rows[GROUPS_MAX]);

#endif
