/* SPDX-License-Identifier: MIT
 *
 * exact: predicts each refusal before it happens, thousands of times.
 *
 *   exact SEED OPERATIONS LIMIT_MIB
 *
 * One process, alone in its group but for children that only wait.  Before
 * every call it reads the kernel's own figures (count.h), works out what the
 * call must be charged and whether that fits, makes the call, and holds the
 * outcome against the prediction both ways: what fits must be granted, what
 * does not must be refused, a refused call must leave the mappings as they
 * were, and a granted one must have moved the count by its charge.
 *
 * Rests on: admission is strict (committed + request < limit); the charge is
 * net of what MAP_FIXED replaces (6.12); a request of 0 is always granted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>

#include "check.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define ARENA 0x100000000000UL
#define ARENA_END (ARENA + 64 * GIB)

enum { OBJECTS = 64, CHILDREN = 3, SEGMENTS = 4, VMAS_MANY = 300, RECENT = 12 };

static struct count_map map, was;
static unsigned long limit;
static uint64_t state;
static int zero_fd, file_fd, memory_fd;
static pid_t child[CHILDREN];
static unsigned long child_bytes[CHILDREN];
static int segment[SEGMENTS];
static unsigned long segment_bytes[SEGMENTS];
static unsigned long first_break;
static struct {
	long granted, refused, edge, done;
} tally;

/* What is about to be asked for, and what must come of it. */
struct plan {
	const char *name;
	unsigned long charge;
	int exact;   /* granted: the count moves by CHARGE, no more and no less */
	int no_room; /* errno of a refusal other than ENOMEM is right as well */
	unsigned long at, len; /* where, for the trace of a failure */
};

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dULL >> 16;
}

static unsigned long below(unsigned long n)
{
	return n ? rnd() % n : 0;
}

/* Shared anonymous objects by the inode in smaps; each is mapped whole here. */
static unsigned long objects(void)
{
	unsigned long seen[OBJECTS], sum = 0;
	int i, j, nr = 0;

	for (i = 0; i < map.nr; i++) {
		struct count_vma *v = &map.vma[i];
		char path[64];
		struct stat st;

		if (!v->shared || strncmp(v->name, "/dev/zero", 9))
			continue;
		for (j = 0; j < nr && seen[j] != v->ino; j++)
			;
		if (j < nr || nr == OBJECTS)
			continue;
		seen[nr++] = v->ino;
		snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", v->start, v->end);
		if (stat(path, &st)) {
			check(0, "map_files can be read: %s", strerror(errno));
			_exit(3);
		}
		sum += (st.st_size + PAGE - 1) / PAGE * PAGE;
	}
	return sum;
}

static unsigned long memory_bytes(void)
{
	struct stat st;

	fstat(memory_fd, &st);
	return (unsigned long)st.st_blocks * 512;
}

/* The group's Committed_AS, from the kernel's figures. */
static unsigned long committed(void)
{
	unsigned long sum;
	int i;

	if (count_read("/proc/self/smaps", &map)) {
		check(0, "smaps can be read (%d mappings)", map.nr);
		_exit(3);
	}
	sum = count_space(&map) + objects() + memory_bytes();
	for (i = 0; i < CHILDREN; i++)
		sum += child_bytes[i];
	for (i = 0; i < SEGMENTS; i++)
		sum += segment_bytes[i];
	return sum;
}

static unsigned long held; /* committed(), as it was before the call under way */

static unsigned long room(void)
{
	return held + PAGE >= limit ? 0 : limit - held - PAGE;
}

/* A size that is likely to sit on the edge of what fits. */
static unsigned long size(void)
{
	unsigned long edge = room();

	switch (below(10)) {
	case 0:
	case 1:
		return edge ? edge : PAGE;
	case 2:
	case 3:
		return edge + PAGE;
	case 4:
		return edge > PAGE ? edge - PAGE : PAGE;
	case 5:
		return edge / 2 / PAGE * PAGE + PAGE;
	case 6:
		return edge + below(512) * PAGE + PAGE;
	case 7:
		return limit + below(1024) * PAGE;
	default:
		return (1 + below(256)) * PAGE;
	}
}

/* A free place of LEN bytes in the arena with a page free on both sides, or 0. */
static unsigned long gap(unsigned long len)
{
	unsigned long at = ARENA + below(60 * GIB / PAGE) * PAGE;
	int i;

	for (i = 0; i < map.nr; i++)
		if (map.vma[i].start <= at + len + MIB && at < map.vma[i].end + MIB)
			return 0;
	return at + len + MIB < ARENA_END ? at : 0;
}

static struct count_vma *pick(void)
{
	int i, nr = 0, n;

	for (i = 0; i < map.nr; i++)
		nr += map.vma[i].start >= ARENA && map.vma[i].end <= ARENA_END;
	if (!nr)
		return NULL;
	n = (int)below(nr);
	for (i = 0; i < map.nr; i++)
		if (map.vma[i].start >= ARENA && map.vma[i].end <= ARENA_END && n-- == 0)
			return &map.vma[i];
	return NULL;
}

/* A piece of one mapping of the arena. */
static struct count_vma *piece(unsigned long *ret_start, unsigned long *ret_len)
{
	struct count_vma *v = pick();
	unsigned long pages, a, b;

	if (!v)
		return NULL;
	pages = (v->end - v->start) / PAGE;
	a = below(3) ? 0 : below(pages);
	b = below(3) ? pages : a + 1 + below(pages - a);
	*ret_start = v->start + a * PAGE;
	*ret_len = (b - a) * PAGE;
	return v;
}

static int same_map(void)
{
	int i;

	if (map.nr != was.nr)
		return 0;
	for (i = 0; i < map.nr; i++) {
		const struct count_vma *a = &map.vma[i], *b = &was.vma[i];

		if (a->start != b->start || a->end != b->end || a->w != b->w || a->r != b->r || a->ac != b->ac)
			return 0;
	}
	return 1;
}

/* What led to a failure: the calls before it, and the mappings that it was about. */
static struct {
	struct plan plan;
	unsigned long before;
	long ret;
} recent[RECENT];

static void trace(const struct plan *plan)
{
	long i;

	for (i = tally.done > RECENT ? tally.done - RECENT : 0; i < tally.done; i++)
		check(0, "  operation %ld: %s of %lu kB over %lu kB: %ld", i + 1, recent[i % RECENT].plan.name,
		      recent[i % RECENT].plan.charge / KIB, recent[i % RECENT].before / KIB, recent[i % RECENT].ret);

	for (i = 0; plan->len && i < was.nr; i++) {
		const struct count_vma *v = &was.vma[i];

		if (v->start < plan->at + plan->len && plan->at < v->end)
			check(0, "  [%lx, %lx) over %lx-%lx %c%c%c%s%s anonymous %lu kB %s", plan->at, plan->at + plan->len,
			      v->start, v->end, v->r ? 'r' : '-', v->w ? 'w' : '-', v->shared ? 's' : 'p',
			      v->ac ? " ac" : "", v->nr ? " nr" : "", v->anonymous / KIB, v->name);
	}
}

/* Holds what came of a call against what had to. */
static void outcome(const struct plan *plan, long ret)
{
	int fits = plan->charge == 0 || held + plan->charge < limit, failed = check_failed;
	int denied = ret == -ENOMEM || (plan->no_room && (ret == -ENOSPC || ret == -EFBIG));
	unsigned long before = held, now;

	recent[tally.done % RECENT].plan = *plan;
	recent[tally.done % RECENT].before = held;
	recent[tally.done % RECENT].ret = ret;
	tally.done++;
	if (plan->charge == room() || plan->charge == room() + PAGE)
		tally.edge++;
	memcpy(&was, &map, sizeof(map));
	now = committed();
	held = now;
	if (fits != !denied)
		check(0, "operation %ld, %s of %lu kB over %lu of %lu kB: must be %s, got %ld", tally.done, plan->name,
		      plan->charge / KIB, before / KIB, limit / KIB, fits ? "granted" : "refused", ret);
	if (now >= limit)
		check(0, "operation %ld, %s: %lu kB committed of %lu", tally.done, plan->name, now / KIB, limit / KIB);
	if (denied) {
		tally.refused++;
		if (!same_map() || now != before)
			check(0, "operation %ld, refused %s of %lu kB: the mappings changed", tally.done, plan->name,
			      plan->charge / KIB);
	} else {
		tally.granted++;
		if (raw_failed(ret))
			check(0, "operation %ld, %s of %lu kB: error %ld", tally.done, plan->name, plan->charge / KIB,
			      ret);
		else if (plan->exact && now != before + plan->charge)
			check(0, "operation %ld, %s of %lu kB moved the count by %ld kB", tally.done, plan->name,
			      plan->charge / KIB, ((long)now - (long)before) / (long)KIB);
	}
	if (check_failed && !failed) {
		trace(plan);
		hold("failed");
	}
}

static void op_map_private(void)
{
	static const struct {
		const char *name;
		int flags;
	} kinds[] = {
		{ "mmap", ANON },
		{ "mmap NORESERVE", ANON | MAP_NORESERVE },
		{ "mmap GROWSDOWN", ANON | MAP_GROWSDOWN },
		{ "mmap /dev/zero", MAP_PRIVATE },
		{ "mmap of a file", MAP_PRIVATE },
	};
	int kind = (int)below(5);
	struct plan plan = { kinds[kind].name, size(), 1, 0, 0, 0 };
	unsigned long at = gap(plan.charge);

	if (at)
		outcome(&plan, raw6(SYS_mmap, at, plan.charge, RW, kinds[kind].flags | MAP_FIXED_NOREPLACE,
				    kind == 3 ? zero_fd : file_fd, 0));
}

static void op_map_shared(void)
{
	struct plan plan = { "mmap shared", size(), 1, 0, 0, 0 };
	unsigned long at = gap(plan.charge);
	int flags = MAP_SHARED | MAP_FIXED_NOREPLACE, fd = zero_fd;

	if (!at || objects() / PAGE > limit)
		return;
	if (below(2)) {
		flags |= MAP_ANONYMOUS;
		fd = -1;
	}
	if (below(3) == 0)
		flags |= MAP_NORESERVE;
	outcome(&plan, raw6(SYS_mmap, at, plan.charge, below(3) ? RW : PROT_NONE, flags, fd, 0));
}

static void op_map_free(void)
{
	struct plan plan = { "mmap that is free", 0, 1, 0, 0, 0 };
	unsigned long len = (1 + below(2 * limit / PAGE)) * PAGE, at = gap(len);
	int prot = below(2) ? PROT_NONE : PROT_READ;

	if (at)
		outcome(&plan, raw6(SYS_mmap, at, len, prot, ANON | MAP_FIXED_NOREPLACE | (below(3) ? 0 : MAP_NORESERVE),
				    -1, 0));
}

static void op_map_over(void)
{
	struct plan plan = { "mmap MAP_FIXED", 0, 1, 0, 0, 0 };
	unsigned long at, len;
	struct count_range range;
	struct count_vma *v = piece(&at, &len);

	if (!v || v->shared)
		return;
	if (below(3) == 0) {
		len = size();
		if (at + len > ARENA_END)
			return;
	}
	/* An object goes when its last mapping goes: keep to private ones. */
	for (int i = 0; i < map.nr; i++)
		if (map.vma[i].shared && map.vma[i].start < at + len && at < map.vma[i].end)
			return;
	range = count_range(&map, at, at + len);
	if (range.forced || range.sticky)
		return;
	plan.charge = len - range.counted;
	plan.at = at;
	plan.len = len;
	outcome(&plan, raw6(SYS_mmap, at, len, RW, ANON | MAP_FIXED, -1, 0));
}

static void op_protect(void)
{
	struct plan plan = { "mprotect", 0, 1, 0, 0, 0 };
	unsigned long at, len;
	struct count_range range;
	struct count_vma *v = piece(&at, &len);

	if (!v)
		return;
	if (below(2)) {
		range = count_range(&map, at, at + len);
		plan.at = at;
		plan.len = len;
		plan.charge = range.would_charge;
		/* Of a part, it is not shown where its pages lie: no prediction. */
		if (!range.forced && !range.sticky)
			outcome(&plan, raw3(SYS_mprotect, at, len, RW));
	} else {
		plan.name = "mprotect down";
		plan.exact = 0;
		outcome(&plan, raw3(SYS_mprotect, at, len, below(2) ? PROT_NONE : PROT_READ));
	}
}

static void op_remap(void)
{
	struct plan plan = { "mremap", 0, 1, 0, 0, 0 };
	unsigned long at, len, want, to;
	struct count_range range;
	struct count_vma *v = piece(&at, &len);
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	if (!v || v->shared)
		return;
	want = below(3) == 0 ? (1 + below(len / PAGE)) * PAGE : len + size();
	if (below(4) == 0) {
		plan.name = "mremap DONTUNMAP";
		flags |= MREMAP_DONTUNMAP;
		want = len;
	}
	to = gap(want);
	plan.at = at;
	plan.len = len;
	range = count_range(&map, at, at + len);
	if (!to || range.forced)
		return;
	if (range.counted)
		plan.charge = flags & MREMAP_DONTUNMAP ? len : want > len ? want - len : 0;
	plan.exact = want >= len && !range.sticky;
	outcome(&plan, raw5(SYS_mremap, at, len, want, flags, to));
}

static void op_remap_in_place(void)
{
	struct plan plan = { "mremap in place", size(), 1, 0, 0, 0 };
	struct count_vma *v = pick();
	unsigned long len, want;
	int i;

	if (!v || v->shared || (v->nr && !v->w) || v->end + plan.charge + MIB > ARENA_END)
		return;
	for (i = 0; i < map.nr; i++)
		if (map.vma[i].start >= v->end && map.vma[i].start < v->end + plan.charge + MIB)
			return;
	len = v->end - v->start;
	want = len + plan.charge;
	if (!count_vma_bytes(v))
		plan.charge = 0;
	outcome(&plan, raw4(SYS_mremap, v->start, len, want, 0));
}

static void op_break(void)
{
	unsigned long now = raw1(SYS_brk, 0), want;
	struct plan plan = { "brk", 0, 1, 0, 0, 0 };
	long ret;

	if (below(3) == 0 && now > first_break) {
		want = first_break + below(now - first_break);
		plan.exact = 0;
	} else {
		plan.charge = size();
		want = now + plan.charge;
	}
	ret = raw1(SYS_brk, want);
	if (ret != (long)want && ret != (long)now)
		check(0, "brk to %lx from %lx returned %lx", want, now, ret);
	outcome(&plan, ret == (long)want ? 0 : -ENOMEM);
}

static void op_unmap(void)
{
	struct plan plan = { "munmap", 0, 0, 0, 0, 0 };
	unsigned long at, len;

	if (map.nr > VMAS_MANY) {
		at = ARENA + below(4) * 16 * GIB;
		outcome(&plan, raw2(SYS_munmap, at, 16 * GIB));
	} else if (piece(&at, &len)) {
		outcome(&plan, raw2(SYS_munmap, at, len));
	}
}

static void op_touch(void)
{
	struct plan plan = { "touch", 0, 1, 0, 0, 0 };
	unsigned long at, len;
	struct count_vma *v = piece(&at, &len);

	if (!v || !v->w)
		return;
	outcome(&plan, raw3(SYS_read, zero_fd, at, len < MIB / 4 ? len : MIB / 4));
}

static void op_advise(void)
{
	static const int advice[] = { MADV_DONTNEED, MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK, MADV_KEEPONFORK };
	struct plan plan = { "madvise", 0, 1, 0, 0, 0 };
	unsigned long at, len;
	struct count_vma *v = piece(&at, &len);
	long ret;

	if (!v || v->shared || v->ino)
		return;
	plan.exact = !v->nr;
	ret = raw3(SYS_madvise, at, len, advice[below(5)]);
	outcome(&plan, ret == -EINVAL ? 0 : ret);
}

static void end_child(int i)
{
	if (!child[i])
		return;
	raw2(SYS_kill, child[i], SIGKILL);
	raw4(SYS_wait4, child[i], 0, 0, 0);
	child[i] = 0;
	child_bytes[i] = 0;
}

static void op_fork(void)
{
	struct plan plan = { "fork", 0, 1, 0, 0, 0 };
	static struct count_map other;
	int i = (int)below(CHILDREN);
	long pid;

	if (child[i]) {
		plan.name = "a child's end";
		plan.exact = 0;
		end_child(i);
		outcome(&plan, 0);
		return;
	}
	/* A child would keep the objects that its parent lets go of. */
	for (int j = 0; j < map.nr; j++)
		if (map.vma[j].shared && map.vma[j].start >= ARENA && map.vma[j].end <= ARENA_END)
			raw3(SYS_madvise, map.vma[j].start, map.vma[j].end - map.vma[j].start, MADV_DONTFORK);
	plan.charge = count_fork(&map);
	plan.exact = !count_range(&map, 0, -1UL).sticky;
	pid = raw0(SYS_fork);
	if (pid == 0) {
		for (;;)
			raw0(SYS_pause);
	}
	if (pid > 0) {
		child[i] = (pid_t)pid;
		if (count_read_pid(pid, &other))
			check(0, "smaps of a child");
		child_bytes[i] = count_space(&other);
	}
	outcome(&plan, pid);
}

static void op_segment(void)
{
	struct plan plan = { "shmget", 0, 1, 0, 0, 0 };
	int i = (int)below(SEGMENTS), id;

	if (segment_bytes[i]) {
		plan.name = "IPC_RMID";
		plan.exact = 0;
		shmctl(segment[i], IPC_RMID, NULL);
		segment_bytes[i] = 0;
		outcome(&plan, 0);
		return;
	}
	plan.charge = size();
	id = (int)raw3(SYS_shmget, IPC_PRIVATE, plan.charge, IPC_CREAT | 0600 | (below(2) ? SHM_NORESERVE : 0));
	if (id >= 0) {
		segment[i] = id;
		segment_bytes[i] = plan.charge;
	}
	outcome(&plan, id);
}

static void op_memory_file(void)
{
	struct plan plan = { "fallocate of a memfd", size(), 1, 1, 0, 0 };
	struct stat st;
	long ret;

	fstat(memory_fd, &st);
	if (below(3) == 0) {
		plan.name = "truncate of a memfd";
		plan.charge = 0;
		plan.exact = 0;
		outcome(&plan, raw2(SYS_ftruncate, memory_fd, 0));
		return;
	}
	if (held + plan.charge < limit && plan.charge > 4 * MIB)
		return;
	ret = raw4(SYS_fallocate, memory_fd, 0, st.st_size, plan.charge);
	if (ret && ret != -ENOMEM)
		raw2(SYS_ftruncate, memory_fd, st.st_size);
	outcome(&plan, ret);
}

static void (*const operations[])(void) = {
	op_map_private, op_map_private, op_map_private, op_map_shared, op_map_free, op_map_free, op_map_over,
	op_map_over,    op_protect,     op_protect,     op_protect,    op_protect,  op_remap,    op_remap,
	op_remap_in_place, op_break,    op_break,       op_unmap,      op_unmap,    op_unmap,    op_touch,
	op_touch,       op_advise,      op_fork,        op_segment,    op_memory_file,
};

static void run(long count)
{
	long next = 0;

	while (tally.done < count && !check_failed) {
		operations[below(sizeof(operations) / sizeof(operations[0]))]();
		if (tally.done >= next) {
			hold("exact");
			next = tally.done + count / 40 + 1;
		}
	}
}

int main(int argc, char **argv)
{
	char name[] = "/tmp/surety-exact-XXXXXX";
	long count = argc > 2 ? atol(argv[2]) : 1000;
	int i;

	limit = (argc > 3 ? strtoul(argv[3], NULL, 10) : 256) * MIB;
	state = (argc > 1 ? strtoull(argv[1], NULL, 10) : 1) * 0x9e3779b97f4a7c15ULL | 1;
	zero_fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	file_fd = mkstemp(name);
	memory_fd = memfd_create("exact", MFD_CLOEXEC);
	if (zero_fd < 0 || file_fd < 0 || memory_fd < 0 || unlink(name) || ftruncate(file_fd, (off_t)(4 * limit)))
		return 3;
	grow_stack();
	first_break = (raw1(SYS_brk, 0) + PAGE - 1) / PAGE * PAGE;
	raw1(SYS_brk, first_break);
	held = committed();
	run(count);
	for (i = 0; i < CHILDREN; i++)
		end_child(i);
	for (i = 0; i < SEGMENTS; i++)
		if (segment_bytes[i])
			shmctl(segment[i], IPC_RMID, NULL);
	check(!check_failed, "all as predicted: %ld operations, %ld granted, %ld refused, %ld on the very edge", tally.done,
	      tally.granted, tally.refused, tally.edge);
	return check_failed;
}
