/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * noreserve: MAP_NORESERVE memory of mode-2 groups.
 *
 * On a host in mode 0 or 1 the kernel honours the flag and never asks about such
 * memory.  A mode-2 group ignores it, so it is charged here, in a figure of its
 * own: at security_mmap_file(), which can still refuse, and for mprotect at
 * security_file_mprotect(); the length is the caller's register.  Nothing of the
 * host is changed.  On a host in mode 2 the kernel charges it, and these do nothing.
 *
 * What they cost where the flag is not given is the call of a hook and one test.
 */
#ifndef SURETY_BPF_NORESERVE_H
#define SURETY_BPF_NORESERVE_H

/* Arguments 0 and 1 of the system call: start or address, and length. */
static __always_inline void call_range(__u64 *start, __u64 *len)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

	if (regs->cs == 0x23) {
		*start = (__u32)regs->bx;
		*len = (__u32)regs->cx;
	} else {
		*start = regs->di;
		*len = regs->si;
	}
}

/* A promise that never became a mapping. */
static __always_inline void promise_undo(struct surety_table *t, struct mark *m, struct mm_struct *mm)
{
	struct surety_space *s;

	if (m->promised_shared) {
		group_release(t, m->promised_group, m->promised);
	} else {
		s = space_find(mm);
		if (s)
			space_release(t, s, 0, m->promised);
	}
	m->promised = 0;
}

static __always_inline int promise(struct surety_table *t, struct surety_space *s, struct mm_struct *mm, bool shared)
{
	struct mark *m = mark_make();
	struct denial no = {};
	struct requester who;
	__u64 start, len;
	__s64 pages;

	if (!m)
		return -ENOMEM;
	if (m->promised)
		promise_undo(t, m, mm);
	call_range(&start, &len);
	pages = (len + PAGE_SIZE - 1) >> PAGE_SHIFT;
	requester_of(&who, bpf_get_current_task_btf(), mm);
	if (shared)
		group_charge(t, s->group, pages, &who, &no);
	else
		space_charge(t, s, 0, pages, pages, false, &who, &no);
	if (no.group) {
		refusal_tell(t, &no, REFUSED_SPACE, pages);
		return -ENOMEM;
	}
	m->promised = pages;
	m->promised_group = s->group;
	m->promised_shared = shared;
	return 0;
}

/* /dev/zero, open for writing: mapped shared it is shared memory of its own. */
static __always_inline bool is_zero(struct file *file)
{
	enum { ZERO_DEVICE = 1 << 20 | 5, FOR_WRITING = 2 };

	return file->f_inode->i_rdev == ZERO_DEVICE && (file->f_mode & FOR_WRITING);
}

SEC("fmod_ret/security_mmap_file")
int BPF_PROG(on_mmap_file, struct file *file, unsigned long prot, unsigned long flags, int ret)
{
	struct mm_struct *mm;
	struct surety_table *t;
	struct surety_space *s;
	bool shared;

	if (ret || !(flags & MAP_NORESERVE) || (flags & MAP_HUGETLB))
		return ret;
	shared = (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;
	if (shared ? file && !is_zero(file) : (flags & MAP_TYPE) != MAP_PRIVATE || !(prot & PROT_WRITE))
		return 0;
	mm = bpf_get_current_task_btf()->mm;
	s = mm ? space_find(mm) : NULL;
	t = table_get();
	if (!s || !s->seeded || !t || !mode_never(t, s->group) || host_never())
		return 0;
	if (file && file->f_inode->i_sb->s_magic == HUGETLBFS_MAGIC)
		return 0;
	return promise(t, s, mm, shared);
}

/* Every mapping ends here: of a failed one the charge is taken back. */
SEC("fexit/do_mmap")
int BPF_PROG(on_mmap_end, struct file *file, unsigned long addr, unsigned long len, unsigned long prot,
	     unsigned long flags, unsigned long vm_flags, unsigned long pgoff, unsigned long *populate, void *uf,
	     unsigned long ret)
{
	bool failed = ret > -4096UL;
	struct mm_struct *mm;
	struct surety_table *t;
	struct mark *m;

	if (!failed && !(flags & MAP_NORESERVE))
		return 0;
	mm = bpf_get_current_task_btf()->mm;
	t = table_get();
	if (!mm || !t)
		return 0;
	m = flags & MAP_NORESERVE ? mark_get() : NULL;
	if (m && m->promised) {
		if (failed || m->promised_shared) /* no object has taken it */
			promise_undo(t, m, mm);
		m->promised = 0;
	}
	if (failed)
		space_undo(t, mm);
	return 0;
}

/* The part of a mapping that an unmapping takes away; split already. */
SEC("fentry/userfaultfd_unmap_prep")
int BPF_PROG(on_unmap_part, struct vm_area_struct *vma)
{
	unsigned long flags = vma->vm_flags;
	struct mm_struct *mm = vma->vm_mm;
	struct surety_space *s;
	__s64 pages;
	__u32 sequence;

	if (!noreserve(flags))
		return 0;
	s = space_find(mm);
	if (!s || !s->nr)
		return 0;
	pages = (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
	sequence = lock_sequence(mm);
	if (s->gather_seq != sequence) {
		s->gather_seq = sequence;
		s->gather_nr = s->gather_kept = 0;
	}
	if (flags & VM_WRITE)
		s->gather_nr += pages;
	else if (vma->anon_vma)
		s->gather_kept += pages;
	return 0;
}

SEC("fmod_ret/security_file_mprotect")
int BPF_PROG(on_file_mprotect, struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot, int ret)
{
	unsigned long flags = vma->vm_flags;
	struct mm_struct *mm = vma->vm_mm;
	struct surety_table *t;
	struct surety_space *s;
	struct denial no = {};
	struct requester who;
	__u64 start, len, end, from, to;
	__s64 pages, kept = 0;

	if (ret || !noreserve(flags) || (flags & VM_WRITE) || !(prot & PROT_WRITE))
		return ret;
	s = space_find(mm);
	t = table_get();
	if (!s || !s->seeded || !t || !mode_never(t, s->group) || host_never())
		return 0;
	call_range(&start, &len);
	end = (start + len + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	from = start > vma->vm_start ? start : vma->vm_start;
	to = end < vma->vm_end ? end : vma->vm_end;
	if (to <= from)
		return 0;
	pages = (to - from) >> PAGE_SHIFT;
	if (vma->anon_vma)
		kept = pages < s->nr_kept ? pages : s->nr_kept;
	requester_of(&who, bpf_get_current_task_btf(), mm);
	space_charge(t, s, 0, pages - kept, pages - kept, false, &who, &no);
	if (no.group) {
		refusal_tell(t, &no, REFUSED_SPACE, pages - kept);
		return -ENOMEM;
	}
	s->nr_kept -= kept;
	space_remember(s, mm, 0, pages - kept);
	return 0;
}

#endif
