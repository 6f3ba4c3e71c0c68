/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * object: shared memory: tmpfs files, memfds, SysV segments, shared anonymous
 * memory.
 *
 * An object is of the group whose process first charged it, whoever fills it
 * later, until its inode is evicted.  Pages that a file had before are nobody's
 * and are taken to be the first ones freed.
 */
#ifndef SURETY_BPF_OBJECT_H
#define SURETY_BPF_OBJECT_H

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, OBJECTS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct surety_object);
} objects SEC(".maps");

static __always_inline struct surety_object *object_find(__u64 inode)
{
	return bpf_map_lookup_elem(&objects, &inode);
}

static __always_inline struct surety_object *object_enter(struct surety_table *t, __u64 inode, __u32 group, __u32 flags,
							  __s64 before)
{
	struct surety_object new = { .inode = inode, .group = group, .flags = flags, .before = before };

	if (bpf_map_update_elem(&objects, &inode, &new, BPF_NOEXIST) < 0 && !object_find(inode)) {
		__sync_fetch_and_add(&t->faults.untracked, 1);
		return NULL;
	}
	return object_find(inode);
}

static __always_inline void group_charge(struct surety_table *t, __u32 group, __s64 pages, const struct requester *who,
					 struct denial *no)
{
	bpf_spin_lock(&t->lock);
	locked_test(t, group, pages, who, no);
	if (!no->group)
		locked_add(t, group, pages, pages);
	bpf_spin_unlock(&t->lock);
}

static __always_inline void group_release(struct surety_table *t, __u32 group, __s64 pages)
{
	bpf_spin_lock(&t->lock);
	locked_add(t, group, -pages, -pages);
	bpf_spin_unlock(&t->lock);
}

static __always_inline void object_charge(struct surety_table *t, struct surety_object *o, __s64 pages,
					  const struct requester *who, struct denial *no)
{
	bpf_spin_lock(&t->lock);
	locked_test(t, o->group, pages, who, no);
	if (!no->group) {
		o->pages += pages;
		locked_add(t, o->group, pages, pages);
	}
	bpf_spin_unlock(&t->lock);
}

static __always_inline void object_release(struct surety_table *t, struct surety_object *o, __s64 pages)
{
	bpf_spin_lock(&t->lock);
	pages = locked_take(t, &o->pages, pages);
	locked_add(t, o->group, -pages, -pages);
	bpf_spin_unlock(&t->lock);
}

/* PAGES of a file are freed: first those that are nobody's. */
static __always_inline void object_free_pages(struct surety_table *t, struct surety_object *o, __s64 pages)
{
	bpf_spin_lock(&t->lock);
	if (o->before >= pages) {
		o->before -= pages;
		pages = 0;
	} else {
		pages -= o->before;
		o->before = 0;
	}
	pages = locked_take(t, &o->pages, pages);
	locked_add(t, o->group, -pages, -pages);
	bpf_spin_unlock(&t->lock);
}

static __always_inline void object_delete(struct surety_table *t, struct surety_object *o, __u64 inode)
{
	bpf_spin_lock(&t->lock);
	if (o->inode == inode) {
		locked_add(t, o->group, -o->pages, -o->pages);
		o->pages = 0;
		o->group = 0;
	}
	bpf_spin_unlock(&t->lock);
	bpf_map_delete_elem(&objects, &inode);
}

#endif
