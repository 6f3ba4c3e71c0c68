/* SPDX-License-Identifier: MIT
 *
 * simulate: what the model says of a script, written for people and as JSON.
 */
#ifndef SURETY_CLI_SIMULATE_H
#define SURETY_CLI_SIMULATE_H

#include <stdbool.h>
#include <stddef.h>

#include "model/model.h"

enum { SIMULATE_MODES = 3 };

/* One script in one to three modes. */
struct simulation {
	const struct script *script;
	struct model *model[SIMULATE_MODES];
	enum overcommit mode[SIMULATE_MODES]; /* of each */
	int nr;
	bool json;
};

/* Each operation, and what came of it in each mode. */
void simulate_begin(const struct simulation *s);
void simulate_step(const struct simulation *s, const struct script_op *op, const struct outcome *outcome);
void simulate_end(const struct simulation *s);

#endif
