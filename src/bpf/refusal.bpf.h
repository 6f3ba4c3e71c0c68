/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * refusal: what is told of a denied charge: the caller's registers and as much
 * of its stack as is present.  Unwinding is done by surety-report.
 *
 * It never delays a granted charge.  A full ring is counted, not waited for.
 */
#ifndef SURETY_BPF_REFUSAL_H
#define SURETY_BPF_REFUSAL_H

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EVENTS_BYTES);
} events SEC(".maps");

static __always_inline void copy_regs(struct surety_refusal *r, const struct pt_regs *regs)
{
	r->compat = regs->cs == 0x23; /* __USER32_CS */
	r->syscall_nr = (__s64)regs->orig_ax;
	r->sp = regs->sp;
	r->pc = regs->ip;
	if (r->compat) {
		r->args[0] = regs->bx;
		r->args[1] = regs->cx;
		r->args[2] = regs->dx;
		r->args[3] = regs->si;
		r->args[4] = regs->di;
		r->args[5] = regs->bp;
		r->regs[0] = regs->ax;
		r->regs[1] = regs->cx;
		r->regs[2] = regs->dx;
		r->regs[3] = regs->bx;
		r->regs[4] = regs->sp;
		r->regs[5] = regs->bp;
		r->regs[6] = regs->si;
		r->regs[7] = regs->di;
		r->regs[8] = regs->ip;
		return;
	}
	r->args[0] = regs->di;
	r->args[1] = regs->si;
	r->args[2] = regs->dx;
	r->args[3] = regs->r10;
	r->args[4] = regs->r8;
	r->args[5] = regs->r9;
	r->regs[0] = regs->ax;
	r->regs[1] = regs->dx;
	r->regs[2] = regs->cx;
	r->regs[3] = regs->bx;
	r->regs[4] = regs->si;
	r->regs[5] = regs->di;
	r->regs[6] = regs->bp;
	r->regs[7] = regs->sp;
	r->regs[8] = regs->r8;
	r->regs[9] = regs->r9;
	r->regs[10] = regs->r10;
	r->regs[11] = regs->r11;
	r->regs[12] = regs->r12;
	r->regs[13] = regs->r13;
	r->regs[14] = regs->r14;
	r->regs[15] = regs->r15;
	r->regs[16] = regs->ip;
}

/* Whole pages until one is missing; the first from where SP stands. */
static __always_inline __u32 copy_stack(struct surety_event *e, __u64 sp)
{
	__u32 len = 0;
	__u32 first = PAGE_SIZE - (sp & (PAGE_SIZE - 1));

	if (bpf_probe_read_user(e->stack, first & (2 * PAGE_SIZE - 1), (void *)sp) < 0)
		return 0;
	len = first;
	for (int i = 0; i < STACK_COPY / (int)PAGE_SIZE - 1; i++) {
		if (len > STACK_COPY - PAGE_SIZE)
			break;
		if (bpf_probe_read_user(e->stack + len, PAGE_SIZE, (void *)(sp + len)) < 0)
			break;
		len += PAGE_SIZE;
	}
	return len;
}

static __always_inline void refusal_tell(struct surety_table *t, const struct denial *no, enum refusal_kind kind,
					 __s64 request)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct surety_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	struct surety_refusal *r;
	__u64 id;

	if (!e) {
		__sync_fetch_and_add(&t->faults.lost_events, 1);
		return;
	}
	r = &e->refusal;
	id = bpf_get_current_pid_tgid();
	r->time_ns = bpf_ktime_get_ns();
	r->sequence = __sync_fetch_and_add(&t->sequence, 1) + 1;
	r->cgroup_id = no->cgroup_id;
	r->group = no->group;
	r->kind = kind;
	r->pid = id >> 32;
	r->tid = (__u32)id;
	r->mode = no->mode;
	r->request = request;
	r->committed = no->committed;
	r->limit = no->limit;
	r->allowed = no->allowed;
	r->reserved = 0;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	copy_regs(r, (struct pt_regs *)bpf_task_pt_regs(task));
	r->stack_len = copy_stack(e, r->sp);
	bpf_ringbuf_submit(e, 0);
}

#endif
