/* SPDX-License-Identifier: MIT
 *
 * attach: a cgroup becomes a group, changes its limit, or is none any more.
 *
 * The order makes every step count: first the group, so that what is made in it
 * from then on is entered; then the groups below it; then, one by one, the
 * processes that were there before.  A crash between leaves a group that is not
 * marked seeded, and attaching it again completes it.  For a group that is one
 * already the count is made again too: it corrects whatever is off.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "engine/bpf/pins.h"
#include "sys/clock.h"

enum {
	SEED_TRIES = 200, /* of a process that changes all the time */
	SEED_PASSES = 50,
	SEED_WAIT_US = 500,
};

static int control(const struct groups *g, struct surety_control *c)
{
	int r = pins_run(g->control, c, sizeof(*c));

	return r < 0 ? r : c->result;
}

static void fill(struct surety_group *new, const struct limit *limit)
{
	new->mode = limit->mode;
	new->limit = limit_commit(limit);
	if (new->limit > INT64_MAX >> PAGE_SHIFT)
		new->limit = INT64_MAX >> PAGE_SHIFT;
	new->admin_reserve = limit->admin_reserve_pages;
	new->user_reserve = limit->user_reserve_pages;
	new->ram_swap = limit->ram_pages + limit->swap_pages;
}

struct seeding {
	const struct groups *g;
	bool again; /* something was found that was not counted */
	uint32_t unread;
};

static int seed_pid(void *ctx, pid_t pid)
{
	struct seeding *s = ctx;
	struct surety_reading a = { .pid = (uint32_t)pid };

	for (int i = 0; i < SEED_TRIES; i++) {
		if (pins_run(s->g->seed, &a, sizeof(a)) < 0)
			return 0;
		if (a.result != -EAGAIN)
			break;
		usleep(SEED_WAIT_US);
	}
	if (a.result == -EAGAIN) {
		s->unread++;
		s->again = true;
	}
	return 0;
}

static int seed_cgroup(void *ctx, const char *path, uint64_t id)
{
	(void)id;
	return cgroup_pids(path, seed_pid, ctx);
}

static int seed(const struct groups *g, const char *path, uint32_t index, struct err *err)
{
	struct surety_control c = { .op = CONTROL_SEEDED, .group = index };
	struct seeding s = { .g = g };
	int r;

	for (int pass = 0; pass < SEED_PASSES; pass++) {
		s.again = false;
		s.unread = 0;
		(void)cgroup_walk(path, seed_cgroup, &s);
		if (!s.again)
			break;
	}
	if (s.unread)
		return err_set(err, EXIT_SURETY, "cannot count '%s': %u of its processes never stood still (attach it again)",
			       path, s.unread);
	r = control(g, &c);
	return r < 0 ? err_set(err, EXIT_SURETY, "cannot count '%s': %s (attach it again)", path, strerror(-r)) : 0;
}

static uint32_t find(const struct surety_table *t, uint64_t id)
{
	for (uint32_t i = 1; i < t->used && i < GROUPS_MAX; i++)
		if (t->group[i].state == GROUP_LIVE && t->group[i].cgroup_id == id)
			return i;
	return 0;
}

/* The nearest group above PATH. */
static uint32_t find_parent(const struct surety_table *t, const char *path)
{
	char above[4096], mount[4096];
	uint64_t id;
	char *slash;

	cgroup_mount(mount, sizeof(mount));
	strncpy(above, path, sizeof(above) - 1);
	above[sizeof(above) - 1] = '\0';
	while ((slash = strrchr(above, '/')) && strlen(above) > strlen(mount)) {
		*slash = '\0';
		if (groups_cgroup(above, &id, (char[4096]){ 0 }, 4096, NULL) == 0 && find(t, id))
			return find(t, id);
	}
	return 0;
}

static uint32_t depth(const struct surety_table *t, uint32_t index)
{
	uint32_t n = 0;

	for (; index && n <= GROUPS_DEPTH; index = t->group[index & (GROUPS_MAX - 1)].parent)
		n++;
	return n;
}

static uint32_t find_free(const struct surety_table *t)
{
	for (uint32_t i = 1; i < GROUPS_MAX; i++) {
		const struct surety_group *g = &t->group[i];

		if (g->state == GROUP_FREE || (g->state == GROUP_REMOVED && g->committed == 0))
			return i;
	}
	return 0;
}

struct adopting {
	const struct groups *g;
	const struct surety_table *t;
	uint32_t index;
};

/* Groups below the new one that were directly below its parent. */
static int adopt(void *ctx, const char *path, uint64_t id)
{
	struct adopting *a = ctx;
	struct surety_control c = { .op = CONTROL_ADOPT, .group = a->index, .child = find(a->t, id) };

	(void)path;
	if (c.child && c.child != a->index)
		(void)control(a->g, &c); /* cannot fail: both exist */
	return 0;
}

static int attach_new(struct groups *g, const struct surety_table *t, const char *path, uint64_t id,
		      const struct limit *limit, struct err *err)
{
	struct surety_control c = { .op = CONTROL_ATTACH, .group = find_free(t) };
	struct adopting a = { g, t, c.group };
	int r;

	/* What is left of a removed group must not be charged to the new one. */
	if (t->group[c.group].state == GROUP_REMOVED)
		(void)control(g, &(struct surety_control){ .op = CONTROL_DETACH, .group = c.group });
	if (!c.group)
		return err_set(err, EXIT_SURETY, "cannot limit '%s': there are %d groups already (surety detach)", path,
			       GROUPS_MAX - 1);
	fill(&c.new, limit);
	c.new.cgroup_id = id;
	c.new.parent = find_parent(t, path);
	c.new.created_ns = clock_ns(CLOCK_REALTIME);
	if (depth(t, c.new.parent) >= GROUPS_DEPTH)
		return err_set(err, EXIT_SURETY, "cannot limit '%s': %d groups are above it (surety detach one)", path,
			       GROUPS_DEPTH);
	r = control(g, &c);
	if (r < 0)
		return err_set(err, EXIT_SURETY, "cannot limit '%s': %s (try again)", path, strerror(-r));
	(void)cgroup_walk(path, adopt, &a);
	return seed(g, path, c.group, err);
}

int groups_attach(struct groups *g, const char *path, const struct limit *limit, struct err *err)
{
	struct surety_control c = { .op = CONTROL_LIMIT };
	autofree struct surety_table *t = pins_table(g, err);
	char absolute[4096];
	uint64_t id;
	int r;

	if (!t || groups_cgroup(path, &id, absolute, sizeof(absolute), err) < 0)
		return -1;
	c.group = find(t, id);
	if (!c.group)
		return attach_new(g, t, absolute, id, limit, err);
	fill(&c.new, limit);
	r = control(g, &c);
	if (r < 0)
		return err_set(err, EXIT_SURETY, "cannot limit '%s': %s (try again)", path, strerror(-r));
	return seed(g, absolute, c.group, err);
}

int groups_detach(struct groups *g, const char *path, struct err *err)
{
	struct surety_control c = { .op = CONTROL_DETACH };
	autofree struct surety_table *t = NULL;
	char absolute[4096];
	uint64_t id;
	int r;

	if (groups_cgroup(path, &id, absolute, sizeof(absolute), err) < 0 || !(t = pins_table(g, err)))
		return -1;
	c.group = find(t, id);
	if (!c.group)
		return err_set(err, EXIT_SURETY, "cannot detach '%s': it has no limit (surety groups lists those that have)",
			       path);
	r = control(g, &c);
	if (r < 0)
		return err_set(err, EXIT_SURETY, "cannot detach '%s': %s (try again)", path, strerror(-r));
	t->group[c.group].state = GROUP_FREE;
	for (uint32_t i = 1; i < t->used && i < GROUPS_MAX; i++)
		if (t->group[i].state == GROUP_LIVE)
			return 0;
	pins_remove(PINS_DIR);
	return 0;
}
