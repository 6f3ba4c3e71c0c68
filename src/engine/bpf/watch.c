/* SPDX-License-Identifier: MIT
 *
 * watch: refusals out of the ring, as the facts and the stack that a report is
 * made of.
 *
 * The stack was copied by the kernel at the refusal; the mappings are read here,
 * as soon as it is told: of a process that has ended by then the report has no
 * stack.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "engine/bpf/pins.h"
#include "sys/clock.h"
#include "sys/procfs.h"

enum { MAPS_MAX = 8 << 20 };

struct groups_watch {
	struct groups *g;
	uint64_t only;
	const struct engine_events *events;
	struct ring_buffer *ring;
	char *maps;
};

static enum operation call_operation(const struct surety_refusal *r)
{
	static const struct {
		int wide, narrow;
		enum operation op;
	} calls[] = {
		{ SYS_mmap, 192, OP_MMAP },	  { -1, 90, OP_MMAP },	       { SYS_brk, 45, OP_BRK },
		{ SYS_mprotect, 125, OP_MPROTECT }, { SYS_pkey_mprotect, 380, OP_MPROTECT },
		{ SYS_mremap, 163, OP_MREMAP },	  { SYS_shmget, 395, OP_SHMGET },
	};

	switch (r->kind) {
	case REFUSED_FORK: return OP_FORK;
	case REFUSED_EXEC: return OP_EXEC;
	default: break;
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (r->syscall_nr >= 0 && r->syscall_nr == (r->compat ? calls[i].narrow : calls[i].wide))
			return calls[i].op;
	return r->kind == REFUSED_SHMEM ? OP_SHMEM : OP_STACK;
}

static enum rule rule_of(const struct surety_refusal *r, enum operation op)
{
	switch (op) {
	case OP_BRK: return RULE_BRK_GROW;
	case OP_MPROTECT: return RULE_MPROTECT_WRITE;
	case OP_MREMAP: return RULE_MREMAP_GROW;
	case OP_FORK: return RULE_FORK;
	case OP_EXEC: return RULE_EXEC_STACK;
	case OP_SHMGET: return RULE_SHMGET;
	case OP_SHMEM: return RULE_SHMEM_PAGES;
	case OP_STACK: return RULE_STACK;
	default: return r->kind == REFUSED_SHMEM ? RULE_SHARED_ANON : RULE_PRIVATE_ANON;
	}
}

static int error_of(const struct surety_refusal *r, enum operation op)
{
	if (op == OP_SHMEM && r->syscall_nr >= 0)
		return ENOSPC;
	return op == OP_SHMEM || op == OP_STACK ? EFAULT : ENOMEM;
}

static void add_holder(struct refusal *r, pid_t pid, uint64_t pages)
{
	struct refusal_holder row = { .pid = pid, .bytes = pages_to_bytes(pages) };
	uint32_t at = r->nr_holders;

	while (at > 0 && r->holders[at - 1].bytes < row.bytes)
		at--;
	if (at == REFUSAL_HOLDERS || pages == 0)
		return;
	if (r->nr_holders < REFUSAL_HOLDERS)
		r->nr_holders++;
	memmove(&r->holders[at + 1], &r->holders[at], (r->nr_holders - at - 1) * sizeof(row));
	r->holders[at] = row;
}

static bool below(const struct surety_table *t, uint32_t group, uint32_t top)
{
	for (int i = 0; i < GROUPS_DEPTH && group; i++, group = t->group[group & (GROUPS_MAX - 1)].parent)
		if (group == top)
			return true;
	return false;
}

static void find_holders(const struct groups_watch *w, const struct surety_table *t, uint32_t group, struct refusal *r)
{
	uint64_t key = 0, next;
	bool first = true;

	while (bpf_map_get_next_key(w->g->spaces, first ? NULL : &key, &next) == 0) {
		struct surety_space s;

		first = false;
		key = next;
		if (bpf_map_lookup_elem(w->g->spaces, &key, &s) == 0 && below(t, s.group, group))
			add_holder(r, (pid_t)s.pid, (uint64_t)(s.ac + s.nr));
	}
	add_holder(r, 0, (uint64_t)t->group[group & (GROUPS_MAX - 1)].objects);
	for (uint32_t i = 0; i < r->nr_holders; i++)
		if (r->holders[i].pid)
			task_comm(r->holders[i].pid, r->holders[i].comm, sizeof(r->holders[i].comm));
}

struct naming {
	uint64_t id;
	size_t skip;
	char *buf;
	size_t size;
};

static int name_cgroup(void *ctx, const char *path, uint64_t id)
{
	struct naming *n = ctx;
	size_t len = strlen(path + n->skip);

	if (id != n->id)
		return 0;
	/* The end of a long path tells more than its beginning. */
	snprintf(n->buf, n->size, "%s", len < n->size ? path + n->skip : path + n->skip + len - n->size + 1);
	return 1;
}

static void describe(const struct groups_watch *w, const struct surety_refusal *from, struct refusal *r)
{
	autofree struct surety_table *t = pins_table(w->g, NULL);
	char mount[4096];
	struct naming name = { from->cgroup_id, 0, r->group, sizeof(r->group) };

	memset(r, 0, sizeof(*r));
	cgroup_mount(mount, sizeof(mount));
	name.skip = strlen(mount);
	snprintf(r->group, sizeof(r->group), "removed cgroup");
	(void)cgroup_walk(mount, name_cgroup, &name);
	r->time_ns = clock_ns(CLOCK_REALTIME) - (clock_ns(CLOCK_MONOTONIC) - from->time_ns);
	snprintf(r->engine, sizeof(r->engine), "bpf");
	r->mode = (enum overcommit)from->mode;
	r->pid = (pid_t)from->pid;
	r->tid = (pid_t)from->tid;
	memcpy(r->comm, from->comm, sizeof(r->comm) - 1);
	task_exe(r->pid, r->exe, sizeof(r->exe));
	r->op = call_operation(from);
	r->arch = from->compat ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
	r->syscall_nr = (int32_t)from->syscall_nr;
	memcpy(r->args, from->args, sizeof(r->args));
	r->request_bytes = pages_to_bytes(from->request);
	r->committed_bytes = pages_to_bytes((uint64_t)from->committed);
	r->limit_bytes = pages_to_bytes(from->limit);
	r->allowed_bytes = pages_to_bytes(from->allowed);
	r->verdict = from->mode == OVERCOMMIT_NEVER ? VERDICT_OVER_LIMIT : VERDICT_OBVIOUS;
	r->rule = rule_of(from, r->op);
	r->error = error_of(from, r->op);
	r->sequence = from->sequence;
	if (t)
		find_holders(w, t, from->group, r);
}

static size_t read_maps(pid_t pid, char *buf)
{
	char path[64];
	autoclose int fd = -1;
	size_t len = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && len < MAPS_MAX && (n = read(fd, buf + len, MAPS_MAX - len)) > 0)
		len += (size_t)n;
	return len;
}

static int take_event(void *ctx, void *data, size_t size)
{
	struct groups_watch *w = ctx;
	const struct surety_event *e = data;
	const struct surety_refusal *from = &e->refusal;
	struct capture cap = { .full_regs = 1 };
	struct refusal r;

	if (size < sizeof(*e) || (w->only && from->cgroup_id != w->only))
		return 0;
	cap.maps = w->maps;
	cap.maps_len = read_maps((pid_t)from->tid, w->maps); /* first: it may be about to end */
	cap.compat = (int)from->compat;
	memcpy(cap.regs, from->regs, sizeof(cap.regs));
	cap.sp = from->sp;
	cap.pc = from->pc;
	cap.stack = e->stack;
	cap.stack_len = from->stack_len <= STACK_COPY ? from->stack_len : 0;
	describe(w, from, &r);
	w->events->refused(w->events->ctx, &r, cap.maps_len ? &cap : NULL);
	return 0;
}

int groups_watch_open(struct groups_watch **ret, struct groups *g, uint64_t only, const struct engine_events *events,
		      struct err *err)
{
	struct groups_watch *w = calloc(1, sizeof(*w));

	if (w) {
		*w = (struct groups_watch){ .g = g, .only = only, .events = events, .maps = malloc(MAPS_MAX) };
		w->ring = w->maps ? ring_buffer__new(g->events, take_event, w, NULL) : NULL;
	}
	if (!w || !w->ring) {
		err_set(err, EXIT_SURETY, "cannot read '" PINS_DIR "/events': %s (try again)", strerror(w ? errno : ENOMEM));
		groups_watch_close(w);
		return -1;
	}
	*ret = w;
	return 0;
}

int groups_watch_fd(const struct groups_watch *w)
{
	return ring_buffer__epoll_fd(w->ring);
}

int groups_watch_dispatch(struct groups_watch *w)
{
	return ring_buffer__consume(w->ring);
}

void groups_watch_close(struct groups_watch *w)
{
	if (!w)
		return;
	ring_buffer__free(w->ring);
	free(w->maps);
	free(w);
}
