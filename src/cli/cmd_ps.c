/* SPDX-License-Identifier: MIT
 *
 * surety ps: one look at the host, chosen, sorted and printed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "cli/amount.h"
#include "cli/cmd.h"
#include "cli/ps.h"
#include "cli/value.h"

const char *ps_object_kind(enum look_object_kind kind)
{
	static const char *const word[] = {
		[LOOK_SHARED_ANON] = "anonymous",
		[LOOK_SYSV] = "sysv",
		[LOOK_MEMFD] = "memfd",
		[LOOK_TMPFS] = "tmpfs",
	};

	return word[kind];
}

int64_t ps_unheld_pages(const struct ps_view *view)
{
	uint64_t held = look_sum(view->look).committed + look_objects_charged(view->look);

	return (int64_t)((view->look->after.committed_bytes >> PAGE_SHIFT) - held);
}

static int fill_want(const struct ps_opts *opts, const struct users *users, struct look_want *want, struct err *err)
{
	*want = (struct look_want){
		.exact = opts->exact,
		.cgroups = opts->by == PS_BY_CGROUP || opts->json,
		.exes = opts->by == PS_BY_EXE || opts->json,
		.cgroup = opts->cgroup,
		.by_user = opts->user != NULL,
	};
	want->objects = !opts->cgroup && !opts->user && !opts->target;
	if (opts->target && value_pid(opts->target, &want->subtree, err) < 0)
		return -1;
	if (opts->user && users_find(users, opts->user, &want->uid) < 0)
		return err_set(err, EXIT_SURETY, "no user '%s': /etc/passwd has no such name (give its number)",
			       quote_word(opts->user).text);
	if (opts->tree && opts->by != PS_BY_PROCESS)
		return err_set(err, EXIT_SURETY, "cannot use '--tree': it has a row for each process (leave out --by)");
	return 0;
}

static int show(struct ps_view *view, struct look *l, struct err *err)
{
	const struct ps_opts *opts = view->opts;
	autofree struct look_group *group = NULL;
	ssize_t n = 0;

	look_sort(l, (enum look_key)opts->sort);
	if (opts->by != PS_BY_PROCESS)
		n = look_group(l, (enum look_by)opts->by, (enum look_key)opts->sort, &group);
	else if (opts->tree)
		n = look_tree(l);
	if (n < 0)
		return err_set(err, EXIT_SURETY, "cannot sort the processes: %s (free some memory)", strerror(ENOMEM));
	view->group = group;
	view->nr_groups = (size_t)n;
	if (opts->json)
		ps_print_json(view);
	else
		ps_print_text(view);
	return output_end(err);
}

int cmd_ps(const struct ps_opts *opts, struct err *err)
{
	struct ps_view view = { .opts = opts };
	struct look_want want;
	struct look look = { 0 };
	int r = -1;

	users_load(&view.users, "/etc/passwd");
	if (fill_want(opts, &view.users, &want, err) == 0) {
		view.look = &look;
		view.whole = want.objects;
		r = look_scan(&look, &want);
		if (r == -ESRCH)
			r = err_set(err, EXIT_SURETY, "no process '%s': it is not running (ps lists those that are)",
				    opts->target);
		else if (r < 0)
			r = err_set(err, EXIT_SURETY, "cannot read '/proc': %s (is it mounted?)", strerror(-r));
		else
			r = show(&view, &look, err);
	}
	look_free(&look);
	users_free(&view.users);
	return r;
}
