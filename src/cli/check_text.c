/* SPDX-License-Identifier: MIT
 *
 * check_text: the sum that leads to the verdict, line by line, then what to do.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/amount.h"
#include "cli/check.h"
#include "report/escape.h"

static void line(const struct check_view *view, const char *label, uint64_t pages, const char *what)
{
	char text[BYTES_FORMAT_MAX];

	printf("%-14s %12s%s  %s\n", label, amount_text(pages, view->opts->human, text), view->opts->human ? "" : " kB", what);
}

static void print_sum(const struct check_view *view)
{
	const struct forecast *f = &view->f;
	char what[160], held[BYTES_FORMAT_MAX];

	if (view->unheld_pages > 0)
		snprintf(what, sizeof(what), "promised now; %s of it nobody holds, and a reboot ends that",
			 bytes_format(pages_to_bytes((uint64_t)view->unheld_pages), held));
	else
		snprintf(what, sizeof(what), "promised now");
	line(view, "Committed_AS", view->in.committed_pages, what);
	line(view, "+ NORESERVE", view->in.noreserve_pages, "MAP_NORESERVE memory, which mode 2 charges");
	snprintf(what, sizeof(what), "%" PRIu64 " per cent of these two", view->in.headroom);
	line(view, "+ headroom", f->headroom_pages, what);
	line(view, "+ reserves", f->reserve_pages, "admin_reserve_kbytes, and user_reserve_kbytes or 1/32 of the largest process");
	line(view, "= needed", f->needed_pages, "the least CommitLimit");
	line(view, "CommitLimit", f->limit_pages, "as it is set");
	line(view, "RAM and swap", f->backing_pages, "what can back promises, hugetlb left out");
}

static void print_verdict(const struct check_view *view)
{
	const struct forecast *f = &view->f;
	uint32_t blind = view->look->missing.processes + view->look->missing.smaps;
	char by[BYTES_FORMAT_MAX];

	printf("\n");
	switch (f->outlook) {
	case OUTLOOK_LIVES:
		printf("Verdict: mode 2 would hold with the limit as it is; %s are left beyond the headroom.\n",
		       bytes_format(pages_to_bytes(f->limit_pages - f->needed_pages), by));
		break;
	case OUTLOOK_RAISE:
		printf("Verdict: mode 2 would refuse: CommitLimit is %s too low.  RAM and swap back a higher one.\n",
		       bytes_format(pages_to_bytes(f->needed_pages - f->limit_pages), by));
		break;
	case OUTLOOK_BEYOND:
		printf("Verdict: mode 2 cannot keep its word here: what is needed is %s more than RAM and swap.\n",
		       bytes_format(pages_to_bytes(f->needed_pages - f->backing_pages), by));
		break;
	}
	if (f->outlook != OUTLOOK_LIVES && view->rebooted.outlook < f->outlook)
		printf("Without what nobody holds, so after a reboot, %s.\n",
		       view->rebooted.outlook == OUTLOOK_LIVES ? "it would hold with the limit as it is" :
								 "a higher limit would do");
	if (!view->certain)
		printf("It rests on what could be read.  What could not may hold more: %u process%s, or others out of sight (run "
		       "it as root, outside of containers).\n", blind, blind == 1 ? "" : "es");
	if (view->in.limit.mode == OVERCOMMIT_NEVER)
		printf("The host is in mode 2 already.\n");
}

static void print_settings(const struct check_view *view)
{
	const struct forecast *f = &view->f;

	printf("\n");
	if (f->outlook == OUTLOOK_BEYOND)
		printf("These settings would let everybody go on, and promise more than there is:\n");
	if (f->outlook != OUTLOOK_LIVES) {
		printf("sysctl -w vm.overcommit_kbytes=%" PRIu64, f->kbytes);
		if (f->ratio <= INT32_MAX)
			printf("   # or vm.overcommit_ratio=%" PRIu64, f->ratio);
		printf("\n");
	}
	printf("sysctl -w vm.overcommit_memory=2\n");
}

static void print_name(const char *comm, const char *note)
{
	autofree char *safe = escape_text(comm);

	printf("  %s%s\n", safe ? safe : "?", note);
}

static void print_unbacked(const struct check_view *view)
{
	struct look *l = view->look;
	char unused[BYTES_FORMAT_MAX], committed[BYTES_FORMAT_MAX];
	bool human = view->opts->human;

	look_sort(l, LOOK_BY_UNUSED);
	printf("\nMost promises that nothing backs yet:\n%10s %12s %12s  %s\n", "PID", "Unused", "Committed_AS", "COMMAND");
	for (size_t i = 0; i < l->nr && i < view->opts->lines; i++) {
		const struct look_process *p = &l->process[i];

		if (p->space_of != p->pid || !look_unused(p->committed, p->used))
			continue;
		printf("%10d %12s %12s", p->pid, amount_text(look_unused(p->committed, p->used), human, unused),
		       amount_text(p->committed, human, committed));
		print_name(p->comm, "");
	}
}

static void print_noreserve(const struct check_view *view)
{
	struct look *l = view->look;
	char text[BYTES_FORMAT_MAX];
	bool any = false;

	look_sort(l, LOOK_BY_NORESERVE);
	for (size_t i = 0; i < l->nr && i < view->opts->lines; i++) {
		const struct look_process *p = &l->process[i];

		if (p->space_of != p->pid || !p->noreserve)
			continue;
		if (!any)
			printf("\nWho needs MAP_NORESERVE honoured, which mode 2 does not do:\n%10s %12s  %s\n", "PID",
			       "NORESERVE", "COMMAND");
		any = true;
		printf("%10d %12s", p->pid, amount_text(p->noreserve, view->opts->human, text));
		print_name(p->comm, p->noreserve > view->f.backing_pages ? "   (more than there is: cannot start in mode 2)" : "");
	}
	if (any)
		printf("A mapping keeps what it was made with: they are charged for it when they are started anew.\n");
}

void check_print_text(const struct check_view *view)
{
	print_sum(view);
	print_verdict(view);
	print_settings(view);
	print_unbacked(view);
	print_noreserve(view);
}
