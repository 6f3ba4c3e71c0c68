/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * charge: the decision on one request (mm/util.c __vm_enough_memory), and which
 * holder it is put to.
 */
#ifndef SURETY_BPF_CHARGE_H
#define SURETY_BPF_CHARGE_H

enum { TOLD_AGAIN_NS = 100 * 1000 * 1000 };

/* Pages of a file.  The kernel asks several times for one that is refused: the
 * answer stays the same and is told once. */
static __always_inline int charge_blocks(struct surety_table *t, struct mark *m, struct mm_struct *mm, __s64 pages)
{
	struct surety_object *o = object_find(m->inode);
	struct denial no = {};
	struct requester who;
	__u64 now;

	if (o && (o->flags & OBJECT_RESERVED))
		return 0;
	if (!o)
		o = object_enter(t, m->inode, m->group, 0, m->before);
	if (!o)
		return -ENOMEM;
	requester_of(&who, bpf_get_current_task_btf(), mm);
	object_charge(t, o, pages, &who, &no);
	if (!no.group) {
		m->charged += pages;
		m->told_inode = 0;
		return 0;
	}
	now = bpf_ktime_get_ns();
	if (m->told_inode != m->inode || now - m->told_ns > TOLD_AGAIN_NS)
		refusal_tell(t, &no, REFUSED_SHMEM, pages);
	m->told_inode = m->inode;
	m->told_ns = now;
	return -ENOMEM;
}

/* A whole object that has no inode yet. */
static __always_inline int charge_object(struct surety_table *t, struct mark *m, struct mm_struct *mm, __s64 pages)
{
	struct denial no = {};
	struct requester who;

	requester_of(&who, bpf_get_current_task_btf(), mm);
	group_charge(t, m->group, pages, &who, &no);
	if (!no.group) {
		m->charged += pages;
		return 0;
	}
	refusal_tell(t, &no, REFUSED_SHMEM, pages);
	return -ENOMEM;
}

static __always_inline int charge_resize(struct surety_table *t, struct mark *m, struct mm_struct *mm, __s64 pages)
{
	struct surety_object *o = object_find(m->inode);
	struct denial no = {};
	struct requester who;

	if (!o)
		return 0;
	requester_of(&who, bpf_get_current_task_btf(), mm);
	object_charge(t, o, pages, &who, &no);
	if (!no.group)
		return 0;
	refusal_tell(t, &no, REFUSED_SHMEM, pages);
	return -ENOMEM;
}

/* An address space without an entry.  A new one is execve's, and gets one.  One
 * that was there before its group is counted once it has been read. */
static __always_inline int charge_unknown(struct surety_table *t, struct mm_struct *mm, __s64 pages)
{
	struct surety_space *s;
	struct denial no = {};
	struct requester who;
	__u64 key = (__u64)mm;
	__u32 group;

	if (mm->total_vm)
		return 0;
	group = group_current(t);
	if (!group)
		return 0;
	s = space_enter(t, mm, group, true);
	if (!s)
		return -ENOMEM;
	s->exec_left = EXEC_DEBT;
	requester_of(&who, bpf_get_current_task_btf(), mm);
	space_charge(t, s, pages, 0, EXEC_FIRST, false, &who, &no);
	if (!no.group) {
		space_remember(s, mm, pages, 0);
		return 0;
	}
	space_delete(key);
	refusal_tell(t, &no, REFUSED_EXEC, EXEC_FIRST);
	return -ENOMEM;
}

/* Part of a fork: into the child, MAP_NORESERVE memory of the parent with the
 * first.  The report names the whole of it. */
static __always_inline int charge_fork(struct surety_table *t, struct surety_space *parent, struct surety_space *s,
				       struct mm_struct *mm, __s64 pages)
{
	__s64 nr = s->ac ? 0 : parent->nr, whole = parent->ac + parent->nr;
	struct denial no = {};
	struct requester who;

	requester_of(&who, bpf_get_current_task_btf(), mm);
	space_charge(t, s, pages, nr, pages + nr, false, &who, &no);
	if (!no.group) {
		if (nr)
			s->nr_kept = parent->nr_kept;
		return 0;
	}
	no.committed -= s->ac + s->nr;
	refusal_tell(t, &no, REFUSED_FORK, whole);
	return -ENOMEM;
}

static __always_inline enum refusal_kind kind_of(const struct mark *m, struct task_struct *task, struct mm_struct *mm)
{
	if (task->mm != mm)
		return REFUSED_EXEC;
	if (m && m->kind == MARK_STACK)
		return REFUSED_STACK;
	return BPF_CORE_READ_BITFIELD(task, in_execve) ? REFUSED_EXEC : REFUSED_SPACE;
}

/* The rest of an execve can only be granted, or the process killed. */
static __always_inline bool exec_forces(struct surety_space *s, enum refusal_kind kind, struct task_struct *task,
					struct mm_struct *mm, __s64 pages)
{
	if (!s->exec_left || task->mm != mm || !BPF_CORE_READ_BITFIELD(task, in_execve))
		return false;
	if (pages > s->exec_left)
		return false;
	s->exec_left -= pages;
	return true;
}

static __always_inline int charge_space(struct surety_table *t, struct surety_space *s, const struct mark *m,
					struct mm_struct *mm, __s64 pages)
{
	struct task_struct *task = bpf_get_current_task_btf();
	enum refusal_kind kind = kind_of(m, task, mm);
	/* The stack of the main thread grows to RLIMIT_STACK; refused, it dies. */
	bool forced = exec_forces(s, kind, task, mm, pages) || (kind == REFUSED_STACK && m && m->before);
	struct denial no = {};
	struct requester who;
	__s64 nr;

	if (!s->seeded)
		return 0;
	requester_of(&who, task, mm);
	nr = m && m->kind == MARK_STACK && m->noreserve ? pages : 0;
	space_charge(t, s, pages - nr, nr, pages, forced, &who, &no);
	if (!no.group) {
		space_remember(s, mm, pages - nr, nr);
		return 0;
	}
	refusal_tell(t, &no, kind, pages);
	return -ENOMEM;
}

SEC("fmod_ret/security_vm_enough_memory_mm")
int BPF_PROG(on_charge, struct mm_struct *mm, long pages, int ret)
{
	struct mark *m = mark_get();
	struct surety_table *t = table_get();
	struct surety_space *s, *child;

	if (ret || !t)
		return ret;
	if (m) {
		switch (m->kind) {
		case MARK_IGNORE:
			return 0;
		case MARK_BLOCKS:
			return charge_blocks(t, m, mm, pages);
		case MARK_OBJECT:
			return charge_object(t, m, mm, pages);
		case MARK_RESIZE:
			return charge_resize(t, m, mm, pages);
		}
	}
	if (!mm)
		return 0;
	s = space_find(mm);
	if (!s)
		return charge_unknown(t, mm, pages);
	if (s->child && s->fork_seq == lock_sequence(mm)) {
		child = bpf_map_lookup_elem(&spaces, &s->child);
		return child ? charge_fork(t, s, child, mm, pages) : 0;
	}
	return charge_space(t, s, m, mm, pages);
}

/* A fork begins to fill NEWMM; it holds the lock of OLDMM until that is done. */
SEC("fentry/uprobe_dup_mmap")
int BPF_PROG(on_dup_mmap, struct mm_struct *oldmm, struct mm_struct *newmm)
{
	struct surety_table *t = table_get();
	struct surety_space *s;
	__u32 group;

	if (!t)
		return 0;
	s = space_find(oldmm);
	group = s ? s->group : group_current(t);
	if (!group)
		return 0;
	if (!s)
		s = space_enter(t, oldmm, group, false);
	if (!s || !space_enter(t, newmm, group, true))
		return 0;
	s->child = (__u64)newmm;
	s->fork_seq = lock_sequence(oldmm);
	return 0;
}

SEC("fentry/expand_downwards")
int BPF_PROG(on_stack_grow, struct vm_area_struct *vma, unsigned long address)
{
	struct mm_struct *mm = vma->vm_mm;
	struct surety_space *s = space_find(mm);
	struct surety_table *t;
	struct mark *m;

	if (!s)
		return 0;
	m = mark_make();
	if (!m)
		return 0;
	m->kind = MARK_STACK;
	m->charged = 0;
	m->before = vma->vm_start <= mm->start_stack && mm->start_stack < vma->vm_end;
	/* Not marked, the kernel never gives it back: nobody's, or MAP_NORESERVE memory. */
	t = table_get();
	m->noreserve = t && noreserve(vma->vm_flags) && (vma->vm_flags & VM_WRITE) && mode_never(t, s->group) &&
		       !host_never();
	if (!(vma->vm_flags & VM_ACCOUNT) && !m->noreserve)
		m->kind = MARK_IGNORE;
	return 0;
}

SEC("fexit/expand_downwards")
int BPF_PROG(on_stack_grown, struct vm_area_struct *vma, unsigned long address, int ret)
{
	struct mark *m = mark_get();
	struct surety_table *t = table_get();
	bool grew = m && m->kind == MARK_STACK;

	if (m)
		m->kind = MARK_NONE;
	if (grew && ret && t)
		space_undo(t, vma->vm_mm);
	return 0;
}

/* swapoff asks for the whole device, and gives it back at once. */
static __always_inline int swapoff_begin(void)
{
	struct mark *m = mark_make();

	if (m)
		m->kind = MARK_IGNORE;
	return 0;
}

SEC("fentry/__x64_sys_swapoff")
int BPF_PROG(on_swapoff)
{
	return swapoff_begin();
}

SEC("fexit/__x64_sys_swapoff")
int BPF_PROG(on_swapoff_end)
{
	mark_clear();
	return 0;
}

SEC("fentry/__ia32_sys_swapoff")
int BPF_PROG(on_swapoff32)
{
	return swapoff_begin();
}

SEC("fexit/__ia32_sys_swapoff")
int BPF_PROG(on_swapoff32_end)
{
	mark_clear();
	return 0;
}

#endif
