/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * member: processes that come to a group, or leave it.
 *
 * An address space is of the group that its process is in: it moves with it, and
 * a move is never refused.  What that takes past the limit is debt.  Shared
 * memory stays where it was charged.
 */
#ifndef SURETY_BPF_MEMBER_H
#define SURETY_BPF_MEMBER_H

static __always_inline void space_move(struct surety_table *t, struct surety_space *s, __u64 mm, __u32 group)
{
	bpf_spin_lock(&t->lock);
	if (s->mm == mm && s->group != group) {
		__s64 pages = s->ac + s->nr;

		locked_add(t, s->group, -pages, 0);
		locked_force(t, group, pages);
		s->group = group;
	}
	bpf_spin_unlock(&t->lock);
}

/* Enters an address space that lived before its group, or corrects one. */
static __always_inline int space_seed(struct surety_table *t, struct task_struct *task, __u32 group, struct reading *r)
{
	struct surety_space *s;

	space_read(task, r);
	if (r->result)
		return r->result;
	s = space_find(r->mm);
	if (!s)
		s = space_enter(t, r->mm, group, false);
	if (!s)
		return -ENOMEM;
	/* One that is counted is corrected, should it ever be off. */
	if (s->seeded && s->ac == r->ac && s->nr == (mode_never(t, s->group) ? r->nr + r->nr_kept : 0))
		return 0;
	if (!s->seeded)
		s->pid = task->tgid;
	return space_settle(t, s, r) ? 0 : -EAGAIN;
}

static __always_inline int seed_newcomer(struct surety_table *t, __s32 pid, __u32 group)
{
	struct task_struct *task = bpf_task_from_pid(pid);
	struct reading r;
	int ret;

	if (!task)
		return -ESRCH;
	ret = space_seed(t, task, group, &r);
	bpf_task_release(task);
	return ret;
}

SEC("fexit/cgroup_attach_task")
int BPF_PROG(on_attach, struct cgroup *cgrp, struct task_struct *leader, bool threadgroup, int ret)
{
	struct mm_struct *mm = leader->mm;
	struct surety_table *t = table_get();
	struct surety_space *s;
	__u64 key = (__u64)mm;
	__u32 group;

	/* A vfork child moves itself, not the memory that it borrows. */
	if (ret || !mm || !t || mm->owner != leader)
		return 0;
	group = group_find(cgrp);
	s = space_find(mm);
	if (group) {
		if (s)
			space_move(t, s, key, group);
		if ((!s || !s->seeded) && seed_newcomer(t, leader->pid, group))
			__sync_fetch_and_add(&t->faults.unseeded, 1);
		return 0;
	}
	if (!s)
		return 0;
	space_empty(t, s, key);
	space_delete(key);
	return 0;
}

/* The child exists: its process id, and its cgroup if clone3 gave it another. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct mm_struct *mm = child->mm;
	struct surety_space *s;
	struct surety_table *t;
	struct reading r;
	__u64 key = (__u64)mm;
	__u32 group;

	if (!mm || mm == parent->mm)
		return 0;
	s = space_find(mm);
	if (!s)
		return 0;
	s->pid = child->tgid;
	t = table_get();
	if (!t)
		return 0;
	group = group_find(child->cgroups->dfl_cgrp);
	if (group) {
		if (group != s->group)
			space_move(t, s, key, group);
		/* MAP_NORESERVE memory was counted with all that the parent has of it:
		 * some may not have been copied (MADV_DONTFORK). */
		if (s->nr) {
			space_read(child, &r);
			if (!r.result)
				space_settle(t, s, &r);
		}
		return 0;
	}
	space_empty(t, s, key);
	space_delete(key);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(on_rmdir, struct cgroup *cgrp, const char *path)
{
	__u64 id = BPF_CORE_READ(cgrp, kn, id);
	__u32 *group = bpf_map_lookup_elem(&cgroups, &id);
	struct surety_table *t = table_get();

	if (!group || !t)
		return 0;
	t->group[*group & (GROUPS_MAX - 1)].state = GROUP_REMOVED;
	bpf_map_delete_elem(&cgroups, &id);
	return 0;
}

#endif
