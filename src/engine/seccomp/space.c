/* SPDX-License-Identifier: MIT
 *
 * space: see the header.
 *
 * Rests on R-004: over the mappings of a process, charged = (data + stack of
 * statm) - what is writable and private but free (hugetlb, droppable) + what
 * was made read-only after it was charged.
 */
#include "engine/seccomp/space.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "sys/procfs.h"

struct space *space_new(struct group *g, struct proc *p)
{
	struct space *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	LIST_INIT(&s->procs);
	LIST_INSERT_HEAD(&g->spaces, s, entry);
	ledger_join(&s->hold, g->ledger);
	space_attach(g, p, s);
	return s;
}

void space_attach(struct group *g, struct proc *p, struct space *s)
{
	struct space *old = p->space;

	(void)g;
	if (old)
		LIST_REMOVE(p, in_space);
	p->space = s;
	if (s)
		LIST_INSERT_HEAD(&s->procs, p, in_space);
	if (old && LIST_EMPTY(&old->procs)) {
		ledger_leave(&old->hold);
		LIST_REMOVE(old, entry);
		free(old);
	}
}

void space_post(struct space *s)
{
	ledger_set(&s->hold, s->data + s->landed + s->inflight + s->sticky + s->forced);
}

static int first_with_memory(void *ctx, pid_t tid)
{
	struct statm m;

	if (statm_of(tid, &m) < 0 || m.size == 0)
		return 0;
	*(pid_t *)ctx = tid;
	return 1;
}

/* The leader may have ended while other threads go on: its files are empty then. */
static pid_t proc_live_task(const struct proc *p, struct statm *ret)
{
	pid_t tid = 0;
	int r = p->statm_fd >= 0 ? statm_read(p->statm_fd, ret) : statm_of(p->pid, ret);

	if (r == 0 && ret->size > 0)
		return p->pid;
	if (r < 0)
		return 0;
	(void)task_list(p->pid, first_with_memory, &tid); /* gone meanwhile: tid stays 0 */
	return tid && statm_of(tid, ret) == 0 ? tid : 0;
}

/* A user that is in execve may have left already: its files then show the new
 * image.  It is asked only where nobody else can be. */
static pid_t space_statm(const struct space *s, struct statm *ret)
{
	const struct proc *p;
	pid_t tid = 0;

	LIST_FOREACH(p, &s->procs, in_space)
		if (!p->exec_pending && (tid = proc_live_task(p, ret)))
			return tid;
	LIST_FOREACH(p, &s->procs, in_space)
		if (p->exec_pending && (tid = proc_live_task(p, ret)))
			return tid;
	return 0;
}

pid_t space_live_task(const struct space *s)
{
	struct statm m;

	return space_statm(s, &m);
}

/* Every user is ending and the memory is gone; the exits follow. */
static void space_is_gone(struct space *s)
{
	s->data = s->landed = s->sticky = s->forced = 0;
	space_post(s);
}

static void take_statm(struct space *s, const struct statm *m)
{
	uint64_t other = m->size > m->data ? m->size - m->data : 0;

	s->data = m->data;
	s->landed = 0;
	if (s->sticky > other)
		s->sticky = other; /* what is sticky is mapped, and not in data */
	space_post(s);
}

void space_look(struct group *g, struct space *s)
{
	struct statm m;

	if (s->outside)
		return;
	if (s->exact_only && !s->unreadable) {
		space_count(g, s, NULL, NULL);
		return;
	}
	if (space_statm(s, &m))
		take_statm(s, &m);
	else
		space_is_gone(s);
}

struct count {
	enum overcommit mode;
	uint64_t held, held_in_data, in_data, forced;
	vma_fn *each;
	void *ctx;
};

static int count_vma(void *ctx, const struct vma *vma, const char *name)
{
	struct count *count = ctx;
	uint64_t held = rules_vma_pages(count->mode, vma, NULL);

	count->held += held;
	if (rules_vma_in_data(vma)) {
		count->held_in_data += held;
		count->in_data += (vma->end - vma->start) >> PAGE_SHIFT;
	}
	count->forced += rules_vma_forced_pages(count->mode, vma);
	if (count->each)
		(void)count->each(count->ctx, vma, name); /* an observer: it cannot end the count */
	return 0;
}

void space_count(struct group *g, struct space *s, vma_fn *each, void *ctx)
{
	struct count count = { .mode = g->ledger->limit.mode, .each = each, .ctx = ctx };
	struct statm m;
	pid_t tid;
	int r;

	if (s->outside)
		return;
	tid = space_statm(s, &m);
	if (!tid) {
		space_is_gone(s);
		return;
	}
	r = smaps_walk("/proc", tid, count_vma, &count);
	if (r == -EACCES || r == -EPERM) {
		s->unreadable = true;
		take_statm(s, &m);
		return;
	}
	if (r < 0) {
		/* Gone in the middle, or a line that is not smaps: the counters stand. */
		take_statm(s, &m);
		return;
	}
	if (count.held == 0 && space_statm(s, &m) == 0) {
		space_is_gone(s);
		return;
	}
	s->unreadable = false;
	s->data = count.held_in_data;
	s->sticky = count.held - count.held_in_data;
	s->forced = count.forced;
	s->landed = 0;
	s->exact_only = s->odd || count.in_data != count.held_in_data;
	space_post(s);
}
