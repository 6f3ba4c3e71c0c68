/* SPDX-License-Identifier: MIT
 *
 * control: see the header.
 */
#include "cli/control.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "cli/place.h"
#include "report/escape.h"

enum {
	ANSWER_WAIT_MS = 1000, /* for a caller that does not read */
	ROWS_MAX = 65536,
};

/* A socket file that nobody listens on was left by a supervisor that was killed. */
static int clear_stale(const struct sockaddr_un *addr)
{
	int fd = place_connect(addr, ANSWER_WAIT_MS);

	if (fd >= 0) {
		close_fd(&fd);
		return -EADDRINUSE;
	}
	if (fd == -ECONNREFUSED && unlink(addr->sun_path) < 0)
		return -errno;
	return 0;
}

static int listen_on(struct control *c, const char *name)
{
	struct sockaddr_un addr;
	struct place place;
	autoclose int fd = -1;
	int r = place_own(&place, true);

	if (r == 0)
		r = place_address(&place, name, &addr);
	if (r == 0)
		r = clear_stale(&addr);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 16) < 0)
		return -errno;
	memcpy(c->path, addr.sun_path, sizeof(c->path));
	c->fd = steal_fd(&fd);
	return 0;
}

int control_listen(struct control *c, const char *name, bool required, struct err *err)
{
	int r;

	c->fd = -1;
	c->path[0] = '\0';
	r = listen_on(c, name);
	if (r == -EADDRINUSE && !required)
		warn_line("group '%s' cannot be asked by status: another of this name runs (give --name)", name);
	if (r < 0 && required)
		return err_set(err, EXIT_SURETY, "cannot name the group '%s': %s (%s)", name, strerror(-r),
			       r == -EADDRINUSE ? "a running group has this name" : "XDG_RUNTIME_DIR tells where names are kept");
	return 0;
}

void control_close(struct control *c)
{
	close_fd(&c->fd);
	if (c->path[0])
		(void)unlink(c->path); /* a stale one is cleared by the next of its name */
	c->path[0] = '\0';
}

void control_forget(const char *name)
{
	struct sockaddr_un addr;
	struct place place;

	if (place_own(&place, false) == 0 && place_address(&place, name, &addr) == 0)
		(void)clear_stale(&addr); /* another's by now, or gone: fine */
}

static json_t *bytes_json(uint64_t pages)
{
	return json_integer((json_int_t)pages_to_bytes(pages));
}

static json_t *row_json(const struct engine_process *row)
{
	autofree char *comm = escape_utf8(row->comm); /* a name may be any bytes */

	return json_pack("{s:i, s:s, s:o, s:b}", "pid", (int)row->pid, "comm", comm ? comm : "", "Committed_AS",
			 bytes_json(row->committed_pages), "shared", row->shared);
}

static json_t *status_json(const struct control_group *group)
{
	struct engine_process *rows = calloc(ROWS_MAX, sizeof(*rows));
	struct engine_status st;
	json_t *list = json_array();
	json_t *object;

	group->ops->status(group->engine, &st, rows, rows ? ROWS_MAX : 0);
	for (uint32_t i = 0; rows && i < st.nr_processes && i < ROWS_MAX; i++)
		json_array_append_new(list, row_json(&rows[i]));
	free(rows);
	object = json_pack("{s:s, s:s, s:s, s:i}", "schema", "surety.status/1", "group", group->name, "engine",
			   group->ops->name, "overcommit_memory", (int)group->limit->mode);
	json_object_set_new(object, "CommitLimit", bytes_json(st.limit_pages));
	json_object_set_new(object, "Committed_AS", bytes_json(st.committed_pages));
	json_object_set_new(object, "Reserved", bytes_json(st.reserved_pages));
	json_object_set_new(object, "Shmem", bytes_json(st.shmem_pages));
	json_object_set_new(object, "ForkUncharged", bytes_json(st.fork_uncharged_pages));
	json_object_set_new(object, "ForkKept", bytes_json(st.fork_kept_pages));
	json_object_set_new(object, "forks_ended", json_integer((json_int_t)st.forks_ended));
	json_object_set_new(object, "Peak", bytes_json(st.peak_pages));
	json_object_set_new(object, "charges", json_integer((json_int_t)st.charges));
	json_object_set_new(object, "refusals", json_integer((json_int_t)st.refusals));
	json_object_set_new(object, "refused", bytes_json(st.refused_pages));
	json_object_set_new(object, "notifications", json_integer((json_int_t)st.notifications));
	json_object_set_new(object, "pid_namespace", json_integer(control_pid_namespace()));
	json_object_set_new(object, "started_ns", json_integer((json_int_t)st.started_ns));
	json_object_set_new(object, "supervisor_pid", json_integer(getpid()));
	json_object_set_new(object, "main_pid", json_integer(group->ops->main_pid(group->engine)));
	json_object_set_new(object, "processes", list);
	return object;
}

void control_answer(const struct control *c, const struct control_group *group)
{
	struct timeval wait = { .tv_sec = ANSWER_WAIT_MS / 1000 };
	autoclose int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);
	autofree char *text = NULL;
	json_t *object;
	size_t len, sent = 0;

	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	object = status_json(group);
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (!text)
		return;
	len = strlen(text);
	text[len++] = '\n'; /* in place of the NUL: len counts it */
	while (sent < len) {
		ssize_t n = send(fd, text + sent, len - sent, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* gone, or not reading: its loss */
		sent += (size_t)n;
	}
}
