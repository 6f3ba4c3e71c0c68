/* SPDX-License-Identifier: MIT
 *
 * users: names of user ids, from /etc/passwd alone.
 *
 * The C library's own look-up loads shared objects, which a static program
 * cannot rely on; users that only a directory service knows keep their number.
 */
#ifndef SURETY_LOOK_USERS_H
#define SURETY_LOOK_USERS_H

#include <stddef.h>
#include <sys/types.h>

struct user {
	uid_t uid;
	char name[33];
};

struct users {
	struct user *user; /* by uid */
	size_t nr;
};

/* A file that cannot be read leaves numbers. */
void users_load(struct users *u, const char *path);
void users_free(struct users *u);

enum { USER_NAME_MAX = 34 };

/* The name of UID, or its number, in BUF. */
const char *users_name(const struct users *u, uid_t uid, char buf[USER_NAME_MAX]);

/* The id of a name or of a number.  0 or -ENOENT. */
int users_find(const struct users *u, const char *name, uid_t *ret);

#endif
