/* SPDX-License-Identifier: MIT
 *
 * control_ask: the asking side of control.h.
 *
 * Root asks the groups of others too.  What these answer is theirs to choose:
 * it is bounded in size and time, and is JSON when it leaves here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/control.h"
#include "cli/value.h"
#include "look/users.h"

enum {
	OWN_WAIT_MS = 30000,   /* a count of a large group takes its time */
	OTHERS_WAIT_MS = 5000,
	ANSWER_MAX = 64 << 20, /* bytes */
};

/* Process ids of a group mean something only in the namespace that they are of. */
json_int_t control_pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 ? (json_int_t)st.st_ino : 0;
}

bool control_same_pids(const json_t *figures)
{
	return json_integer_value(json_object_get(figures, "pid_namespace")) == control_pid_namespace();
}

static void not_running(const char *name, struct err *err)
{
	err_set(err, EXIT_SURETY, "cannot ask group '%s': no running group has this name or process (surety status "
		"lists %s)", quote_word(name).text, geteuid() == 0 ? "all" : "those of this user");
}

static char *read_answer(int fd)
{
	size_t len = 0, size = 0;
	char *text = NULL;
	ssize_t n;

	do {
		if (size - len < 4096) {
			char *more = size < ANSWER_MAX ? realloc(text, size + 65536) : NULL;

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

/* The answer, with whose it is, as the kernel says. */
static json_t *with_user(const char *text, int fd)
{
	json_t *figures = json_loads(text, 0, NULL);
	struct ucred peer = { .uid = geteuid() };
	socklen_t size = sizeof(peer);

	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	if (json_object_set_new(figures, "uid", json_integer(peer.uid)) == 0)
		return figures;
	json_decref(figures);
	return NULL;
}

json_t *control_ask(const struct control_ref *ref, struct err *err)
{
	struct sockaddr_un addr;
	autofree char *text = NULL;
	autoclose int fd = -1;
	json_t *figures;

	if (place_address(&ref->place, ref->name, &addr) == 0)
		fd = place_connect(&addr, ref->own ? OWN_WAIT_MS : OTHERS_WAIT_MS);
	if (fd == -ECONNREFUSED && ref->own)
		(void)unlink(addr.sun_path); /* its supervisor was killed */
	text = fd < 0 ? NULL : read_answer(fd);
	figures = text ? with_user(text, fd) : NULL;
	if (!figures)
		not_running(ref->name, err);
	return figures;
}

static bool in_place(const struct place *place, const char *name)
{
	struct sockaddr_un addr;
	struct stat st;

	return place_is_name(name) && place_address(place, name, &addr) == 0 && lstat(addr.sun_path, &st) == 0 &&
	       S_ISSOCK(st.st_mode);
}

static void set_ref(struct control_ref *ref, const struct place *place, const char *name, bool own)
{
	ref->place = *place;
	ref->own = own;
	snprintf(ref->name, sizeof(ref->name), "%s", name);
}

/* A group by its name: one of UID's, or of anybody's. */
struct name_search {
	const char *name;
	uid_t uid;
	bool any_user;
	struct control_ref *found; /* the first one */
	int nr;
};

static void try_place(void *ctx, const struct place *place)
{
	struct name_search *search = ctx;

	if ((!search->any_user && place->uid != search->uid) || !in_place(place, search->name))
		return;
	if (!search->nr++)
		set_ref(search->found, place, search->name, false);
}

static bool find_own(struct name_search *search)
{
	struct place own;

	if (place_own(&own, false) < 0 || (!search->any_user && own.uid != search->uid) || !in_place(&own, search->name))
		return false;
	set_ref(search->found, &own, search->name, true);
	search->nr = 1;
	return true;
}

static bool user_number(const char *user, size_t len, uid_t *ret)
{
	autofree char *name = strndup(user, len);
	struct users users;
	int r;

	if (!name)
		return false;
	users_load(&users, "/etc/passwd");
	r = users_find(&users, name, ret);
	users_free(&users);
	return r == 0;
}

struct pid_search {
	pid_t pid;
	struct control_ref *found;
	json_t *figures; /* its answer, once found */
};

static void try_group(void *ctx, const struct control_ref *ref)
{
	struct pid_search *search = ctx;
	json_t *figures = search->figures ? NULL : control_ask(ref, NULL), *rows, *row;
	bool match;
	size_t i;

	match = json_integer_value(json_object_get(figures, "supervisor_pid")) == search->pid;
	rows = json_object_get(figures, "processes");
	json_array_foreach(rows, i, row)
		match |= json_integer_value(json_object_get(row, "pid")) == search->pid;
	if (match && control_same_pids(figures)) {
		*search->found = *ref;
		search->figures = json_incref(figures);
	}
	json_decref(figures);
}

static json_t *find_process(const char *word, struct control_ref *ret)
{
	struct pid_search search = { .found = ret };

	if (value_pid(word, &search.pid, NULL) == 0)
		control_list(try_group, &search);
	return search.figures;
}

json_t *control_find(const char *name, struct control_ref *ret, struct err *err)
{
	const char *colon = strchr(name, ':');
	struct name_search search = { .name = colon ? colon + 1 : name, .any_user = !colon, .found = ret };
	json_t *figures;

	if (colon && !user_number(name, (size_t)(colon - name), &search.uid)) {
		not_running(name, err);
		return NULL;
	}
	/* Digits alone are a process id, and the name of a group that was given none. */
	if (find_own(&search))
		return control_ask(ret, err);
	figures = find_process(name, ret);
	if (figures)
		return figures;
	place_others(try_place, &search);
	if (search.nr == 1)
		return control_ask(ret, err);
	if (search.nr > 1)
		err_set(err, EXIT_SURETY, "cannot ask group '%s': %d running groups have this name (give USER:NAME, or a "
			"process of it)", quote_word(name).text, search.nr);
	else
		not_running(name, err);
	return NULL;
}

struct listing {
	control_ref_fn *fn;
	void *ctx;
	bool own;
};

static void list_name(void *ctx, const struct place *place, const char *name)
{
	struct listing *list = ctx;
	struct control_ref ref;

	if (!in_place(place, name))
		return;
	set_ref(&ref, place, name, list->own);
	list->fn(list->ctx, &ref);
}

static void list_place(void *ctx, const struct place *place)
{
	place_names(place, list_name, ctx);
}

void control_list(control_ref_fn *fn, void *ctx)
{
	struct listing list = { fn, ctx, true };
	struct place own;

	if (place_own(&own, false) == 0)
		list_place(&list, &own);
	list.own = false;
	place_others(list_place, &list);
}
