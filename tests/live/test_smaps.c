/* SPDX-License-Identifier: MIT
 *
 * sys/smaps against a plain reading of the same text, for every process here
 * that may be read; and against mappings made for the purpose.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "sys/smaps.h"
#include "tap.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

enum { PAGE = 4096, TRIES = 20, MANY = 5000 };

struct totals {
	unsigned long long mappings, account_kib, anonymous_kib;
};

static int add(void *ctx, const struct vma *vma, const char *name)
{
	struct totals *sum = ctx;

	(void)name;
	sum->mappings++;
	if (vma->flags & VMA_ACCOUNT)
		sum->account_kib += (vma->end - vma->start) / 1024;
	sum->anonymous_kib += vma->anonymous_pages * 4;
	return 0;
}

/* The same by stdio, from the kernel's own Size: lines. */
static int read_plainly(pid_t pid, struct totals *ret)
{
	static char line[65536];
	unsigned long long size = 0, kib;
	char path[64];
	int private = 0;
	FILE *f;

	memset(ret, 0, sizeof(*ret));
	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	f = fopen(path, "r");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		char perms[5];

		if (sscanf(line, "Size: %llu kB", &kib) == 1)
			size = kib;
		else if (sscanf(line, "Anonymous: %llu kB", &kib) == 1)
			ret->anonymous_kib += kib;
		else if (private && sscanf(line, "Swap: %llu kB", &kib) == 1)
			ret->anonymous_kib += kib;
		else if (!strncmp(line, "VmFlags:", 8))
			ret->account_kib += strstr(line, " ac") ? size : 0;
		else if (sscanf(line, "%llx-%*x %4s %*x", &kib, perms) == 2) {
			ret->mappings++;
			private = perms[3] == 'p';
		}
	}
	kib = ferror(f) ? EIO : 0;
	fclose(f);
	return -(int)kib;
}

static int same(const struct totals *a, const struct totals *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* 1: equal; 0: never equal, though the process held still each time; -1: it did
 * not, or it is gone */
static int compare(pid_t pid, struct totals *plain, struct totals *walked)
{
	struct totals again;
	int differed = 0;

	for (int i = 0; i < TRIES; i++) {
		memset(walked, 0, sizeof(*walked));
		if (read_plainly(pid, plain) || smaps_walk("/proc", pid, add, walked) || read_plainly(pid, &again))
			return -1;
		if (same(plain, walked))
			return 1;
		differed += same(plain, &again);
	}
	return differed == TRIES ? 0 : -1;
}

static void test_all(void)
{
	DIR *proc = opendir("/proc");
	struct totals plain, walked;
	int compared = 0, left = 0;
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);
		int r;

		if (pid <= 0)
			continue;
		r = compare(pid, &plain, &walked);
		if (r < 0) {
			left++;
			continue;
		}
		if (!plain.mappings && r)
			continue; /* a kernel thread or a zombie */
		compared++;
		tap_ok(r, "process %d: %llu mappings, %llu kB ac (%llu)", (int)pid, walked.mappings, walked.account_kib,
		       plain.account_kib);
	}
	if (proc)
		closedir(proc);
	printf("# %d could not be read, or did not hold still\n", left);
	tap_ok(compared > 0, "%d processes compared", compared);
}

/* Looks for the mapping that contains ADDRESS. */
struct wanted {
	uint64_t address;
	struct vma vma;
	char name[PATH_MAX];
	int found;
};

static int find(void *ctx, const struct vma *vma, const char *name)
{
	struct wanted *wanted = ctx;

	if (wanted->address < vma->start || wanted->address >= vma->end)
		return 0;
	wanted->vma = *vma;
	snprintf(wanted->name, sizeof(wanted->name), "%s", name);
	wanted->found = 1;
	return 7;
}

static void expect(const char *what, void *address, uint32_t flags, uint64_t anonymous)
{
	struct wanted wanted = { .address = (uintptr_t)address };
	int r;

	if (address == MAP_FAILED) {
		tap_skip("this kernel has no such mapping", "%s", what);
		return;
	}
	r = smaps_walk("/proc", getpid(), find, &wanted);
	tap_ok(r == 7 && wanted.vma.flags == flags && wanted.vma.anonymous_pages == anonymous,
	       "%s: flags %#x, %llu pages", what, wanted.vma.flags, (unsigned long long)wanted.vma.anonymous_pages);
}

static char *map_at(uint64_t address, int prot, int flags, int fd)
{
	return mmap((void *)(uintptr_t)address, 16 * PAGE, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);
}

static void test_kinds(void)
{
	const uint32_t rw = VMA_READ | VMA_WRITE;
	const int both = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS;
	char *p;

	p = map_at(0x200000000000, both, anon, -1);
	expect("private, untouched", p, rw | VMA_ACCOUNT, 0);
	memset(p, 1, 3 * PAGE);
	expect("private, three pages touched", p, rw | VMA_ACCOUNT, 3);
	mprotect(p, 16 * PAGE, PROT_READ);
	expect("made read-only again", p, VMA_READ | VMA_ACCOUNT, 3);
	p = map_at(0x210000000000, PROT_NONE, anon, -1);
	expect("no access", p, 0, 0);
	p = map_at(0x220000000000, both | PROT_EXEC, anon, -1);
	expect("executable", p, rw | VMA_EXEC | VMA_ACCOUNT, 0);
	p = map_at(0x230000000000, both, anon | MAP_NORESERVE, -1);
	/* `nr` and no `ac`, unless the host itself is strict */
	if (p != MAP_FAILED) {
		int strict = 0;
		FILE *f = fopen("/proc/sys/vm/overcommit_memory", "r");

		if (f && fscanf(f, "%d", &strict) == 1)
			fclose(f);
		p[0] = 1;
		expect("not reserved", p, rw | (strict == 2 ? VMA_ACCOUNT : VMA_NORESERVE), 1);
	}
	p = mmap(NULL, 16 * PAGE, both, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);
	expect("droppable", p, rw | VMA_NORESERVE | VMA_DROPPABLE, 0);
	p = map_at(0x250000000000, both, anon, -1);
	madvise(p, 16 * PAGE, MADV_DONTFORK);
	expect("not copied by fork", p, rw | VMA_ACCOUNT | VMA_DONTCOPY, 0);
	p = map_at(0x260000000000, both, anon, -1);
	madvise(p, 16 * PAGE, MADV_DONTDUMP);
	expect("not dumped", p, rw | VMA_ACCOUNT, 0);
	p = map_at(0x270000000000, both, anon | MAP_GROWSDOWN, -1);
	expect("grows down", p, rw | VMA_ACCOUNT | VMA_GROWSDOWN, 0);
	p = map_at(0x280000000000, both, MAP_SHARED | MAP_ANONYMOUS, -1);
	p[0] = 1;
	expect("shared", p, rw | VMA_SHARED, 0);
}

/* A file whose name holds newlines and looks like text of the kernel. */
static void test_names(void)
{
	static const char name[] = "a  b\n00400000-00401000 rw-p 00000000 00:00 0 \nVmFlags: rd wr ac \\012 (deleted)";
	char dir[] = "/tmp/test_smaps.XXXXXX", path[PATH_MAX], escaped[PATH_MAX] = "";
	struct wanted wanted = { 0 };
	struct totals plain, walked;
	size_t len;
	char *p;
	int fd;

	if (!mkdtemp(dir)) {
		tap_ok(0, "mkdtemp");
		return;
	}
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	p = fd < 0 || ftruncate(fd, 16 * PAGE) ? MAP_FAILED : mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
	for (const char *c = path; *c; c++) {
		len = strlen(escaped);
		snprintf(escaped + len, sizeof(escaped) - len, *c == '\n' ? "\\012" : "%c", *c);
	}
	wanted.address = (uintptr_t)p;
	tap_ok(smaps_walk("/proc", getpid(), find, &wanted) == 7 && !strcmp(wanted.name, escaped) &&
		       wanted.vma.flags == VMA_READ && wanted.vma.pgoff == PAGE,
	       "a hostile name stays one name");
	memset(&wanted.vma, 0, sizeof(wanted.vma));
	tap_ok(maps_walk("/proc", getpid(), find, &wanted) == 7 && !strcmp(wanted.name, escaped) &&
		       wanted.vma.flags == VMA_READ && wanted.vma.pgoff == PAGE,
	       "in maps too");
	unlink(path);
	tap_ok(compare(getpid(), &plain, &walked) == 1, "and the sums hold");
	munmap(p, PAGE);
	close(fd);
	rmdir(dir);
}

static double milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void test_many(void)
{
	struct totals plain, walked = { 0 };
	double start, walk_ms, read_ms;
	char *p, buf[8192];
	int fd, r;

	p = mmap(NULL, (size_t)MANY * 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < MANY; i++)
		mprotect(p + (size_t)i * 2 * PAGE, PAGE, PROT_READ | PROT_WRITE);
	r = compare(getpid(), &plain, &walked);
	tap_ok(r == 1 && walked.mappings > 2 * MANY, "%llu mappings", walked.mappings);
	start = milliseconds();
	smaps_walk("/proc", getpid(), add, &walked);
	walk_ms = milliseconds() - start;
	fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
	start = milliseconds();
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	read_ms = milliseconds() - start;
	close(fd);
	printf("# %d mappings: %.1f ms to walk, of which %.1f ms are the kernel's\n", 2 * MANY, walk_ms, read_ms);
	munmap(p, (size_t)MANY * 2 * PAGE);
}

int main(void)
{
	struct totals none = { 0 };

	test_all();
	test_kinds();
	test_names();
	test_many();
	tap_ok(smaps_walk("/proc", INT_MAX, add, &none) == -ENOENT && !none.mappings, "no such process");
	return tap_end();
}
