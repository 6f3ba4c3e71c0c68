/* SPDX-License-Identifier: MIT
 *
 * look: see the header.
 *
 * Decides who is looked at and in which order: first all processes by their
 * status, then, of those that are wanted, what costs more.
 */
#include "look/look.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "look/scan.h"
#include "sys/cgroupfs.h"
#include "sys/mountinfo.h"
#include "sys/procfs.h"
#include "sys/smaps.h"

struct scanning {
	struct look *l;
	const struct look_want *want;
};

uint64_t scan_stack_pages(pid_t pid)
{
	uint64_t limit = task_stack_rlimit(pid);

	/* nptl: ARCH_STACK_DEFAULT_SIZE where there is no limit */
	return (limit > (uint64_t)LONG_MAX ? UINT64_C(2) << 20 : limit) >> PAGE_SHIFT;
}

void scan_counters(const struct task_status *st, pid_t pid, struct look_process *ret)
{
	uint64_t rent = 0;

	*ret = (struct look_process){
		.pid = pid,
		.ppid = st->ppid,
		.space_of = pid,
		.uid = st->uid,
		.threads = st->threads,
		.committed = st->data,
		.used = st->anon + st->swap,
		.size = st->size,
	};
	memcpy(ret->comm, st->comm, sizeof(ret->comm));
	if (st->threads > 1 && __builtin_mul_overflow(scan_stack_pages(pid), (uint64_t)st->threads - 1, &rent))
		rent = UINT64_MAX;
	ret->stacks = rent < st->data ? rent : st->data;
}

static void add_names(struct scanning *s, struct look_process *p)
{
	char text[PATH_MAX];

	if ((s->want->cgroups || s->want->cgroup) && cgroupfs_path("", p->pid, text, sizeof(text)) == 0)
		p->cgroup = names_add(&s->l->names, text);
	if (s->want->exes) {
		task_exe(p->pid, text, sizeof(text));
		if (text[0])
			p->exe = names_add(&s->l->names, text);
	}
}

static bool in_cgroup(const char *path, const char *wanted)
{
	size_t len = strlen(wanted);

	while (len && wanted[len - 1] == '/')
		len--;
	return !strncmp(path, wanted, len) && (path[len] == '/' || path[len] == '\0');
}

static int add_process(void *ctx, pid_t pid)
{
	struct scanning *s = ctx;
	struct look *l = s->l;
	struct task_status st;
	int r = task_status_read("/proc", pid, &st);

	if (r) {
		l->missing.processes += r != -ENOENT && r != -ESRCH;
		return 0;
	}
	if (!st.has_space && !s->want->subtree)
		return 0; /* a kernel thread, or a zombie: holds nothing */
	if (l->nr == l->room) {
		struct look_process *more = realloc(l->process, (l->room + 256) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->process = more;
		l->room += 256;
	}
	scan_counters(&st, pid, &l->process[l->nr++]);
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct look_process *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static const struct look_process *find(const struct look *l, pid_t pid)
{
	const struct look_process key = { .pid = pid };

	return l->nr ? bsearch(&key, l->process, l->nr, sizeof(key), by_pid) : NULL;
}

/* A chain of parents may change while it is read, and then hold a circle. */
static bool descends(const struct look *l, const struct look_process *p, pid_t root)
{
	for (size_t steps = 0; p && steps <= l->nr; steps++) {
		if (p->pid == root)
			return true;
		p = p->ppid ? find(l, p->ppid) : NULL;
	}
	return false;
}

/* Keeps what is wanted, in order of pid. */
static int choose(struct scanning *s)
{
	struct look *l = s->l;
	bool *keep = calloc(l->nr + 1, sizeof(bool));
	size_t kept = 0;

	if (!keep)
		return -ENOMEM;
	for (size_t i = 0; i < l->nr; i++) {
		struct look_process *p = &l->process[i];

		keep[i] = p->size && (!s->want->subtree || descends(l, p, s->want->subtree)) &&
			  (!s->want->by_user || p->uid == s->want->uid);
		if (keep[i])
			add_names(s, p);
		if (keep[i] && s->want->cgroup)
			keep[i] = in_cgroup(names_text(&l->names, p->cgroup), s->want->cgroup);
	}
	for (size_t i = 0; i < l->nr; i++)
		if (keep[i])
			l->process[kept++] = l->process[i];
	l->nr = kept;
	free(keep);
	return 0;
}

struct maps_reading {
	struct look_process *p;
	struct objects *objects;
};

static int take_map(void *ctx, const struct vma *vma, const char *name)
{
	struct maps_reading *reading = ctx;

	objects_mapping(reading->objects, reading->p, vma, name);
	return 0;
}

/* Counters that promise more than a quarter of RAM beyond what is there are
 * mostly MAP_NORESERVE, which they cannot tell: such a process is counted. */
static bool is_doubtful(const struct look *l, const struct look_process *p)
{
	return look_unused(p->committed, p->used) > (l->before.ram_bytes >> PAGE_SHIFT) / 4;
}

/* False: the process is gone. */
static bool read_space(struct scanning *s, struct look_process *p, struct objects *objects)
{
	const struct scan_space see = { objects_mapping, objects };
	struct maps_reading reading = { p, objects };
	bool counts = p->space_of == p->pid, exact = s->want->exact || is_doubtful(s->l, p);
	int r = 0;

	if (counts && exact) {
		r = scan_exact(p, objects ? &see : NULL);
		s->l->missing.smaps += s->want->exact && r < 0 && r != -ENOENT && r != -ESRCH;
		s->l->missing.moving += s->want->exact && (p->flags & LOOK_MOVING) != 0;
	} else if (counts && objects) {
		r = maps_walk("/proc", p->pid, take_map, &reading);
		if (r < 0 && r != -ENOENT && r != -ESRCH)
			s->l->missing.files++;
	}
	if (r == -ENOENT || r == -ESRCH)
		return false;
	if (objects)
		objects_process(objects, p);
	return true;
}

/* One that has ended leaves the row of its address space to the next user.  False:
 * there is none. */
static bool hand_over(struct look *l, size_t from)
{
	pid_t gone = l->process[from].pid, heir = 0;

	for (size_t i = from + 1; i < l->nr; i++) {
		if (l->process[i].space_of != gone)
			continue;
		heir = heir ? heir : l->process[i].pid;
		l->process[i].space_of = heir;
	}
	return heir != 0;
}

static int read_all(struct scanning *s)
{
	struct objects *objects = s->want->objects ? objects_new(s->l) : NULL;
	struct look *l = s->l;
	size_t kept = 0;

	if (s->want->objects && !objects)
		return -ENOMEM;
	for (size_t i = 0; i < l->nr; i++) {
		if (read_space(s, &l->process[i], objects))
			l->process[kept++] = l->process[i];
		else if (l->process[i].space_of == l->process[i].pid && !hand_over(l, i))
			l->nr_spaces--;
	}
	l->nr = kept;
	return objects ? objects_finish(objects) : 0;
}

/* How much of the host we are shown. */
static void find_blinds(struct look *l)
{
	autofclose FILE *f = fopen("/proc/self/mountinfo", "re");
	autofree char *line = NULL;
	char target[64];
	size_t size = 0;
	ssize_t n = readlink("/proc/self/ns/pid", target, sizeof(target) - 1);

	target[n < 0 ? 0 : n] = '\0';
	/* include/linux/proc_ns.h PROC_PID_INIT_INO */
	l->missing.namespace = n > 0 && strcmp(target, "pid:[4026531836]") != 0;
	while (f && getline(&line, &size, f) > 0) {
		struct mount mount;

		if (mountinfo_split(line, &mount) && !strcmp(mount.fstype, "proc") && !strcmp(mount.point, "/proc"))
			l->missing.hidden = strstr(mount.super, "hidepid=") && !strstr(mount.super, "hidepid=0") &&
					    !strstr(mount.super, "hidepid=off") && geteuid() != 0;
	}
}

int look_scan(struct look *ret, const struct look_want *want)
{
	struct scanning s = { ret, want };
	int r;

	memset(ret, 0, sizeof(*ret));
	r = meminfo_read("/proc", &ret->before);
	if (!r)
		r = meminfo_limit("/proc", &ret->before, &ret->host);
	if (!r)
		r = process_list(add_process, &s);
	if (r)
		return r;
	find_blinds(ret);
	if (ret->nr)
		qsort(ret->process, ret->nr, sizeof(*ret->process), by_pid);
	if (want->subtree && !find(ret, want->subtree))
		return -ESRCH;
	r = choose(&s);
	if (r)
		return r;
	scan_share(ret);
	r = read_all(&s);
	if (!r)
		r = meminfo_read("/proc", &ret->after);
	return r;
}

void look_free(struct look *l)
{
	free(l->process);
	free(l->object);
	names_free(&l->names);
	memset(l, 0, sizeof(*l));
}
