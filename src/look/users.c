/* SPDX-License-Identifier: MIT
 *
 * users: see the header.
 */
#include "look/users.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"

enum { USERS_MAX = 65536 };

static int by_uid(const void *a, const void *b)
{
	const struct user *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* name:password:uid:... */
static int take_line(char *line, struct user *ret)
{
	char *rest = line;
	const char *name = strsep(&rest, ":");
	const char *password = strsep(&rest, ":");
	const char *uid = strsep(&rest, ":");
	uint64_t number;

	if (!password || !uid || !*name || strlen(name) >= sizeof(ret->name) || number_parse(uid, &number) ||
	    number >= UINT32_MAX)
		return -EBADMSG;
	ret->uid = (uid_t)number;
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	return 0;
}

void users_load(struct users *u, const char *path)
{
	autofclose FILE *f = fopen(path, "re");
	autofree char *line = NULL;
	size_t size = 0;

	memset(u, 0, sizeof(*u));
	while (f && u->nr < USERS_MAX && getline(&line, &size, f) > 0) {
		struct user user, *more;

		if (take_line(line, &user))
			continue;
		if (u->nr % 64 == 0) {
			more = realloc(u->user, (u->nr + 64) * sizeof(*more));
			if (!more)
				break;
			u->user = more;
		}
		u->user[u->nr++] = user;
	}
	if (u->nr)
		qsort(u->user, u->nr, sizeof(*u->user), by_uid);
}

void users_free(struct users *u)
{
	free(u->user);
	memset(u, 0, sizeof(*u));
}

const char *users_name(const struct users *u, uid_t uid, char buf[USER_NAME_MAX])
{
	const struct user key = { .uid = uid };
	const struct user *found = u->nr ? bsearch(&key, u->user, u->nr, sizeof(key), by_uid) : NULL;

	if (found)
		snprintf(buf, USER_NAME_MAX, "%s", found->name);
	else
		snprintf(buf, USER_NAME_MAX, "%u", uid);
	return buf;
}

int users_find(const struct users *u, const char *name, uid_t *ret)
{
	uint64_t number;

	for (size_t i = 0; i < u->nr; i++) {
		if (!strcmp(u->user[i].name, name)) {
			*ret = u->user[i].uid;
			return 0;
		}
	}
	if (number_parse(name, &number) || number >= UINT32_MAX)
		return -ENOENT;
	*ret = (uid_t)number;
	return 0;
}
