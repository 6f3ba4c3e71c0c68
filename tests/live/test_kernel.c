/* SPDX-License-Identifier: MIT
 *
 * core/rules against the running kernel, with no engine between: each call is
 * made for real on this process, and what smaps then shows as charged (ac) must
 * have changed by what the rule said, for the host's own overcommit_memory.
 *
 * Maps nothing of its own while it measures: buffers are static.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "core/rules.h"
#include "sys/smaps.h"
#include "tap.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

enum { PAGES = 64 };
static const size_t LEN = PAGES << PAGE_SHIFT;

static enum overcommit mode;

struct count {
	uint64_t ac, held, fork, data, forced;
	uintptr_t at; /* the mapping here goes to vma */
	struct vma vma;
};

static int count_vma(void *ctx, const struct vma *vma, const char *name)
{
	struct count *c = ctx;
	uint64_t pages = bytes_to_pages(vma->end - vma->start);

	(void)name;
	c->ac += vma->flags & VMA_ACCOUNT ? pages : 0;
	c->held += rules_vma_pages(mode, vma, NULL);
	c->fork += rules_vma_fork_pages(mode, vma);
	c->forced += rules_vma_forced_pages(mode, vma);
	c->data += rules_vma_in_data(vma) ? pages : 0;
	if (c->at >= vma->start && c->at < vma->end)
		c->vma = *vma;
	return 0;
}

static struct count count(const void *at)
{
	static struct count c;

	c = (struct count){ .at = (uintptr_t)at };
	if (smaps_walk("/proc", getpid(), count_vma, &c) < 0)
		exit(99);
	return c;
}

/* The pages that smaps shows as charged beyond BEFORE, against what a rule said. */
static void expect(const struct count *before, int64_t want, enum rule rule, const char *what)
{
	struct count now = count(NULL);
	int64_t got = (int64_t)(now.ac - before->ac);

	tap_ok(got == want, "%s %s: %lld pages, %lld by the rule", rule_id(rule), what,
	       (long long)got, (long long)want);
}

static void *map(size_t len, int prot, int flags, int fd)
{
	void *p = mmap(NULL, len, prot, flags, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

struct map_row {
	const char *what;
	int prot, flags;
	enum file_kind kind;
	enum rule rule; /* in modes 0 and 1 */
};

static const struct map_row map_rows[] = {
	{ "anonymous", RW, ANON, FILE_NONE, RULE_PRIVATE_ANON },
	{ "write only", PROT_WRITE, ANON, FILE_NONE, RULE_PRIVATE_ANON },
	{ "MAP_NORESERVE", RW, ANON | MAP_NORESERVE, FILE_NONE, RULE_NORESERVE },
	{ "PROT_NONE", PROT_NONE, ANON, FILE_NONE, RULE_PRIVATE_READONLY },
	{ "read-only", PROT_READ, ANON, FILE_NONE, RULE_PRIVATE_READONLY },
	{ "private file", RW, MAP_PRIVATE, FILE_PLAIN, RULE_PRIVATE_FILE },
	{ "private file, read-only", PROT_READ, MAP_PRIVATE, FILE_PLAIN, RULE_PRIVATE_READONLY },
	{ "shared file", PROT_READ, MAP_SHARED, FILE_PLAIN, RULE_SHARED },
	{ "private memfd", RW, MAP_PRIVATE, FILE_SHMEM, RULE_PRIVATE_FILE },
	{ "shared memfd", RW, MAP_SHARED, FILE_SHMEM, RULE_SHARED },
	{ "private /dev/zero", RW, MAP_PRIVATE, FILE_ZERO, RULE_PRIVATE_ANON },
	{ "shared anonymous", RW, MAP_SHARED | MAP_ANONYMOUS, FILE_NONE, RULE_SHARED_ANON },
	{ "hugetlb", RW, ANON | MAP_HUGETLB | MAP_NORESERVE, FILE_NONE, RULE_HUGETLB },
	{ "droppable", RW, MAP_DROPPABLE | MAP_ANONYMOUS, FILE_NONE, RULE_DROPPABLE },
};

static int open_kind(enum file_kind kind)
{
	int fd = -1;

	if (kind == FILE_PLAIN)
		fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	else if (kind == FILE_ZERO)
		fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	else if (kind == FILE_SHMEM)
		fd = memfd_create("kernel", MFD_CLOEXEC);
	return fd;
}

static void test_mmap(void)
{
	for (size_t i = 0; i < sizeof(map_rows) / sizeof(map_rows[0]); i++) {
		const struct map_row *row = &map_rows[i];
		size_t len = row->flags & MAP_HUGETLB ? 2 << 20 : LEN - 1; /* */
		struct charge c = rules_mmap(mode, len, row->prot, row->flags, row->kind);
		int64_t own = c.holder == HOLDER_SPACE ? (int64_t)c.pages : 0;
		int fd = open_kind(row->kind);
		struct count before = count(NULL);
		void *p = map(len, row->prot, row->flags, fd);

		if (!p) {
			tap_skip(strerror(errno), "%s %s", rule_id(row->rule), row->what);
		} else {
			expect(&before, own, c.rule, row->what);
			if (mode != OVERCOMMIT_NEVER)
				tap_ok(c.rule == row->rule, "%s decides on %s",
				       rule_id(row->rule), row->what);
			(void)munmap(p, len);
			expect(&before, 0, RULE_MUNMAP, row->what);
		}
		if (fd >= 0)
			(void)close(fd);
	}
}

static void test_rejected(void)
{
	int fd = open_kind(FILE_PLAIN);

	tap_ok(!map(0, RW, ANON, -1) &&
	       rules_mmap(mode, 0, RW, ANON, FILE_NONE).rule == RULE_EMPTY, "R-002 no length");
	tap_ok(!map(LEN, RW, MAP_ANONYMOUS | 4, -1) &&
	       rules_mmap(mode, LEN, RW, MAP_ANONYMOUS | 4, FILE_NONE).rule == RULE_EMPTY,
	       "R-002 no such type");
	tap_ok(!map(LEN, RW, MAP_ANONYMOUS | MAP_SHARED_VALIDATE, -1) &&
	       rules_mmap(mode, LEN, RW, MAP_ANONYMOUS | MAP_SHARED_VALIDATE, FILE_NONE).rule ==
		       RULE_EMPTY, "R-002 MAP_SHARED_VALIDATE without a file");
	tap_ok(!map(LEN, RW, MAP_PRIVATE | MAP_HUGETLB, fd), "R-002 MAP_HUGETLB of another file");
	(void)close(fd);
}

static void protect(char *p, size_t len, int prot, const char *what)
{
	struct count before = count(p);
	struct charge c = rules_mprotect(mode, &before.vma, bytes_to_pages(len), prot);

	if (mprotect(p, len, prot) < 0)
		tap_ok(0, "%s: %s", what, strerror(errno));
	expect(&before, (int64_t)c.pages, c.rule, what);
}

static void test_mprotect(void)
{
	char *p = map(LEN, PROT_NONE, ANON, -1), *nr = map(LEN, PROT_NONE, ANON | MAP_NORESERVE, -1);
	int fd = open_kind(FILE_PLAIN);
	char *file = map(PAGE_BYTES, PROT_READ, MAP_PRIVATE, fd);
	struct count c;

	protect(p, LEN / 4, RW, "a quarter made writable");
	protect(p, LEN / 4, RW, "the same again");
	memset(p, 1, LEN / 4);
	protect(p, LEN / 4, PROT_READ, "touched memory made read-only");
	c = count(p);
	tap_ok(c.vma.flags & VMA_ACCOUNT && rules_vma_pages(mode, &c.vma, NULL) == PAGES / 4,
	       "R-019 keeps its charge");
	(void)madvise(p, LEN / 4, MADV_DONTNEED);
	expect(&c, 0, RULE_NO_RELEASE, "MADV_DONTNEED");
	protect(p, LEN / 4, RW, "made writable once more");
	protect(nr, LEN, RW, "MAP_NORESERVE memory made writable");
	protect(file, PAGE_BYTES, RW, "a private file made writable");
	(void)munmap(p, LEN);
	(void)munmap(nr, LEN);
	(void)munmap(file, PAGE_BYTES);
	(void)close(fd);
}

static void *remap(char *p, size_t old_len, size_t new_len, int flags, const char *what)
{
	struct count before = count(p);
	struct charge c = rules_mremap(mode, &before.vma, old_len, new_len, flags);
	void *q = mremap(p, old_len, new_len, flags, NULL); /* a hint for DONTUNMAP */
	int64_t want = (int64_t)c.pages;

	/* What shrinks gives back, which is not a request. */
	if (old_len && new_len < old_len)
		want = -(int64_t)rules_replaced_pages(mode, &before.vma,
						      bytes_to_pages(old_len - new_len));
	if (q == MAP_FAILED) {
		tap_ok(0, "%s %s: %s", rule_id(c.rule), what, strerror(errno));
		return p;
	}
	expect(&before, want, c.rule, what);
	return q;
}

static void test_mremap(void)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC), may = MREMAP_MAYMOVE;
	char *p = map(LEN, RW, ANON, -1), *none = map(LEN, PROT_NONE, ANON, -1), *old = p;
	char *shared = map(LEN, RW, MAP_SHARED, fd);

	p = remap(p, LEN, 2 * LEN, may, "grows");
	p = remap(p, 2 * LEN, LEN, 0, "shrinks");
	old = p;
	p = remap(p, LEN, LEN, may | MREMAP_DONTUNMAP, "MREMAP_DONTUNMAP");
	none = remap(none, LEN, 2 * LEN, may, "PROT_NONE grows");
	shared = remap(shared, LEN, 2 * LEN, may, "a shared mapping grows");
	(void)remap(shared, 0, LEN, may, "a shared mapping is duplicated");
	(void)munmap(old, LEN);
	(void)munmap(p, LEN);
	(void)munmap(none, 2 * LEN);
	(void)close(fd);
}

static void test_fixed(void)
{
	char *p = map(LEN, RW, ANON, -1);
	struct count before = count(p);
	uint64_t half = rules_replaced_pages(mode, &before.vma, PAGES / 2);

	(void)mmap(p, LEN, RW, ANON | MAP_FIXED, -1, 0);
	expect(&before, (int64_t)(PAGES - rules_replaced_pages(mode, &before.vma, PAGES)),
	       RULE_REPLACED, "MAP_FIXED over its like");
	(void)mmap(p, LEN / 2, PROT_READ, ANON | MAP_FIXED, -1, 0);
	expect(&before, -(int64_t)half, RULE_REPLACED_RELEASE, "MAP_FIXED read-only over half");
	(void)munmap(p, LEN);
}

static void test_brk(void)
{
	uintptr_t now = (uintptr_t)sbrk(0);
	struct count before = count(NULL);
	struct charge c = rules_brk(now, now + LEN + 1);

	(void)!brk((void *)(now + LEN + 1));
	expect(&before, (int64_t)c.pages, c.rule, "brk");
	(void)!brk((void *)now);
	expect(&before, 0, RULE_BRK_SHRINK, "brk back");
}

/* A frame of a page at each level; the read after the call keeps it there. */
__attribute__((noinline)) static int deep(int n)
{
	volatile char frame[4096];
	int below;

	frame[n & 4095] = 1;
	below = n ? deep(n - 1) : 0;
	return below + frame[n & 4095];
}

static void test_stack(void)
{
	struct count before = count(__builtin_frame_address(0));
	struct count after;
	enum rule rule;
	uint64_t grown;

	(void)deep(400); /* beyond what exec gave it */
	after = count(__builtin_frame_address(0));
	grown = rules_vma_pages(mode, &after.vma, &rule) -
		rules_vma_pages(mode, &before.vma, NULL);
	tap_ok(rule == RULE_STACK && grown > 200 && after.ac - before.ac == grown,
	       "R-050 the stack grew by %llu pages", (unsigned long long)grown);
}

static void test_forced(void)
{
	char *p = map(LEN, PROT_READ, ANON, -1);
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	struct count before = count(p), after;
	static const char zeros[8 << PAGE_SHIFT];

	if (fd < 0 || pwrite(fd, zeros, sizeof(zeros), (off_t)(uintptr_t)p) != sizeof(zeros)) {
		tap_skip(strerror(errno), "R-070 /proc/self/mem");
	} else {
		after = count(p);
		tap_ok(rules_vma_forced_pages(mode, &after.vma) == 8 && after.ac == before.ac,
		       "R-070 8 pages forced into read-only memory are found, and not by the kernel");
	}
	(void)munmap(p, LEN);
	(void)close(fd);
}

/* a child holds what the rules say of each mapping of the parent. */
static void test_fork(void)
{
	char *left = map(LEN, RW, ANON, -1), *wiped = map(LEN, RW, ANON, -1);
	struct count parent;
	int status;
	pid_t pid;

	(void)madvise(left, LEN, MADV_DONTFORK);
	(void)madvise(wiped, LEN, MADV_WIPEONFORK);
	parent = count(left);
	tap_ok(parent.vma.flags & VMA_DONTCOPY && parent.held - parent.fork >= PAGES,
	       "R-046 MADV_DONTFORK leaves its pages out");
	pid = fork();
	if (pid == 0)
		_exit(count(NULL).ac != parent.fork);
	(void)waitpid(pid, &status, 0);
	tap_ok(status == 0, "R-045 the child holds what the rule said");
	(void)munmap(left, LEN);
	(void)munmap(wiped, LEN);
}

static int same_space(void *arg)
{
	const struct count *parent = arg;

	/* As the parent, in the parent's own address space. */
	return count(NULL).ac != parent->ac;
}

static void test_shared_space(void)
{
	static char stack[1 << 16];
	static struct count parent;
	int status;
	pid_t pid;

	parent = count(NULL);
	pid = clone(same_space, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &parent);
	(void)waitpid(pid, &status, 0);
	tap_ok(status == 0, "R-047 CLONE_VM charges nothing");
}

/* The sums over everything that is mapped here. */
static void test_whole(void)
{
	void *growable = map(LEN, PROT_READ, ANON | MAP_GROWSDOWN, -1); /* in statm, not charged */
	struct count c = count(NULL);
	unsigned long data = 0;
	char text[128];
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	(void)close(fd);
	(void)munmap(growable, LEN);
	(void)sscanf(text, "%*u %*u %*u %*u %*u %lu", &data);
	tap_ok(c.ac == c.held, "R-001 all mappings: %llu pages held, %llu marked ac",
	       (unsigned long long)c.held, (unsigned long long)c.ac);
	tap_ok(c.data == data, "R-004 statm data+stack: %lu, %llu by the rule", data,
	       (unsigned long long)c.data);
}

int main(void)
{
	char text[8] = "";
	int fd = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 1)
		return 99;
	(void)close(fd);
	mode = (enum overcommit)(text[0] - '0');
	printf("# host's overcommit_memory: %d\n", (int)mode);
	test_whole();
	test_mmap();
	test_rejected();
	test_mprotect();
	test_mremap();
	test_fixed();
	test_brk();
	test_stack();
	test_forced();
	test_fork();
	test_shared_space();
	test_whole();
	return tap_end();
}
