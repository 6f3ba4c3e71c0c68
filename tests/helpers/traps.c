/* SPDX-License-Identifier: MIT
 *
 * traps: what a supervisor of mappings is known to get wrong, one a call.
 *
 *   traps NAME LIMIT_MIB
 *
 * The program is alone in its group and knows the limit.  Facts as in check.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static unsigned long limit;

/* Result of mmap as raw system calls give it. */
static long map_raw(const void *at, unsigned long len, int prot, int flags, int fd)
{
	return raw6(SYS_mmap, U(at), len, prot, flags, fd, 0);
}

static char *map_ok(unsigned long len, int prot, int flags, int fd)
{
	long p = map_raw(NULL, len, prot, flags, fd);

	if (raw_failed(p)) {
		check(0, "a mapping of %lu kB that fits: errno %ld", len / KIB, -p);
		_exit(3);
	}
	return (char *)p;
}

static void refused(long ret, const char *what)
{
	if (ret == -ENOMEM)
		check(1, "%s is refused", what);
	else
		check(0, "%s is refused: got %ld, not ENOMEM", what, ret);
}

static void granted(long ret, const char *what)
{
	if (!raw_failed(ret))
		check(1, "%s is granted", what);
	else
		check(0, "%s is granted: got %ld", what, ret);
}

static void strict(void)
{
	unsigned long room = headroom(limit, 0);
	long p;

	refused(map_raw(NULL, room + PAGE, RW, ANON, -1), "a request that lands on the limit");
	p = map_raw(NULL, room, RW, ANON, -1);
	granted(p, "one page less");
	refused(map_raw(NULL, PAGE, RW, ANON, -1), "another page");
	granted(raw2(SYS_munmap, p, room), "munmap");
	granted(map_raw(NULL, room, RW, ANON, -1), "the same again after munmap");
	hold("at the limit");
}

static void break_refused(void)
{
	long now = raw1(SYS_brk, 0);
	void *p;

	check(raw1(SYS_brk, now + (long)(2 * limit)) == now, "a refused brk returns the present break");
	check(raw1(SYS_brk, 0) == now, "the break did not move");
	check(raw1(SYS_brk, now + (long)MIB) == now + (long)MIB, "a brk that fits moves it");
	hold("break up");
	check(raw1(SYS_brk, now) == now, "and down again");
	hold("break down");
	check(raw1(SYS_brk, 1) == now, "a nonsense break returns the present one");
	check(sbrk((intptr_t)(2 * limit)) == (void *)-1 && errno == ENOMEM, "sbrk: ENOMEM");
	p = malloc(2 * limit);
	check(!p && errno == ENOMEM, "malloc: NULL and ENOMEM");
	p = malloc(MIB / 2);
	check(p != NULL, "malloc of what fits");
	free(p);
}

static int pattern_kept(const char *p, unsigned long len)
{
	unsigned long i;

	for (i = 0; i < len; i += PAGE)
		if (p[i] != 'k')
			return 0;
	return 1;
}

static void fixed_kept(void)
{
	char *area = map_ok(4 * limit, PROT_NONE, ANON, -1);
	char *old = area + MIB;
	unsigned long len = 4 * MIB;

	granted(map_raw(old, len, RW, ANON | MAP_FIXED, -1), "MAP_FIXED that fits");
	memset(old, 'k', len);
	refused(map_raw(area, 2 * limit, RW, ANON | MAP_FIXED, -1), "MAP_FIXED over it");
	check(pattern_kept(old, len), "the old mapping kept its content");
	old[0] = 'k';
	check(raw3(SYS_mprotect, area, MIB, PROT_NONE) == 0, "what was before it is still mapped");
	refused(map_raw(area, 2 * limit, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1), "shared MAP_FIXED over it");
	check(pattern_kept(old, len), "the old mapping kept its content");
	check(map_raw(old, len, RW, ANON | MAP_FIXED_NOREPLACE, -1) == -EEXIST, "MAP_FIXED_NOREPLACE: EEXIST");
	granted(raw2(SYS_munmap, area, MIB), "munmap of what is before it");
	check(map_raw(area, 2 * limit, RW, ANON | MAP_FIXED_NOREPLACE, -1) == -EEXIST,
	      "MAP_FIXED_NOREPLACE that begins where nothing is: EEXIST");
	hold("after");
	/* Near the limit the net counts: replacing like by like needs nothing. */
	old = map_ok(limit / 2, RW, ANON, -1);
	granted(map_raw(old, limit / 2, RW, ANON | MAP_FIXED, -1), "MAP_FIXED of half the limit over its equal");
	len = headroom(limit, 0);
	granted(map_raw(NULL, len, RW, ANON, -1), "the rest");
	granted(map_raw(old, limit / 2, RW, ANON | MAP_FIXED, -1), "MAP_FIXED over its equal with no headroom at all");
	hold("full");
}

static void unmap_credit(void)
{
	char *none = map_ok(4 * limit, PROT_NONE, ANON, -1);
	int fd = open("/proc/self/exe", O_RDONLY);
	char *file = map_ok(4 * limit, PROT_READ, MAP_PRIVATE, fd);

	granted(raw2(SYS_munmap, none, 4 * limit), "munmap of PROT_NONE");
	granted(raw2(SYS_munmap, file, 4 * limit), "munmap of a file");
	granted(raw2(SYS_munmap, none, 4 * limit), "munmap of nothing");
	refused(map_raw(NULL, limit, RW, ANON, -1), "the whole limit after that");
	granted(map_raw(NULL, headroom(limit, 0), RW, ANON, -1), "what is left");
	refused(map_raw(NULL, PAGE, RW, ANON, -1), "another page");
	hold("after");
}

static void none_is_free(void)
{
	char *heap, *big;
	int i, bad = 0;

	for (i = 0; i < 200; i++)
		bad += raw_failed(map_raw(NULL, 64 * MIB, PROT_NONE, ANON, -1));
	check(!bad, "200 arenas of 64 MiB PROT_NONE");
	big = map_ok(64 * GIB, PROT_NONE, ANON | MAP_NORESERVE, -1);
	granted(map_raw(NULL, 4 * limit, PROT_READ, ANON, -1), "read-only anonymous memory");
	granted(map_raw(NULL, 4 * limit, PROT_READ, MAP_PRIVATE, open("/proc/self/exe", O_RDONLY)), "a read-only file");
	heap = big + GIB;
	granted(raw3(SYS_mprotect, heap, 10 * MIB, RW), "10 MiB of the reservation");
	memset(heap, 1, 10 * MIB);
	granted(map_raw(heap + GIB, 4 * MIB, RW, ANON | MAP_FIXED, -1), "4 MiB more by MAP_FIXED, as Go does");
	hold("after");
	refused(raw3(SYS_mprotect, heap, 4 * limit, RW), "the whole of it");
	hold("refused");
}

static void mprotect_escape(void)
{
	char *p = map_ok(4 * limit, PROT_NONE, ANON, -1);
	unsigned long done, room;
	long ret = 0;

	refused(raw3(SYS_mprotect, p, 2 * limit, RW), "mprotect of twice the limit");
	refused(raw4(SYS_pkey_mprotect, p, 2 * limit, RW, -1), "pkey_mprotect of the same");
	refused(raw3(SYS_mprotect, p, 2 * limit, PROT_WRITE), "mprotect to write-only");
	refused(raw3(SYS_mprotect, p, 2 * limit, RW | PROT_EXEC), "mprotect to rwx");
	granted(raw3(SYS_mprotect, p, 2 * limit, PROT_READ), "mprotect to read-only");
	granted(raw3(SYS_mprotect, p, 2 * limit, PROT_NONE), "mprotect back to none");
	room = headroom(limit, 0);
	for (done = 0; done < 4 * limit; done += 4 * MIB) {
		ret = raw3(SYS_mprotect, p + done, 4 * MIB, RW);
		if (ret)
			break;
		memset(p + done, 1, 4 * MIB);
	}
	check(ret == -ENOMEM && done == room / (4 * MIB) * (4 * MIB),
	      "reserve, mprotect, touch: stops after %lu of %lu MiB (%ld)", done / MIB, room / MIB, ret);
	hold("after");
}

static void mixed_ranges(void)
{
	char *p = map_ok(64 * MIB, PROT_NONE, ANON, -1);
	unsigned long room, i, writable = 0;

	for (i = 0; i < 64 * MIB; i += 8 * MIB) {
		granted(raw3(SYS_mprotect, p + i, 4 * MIB, RW), "every other 4 MiB");
		writable += 4 * MIB;
	}
	room = headroom(limit, 0);
	/* Leaves exactly what the other half needs. */
	granted(map_raw(NULL, room - writable, RW, ANON, -1), "all but 32 MiB");
	granted(raw3(SYS_mprotect, p, 64 * MIB, RW), "mprotect of a mixed range charges only what is new");
	refused(map_raw(NULL, PAGE, RW, ANON, -1), "another page");
	granted(raw3(SYS_mprotect, p, 64 * MIB, RW), "the same again is free");
	hold("after");
	granted(raw2(SYS_munmap, p + 2 * MIB, 60 * MIB), "munmap of the middle");
	hold("munmap");
	granted(map_raw(NULL, 60 * MIB, RW, ANON, -1), "what it gave back");
	refused(map_raw(NULL, PAGE, RW, ANON, -1), "another page");
}

static void dev_zero(void)
{
	int fd = open("/dev/zero", O_RDWR);
	char *p;

	refused(map_raw(NULL, 2 * limit, RW, MAP_PRIVATE, fd), "private writable /dev/zero");
	refused(map_raw(NULL, 2 * limit, RW, MAP_SHARED, fd), "shared writable /dev/zero");
	refused(map_raw(NULL, 2 * limit, PROT_NONE, MAP_SHARED, fd), "shared PROT_NONE /dev/zero");
	refused(map_raw(NULL, 2 * limit, RW, MAP_SHARED | MAP_ANONYMOUS, -1), "shared anonymous");
	refused(map_raw(NULL, 2 * limit, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1), "shared anonymous PROT_NONE");
	granted(map_raw(NULL, 2 * limit, PROT_READ, MAP_PRIVATE, fd), "private read-only /dev/zero");
	p = map_ok(limit / 2, RW, MAP_PRIVATE, fd);
	refused(map_raw(NULL, limit / 2, RW, MAP_SHARED, fd), "a second half of the limit");
	hold("after");
	granted(raw2(SYS_munmap, p, limit / 2), "munmap");
	granted(map_raw(NULL, limit / 2, RW, MAP_SHARED, fd), "the same again");
	hold("shared");
}

static void remaps(void)
{
	char *p = map_ok(16 * MIB, RW, ANON, -1);
	unsigned long room;
	long q;

	memset(p, 'k', 16 * MIB);
	refused(raw4(SYS_mremap, p, 16 * MIB, 2 * limit, MREMAP_MAYMOVE), "mremap to twice the limit");
	check(pattern_kept(p, 16 * MIB), "a refused mremap left the mapping as it was");
	room = headroom(limit, 0);
	map_ok(room - 8 * MIB, RW, ANON, -1);
	refused(raw5(SYS_mremap, p, 16 * MIB, 16 * MIB, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0),
		"MREMAP_DONTUNMAP of 16 MiB with 8 left");
	refused(raw4(SYS_mremap, p, 16 * MIB, 24 * MIB + PAGE, MREMAP_MAYMOVE), "mremap by a page too many");
	q = raw4(SYS_mremap, p, 16 * MIB, 24 * MIB, MREMAP_MAYMOVE);
	granted(q, "mremap by what is left");
	check(pattern_kept((char *)q, 16 * MIB), "it moved its content");
	hold("grown");
	refused(map_raw(NULL, PAGE, RW, ANON, -1), "another page");
	granted(raw4(SYS_mremap, q, 24 * MIB, 8 * MIB, 0), "mremap shrinks");
	q = raw5(SYS_mremap, q, 8 * MIB, 8 * MIB, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	granted(q, "MREMAP_DONTUNMAP of 8 MiB with 16 left");
	hold("doubled");
	q = raw4(SYS_mremap, q, 8 * MIB, 16 * MIB, MREMAP_MAYMOVE);
	granted(q, "the last 8 MiB");
	q = (long)map_ok(16 * MIB, PROT_NONE, ANON, -1);
	granted(raw4(SYS_mremap, q, 16 * MIB, 4 * limit, MREMAP_MAYMOVE), "growing PROT_NONE is free");
	check(raw4(SYS_mremap, 12345, PAGE, PAGE, 0) == -EINVAL, "an unaligned mremap: EINVAL");
	hold("after");
}

/* Since 6.17 several mappings move at once, and MREMAP_DONTUNMAP charges each of them. */
static void remaps_several(void)
{
	static const struct {
		int prot, flags;
	} first[] = { { PROT_READ, ANON }, { RW, MAP_SHARED | MAP_ANONYMOUS }, { RW | PROT_EXEC, ANON } };
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	char *at = map_ok(16 * MIB, PROT_NONE, ANON, -1), *to = map_ok(16 * MIB, PROT_NONE, ANON, -1);
	char *rest = NULL;
	unsigned long filled = 0, charged;
	size_t i;

	granted(map_raw(at, MIB, PROT_READ, ANON | MAP_FIXED, -1), "another mapping");
	if (raw5(SYS_mremap, at, 16 * MIB, 16 * MIB, flags, to) == -EFAULT)
		return; /* KERNEL < 6.17 */
	for (i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		raw2(SYS_munmap, rest, filled);
		granted(map_raw(to, 16 * MIB, PROT_NONE, ANON | MAP_FIXED, -1), "the place is free");
		granted(map_raw(at, 4 * MIB, first[i].prot, first[i].flags | MAP_FIXED, -1), "the first mapping");
		granted(map_raw(at + 4 * MIB, 12 * MIB, RW, ANON | MAP_FIXED, -1), "and behind it another");
		filled = headroom(limit, first[i].flags & MAP_SHARED ? 4 * MIB : 0) - 8 * MIB;
		rest = map_ok(filled, RW, ANON, -1);
		refused(raw5(SYS_mremap, at, 16 * MIB, 16 * MIB, flags, to), "MREMAP_DONTUNMAP of both with 8 MiB left");
		charged = first[i].prot & PROT_EXEC ? 4 * MIB : 8 * MIB;
		refused(raw5(SYS_mremap, at, 4 * MIB + charged + PAGE, 4 * MIB + charged + PAGE, flags, to), "a page too many");
		granted(raw5(SYS_mremap, at, 4 * MIB + charged, 4 * MIB + charged, flags, to), "what fits");
		hold("doubled");
	}
}

/* What moves is in the mm counters at both places for a moment, and is charged once. */
static void moving(void)
{
	const double until = now() + 1;
	long refusals = 0, p, to;
	pid_t pid = fork();

	if (pid == 0) {
		p = (long)map_ok(limit / 4, RW, ANON, -1);
		memset((void *)p, 1, limit / 4);
		to = (long)map_ok(limit / 4, PROT_NONE, ANON, -1);
		for (;; to ^= p, p ^= to, to ^= p)
			if (raw5(SYS_mremap, p, limit / 4, limit / 4, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
				_exit(1);
	}
	usleep(100000); /* till it has its memory */
	while (now() < until) {
		p = map_raw(NULL, limit * 5 / 8, RW, ANON, -1);
		refusals += raw_failed(p);
		raw2(SYS_munmap, p, limit * 5 / 8);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	check(!refusals, "what fits is granted while another process moves its memory (%ld refusals)", refusals);
	hold("after");
}

static void not_reserved(void)
{
	char *p;

	refused(map_raw(NULL, 2 * limit, RW, ANON | MAP_NORESERVE, -1), "MAP_NORESERVE");
	p = map_ok(2 * limit, PROT_NONE, ANON | MAP_NORESERVE, -1);
	refused(raw3(SYS_mprotect, p, 2 * limit, RW), "MAP_NORESERVE made writable");
	refused(map_raw(NULL, 2 * limit, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1), "shared MAP_NORESERVE");
	granted(map_raw(NULL, limit / 2, RW, ANON | MAP_NORESERVE, -1), "MAP_NORESERVE of half the limit");
	refused(map_raw(NULL, limit / 2, RW, ANON | MAP_NORESERVE, -1), "a second half");
	hold("after");
}

static void private_file(void)
{
	int fd = memfd_create("unused", 0), exe = open("/proc/self/exe", O_RDONLY);

	close(fd);
	refused(map_raw(NULL, 2 * limit, RW, MAP_PRIVATE, exe), "a private writable file");
	granted(map_raw(NULL, 2 * limit, PROT_READ | PROT_EXEC, MAP_PRIVATE, exe), "a private read-only file");
	granted(map_raw(NULL, limit / 2, RW, MAP_PRIVATE, exe), "half the limit of a private file");
	refused(map_raw(NULL, limit / 2, RW, MAP_PRIVATE, exe), "the second half");
	check(map_raw(NULL, PAGE, RW, MAP_PRIVATE, 999) == -EBADF, "a bad descriptor: EBADF");
	check(map_raw(NULL, 0, RW, ANON, -1) == -EINVAL, "no length: EINVAL");
	hold("after");
}

static void sysv(void)
{
	key_t key = 0x54000000 | getpid();
	int i, id, bad = 0;
	char *p;

	check(shmget(IPC_PRIVATE, 2 * limit, IPC_CREAT | 0600) < 0 && errno == ENOMEM, "shmget: ENOMEM");
	check(shmget(IPC_PRIVATE, 2 * limit, IPC_CREAT | 0600 | SHM_NORESERVE) < 0 && errno == ENOMEM,
	      "shmget SHM_NORESERVE: ENOMEM");
	for (i = 0; i < 50; i++) {
		id = shmget(IPC_PRIVATE, limit / 2, IPC_CREAT | 0600);
		bad += id < 0 || shmctl(id, IPC_RMID, NULL);
	}
	check(!bad, "50 segments of half the limit, one after the other");
	id = shmget(key, limit / 2, IPC_CREAT | 0600);
	check(id >= 0, "a segment of half the limit");
	check(shmget(key, limit / 2, IPC_CREAT | 0600) == id, "its key again, where a second one would not fit");
	check(shmget(key, limit, IPC_CREAT | 0600) < 0 && errno == EINVAL, "more than it has: EINVAL");
	check(shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600) < 0 && errno == EEXIST, "IPC_EXCL: EEXIST");
	check(shmget(key, limit, IPC_CREAT | IPC_EXCL | 0600) < 0 && errno == EEXIST, "the same of more: EEXIST");
	check(shmget(IPC_PRIVATE, limit / 2, IPC_CREAT | 0600) < 0 && errno == ENOMEM, "a second one: ENOMEM");
	refused(map_raw(NULL, limit / 2, RW, ANON, -1), "a mapping of the other half");
	hold("segment");
	p = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	refused(map_raw(NULL, limit / 2, RW, ANON, -1), "the same after IPC_RMID while attached");
	hold("removed");
	shmdt(p);
	granted(map_raw(NULL, limit / 2, RW, ANON, -1), "the same after the last detach");
	hold("after");
}

/* Made and filled in the tick of the clock in which the group began. */
static void newborn(void)
{
	static const char data[64 * KIB];
	int i, fd = memfd_create("trap", MFD_CLOEXEC);

	for (i = 0; i < 64; i++)
		if (write(fd, data, sizeof(data)) != (ssize_t)sizeof(data))
			break;
	check(i == 64, "writes to a memfd");
	map_raw(NULL, 4 * MIB, PROT_READ, MAP_SHARED, fd);
	hold("mapped");
}

/* A mapping that is longer than its file can be filled once fallocate has made that longer. */
static void memfd_lengthened(int fd)
{
	char *p = mmap(NULL, limit / 2, RW, MAP_SHARED, fd, 0);
	char *more = mmap(NULL, 2 * limit, RW, MAP_SHARED, fd, 0);

	check(p != MAP_FAILED && more != MAP_FAILED, "shared maps longer than the file are free");
	check(fallocate(fd, 0, (off_t)(2 * limit - PAGE), PAGE) < 0, "a page of it is not had where all before it would be");
	check(!munmap(more, 2 * limit) && !fallocate(fd, 0, (off_t)(limit / 2 - PAGE), PAGE), "the last page of half the limit");
	refused(map_raw(NULL, limit / 2, RW, ANON, -1), "what lies before that page");
	memset(p, 1, limit / 2);
	hold("lengthened and filled");
}

static void memfd(void)
{
	static char data[MIB];
	int fd = memfd_create("trap", MFD_CLOEXEC);
	unsigned long room, done;
	char *p;

	check(ftruncate(fd, (off_t)(4 * limit)) == 0, "ftruncate is free");
	hold("truncated");
	room = headroom(limit, 0);
	memset(data, 1, sizeof(data));
	/* write(2) is not asked, but what it made is not there for others. */
	for (done = 0; done < limit / 2; done += MIB)
		if (pwrite(fd, data, MIB, (off_t)done) != (ssize_t)MIB)
			break;
	check(done == limit / 2, "writes of half the limit to a memfd");
	hold("written");
	refused(map_raw(NULL, room - limit / 2 + PAGE, RW, ANON, -1), "a page more than is left after that");
	p = map_ok(room - limit / 2, RW, ANON, -1);
	check(p != NULL, "all that is left after that");
	hold("full");
	raw2(SYS_munmap, p, room - limit / 2);
	check(ftruncate(fd, 0) == 0, "truncate");
	hold("empty");
	check(fallocate(fd, 0, 0, (off_t)(2 * limit)) < 0, "fallocate of twice the limit: %s", strerror(errno));
	check(fallocate(fd, 0, 0, (off_t)(limit / 2)) == 0, "fallocate of half the limit");
	refused(map_raw(NULL, limit / 2, RW, ANON, -1), "a mapping of the other half");
	hold("fallocated");
	check(!ftruncate(fd, 0) && !ftruncate(fd, (off_t)(2 * limit)), "truncate");
	check(raw_failed(map_raw(NULL, 2 * limit, RW, MAP_SHARED, fd)), "a shared map of holes of twice the limit fails");
	check(!ftruncate(fd, (off_t)(limit / 2)), "truncate");
	p = mmap(NULL, limit / 2, RW, MAP_SHARED, fd, 0);
	if (!check(p != MAP_FAILED, "a shared map of holes of half the limit"))
		return;
	memset(p, 1, limit / 4);
	hold("mapped");
	refused(map_raw(NULL, limit / 2 + limit / 4, RW, ANON, -1), "what the holes may still need");
	check(!munmap(p, limit / 2) && !ftruncate(fd, 0), "truncate");
	memfd_lengthened(fd);
}

static void posix_shm(void)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/surety-trap-%d", (int)getpid());
	fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
	check(fd >= 0, "shm_open");
	shm_unlink(name);
	check(ftruncate(fd, (off_t)(2 * limit)) == 0, "ftruncate");
	check(posix_fallocate(fd, 0, (off_t)(2 * limit)) != 0, "posix_fallocate of twice the limit fails");
	check(ftruncate(fd, 0) == 0, "truncate");
	check(posix_fallocate(fd, 0, (off_t)(limit / 2)) == 0, "posix_fallocate of half the limit");
	hold("half");
	refused(map_raw(NULL, limit / 2, RW, ANON, -1), "a mapping of the other half");
	close(fd);
	granted(map_raw(NULL, limit / 2, RW, ANON, -1), "the same after close");
	hold("after");
}

static int deep(int n)
{
	volatile char room[64 * 1024];

	memset((char *)room, 1, sizeof(room));
	return n ? deep(n - 1) + room[n] : room[0];
}

static void stack(void)
{
	unsigned long before = headroom(limit, 0), after;

	hold("before");
	check(deep(90) > 0, "a deep stack");
	after = headroom(limit, 0);
	check(before - after > 5 * MIB, "the stack grew by %lu kB", (before - after) / KIB);
	hold("grown");
	refused(map_raw(NULL, before, RW, ANON, -1), "what fitted before the stack grew");
	granted(map_raw(NULL, after, RW, ANON, -1), "what is left now");
	hold("after");
}

static void grows_down(void)
{
	char *area = map_ok(64 * MIB, PROT_NONE, ANON, -1), *p = area + 60 * MIB;
	long q;

	raw2(SYS_munmap, area, 64 * MIB);
	refused(map_raw(NULL, 2 * limit, RW, ANON | MAP_GROWSDOWN, -1), "MAP_GROWSDOWN");
	q = map_raw(p, 64 * KIB, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1);
	granted(q, "a small MAP_GROWSDOWN");
	hold("before");
	for (area = p; area > p - 2 * MIB; area -= PAGE)
		area[-1] = 1;
	hold("grown");
}

static void huge(void)
{
	long ret = map_raw(NULL, 2 * MIB, RW, ANON | MAP_HUGETLB, -1);

	check(ret == -ENOMEM || !raw_failed(ret), "MAP_HUGETLB is the pool's own affair (%ld)", ret);
	ret = shmget(IPC_PRIVATE, 2 * MIB, IPC_CREAT | 0600 | SHM_HUGETLB);
	if (ret >= 0)
		shmctl((int)ret, IPC_RMID, NULL);
	hold("after");
}

static pthread_barrier_t gate;
static unsigned long taken[8];

static void *grab(void *arg)
{
	unsigned long *sum = arg;

	pthread_barrier_wait(&gate);
	while (!raw_failed(map_raw(NULL, 256 * KIB, RW, ANON, -1)))
		*sum += 256 * KIB;
	return NULL;
}

static void race(void)
{
	pthread_attr_t attr;
	pthread_t thread[8];
	unsigned long room, sum = 0;
	int i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * KIB);
	pthread_barrier_init(&gate, NULL, 9);
	for (i = 0; i < 8; i++)
		if (pthread_create(&thread[i], &attr, grab, &taken[i]))
			check(0, "a thread");
	room = headroom(limit, 0);
	pthread_barrier_wait(&gate);
	for (i = 0; i < 8; i++) {
		pthread_join(thread[i], NULL);
		sum += taken[i];
	}
	check(sum == room / (256 * KIB) * (256 * KIB), "8 threads together got %lu of %lu kB", sum / KIB, room / KIB);
	hold("after");
}

static const struct trap {
	const char *name;
	void (*fn)(void);
} traps[] = {
	{ "strict", strict },
	{ "break", break_refused },
	{ "fixed", fixed_kept },
	{ "credit", unmap_credit },
	{ "none", none_is_free },
	{ "escape", mprotect_escape },
	{ "mixed", mixed_ranges },
	{ "zero", dev_zero },
	{ "remap", remaps },
	{ "remap-several", remaps_several },
	{ "moving", moving },
	{ "noreserve", not_reserved },
	{ "file", private_file },
	{ "sysv", sysv },
	{ "newborn", newborn },
	{ "memfd", memfd },
	{ "posixshm", posix_shm },
	{ "stack", stack },
	{ "growsdown", grows_down },
	{ "huge", huge },
	{ "race", race },
};

int main(int argc, char **argv)
{
	size_t i;

	if (argc != 3)
		return 2;
	limit = strtoul(argv[2], NULL, 10) * MIB;
	grow_stack();
	for (i = 0; i < sizeof(traps) / sizeof(traps[0]); i++) {
		if (!strcmp(traps[i].name, argv[1])) {
			traps[i].fn();
			return check_failed;
		}
	}
	fprintf(stderr, "traps: no trap '%s'\n", argv[1]);
	return 2;
}
