/* SPDX-License-Identifier: MIT
 *
 * figures: see the header.
 */
#include "cli/figures.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "look/users.h"
#include "report/escape.h"

int figures_check(const json_t *figures, struct err *err)
{
	const char *schema = json_string_value(json_object_get(figures, "schema"));

	if (schema && !strcmp(schema, "surety.status/1"))
		return 0;
	return err_set(err, EXIT_SURETY, "cannot read the figures of the group: '%s' is not surety.status/1 (is its "
		       "supervisor of another version?)", schema ? schema : "");
}

uint64_t figures_bytes(const json_t *figures, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(figures, name));
}

void figures_label(const json_t *figures, char buf[FIGURES_LABEL_MAX])
{
	const char *name = json_string_value(json_object_get(figures, "group"));
	uid_t uid = (uid_t)json_integer_value(json_object_get(figures, "uid"));
	autofree char *safe = escape_text(name ? name : "?");
	char user[USER_NAME_MAX];
	struct users users;

	if (uid == geteuid()) {
		snprintf(buf, FIGURES_LABEL_MAX, "%s", safe ? safe : "?");
		return;
	}
	users_load(&users, "/etc/passwd");
	snprintf(buf, FIGURES_LABEL_MAX, "%s:%s", users_name(&users, uid, user), safe ? safe : "?");
	users_free(&users);
}

void figures_print(const json_t *figures, const char *name)
{
	char label[32];

	snprintf(label, sizeof(label), "%s:", name);
	printf("%-14s %10llu kB\n", label, (unsigned long long)(figures_bytes(figures, name) >> 10));
}
