/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * control: what surety asks of the ledger: run by it, never by an event.
 */
#ifndef SURETY_BPF_CONTROL_H
#define SURETY_BPF_CONTROL_H

static __always_inline struct surety_group *group_at(struct surety_table *t, __u32 group)
{
	return &t->group[group & (GROUPS_MAX - 1)];
}

static __always_inline void set_limit(struct surety_group *g, const struct surety_group *new)
{
	g->mode = new->mode;
	g->limit = new->limit;
	g->admin_reserve = new->admin_reserve;
	g->user_reserve = new->user_reserve;
	g->ram_swap = new->ram_swap;
}

/* What has been looked up before the generation changes is looked up again. */
static __always_inline int control_attach(struct surety_table *t, const struct surety_control *c)
{
	struct surety_group *g = group_at(t, c->group);
	__u64 id = c->new.cgroup_id;
	__u32 group = c->group;

	bpf_spin_lock(&t->lock);
	set_limit(g, &c->new);
	g->cgroup_id = c->new.cgroup_id;
	g->parent = c->new.parent;
	g->created_ns = c->new.created_ns;
	g->flags = 0;
	g->committed = g->peak = g->objects = g->debt = 0;
	g->charges = g->refusals = g->refused = 0;
	g->state = GROUP_LIVE;
	if (t->used <= c->group)
		t->used = c->group + 1;
	bpf_spin_unlock(&t->lock);
	if (bpf_map_update_elem(&cgroups, &id, &group, BPF_ANY) < 0) {
		g->state = GROUP_FREE;
		return -ENOMEM;
	}
	__sync_fetch_and_add(&t->generation, 1);
	return 0;
}

/* CHILD was below GROUP's parent and is below GROUP from now on. */
static __always_inline void control_adopt(struct surety_table *t, const struct surety_control *c)
{
	struct surety_group *child = group_at(t, c->child), *g = group_at(t, c->group);

	bpf_spin_lock(&t->lock);
	if (child->parent == g->parent && c->child != c->group) {
		child->parent = c->group;
		g->committed += child->committed;
		g->objects += child->objects;
		if (g->committed > g->peak)
			g->peak = g->committed;
	}
	bpf_spin_unlock(&t->lock);
}

struct leaving {
	__u32 from, to;
};

static long leave_space(struct bpf_map *map, const __u64 *key, struct surety_space *s, struct leaving *l)
{
	struct surety_table *t = table_get();

	if (!t || s->group != l->from)
		return 0;
	if (!l->to) {
		space_delete(*key);
		return 0;
	}
	bpf_spin_lock(&t->lock);
	if (s->group == l->from)
		s->group = l->to;
	bpf_spin_unlock(&t->lock);
	return 0;
}

static long leave_object(struct bpf_map *map, const __u64 *key, struct surety_object *o, struct leaving *l)
{
	struct surety_table *t = table_get();

	if (!t || o->group != l->from)
		return 0;
	if (!l->to) {
		bpf_map_delete_elem(&objects, key);
		return 0;
	}
	bpf_spin_lock(&t->lock);
	if (o->group == l->from)
		o->group = l->to;
	bpf_spin_unlock(&t->lock);
	return 0;
}

/* Its parent, if it has one, holds all of it already. */
static __always_inline void control_detach(struct surety_table *t, const struct surety_control *c)
{
	struct surety_group *g = group_at(t, c->group);
	struct leaving l = { c->group, g->parent };
	__u64 id = g->cgroup_id;

	bpf_map_delete_elem(&cgroups, &id);
	bpf_spin_lock(&t->lock);
	t->generation++;
	for (__u32 i = 1; i < GROUPS_MAX; i++)
		if (t->group[i].parent == c->group)
			t->group[i].parent = l.to;
	bpf_spin_unlock(&t->lock);
	bpf_for_each_map_elem(&spaces, leave_space, &l, 0);
	bpf_for_each_map_elem(&objects, leave_object, &l, 0);
	bpf_spin_lock(&t->lock);
	g->state = GROUP_FREE;
	g->committed = g->objects = 0;
	g->parent = 0;
	bpf_spin_unlock(&t->lock);
}

SEC("syscall")
int surety_control(struct surety_control *c)
{
	struct surety_table *t = table_get();
	struct surety_group *g;

	c->result = -EINVAL;
	if (!t || c->group >= GROUPS_MAX)
		return 0;
	g = group_at(t, c->group);
	c->result = 0;
	switch (c->op) {
	case CONTROL_START:
		t->abi = SURETY_ABI;
		t->used = 1;
		t->generation = 1;
		break;
	case CONTROL_ATTACH:
		c->result = control_attach(t, c);
		break;
	case CONTROL_LIMIT:
		bpf_spin_lock(&t->lock);
		set_limit(g, &c->new);
		bpf_spin_unlock(&t->lock);
		break;
	case CONTROL_ADOPT:
		control_adopt(t, c);
		break;
	case CONTROL_DETACH:
		control_detach(t, c);
		break;
	case CONTROL_SEEDED:
		g->flags |= GROUP_SEEDED;
		break;
	default:
		c->result = -EINVAL;
	}
	return 0;
}

/* Counts process PID if it is in a group and was not counted yet. */
SEC("syscall")
int surety_seed(struct surety_reading *a)
{
	struct surety_table *t = table_get();
	struct task_struct *task = bpf_task_from_pid(a->pid);
	struct surety_space *s;
	struct reading r = {};
	__u64 key;

	a->result = -ESRCH;
	if (!task)
		return 0;
	bpf_rcu_read_lock();
	a->group = group_find(task->cgroups->dfl_cgrp);
	bpf_rcu_read_unlock();
	a->result = -ENOENT;
	if (a->group && t) {
		a->result = space_seed(t, task, a->group, &r);
		key = (__u64)r.mm;
		s = bpf_map_lookup_elem(&spaces, &key);
		if (!a->result && s && s->group != a->group)
			space_move(t, s, key, a->group);
	}
	bpf_task_release(task);
	return 0;
}

/* Compares what the ledger holds for process PID with its mappings. */
SEC("syscall")
int surety_audit(struct surety_reading *a)
{
	struct surety_table *t = table_get();
	struct task_struct *task = bpf_task_from_pid(a->pid);
	struct surety_space *s;
	struct reading r = {};
	bool never;
	__u64 key;

	a->result = -ESRCH;
	if (!task)
		return 0;
	space_read(task, &r);
	a->result = r.result;
	key = (__u64)r.mm;
	s = bpf_map_lookup_elem(&spaces, &key);
	if (!a->result && !s)
		a->result = -ENOENT;
	if (!a->result && s && t) {
		a->mm = key;
		a->group = s->group;
		a->known = s->seeded;
		a->ledger_ac = s->ac;
		a->ledger_nr = s->nr;
		a->kernel_ac = r.ac;
		never = mode_never(t, s->group);
		a->kernel_nr = never ? r.nr + r.nr_kept : 0;
		if (lock_sequence(r.mm) != r.sequence)
			a->result = -EAGAIN;
	}
	bpf_task_release(task);
	return 0;
}

#endif
