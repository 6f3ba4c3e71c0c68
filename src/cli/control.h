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
#include "cli/place.h"
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

/* A group with a socket.  One whose supervisor was killed does not answer. */
struct control_ref {
	struct place place;
	char name[PLACE_NAME_MAX + 1];
	bool own; /* in this user's own place */
};

/* The group called NAME, USER:NAME, or one that a process id is of: of its
 * supervisor, or of any of its processes.  Root finds those of all users.
 * Returns its answer, as control_ask() does. */
json_t *control_find(const char *name, struct control_ref *ret, struct err *err);

/* Calls FN with each group of this user; for root, with each. */
typedef void control_ref_fn(void *ctx, const struct control_ref *ref);
void control_list(control_ref_fn *fn, void *ctx);

/* The answer of a group, a reference to be dropped, with "uid": whose the
 * supervisor is.  NULL with ERR set when it does not answer.  ERR may be NULL. */
json_t *control_ask(const struct control_ref *ref, struct err *err);

/* Whether the process ids in an answer mean the same processes here. */
bool control_same_pids(const json_t *figures);

/* The PID namespace that we are in: an inode number. */
json_int_t control_pid_namespace(void);

#endif
