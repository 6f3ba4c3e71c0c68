/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * mark: what the running task is doing where the charge itself does not tell.
 *
 * Set by the hook on the function that asks for the charge, taken away when it
 * returns.  A task that never touches shared memory never has one.
 */
#ifndef SURETY_BPF_MARK_H
#define SURETY_BPF_MARK_H

enum mark_kind {
	MARK_NONE,
	MARK_IGNORE,   /* given back at once, or nobody's */
	MARK_STACK,    /* a stack grows */
	MARK_BLOCKS,   /* an object gets pages */
	MARK_OBJECT,   /* an object is made */
	MARK_RESIZE,   /* a reserved object changes its size */
};

struct mark {
	__u32 kind;
	__u32 group;
	__u32 noreserve; /* MARK_STACK: the growth is of such memory */
	__u64 inode;
	__s64 charged; /* since the mark was set */
	__s64 before;  /* pages that the object has */
	__s64 promised; /* MAP_NORESERVE memory that a mode-2 group charges: mmap is under way */
	__u32 promised_group;
	__u32 promised_shared;
	__u64 told_ns; /* the last refusal of a page: a page is asked for again and again */
	__u64 told_inode;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct mark);
} marks SEC(".maps");

/* Whether a task of this hash ever had one: most have not, and are spared the search. */
static __u8 marked[1 << 16];

static __always_inline __u8 *mark_near(struct task_struct *task)
{
	return &marked[near((__u64)task)];
}

static __always_inline struct mark *mark_get(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return *mark_near(task) ? bpf_task_storage_get(&marks, task, 0, 0) : NULL;
}

static __always_inline struct mark *mark_make(void)
{
	*mark_near(bpf_get_current_task_btf()) = 1;
	return bpf_task_storage_get(&marks, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

static __always_inline void mark_clear(void)
{
	struct mark *m = mark_get();

	if (m)
		m->kind = MARK_NONE;
}

#endif
