/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * space: what each address space of a group holds.
 *
 * An entry is made when an address space is: by execve's first charge, by fork;
 * or by a reading of its mappings, for one that was there before its group.  It
 * goes with exit_mmap().  Its figures change under the lock of the table, in
 * the same moment as its group's.
 *
 * All of the kernel's changes to VM_ACCOUNT are made with the mmap lock held for
 * writing, whose sequence number therefore tells which charge belongs to which
 * call, and whether a reading was disturbed.
 */
#ifndef SURETY_BPF_SPACE_H
#define SURETY_BPF_SPACE_H

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SPACES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct surety_space);
} spaces SEC(".maps");

/* How many entries there are by a hash of their key: 0 says, at the price of one
 * load, what a look-up says of nearly all address spaces of most hosts. */
static __u32 spaces_near[1 << 16];

static __always_inline __u32 *space_near(__u64 key)
{
	return &spaces_near[near(key)];
}

/* What execve takes when it can no longer fail: 128 KiB of stack and the data of
 * a program of usual size.  A larger one is refused, and killed, as by mode 2. */
enum {
	EXEC_FIRST = 33, /* pages that the first charge must find: it and the stack */
	EXEC_DEBT = 64,
};

static __always_inline __u32 lock_sequence(struct mm_struct *mm)
{
	struct mm_struct___counted *counted = (void *)mm;

	if (bpf_core_field_exists(counted->mm_lock_seq.sequence))
		return counted->mm_lock_seq.sequence;
	return mm->mm_lock_seq;
}

static __always_inline struct surety_space *space_find(struct mm_struct *mm)
{
	__u64 key = (__u64)mm;

	return *space_near(key) ? bpf_map_lookup_elem(&spaces, &key) : NULL;
}

/* What it holds is the caller's to give back. */
static __always_inline void space_delete(__u64 key)
{
	if (!bpf_map_delete_elem(&spaces, &key))
		__sync_fetch_and_sub(space_near(key), 1);
}

static __always_inline struct surety_space *space_enter(struct surety_table *t, struct mm_struct *mm, __u32 group,
							bool seeded)
{
	__u64 key = (__u64)mm;
	struct surety_space new = {
		.mm = key,
		.group = group,
		.seeded = seeded,
		.pid = bpf_get_current_pid_tgid() >> 32,
	};

	__sync_fetch_and_add(space_near(key), 1);
	if (bpf_map_update_elem(&spaces, &key, &new, BPF_NOEXIST) < 0) {
		__sync_fetch_and_sub(space_near(key), 1);
		__sync_fetch_and_add(&t->faults.untracked, 1);
		return NULL;
	}
	return bpf_map_lookup_elem(&spaces, &key);
}

/* Adds AC and NR pages to S, if all its groups have room; TESTED pages of them
 * are asked for.  NO is left alone where they have. */
static __always_inline void space_charge(struct surety_table *t, struct surety_space *s, __s64 ac, __s64 nr,
					 __s64 tested, bool forced, const struct requester *who, struct denial *no)
{
	bpf_spin_lock(&t->lock);
	if (forced)
		locked_force(t, s->group, ac + nr);
	else
		locked_test(t, s->group, tested, who, no);
	if (!no->group) {
		s->ac += ac;
		s->nr += nr;
		if (!forced)
			locked_add(t, s->group, ac + nr, 0);
	}
	bpf_spin_unlock(&t->lock);
}

static __always_inline void space_release(struct surety_table *t, struct surety_space *s, __s64 ac, __s64 nr)
{
	if (!ac && !nr)
		return;
	bpf_spin_lock(&t->lock);
	if (s->seeded) {
		ac = locked_take(t, &s->ac, ac);
		nr = locked_take(t, &s->nr, nr);
		locked_add(t, s->group, -(ac + nr), 0);
	}
	bpf_spin_unlock(&t->lock);
}

/* Everything; the entry is the caller's to delete. */
static __always_inline void space_empty(struct surety_table *t, struct surety_space *s, __u64 mm)
{
	bpf_spin_lock(&t->lock);
	if (s->mm == mm) {
		locked_add(t, s->group, -(s->ac + s->nr), 0);
		s->ac = s->nr = s->nr_kept = 0;
		s->group = 0;
	}
	bpf_spin_unlock(&t->lock);
}

/* Notes a charge for the case that its call fails. */
static __always_inline void space_remember(struct surety_space *s, struct mm_struct *mm, __s64 ac, __s64 nr)
{
	s->last = ac;
	s->last_nr = nr;
	s->last_seq = lock_sequence(mm);
	s->last_tid = (__u32)bpf_get_current_pid_tgid();
}

/* The call under way, which holds the mmap lock of MM, has failed. */
static __always_inline void space_undo(struct surety_table *t, struct mm_struct *mm)
{
	struct surety_space *s = mm ? space_find(mm) : NULL;

	if (!s || !(s->last || s->last_nr) || s->last_seq != lock_sequence(mm))
		return;
	space_release(t, s, s->last, s->last_nr);
	s->last = s->last_nr = 0;
}

/* Whether a mode-2 group charges this mapping although the kernel does not. */
static __always_inline bool noreserve(unsigned long flags)
{
	return (flags & (VM_NORESERVE | VM_SHARED | VM_HUGETLB | VM_DROPPABLE)) == VM_NORESERVE;
}

static __always_inline bool mode_never(struct surety_table *t, __u32 group)
{
	return t->group[group & (GROUPS_MAX - 1)].mode == OVERCOMMIT_NEVER;
}

/* Hidden on some hosts: then it is taken for 0, what nearly all have. */
extern const void sysctl_overcommit_memory __ksym __weak;

static __always_inline bool host_never(void)
{
	int mode = 0;

	if (&sysctl_overcommit_memory)
		bpf_probe_read_kernel(&mode, sizeof(mode), &sysctl_overcommit_memory);
	return mode == OVERCOMMIT_NEVER;
}

/* The mappings of a task's address space, and its lock's number when that began. */
struct reading {
	struct mm_struct *mm;
	__s64 ac, nr, nr_kept;
	__u32 sequence;
	__s32 result;
};

/* Reads without stopping the task: SEQUENCE tells later whether it stood still. */
static __always_inline void space_read(struct task_struct *task, struct reading *r)
{
	struct bpf_iter_task_vma it;
	struct vm_area_struct *vma;

	r->mm = task->mm;
	r->ac = r->nr = r->nr_kept = 0;
	r->result = -ESRCH;
	if (!r->mm)
		return;
	r->sequence = lock_sequence(r->mm);
	r->result = bpf_iter_task_vma_new(&it, task, 0) ? -EAGAIN : 0;
	while ((vma = bpf_iter_task_vma_next(&it))) {
		unsigned long flags = vma->vm_flags;
		__s64 pages = (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;

		if (flags & VM_ACCOUNT)
			r->ac += pages;
		else if (noreserve(flags) && (flags & VM_WRITE))
			r->nr += pages;
		else if (noreserve(flags) && vma->anon_vma)
			r->nr_kept += pages;
	}
	bpf_iter_task_vma_destroy(&it);
	if ((r->sequence & 1) && bpf_core_field_exists(((struct mm_struct___counted *)0)->mm_lock_seq.sequence))
		r->result = -EAGAIN; /* held for writing while it was read */
}

/* Makes S hold what was read, if nothing has changed since.  Returns false if so. */
static __always_inline bool space_settle(struct surety_table *t, struct surety_space *s, const struct reading *r)
{
	__s64 change;
	bool same;

	bpf_spin_lock(&t->lock);
	same = s->mm == (__u64)r->mm && s->group && lock_sequence(r->mm) == r->sequence;
	if (same) {
		bool never = mode_never(t, s->group);
		__s64 nr = never ? r->nr + r->nr_kept : 0;

		change = r->ac + nr - s->ac - s->nr;
		s->ac = r->ac;
		s->nr = nr;
		s->nr_kept = never ? r->nr_kept : 0;
		s->seeded = 1;
		locked_force(t, s->group, change);
	}
	bpf_spin_unlock(&t->lock);
	return same;
}

#endif
