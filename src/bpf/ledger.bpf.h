/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * ledger: the groups, what each has been promised, and the decision.
 *
 *	system.slice 4G          group 1            committed 9
 *	  a.service 1G           group 2, parent 1  committed 5
 *	  b.service              not a group: its processes are of group 1
 *
 * One lock over all groups.  Under it a charge is tested in its group and in
 * each above and then added to all of them, or to none: two that race cannot
 * both pass where one fits, and none is refused for what another one is about to
 * take back.  It is held for some tens of instructions, with interrupts off.
 *
 * The rule of mode 2 is __vm_enough_memory()'s, strict: what lands exactly on
 * the limit is refused.
 */
#ifndef SURETY_BPF_LEDGER_H
#define SURETY_BPF_LEDGER_H

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct surety_table);
} table SEC(".maps");

/* From the id of a cgroup to the number of its group. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GROUPS_MAX);
	__type(key, __u64);
	__type(value, __u32);
} cgroups SEC(".maps");

/* The group that a cgroup's processes are of, while the generation is this. */
struct nearest {
	__u32 generation;
	__u32 group;
};

struct {
	__uint(type, BPF_MAP_TYPE_CGRP_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct nearest);
} nearest SEC(".maps");

/* Who asks, for the reserves: looked at near the limit only. */
struct requester {
	struct task_struct *task;
	struct mm_struct *mm; /* may be NULL */
};

/* Why not. */
struct denial {
	__u32 group; /* 0: granted */
	__u32 mode;
	__s64 committed;
	__u64 limit, allowed;
	__u64 cgroup_id;
};

static __always_inline struct surety_table *table_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&table, &zero);
}

static __always_inline __u32 group_find(struct cgroup *cgrp)
{
	int level = cgrp->level;

	for (int i = 0; i < 64; i++, level--) {
		struct cgroup *ancestor = NULL;
		__u64 id;
		__u32 *group;

		if (level < 0)
			break;
		bpf_probe_read_kernel(&ancestor, sizeof(ancestor), &cgrp->ancestors[level]);
		if (!ancestor)
			break;
		id = BPF_CORE_READ(ancestor, kn, id);
		group = bpf_map_lookup_elem(&cgroups, &id);
		if (group)
			return *group;
	}
	return 0;
}

/* The group of the running task; 0 for most tasks of most hosts, so it is quick. */
static __always_inline __u32 group_current(struct surety_table *t)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct cgroup *cgrp = task->cgroups->dfl_cgrp;
	struct nearest *n = bpf_cgrp_storage_get(&nearest, cgrp, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	__u32 generation = t->generation;

	if (!n)
		return group_find(cgrp);
	if (n->generation != generation) {
		n->group = group_find(cgrp);
		n->generation = generation;
	}
	return n->group;
}

/* A hash of an address, below 1 << 16.  The verifier does no arithmetic with a
 * pointer, but takes the lower half of one for a number. */
static __always_inline __u32 near(__u64 address)
{
	__u64 low;

	asm volatile("r0 = %1; w0 = w0; %0 = r0" : "=r"(low) : "r"(address) : "r0");
	return (__u32)low * 0x9e3779b1U >> 16;
}

static __always_inline __u64 floor_sub(__u64 a, __u64 b)
{
	return a > b ? a - b : 0;
}

static __always_inline bool privileged(struct task_struct *task);

static __always_inline __u64 group_allowed(const struct surety_group *g, const struct requester *who)
{
	__u64 allowed = g->limit, user = who->mm ? who->mm->total_vm / 32 : 0;

	if (user > g->user_reserve)
		user = g->user_reserve;
	if (!privileged(who->task))
		allowed = floor_sub(allowed, g->admin_reserve);
	return floor_sub(allowed, user);
}

static __always_inline bool group_fits(const struct surety_group *g, __s64 pages, const struct requester *who)
{
	if (g->mode == OVERCOMMIT_ALWAYS)
		return true;
	if (g->mode == OVERCOMMIT_GUESS)
		return (__u64)pages <= g->ram_swap;
	if ((__u64)(g->committed + pages) < floor_sub(floor_sub(g->limit, g->admin_reserve), g->user_reserve))
		return true;
	return (__u64)(g->committed + pages) < group_allowed(g, who);
}

/* The two parts of a charge.  The lock is held. */
static __always_inline void locked_test(struct surety_table *t, __u32 group, __s64 pages, const struct requester *who,
					struct denial *no)
{
	for (int i = 0; i < GROUPS_DEPTH && group; i++) {
		struct surety_group *g = &t->group[group & (GROUPS_MAX - 1)];

		if (!group_fits(g, pages, who)) {
			no->group = group;
			no->mode = g->mode;
			no->committed = g->committed;
			no->limit = g->limit;
			no->allowed = group_allowed(g, who);
			no->cgroup_id = g->cgroup_id;
			g->refusals++;
			g->refused += pages;
			return;
		}
		group = g->parent;
	}
}

/* X, or 0 where it is negative, without a branch: those of a loop multiply for
 * the verifier. */
static __always_inline __s64 positive(__s64 x)
{
	__s64 sign = x >> 63;

	asm volatile("" : "+r"(sign)); /* or the compiler makes a branch of it */
	return x & ~sign;
}

static __always_inline void locked_add(struct surety_table *t, __u32 group, __s64 pages, __s64 objects)
{
	__u64 charge = pages > 0;

	for (int i = 0; i < GROUPS_DEPTH && group; i++) {
		struct surety_group *g = &t->group[group & (GROUPS_MAX - 1)];

		g->committed += pages;
		g->objects += objects;
		g->charges += charge;
		g->peak += positive(g->committed - g->peak);
		group = g->parent;
	}
}

/* The same for a charge that is not tested.  What it takes past the limit is noted. */
static __always_inline void locked_force(struct surety_table *t, __u32 group, __s64 pages)
{
	for (int i = 0; i < GROUPS_DEPTH && group; i++) {
		struct surety_group *g = &t->group[group & (GROUPS_MAX - 1)];
		__s64 over = positive(g->committed - (__s64)g->limit);

		g->committed += pages;
		g->charges++;
		g->peak += positive(g->committed - g->peak);
		g->debt += positive(positive(g->committed - (__s64)g->limit) - over) & -(__s64)(g->mode >> 1);
		group = g->parent;
	}
}

/* Takes pages from a space that has HELD of them: never more. */
static __always_inline __s64 locked_take(struct surety_table *t, __s64 *held, __s64 pages)
{
	if (pages > *held) {
		t->faults.underflow += pages - *held;
		pages = *held;
	}
	*held -= pages;
	return pages;
}

static __always_inline void requester_of(struct requester *who, struct task_struct *task, struct mm_struct *mm)
{
	who->task = task;
	who->mm = mm;
}

/* cap_vm_enough_memory(): CAP_SYS_ADMIN in the initial user namespace. */
static __always_inline bool privileged(struct task_struct *task)
{
	const struct cred *cred = task->cred;

	return cred->user_ns->level == 0 && (cred->cap_effective.val >> CAP_SYS_ADMIN & 1);
}

#endif
