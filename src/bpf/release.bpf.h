/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * release: charges that address spaces give back, and those of calls that fail.
 */
#ifndef SURETY_BPF_RELEASE_H
#define SURETY_BPF_RELEASE_H

/* munmap, brk and mremap that shrink, MAP_FIXED, shmdt.  The lock is held. */
SEC("fentry/vms_complete_munmap_vmas")
int BPF_PROG(on_munmap, struct vma_munmap_struct *vms)
{
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;
	struct surety_space *s = mm ? space_find(mm) : NULL;
	struct surety_table *t;
	__s64 nr = 0;

	if (!s)
		return 0;
	t = table_get();
	if (!t)
		return 0;
	if (s->gather_seq == lock_sequence(mm)) {
		__s64 kept = s->gather_kept < s->nr_kept ? s->gather_kept : s->nr_kept;

		nr = s->gather_nr + kept;
		s->nr_kept -= kept;
		s->gather_nr = s->gather_kept = 0;
		s->unmapped_nr |= nr > 0;
	}
	space_release(t, s, vms->nr_accounted, nr);
	return 0;
}

/* The last user is gone, whoever runs it. */
SEC("fentry/exit_mmap")
int BPF_PROG(on_exit_mmap, struct mm_struct *mm)
{
	struct surety_space *s = space_find(mm);
	__u64 key = (__u64)mm;
	struct surety_table *t;

	if (!s)
		return 0;
	t = table_get();
	if (t)
		space_empty(t, s, key);
	space_delete(key);
	return 0;
}

/* mprotect_fixup() itself forgets what it decided: it is decided here again, on
 * the state that it will find. */
SEC("fentry/mprotect_fixup")
int BPF_PROG(on_mprotect, void *vmi, void *tlb, struct vm_area_struct *vma, void *pprev, unsigned long start,
	     unsigned long end, unsigned long newflags)
{
	struct surety_space *s = space_find(vma->vm_mm);
	unsigned long oldflags = vma->vm_flags;
	__s64 pages = (end - start) >> PAGE_SHIFT;
	bool untouched = !vma->vm_ops && !vma->anon_vma;

	if (!s)
		return 0;
	if (s->last_seq != lock_sequence(vma->vm_mm) || !s->last_nr)
		s->last = s->last_nr = 0;
	s->drop_ac = s->drop_nr = s->keep_nr = 0;
	if (oldflags == newflags || (newflags & VM_WRITE))
		return 0;
	if ((oldflags & VM_ACCOUNT) && untouched)
		s->drop_ac = pages;
	if (s->nr && noreserve(oldflags) && (oldflags & VM_WRITE)) {
		if (!vma->anon_vma)
			s->drop_nr = pages;
		else
			s->keep_nr = pages;
	}
	return 0;
}

SEC("fexit/mprotect_fixup")
int BPF_PROG(on_mprotect_end, void *vmi, void *tlb, struct vm_area_struct *vma, void *pprev, unsigned long start,
	     unsigned long end, unsigned long newflags, int ret)
{
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;
	struct surety_space *s = mm ? space_find(mm) : NULL;
	struct surety_table *t;

	if (!s)
		return 0;
	t = table_get();
	if (!t)
		return 0;
	if (ret) {
		space_undo(t, mm);
		return 0;
	}
	s->last = s->last_nr = 0;
	space_release(t, s, s->drop_ac, s->drop_nr);
	if (s->nr)
		s->nr_kept += s->keep_nr;
	s->drop_ac = s->drop_nr = s->keep_nr = 0;
	return 0;
}

SEC("fexit/do_brk_flags")
int BPF_PROG(on_brk_end, void *vmi, void *vma, unsigned long addr, unsigned long len, unsigned long flags, int ret)
{
	struct surety_table *t;

	if (!ret)
		return 0;
	t = table_get();
	if (t)
		space_undo(t, bpf_get_current_task_btf()->mm);
	return 0;
}

/* execve's first page.  An address space that fails here is freed without
 * exit_mmap(): its entry goes too. */
SEC("fexit/insert_vm_struct")
int BPF_PROG(on_insert_end, struct mm_struct *mm, struct vm_area_struct *vma, int ret)
{
	struct surety_table *t;
	struct surety_space *s;
	__u64 key = (__u64)mm;

	if (!ret || mm->total_vm)
		return 0;
	t = table_get();
	s = space_find(mm);
	if (!t || !s)
		return 0;
	space_empty(t, s, key);
	space_delete(key);
	return 0;
}

/* Reads the running task's mappings anew: for the calls whose failures, and
 * whose moves of memory that the kernel does not charge, are not seen one by one. */
static __always_inline void space_resync(struct surety_table *t, struct surety_space *s)
{
	struct reading r;
	__s64 before = s->ac + s->nr;

	space_read(bpf_get_current_task_btf(), &r);
	if (r.result || !space_settle(t, s, &r))
		return;
	__sync_fetch_and_add(&t->faults.resynced, 1);
	if (s->ac + s->nr != before)
		__sync_fetch_and_add(&t->faults.corrected, 1);
}

static __always_inline int mremap_end(long ret)
{
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;
	struct surety_space *s = mm ? space_find(mm) : NULL;
	bool failed = (unsigned long)ret > -4096UL;
	struct surety_table *t;

	if (!s)
		return 0;
	if (!s->nr && !s->unmapped_nr && !(failed && s->last && s->last_tid == (__u32)bpf_get_current_pid_tgid()))
		return 0;
	t = table_get();
	if (t)
		space_resync(t, s);
	s->last = s->last_nr = 0;
	s->unmapped_nr = 0;
	return 0;
}

SEC("fexit/__x64_sys_mremap")
int BPF_PROG(on_mremap_end, const struct pt_regs *regs, long ret)
{
	return mremap_end(ret);
}

SEC("fexit/__ia32_sys_mremap")
int BPF_PROG(on_mremap32_end, const struct pt_regs *regs, long ret)
{
	return mremap_end(ret);
}

#endif
