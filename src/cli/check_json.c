/* SPDX-License-Identifier: MIT
 *
 * check_json: schema surety.check/1; docs/LOOK.md has it.
 */
#include "cli/amount.h"
#include "cli/check.h"

static void print_host(const struct check_view *view)
{
	const struct forecast *f = &view->f;
	json_t *object = json_pack("{s:s, s:s, s:s, s:b, s:i, s:I}", "schema", "surety.check/1", "row", "host", "verdict",
				   check_outlook(f->outlook), "certain", view->certain, "overcommit_memory",
				   (int)view->in.limit.mode, "headroom_percent", (json_int_t)view->in.headroom);

	json_object_set_new(object, "verdict_without_leaks", json_string(check_outlook(view->rebooted.outlook)));
	json_object_set_new(object, "CommitLimit", amount_json(f->limit_pages));
	json_object_set_new(object, "Committed_AS", amount_json(view->in.committed_pages));
	json_object_set_new(object, "held_by_none_bytes", json_integer((json_int_t)(view->unheld_pages * (int64_t)PAGE_BYTES)));
	json_object_set_new(object, "noreserve_bytes", amount_json(view->in.noreserve_pages));
	json_object_set_new(object, "headroom_bytes", amount_json(f->headroom_pages));
	json_object_set_new(object, "reserve_bytes", amount_json(f->reserve_pages));
	json_object_set_new(object, "needed_bytes", amount_json(f->needed_pages));
	json_object_set_new(object, "backing_bytes", amount_json(f->backing_pages));
	json_object_set_new(object, "overcommit_kbytes", json_integer((json_int_t)f->kbytes));
	json_object_set_new(object, "overcommit_ratio",
			    f->ratio <= INT32_MAX ? json_integer((json_int_t)f->ratio) : json_null());
	json_line(object);
}

static void print_holder(const char *row, const struct look_process *p)
{
	json_t *object = json_pack("{s:s, s:s, s:i, s:b}", "schema", "surety.check/1", "row", row, "pid", (int)p->pid, "exact",
				   (p->flags & LOOK_EXACT) != 0);

	json_object_set_new(object, "comm", name_json(p->comm));
	json_object_set_new(object, "committed_bytes", amount_json(p->committed));
	json_object_set_new(object, "unused_bytes", amount_json(look_unused(p->committed, p->used)));
	json_object_set_new(object, "noreserve_bytes", amount_json(p->noreserve));
	json_line(object);
}

void check_print_json(const struct check_view *view)
{
	struct look *l = view->look;

	print_host(view);
	look_sort(l, LOOK_BY_UNUSED);
	for (size_t i = 0; i < l->nr && i < view->opts->lines; i++)
		if (l->process[i].space_of == l->process[i].pid && look_unused(l->process[i].committed, l->process[i].used))
			print_holder("unused", &l->process[i]);
	look_sort(l, LOOK_BY_NORESERVE);
	for (size_t i = 0; i < l->nr && i < view->opts->lines; i++)
		if (l->process[i].space_of == l->process[i].pid && l->process[i].noreserve)
			print_holder("noreserve", &l->process[i]);
}
