/* SPDX-License-Identifier: MIT
 *
 * control: how a running group is asked for its figures.
 *
 * Each supervisor listens on a socket named after its group, in a directory
 * that only its user can enter; who connects is sent one JSON object on one
 * line (schema surety.status/1, docs/REPORT.md) and the end of the stream.
 */
#ifndef SURETY_CLI_CONTROL_H
#define SURETY_CLI_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "engine/engine.h"

struct control {
	int fd; /* listening, or -1: the group cannot be asked */
	char path[108];
};

/* Listens for group NAME.  REQUIRED: the user chose the name, so a failure is
 * one; otherwise the group simply cannot be asked.  Returns 0, or -1 with ERR. */
int control_listen(struct control *c, const char *name, bool required, struct err *err);

/* What is told about the group, beside the engine's figures. */
struct control_group {
	const char *name;
	const struct engine_ops *ops;
	struct engine *engine;
	const struct limit *limit;
};

/* Answers one caller; never waits for one that does not read. */
void control_answer(const struct control *c, const struct control_group *group);

void control_close(struct control *c);

/* Removes the socket that a supervisor which was killed left behind. */
void control_forget(const char *name);

/* The answer of group NAME as text, NUL-terminated, to be freed.  NULL with ERR
 * set when there is no such group.  NAME may be a process id: of the group's
 * supervisor, or of any of its processes. */
char *control_ask(const char *name, struct err *err);

/* Whether the process ids in an answer mean the same processes here. */
bool control_same_pids(const json_t *figures);

/* Calls FN with the name of each group that has a socket; one whose supervisor
 * was killed does not answer.  Returns their number. */
typedef void control_name_fn(void *ctx, const char *name);
int control_list(control_name_fn *fn, void *ctx);

#endif
