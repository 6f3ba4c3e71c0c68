/* SPDX-License-Identifier: MIT
 *
 * surety check: would this host live under vm.overcommit_memory=2?
 *
 * The exit status is the verdict: see enum outlook.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/amount.h"
#include "cli/check.h"
#include "cli/cmd.h"

const char *check_outlook(enum outlook outlook)
{
	static const char *const word[] = {
		[OUTLOOK_LIVES] = "lives",
		[OUTLOOK_RAISE] = "raise",
		[OUTLOOK_BEYOND] = "beyond",
	};

	return word[outlook];
}

static void judge(struct check_view *view)
{
	const struct look *l = view->look;
	struct look_sum sum = look_sum(l);
	uint64_t committed = l->after.committed_bytes >> PAGE_SHIFT, largest = 0;

	for (size_t i = 0; i < l->nr; i++)
		if (l->process[i].size > largest)
			largest = l->process[i].size;
	view->in = (struct forecast_in){
		.limit = l->host,
		.committed_pages = committed,
		.noreserve_pages = sum.noreserve + look_objects_noreserve(l),
		.largest_pages = largest,
		.headroom = view->opts->headroom,
	};
	view->f = forecast(&view->in);
	view->unheld_pages = (int64_t)(committed - sum.committed - look_objects_charged(l));
	view->rebooted = view->f;
	if (view->unheld_pages > 0) {
		struct forecast_in in = view->in;

		in.committed_pages -= (uint64_t)view->unheld_pages;
		view->rebooted = forecast(&in);
	}
	view->certain = !l->missing.processes && !l->missing.smaps && !l->missing.hidden && !l->missing.namespace;
}

static int check_host(const struct check_opts *opts, struct err *err)
{
	const struct look_want want = { .exact = true, .objects = true };
	struct look look = { 0 };
	struct check_view view = { .opts = opts, .look = &look };
	int r = look_scan(&look, &want);

	if (r < 0) {
		look_free(&look);
		return err_set(err, EXIT_SURETY, "cannot read '/proc': %s (is it mounted?)", strerror(-r));
	}
	judge(&view);
	if (opts->json)
		check_print_json(&view);
	else
		check_print_text(&view);
	look_free(&look);
	return output_end(err) < 0 ? -1 : (int)view.f.outlook;
}

int cmd_check(const struct check_opts *opts, struct err *err)
{
	return opts->command ? check_command(opts, err) : check_host(opts, err);
}
