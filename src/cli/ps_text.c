/* SPDX-License-Identifier: MIT
 *
 * ps_text: rows of at most 80 columns before the command, totals, and what the
 * host's own figures say beside them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "cli/amount.h"
#include "cli/ps.h"
#include "report/escape.h"

enum { OBJECTS_SHOWN = 10, TREE_DEPTH_SHOWN = 20 };

static const char *amount(const struct ps_view *view, uint64_t pages, char buf[BYTES_FORMAT_MAX])
{
	return amount_text(pages, view->opts->human, buf);
}

/* With its unit. */
static const char *amount_unit(const struct ps_view *view, uint64_t pages, char buf[BYTES_FORMAT_MAX + 4])
{
	char number[BYTES_FORMAT_MAX];

	snprintf(buf, BYTES_FORMAT_MAX + 4, "%s%s", amount(view, pages, number), view->opts->human ? "" : " kB");
	return buf;
}

/* EXACT: noreserve is known.  ABOUT: the row is by counters where others are not. */
static void print_figures(const struct ps_view *view, const struct look_sum *sum, bool exact, bool about)
{
	char text[BYTES_FORMAT_MAX + 1], number[BYTES_FORMAT_MAX];

	snprintf(text, sizeof(text), "%s%s", about ? "~" : "", amount(view, sum->committed, number));
	printf(" %12s", text);
	printf(" %10s", amount(view, sum->used, text));
	printf(" %10s", amount(view, look_unused(sum->committed, sum->used), text));
	printf(" %10s", exact ? amount(view, sum->noreserve, text) : "-");
	printf(" %9s", amount(view, sum->stacks, text));
}

static void print_name(const char *name, uint32_t depth)
{
	autofree char *safe = escape_text(name);
	uint32_t shown = depth < TREE_DEPTH_SHOWN ? depth : TREE_DEPTH_SHOWN;

	printf("  %*s%s\n", (int)(shown * 2), "", safe ? safe : "?");
}

static void print_process(const struct ps_view *view, const struct look_process *p)
{
	char user[USER_NAME_MAX], shared[32];
	struct look_sum sum = { 0 };

	users_name(&view->users, p->uid, user);
	if (user[8]) {
		user[7] = '+';
		user[8] = '\0';
	}
	printf("%7d %-8s", p->pid, user);
	if (p->space_of != p->pid) {
		snprintf(shared, sizeof(shared), "shared with %d", p->space_of);
		printf(" %12s %10s %10s %10s %9s", shared, "", "", "", "");
	} else {
		look_sum_add(&sum, p);
		print_figures(view, &sum, p->flags & LOOK_EXACT,
			      view->opts->exact && (!(p->flags & LOOK_EXACT) || p->flags & LOOK_MOVING));
	}
	print_name(p->comm, view->opts->tree ? p->depth : 0);
}

static void print_group(const struct ps_view *view, const struct look_group *g)
{
	char user[USER_NAME_MAX];

	printf("%7u %8s", g->sum.processes, "");
	print_figures(view, &g->sum, view->opts->exact, false);
	if (view->opts->by == PS_BY_USER)
		print_name(users_name(&view->users, g->uid, user), 0);
	else
		print_name(g->name ? names_text(&view->look->names, g->name) : "(not known)", 0);
}

static void print_rows(const struct ps_view *view)
{
	static const char *const column[] = { "COMMAND", "CGROUP", "USER", "PROGRAM" };
	uint64_t nr = view->group ? view->nr_groups : view->look->nr;
	struct look_sum sum = look_sum(view->look);
	char note[96];

	printf("%7s %-8s %12s %10s %10s %10s %9s  %s\n", view->group ? "NUMBER" : "PID", view->group ? "" : "USER",
	       "Committed_AS", "Anonymous", "Unused", "NORESERVE", "Stacks", column[view->opts->by]);
	if (view->opts->lines != OPT_UNSET && view->opts->lines < nr)
		nr = view->opts->lines;
	for (uint64_t i = 0; i < nr; i++) {
		if (view->group)
			print_group(view, &view->group[i]);
		else
			print_process(view, &view->look->process[i]);
	}
	printf("%7s %-8s", "total", "");
	print_figures(view, &sum, view->opts->exact, false);
	snprintf(note, sizeof(note), "%u processes, %u address spaces", sum.processes, view->look->nr_spaces);
	print_name(note, 0);
}

static void print_object(const struct ps_view *view, const struct look_object *x)
{
	char charged[BYTES_FORMAT_MAX], touched[BYTES_FORMAT_MAX], holder[64] = "";
	autofree char *name = escape_text(x->name);

	if (x->kind == LOOK_SYSV && x->holders == 0)
		snprintf(holder, sizeof(holder), "  attached by nobody");
	else if (x->holder)
		snprintf(holder, sizeof(holder), "  %u holder%s, pid %d", x->holders, x->holders == 1 ? "" : "s", x->holder);
	printf("    %-9s %12s, touched %s  %s%s\n", ps_object_kind(x->kind), amount(view, x->charged, charged),
	       amount(view, x->touched, touched), name ? name : "", holder);
}

static void print_objects(const struct ps_view *view)
{
	const struct look *l = view->look;
	size_t shown = 0;

	for (size_t i = 0; i < l->nr_objects && shown < OBJECTS_SHOWN && l->object[i].charged; i++, shown++)
		print_object(view, &l->object[i]);
	if (shown < l->nr_objects)
		printf("    and %zu smaller\n", l->nr_objects - shown);
}

static void print_host(const struct ps_view *view)
{
	const struct look *l = view->look;
	char text[BYTES_FORMAT_MAX + 4], limit[BYTES_FORMAT_MAX + 4];
	int64_t unheld = ps_unheld_pages(view);

	printf("\nThe host's Committed_AS is %s, its CommitLimit %s, overcommit_memory %d:\n",
	       amount_unit(view, l->after.committed_bytes >> PAGE_SHIFT, text),
	       amount_unit(view, l->after.commit_limit_bytes >> PAGE_SHIFT, limit), (int)l->host.mode);
	printf("  processes     %12s%s\n", amount(view, look_sum(l).committed, text),
	       view->opts->exact ? "" : "  by the mm counters; --exact reads the flags of mappings");
	printf("  shared memory %12s  charged for %zu objects\n", amount(view, look_objects_charged(l), text), l->nr_objects);
	print_objects(view);
	if (unheld < 0)
		printf("  more than all %12s  counted here beyond what the kernel has\n", amount(view, (uint64_t)-unheld, text));
	else
		printf("  held by none  %12s  %s\n", amount(view, (uint64_t)unheld, text),
		       l->missing.namespace ? "by processes outside of this PID namespace, or by nobody" :
		       view->opts->exact    ? "leaked by the kernel, or out of sight" :
					      "leaked by the kernel, out of sight, or an error of the counters");
}

/* "3 processes are" */
static void tell(uint32_t nr, const char *one, const char *many, const char *what)
{
	if (nr)
		printf("%u %s %s\n", nr, nr == 1 ? one : many, what);
}

static void print_missing(const struct look *l)
{
	const struct look_missing *m = &l->missing;
	/* root without the capabilities of the host's root, in a container, is told what it lacks */
	const char *help = geteuid() ? "(run it as root)" : "(this root may not: CAP_SYS_PTRACE, CAP_SYS_ADMIN)";
	char text[160];

	if (m->hidden)
		printf("Processes of other users are not shown: /proc is mounted with hidepid %s.\n", help);
	snprintf(text, sizeof(text), "not be read at all %s.", help);
	tell(m->processes, "process could", "processes could", text);
	snprintf(text, sizeof(text), "by the mm counters alone, marked ~: smaps may not be read %s.", help);
	tell(m->smaps, "process is shown", "processes are shown", text);
	tell(m->moving, "process, marked ~,", "processes, marked ~,", "changed while being read.");
	snprintf(text, sizeof(text), "not be searched for shared memory %s.", help);
	tell(m->files, "process could", "processes could", text);
	snprintf(text, sizeof(text), "counted by what is mapped: its size may not be read %s.", help);
	tell(m->objects, "object is", "objects are", text);
	tell(m->filesystems, "mounted tmpfs does", "mounted tmpfs do",
	     "not tell what is used: without a size limit, or out of reach.");
	if (m->kcmp)
		printf("Not all address spaces could be compared: one that two processes share may count twice.\n");
}

void ps_print_text(const struct ps_view *view)
{
	print_rows(view);
	if (view->whole)
		print_host(view);
	print_missing(view->look);
}
