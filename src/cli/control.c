/* SPDX-License-Identifier: MIT
 *
 * control: see the header.
 */
#include "cli/control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
#include "report/escape.h"
#include "sys/procfs.h"

enum {
	ANSWER_WAIT_MS = 1000, /* for a caller that does not read */
	ASK_WAIT_MS = 30000,   /* a count of a large group takes its time */
	ROWS_MAX = 65536,
};

/* /run/surety for root, else under the user's run-time directory, else /tmp. */
static int directory(char *buf, size_t size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int n;

	if (geteuid() == 0)
		n = snprintf(buf, size, "/run/surety");
	else if (runtime && runtime[0] == '/')
		n = snprintf(buf, size, "%s/surety", runtime);
	else
		n = snprintf(buf, size, "/tmp/surety-%u", geteuid());
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* Ours alone: another user's directory under /tmp is not entered. */
static int open_directory(char *buf, size_t size, bool create)
{
	struct stat st;
	int r = directory(buf, size);

	if (r < 0)
		return r;
	if (create && mkdir(buf, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(buf, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		return -EPERM;
	return 0;
}

static int fill_address(struct sockaddr_un *addr, const char *dir, const char *name)
{
	int n;

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/%s", dir, name);
	return n < 0 || (size_t)n >= sizeof(addr->sun_path) ? -ENAMETOOLONG : 0;
}

static int connect_to(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		return fd;
	r = -errno;
	close_fd(&fd);
	return r;
}

/* A socket file that nobody listens on was left by a supervisor that was killed. */
static int clear_stale(const struct sockaddr_un *addr)
{
	int fd = connect_to(addr);

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
	char dir[96];
	autoclose int fd = -1;
	int r = open_directory(dir, sizeof(dir), true);

	if (r == 0)
		r = fill_address(&addr, dir, name);
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
	char dir[96];

	if (open_directory(dir, sizeof(dir), false) == 0 && fill_address(&addr, dir, name) == 0)
		(void)clear_stale(&addr); /* another's by now, or gone: fine */
}

/* Process ids of a group mean something only in the namespace that they are of. */
static json_int_t pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 ? (json_int_t)st.st_ino : 0;
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
	json_object_set_new(object, "pid_namespace", json_integer(pid_namespace()));
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

static char *read_answer(int fd)
{
	struct timeval wait = { .tv_sec = ASK_WAIT_MS / 1000 };
	size_t len = 0, size = 0;
	char *text = NULL;
	ssize_t n;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	do {
		if (size - len < 4096) {
			char *more = realloc(text, size + 65536);

			if (!more) {
				free(text);
				return NULL;
			}
			text = more;
			size += 65536;
		}
		n = read(fd, text + len, size - len - 1);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0 || len == 0) {
		free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

static char *ask_named(const char *name)
{
	struct sockaddr_un addr;
	char dir[96];
	autoclose int fd = -1;

	if (strchr(name, '/') || open_directory(dir, sizeof(dir), false) < 0 || fill_address(&addr, dir, name) < 0)
		return NULL;
	fd = connect_to(&addr);
	if (fd == -ECONNREFUSED)
		(void)unlink(addr.sun_path); /* its supervisor was killed */
	return fd < 0 ? NULL : read_answer(fd);
}

struct pid_search {
	pid_t pid;
	char *answer;
};

static void try_group(void *ctx, const char *name)
{
	struct pid_search *search = ctx;
	json_t *object, *rows, *row;
	size_t i;
	char *text;
	bool match;

	if (search->answer || !(text = ask_named(name)))
		return;
	object = json_loads(text, 0, NULL);
	match = json_integer_value(json_object_get(object, "supervisor_pid")) == search->pid;
	rows = json_object_get(object, "processes");
	json_array_foreach(rows, i, row)
		match |= json_integer_value(json_object_get(row, "pid")) == search->pid;
	json_decref(object);
	if (match)
		search->answer = text;
	else
		free(text);
}

bool control_same_pids(const json_t *figures)
{
	return json_integer_value(json_object_get(figures, "pid_namespace")) == pid_namespace();
}

char *control_ask(const char *name, struct err *err)
{
	struct pid_search search = { 0, NULL };
	char *answer = ask_named(name), *end;

	if (answer)
		return answer;
	search.pid = (pid_t)strtol(name, &end, 10);
	if (name[0] && !*end && search.pid > 0)
		(void)control_list(try_group, &search);
	if (!search.answer)
		err_set(err, EXIT_SURETY, "cannot ask group '%s': no running group has this name or process (surety status "
			"lists those of this user)", name);
	return search.answer;
}

int control_list(control_name_fn *fn, void *ctx)
{
	char dir[96];
	autoclosedir DIR *d = NULL;
	struct dirent *entry;
	int nr = 0;

	if (open_directory(dir, sizeof(dir), false) < 0 || !(d = opendir(dir)))
		return 0;
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		fn(ctx, entry->d_name);
		nr++;
	}
	return nr;
}
