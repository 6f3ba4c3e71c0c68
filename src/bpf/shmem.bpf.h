/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * shmem: which object a charge of shared memory is for, and what objects give
 * back (mm/shmem.c).
 */
#ifndef SURETY_BPF_SHMEM_H
#define SURETY_BPF_SHMEM_H

static __always_inline struct shmem_inode_info *shmem_info(struct inode *inode)
{
	return (void *)inode - bpf_core_field_offset(struct shmem_inode_info, vfs_inode);
}

/* A file gets pages: written, faulted in, allocated. */
SEC("fentry/shmem_inode_acct_blocks")
int BPF_PROG(on_blocks, struct inode *inode, long pages)
{
	struct surety_table *t = table_get();
	struct surety_object *o = object_find((__u64)inode);
	struct mark *m;
	__u32 group;

	if (!t)
		return 0;
	group = o ? o->group : group_current(t);
	if (!group)
		return 0;
	m = mark_make();
	if (!m)
		return 0;
	m->kind = MARK_BLOCKS;
	m->group = group;
	m->inode = (__u64)inode;
	m->charged = 0;
	m->before = o ? 0 : BPF_CORE_READ(shmem_info(inode), alloced);
	return 0;
}

/* Without room in the filesystem or in a quota the kernel takes its charge back. */
SEC("fexit/shmem_inode_acct_blocks")
int BPF_PROG(on_blocks_end, struct inode *inode, long pages, int ret)
{
	struct mark *m = mark_get();
	struct surety_table *t;
	struct surety_object *o;

	if (!m || m->kind != MARK_BLOCKS)
		return 0;
	m->kind = MARK_NONE;
	if (!ret || !m->charged)
		return 0;
	t = table_get();
	o = object_find((__u64)inode);
	if (t && o)
		object_release(t, o, m->charged);
	return 0;
}

SEC("fentry/shmem_inode_unacct_blocks")
int BPF_PROG(on_blocks_freed, struct inode *inode, long pages)
{
	struct surety_object *o = object_find((__u64)inode);
	struct surety_table *t;

	if (!o || (o->flags & OBJECT_RESERVED))
		return 0;
	t = table_get();
	if (t)
		object_free_pages(t, o, pages);
	return 0;
}

SEC("fentry/shmem_evict_inode")
int BPF_PROG(on_evict, struct inode *inode)
{
	struct surety_object *o = object_find((__u64)inode);
	struct surety_table *t;

	if (!o)
		return 0;
	t = table_get();
	if (t)
		object_delete(t, o, (__u64)inode);
	return 0;
}

/* Shared anonymous memory and SysV segments: charged before there is an inode. */
SEC("fentry/__shmem_file_setup")
int BPF_PROG(on_object)
{
	struct surety_table *t = table_get();
	struct mark *m;
	__u32 group;

	if (!t)
		return 0;
	group = group_current(t);
	if (!group)
		return 0;
	m = mark_make();
	if (!m)
		return 0;
	m->kind = MARK_OBJECT;
	m->group = group;
	m->charged = 0;
	return 0;
}

SEC("fexit/__shmem_file_setup")
int BPF_PROG(on_object_end, void *mnt, const char *name, long long size, unsigned long flags, unsigned int i_flags,
	     struct file *ret)
{
	struct mark *m = mark_get();
	struct surety_table *t = table_get();
	bool failed = (unsigned long)ret > -4096UL;
	struct surety_object *o;
	__s64 pages;
	__u32 own = 0;

	if (!m || m->kind != MARK_OBJECT || !t)
		return 0;
	m->kind = MARK_NONE;
	pages = m->charged;
	if (!pages && m->promised && m->promised_shared && (flags & VM_NORESERVE)) {
		pages = m->promised;
		m->promised = 0;
		own = OBJECT_OURS;
	}
	if (!pages)
		return 0;
	o = failed ? NULL : object_enter(t, (__u64)BPF_CORE_READ(ret, f_inode), m->group, OBJECT_RESERVED | own, 0);
	if (o)
		o->pages = pages;
	else
		group_release(t, m->group, pages);
	return 0;
}

/* truncate of an object that is charged by its size. */
SEC("fentry/shmem_setattr")
int BPF_PROG(on_setattr, void *idmap, struct dentry *dentry, struct iattr *attr)
{
	__u64 inode = (__u64)dentry->d_inode;
	struct surety_object *o;
	struct mark *m;

	if (!(attr->ia_valid & ATTR_SIZE))
		return 0;
	o = object_find(inode);
	if (o && !(o->flags & OBJECT_RESERVED))
		return 0;
	m = mark_make();
	if (!m)
		return 0;
	m->kind = o ? MARK_RESIZE : MARK_IGNORE;
	m->inode = inode;
	return 0;
}

SEC("fexit/shmem_setattr")
int BPF_PROG(on_setattr_end, void *idmap, struct dentry *dentry, struct iattr *attr, int ret)
{
	struct mark *m = mark_get();
	struct surety_table *t = table_get();
	struct surety_object *o;
	__s64 pages;

	if (!m || (m->kind != MARK_RESIZE && m->kind != MARK_IGNORE))
		return 0;
	o = m->kind == MARK_RESIZE ? object_find(m->inode) : NULL;
	m->kind = MARK_NONE;
	if (!o || !t || (o->flags & OBJECT_OURS))
		return 0;
	pages = (dentry->d_inode->i_size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	if (o->pages > pages)
		object_release(t, o, o->pages - pages);
	return 0;
}

#endif
