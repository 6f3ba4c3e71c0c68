/* SPDX-License-Identifier: MIT
 *
 * choose: one random operation of a script.
 *
 * Proposes; generate.c keeps what all models agree on.  Numbers come from the seed
 * alone, so that a seed is a script.
 */
#ifndef TESTS_ORACLE_CHOOSE_H
#define TESTS_ORACLE_CHOOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"

enum {
	CHOOSE_PROCESSES = 40, /* names; at most LIVE of them at once */
	CHOOSE_LIVE = 6,
	CHOOSE_REGIONS = 16,
	CHOOSE_OBJECTS = 60,
};

struct chooser {
	uint64_t random; /* the state; not 0 */
	struct script *script;
	const struct model *model; /* what has been done so far */
	uint64_t margin_pages;
	uint64_t limit_pages;
	bool limited;	  /* mode 2 */
	int nr_processes; /* names that were used, and objects */
	int nr_objects;
};

/* From 0 to BELOW less one; 0 where that is 0. */
uint64_t choose_below(struct chooser *c, uint64_t below);

/* Fills OP.  Returns false where what was thrown cannot be done now.  A name that
 * OP makes is the next one: the caller counts it when it keeps OP. */
bool choose_operation(struct chooser *c, struct script_op *op);

#endif
