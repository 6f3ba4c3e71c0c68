/* SPDX-License-Identifier: MIT
 *
 * ps_json: schema surety.ps/1, one object a line; docs/REPORT.md has it.
 */
#include <jansson.h>
#include <stdio.h>

#include "base/bytes.h"
#include "cli/amount.h"
#include "cli/ps.h"

static json_t *row(const char *kind)
{
	return json_pack("{s:s, s:s}", "schema", "surety.ps/1", "row", kind);
}

static void set_sum(json_t *object, const struct look_sum *sum, bool exact)
{
	json_object_set_new(object, "threads", json_integer(sum->threads));
	json_object_set_new(object, "committed_bytes", amount_json(sum->committed));
	json_object_set_new(object, "used_bytes", amount_json(sum->used));
	json_object_set_new(object, "unused_bytes", amount_json(look_unused(sum->committed, sum->used)));
	json_object_set_new(object, "noreserve_bytes", exact ? amount_json(sum->noreserve) : json_null());
	json_object_set_new(object, "stacks_bytes", amount_json(sum->stacks));
}

static void emit_process(const struct ps_view *view, const struct look_process *p)
{
	const struct names *names = &view->look->names;
	json_t *object = row("process");
	struct look_sum sum = { 0 };
	char user[USER_NAME_MAX];

	look_sum_add(&sum, p);
	json_object_set_new(object, "pid", json_integer(p->pid));
	json_object_set_new(object, "ppid", json_integer(p->ppid));
	json_object_set_new(object, "space_of", json_integer(p->space_of));
	json_object_set_new(object, "uid", json_integer(p->uid));
	json_object_set_new(object, "user", name_json(users_name(&view->users, p->uid, user)));
	json_object_set_new(object, "comm", name_json(p->comm));
	json_object_set_new(object, "cgroup", name_json(names_text(names, p->cgroup)));
	json_object_set_new(object, "exe", name_json(names_text(names, p->exe)));
	set_sum(object, &sum, p->flags & LOOK_EXACT);
	json_object_set_new(object, "exact", json_boolean(p->flags & LOOK_EXACT));
	json_object_set_new(object, "denied", json_boolean(p->flags & LOOK_DENIED));
	json_object_set_new(object, "moving", json_boolean(p->flags & LOOK_MOVING));
	json_line(object);
}

static void emit_group(const struct ps_view *view, const struct look_group *g)
{
	static const char *const kind[] = { "", "cgroup", "user", "exe" };
	json_t *object = row(kind[view->opts->by]);
	char user[USER_NAME_MAX];

	json_object_set_new(object, "name",
			    name_json(view->opts->by == PS_BY_USER ? users_name(&view->users, g->uid, user) :
								names_text(&view->look->names, g->name)));
	json_object_set_new(object, "processes", json_integer(g->sum.processes));
	set_sum(object, &g->sum, view->opts->exact);
	json_line(object);
}

static void emit_object(const struct look_object *x)
{
	json_t *object = row("object");

	json_object_set_new(object, "kind", json_string(ps_object_kind(x->kind)));
	json_object_set_new(object, "name", name_json(x->name));
	json_object_set_new(object, "charged_bytes", amount_json(x->charged));
	json_object_set_new(object, "size_bytes", x->kind == LOOK_TMPFS ? json_null() : amount_json(x->size));
	json_object_set_new(object, "touched_bytes", amount_json(x->touched));
	json_object_set_new(object, "noreserve_bytes", amount_json(x->noreserve));
	json_object_set_new(object, "holders", json_integer(x->holders));
	json_object_set_new(object, "pid", x->holder ? json_integer(x->holder) : json_null());
	json_line(object);
}

static void emit_total(const struct ps_view *view)
{
	const struct look_missing *m = &view->look->missing;
	struct look_sum sum = look_sum(view->look);
	json_t *object = row("total");

	json_object_set_new(object, "processes", json_integer(sum.processes));
	json_object_set_new(object, "address_spaces", json_integer(view->look->nr_spaces));
	set_sum(object, &sum, view->opts->exact);
	json_object_set_new(object, "missing",
			    json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:b, s:b}", "processes", (int)m->processes, "smaps",
				      (int)m->smaps, "moving", (int)m->moving, "files", (int)m->files, "objects",
				      (int)m->objects, "filesystems", (int)m->filesystems, "hidepid", m->hidden,
				      "pid_namespace", m->namespace, "kcmp", m->kcmp));
	json_line(object);
}

static void emit_host(const struct ps_view *view)
{
	const struct look *l = view->look;
	json_t *object = row("host");

	json_object_set_new(object, "overcommit_memory", json_integer((json_int_t)l->host.mode));
	json_object_set_new(object, "CommitLimit", json_integer((json_int_t)l->after.commit_limit_bytes));
	json_object_set_new(object, "Committed_AS", json_integer((json_int_t)l->after.committed_bytes));
	json_object_set_new(object, "Committed_AS_before", json_integer((json_int_t)l->before.committed_bytes));
	json_object_set_new(object, "processes_bytes", amount_json(look_sum(l).committed));
	json_object_set_new(object, "shared_memory_bytes", amount_json(look_objects_charged(l)));
	json_object_set_new(object, "held_by_none_bytes",
			    json_integer((json_int_t)(ps_unheld_pages(view) * (int64_t)PAGE_BYTES)));
	json_line(object);
}

void ps_print_json(const struct ps_view *view)
{
	const struct look *l = view->look;
	uint64_t nr = view->group ? view->nr_groups : l->nr;

	if (view->opts->lines != OPT_UNSET && view->opts->lines < nr)
		nr = view->opts->lines;
	for (uint64_t i = 0; i < nr; i++) {
		if (view->group)
			emit_group(view, &view->group[i]);
		else
			emit_process(view, &l->process[i]);
	}
	for (size_t i = 0; i < l->nr_objects; i++)
		emit_object(&l->object[i]);
	emit_total(view);
	if (view->whole)
		emit_host(view);
}
