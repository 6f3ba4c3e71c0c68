/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * kern: as much of the kernel's types as the programs look at.  CO-RE finds the
 * members by name in the running kernel: order and what is left out mean nothing.
 */
#ifndef SURETY_BPF_KERN_H
#define SURETY_BPF_KERN_H

struct bpf_map;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[];
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct user_namespace {
	int level; /* 0: the initial one */
};

struct kernel_cap {
	__u64 val; /* KERNEL < 6.3: two words of 32 bits */
};

struct cred {
	struct kernel_cap cap_effective;
	struct user_namespace *user_ns;
};

struct mm_struct {
	unsigned long total_vm;
	unsigned long start_stack;
	struct task_struct *owner;
	int mm_lock_seq;
};

/* Debian's 6.12.117 and Linux 6.14: odd while the lock is held for writing. */
struct seqcount {
	unsigned int sequence;
};

struct mm_struct___counted {
	struct seqcount mm_lock_seq;
};

struct task_struct {
	int pid, tgid;
	unsigned int flags;
	unsigned int in_execve : 1;
	struct mm_struct *mm;
	struct task_struct *group_leader;
	struct css_set *cgroups;
	const struct cred *cred;
	char comm[16];
};

struct anon_vma;
struct vm_operations_struct;

struct vm_area_struct {
	unsigned long vm_start, vm_end;
	struct mm_struct *vm_mm;
	unsigned long vm_flags;
	struct anon_vma *anon_vma;
	const struct vm_operations_struct *vm_ops;
};

struct vma_munmap_struct {
	unsigned long nr_accounted;
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
	unsigned int i_rdev;
	long long i_size;
};

struct shmem_inode_info {
	unsigned long alloced;
	struct inode vfs_inode;
};

struct file {
	struct inode *f_inode;
	unsigned int f_mode;
};

struct dentry {
	struct inode *d_inode;
};

struct iattr {
	unsigned int ia_valid;
};

struct pt_regs {
	unsigned long r15, r14, r13, r12;
	unsigned long bp, bx;
	unsigned long r11, r10, r9, r8;
	unsigned long ax, cx, dx, si, di;
	unsigned long orig_ax, ip;
	unsigned short cs;
	unsigned long flags, sp;
};

#pragma clang attribute pop

/* An open iterator over the mappings of a task; Linux 6.7. */
struct bpf_iter_task_vma {
	__u64 __opaque[1];
} __attribute__((aligned(8)));

extern int bpf_iter_task_vma_new(struct bpf_iter_task_vma *it, struct task_struct *task, __u64 addr) __ksym;
extern struct vm_area_struct *bpf_iter_task_vma_next(struct bpf_iter_task_vma *it) __ksym;
extern void bpf_iter_task_vma_destroy(struct bpf_iter_task_vma *it) __ksym;
extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

/* include/linux/mm.h; the same in every kernel from 6.12 on. */
#define VM_WRITE 0x00000002UL
#define VM_SHARED 0x00000008UL
#define VM_ACCOUNT 0x00100000UL
#define VM_NORESERVE 0x00200000UL
#define VM_HUGETLB 0x00400000UL
#define VM_DROPPABLE (1UL << 40)

#define PROT_WRITE 2
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_SHARED_VALIDATE 3
#define MAP_TYPE 15
#define MAP_NORESERVE 0x4000
#define MAP_HUGETLB 0x40000
#define HUGETLBFS_MAGIC 0x958458f6
#define ATTR_SIZE (1 << 3)

/* Linux 6.2; newer than the headers that this builds with. */
#define BPF_MAP_TYPE_CGRP_STORAGE 32

#define EPERM 1
#define ENOENT 2
#define ESRCH 3
#define EAGAIN 11
#define ENOMEM 12
#define EINVAL 22

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096UL
#define CAP_SYS_ADMIN 21
#define OVERCOMMIT_GUESS 0
#define OVERCOMMIT_ALWAYS 1
#define OVERCOMMIT_NEVER 2

#endif
