/* SPDX-License-Identifier: MIT
 *
 * vectors: the acceptance vectors of commit accounting, one step at a time.
 *
 *   vectors SET      SET is mode2, mode0 or forced
 *
 * After each step it writes "CHANGE NAME" (CHANGE in kB, what Committed_AS must
 * have moved by since the step before) and waits for a line on standard input.
 * "skip NAME" is a step that this kernel cannot show.  It maps nothing of its
 * own between steps and never grows its stack.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "count.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define SIZE (64 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define kB(bytes) ((long)((bytes) / KIB))

static struct count_map map;
static char out[256];
static int kernel_version;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(out, sizeof(out) - 1, format, ap);
	va_end(ap);
	out[n++] = '\n';
	if (write(1, out, n) != n)
		_exit(1);
}

static void wait_line(void)
{
	char c;

	do {
		if (read(0, &c, 1) != 1)
			_exit(1);
	} while (c != '\n');
}

static void step(const char *name, long change_kb)
{
	say("%ld %s", change_kb, name);
	wait_line();
}

static void die(const char *what)
{
	say("fail %s: %s", what, strerror(errno));
	_exit(1);
}

static char *map_or_die(const char *what, void *at, unsigned long len, int prot, int flags, int fd)
{
	char *p = mmap(at, len, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		die(what);
	return p;
}

static void must(int ret, const char *what)
{
	if (ret)
		die(what);
}

static void touch(char *p, unsigned long len)
{
	unsigned long i;

	for (i = 0; i < len; i += PAGE)
		p[i] = 1;
}

static int thp_always(void)
{
	char text[64] = "";
	int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strstr(text, "[always]") != NULL;
}

static void anonymous(void)
{
	int drops = kernel_version >= 607;
	volatile char sink;
	unsigned long i;
	char *p = map_or_die("anon", NULL, SIZE, RW, ANON, -1);

	step("anon RW", kB(SIZE));
	must(munmap(p, SIZE), "munmap");
	step("anon RW: munmap", -kB(SIZE));

	p = map_or_die("none", NULL, SIZE, PROT_NONE, ANON, -1);
	step("PROT_NONE", 0);
	must(mprotect(p, SIZE, RW), "mprotect");
	step("PROT_NONE to RW", kB(SIZE));
	must(mprotect(p, SIZE, PROT_NONE), "mprotect");
	step("RW to NONE, never touched", drops ? -kB(SIZE) : 0);
	must(mprotect(p, SIZE, RW), "mprotect");
	step("RW again", drops ? kB(SIZE) : 0);
	for (i = 0; i < SIZE; i += PAGE)
		sink = p[i];
	(void)sink;
	must(mprotect(p, SIZE, PROT_READ), "mprotect");
	step("RW to R after only a read fault", drops && !thp_always() ? -kB(SIZE) : 0);
	must(munmap(p, SIZE), "munmap");
	step("munmap", drops && !thp_always() ? 0 : -kB(SIZE));

	p = map_or_die("anon", NULL, SIZE, RW, ANON, -1);
	p[SIZE / 2] = 1;
	step("anon RW, one write", kB(SIZE));
	must(mprotect(p, SIZE, PROT_NONE), "mprotect");
	step("RW to NONE after one write", 0);
	must(madvise(p, SIZE, MADV_DONTNEED), "madvise");
	must(mprotect(p, SIZE, PROT_READ), "mprotect");
	step("after MADV_DONTNEED", 0);
	must(munmap(p, SIZE), "munmap");
	step("munmap of what was kept", -kB(SIZE));
}

static void shared_anonymous(int prot, const char *name)
{
	char *p = map_or_die(name, NULL, SIZE, prot, MAP_SHARED | MAP_ANONYMOUS, -1);
	char *zero;
	int fd;

	step(name, kB(SIZE));
	if (prot & PROT_WRITE) {
		touch(p, SIZE / 2);
		step("shared anon: touch", 0);
		must(madvise(p, SIZE / 2, MADV_REMOVE), "MADV_REMOVE");
		step("shared anon: MADV_REMOVE", 0);
	}
	must(munmap(p, SIZE / 2), "munmap");
	step("shared anon: half munmap", 0);
	must(munmap(p + SIZE / 2, SIZE / 2), "munmap");
	step("shared anon: rest", -kB(SIZE));

	fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("/dev/zero");
	zero = map_or_die("/dev/zero", NULL, SIZE, prot, MAP_SHARED, fd);
	step("shared /dev/zero", kB(SIZE));
	must(munmap(zero, SIZE), "munmap");
	step("shared /dev/zero: munmap", -kB(SIZE));
	if (prot & PROT_WRITE) {
		zero = map_or_die("/dev/zero", NULL, SIZE, prot, MAP_PRIVATE, fd);
		step("private /dev/zero", kB(SIZE));
		must(munmap(zero, SIZE), "munmap");
		step("private /dev/zero: munmap", -kB(SIZE));
	}
	close(fd);
}

static void private_file(void)
{
	char name[] = "/tmp/surety-vectors-XXXXXX";
	int fd = mkstemp(name);
	char *p;

	if (fd < 0 || unlink(name) || ftruncate(fd, SIZE))
		die("file");
	p = map_or_die("file", NULL, SIZE, RW, MAP_PRIVATE, fd);
	step("private file RW", kB(SIZE));
	must(mprotect(p, SIZE, PROT_READ), "mprotect");
	step("private file: to R", 0);
	must(munmap(p, SIZE), "munmap");
	step("private file: munmap", -kB(SIZE));
	p = map_or_die("file", NULL, SIZE, PROT_READ, MAP_PRIVATE, fd);
	step("private file R", 0);
	must(munmap(p, SIZE), "munmap");
	p = map_or_die("file", NULL, SIZE, RW, MAP_SHARED, fd);
	step("shared file RW", 0);
	must(munmap(p, SIZE), "munmap");
	close(fd);
	step("shared file: munmap", 0);
}

static void replace_and_move(void)
{
	char *p = map_or_die("anon", NULL, SIZE, RW, ANON, -1), *q;

	step("anon RW", kB(SIZE));
	map_or_die("fixed", p, SIZE, RW, ANON | MAP_FIXED, -1);
	step("MAP_FIXED RW over equal RW", 0);
	map_or_die("fixed", p, SIZE / 2, PROT_NONE, ANON | MAP_FIXED, -1);
	step("MAP_FIXED NONE over half", -kB(SIZE / 2));
	map_or_die("fixed", p, SIZE, RW, ANON | MAP_FIXED, -1);
	step("MAP_FIXED RW over half RW half NONE", kB(SIZE / 2));
	must(munmap(p, SIZE), "munmap");
	step("munmap", -kB(SIZE));

	p = map_or_die("anon", NULL, 8 * MIB, RW, ANON, -1);
	touch(p, 8 * MIB);
	step("8 MiB", 8192);
	q = mremap(p, 8 * MIB, 8 * MIB, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	if (q == MAP_FAILED)
		die("MREMAP_DONTUNMAP");
	step("MREMAP_DONTUNMAP", 8192);
	must(munmap(p, 8 * MIB), "munmap");
	step("munmap old", -8192);
	p = mremap(q, 8 * MIB, 24 * MIB, MREMAP_MAYMOVE);
	if (p == MAP_FAILED)
		die("mremap");
	step("mremap grows by 16 MiB", 16384);
	p = mremap(p, 24 * MIB, 8 * MIB, 0);
	if (p == MAP_FAILED)
		die("mremap");
	step("mremap shrinks by 16 MiB", -16384);
	must(munmap(p, 8 * MIB), "munmap");
	step("munmap new", -8192);
}

static void memfd(void)
{
	volatile char sink;
	unsigned long i;
	int fd = memfd_create("vectors", MFD_CLOEXEC);
	char *p;

	if (fd < 0)
		die("memfd_create");
	must(ftruncate(fd, SIZE), "ftruncate");
	step("memfd: ftruncate 64M", 0);
	must(fallocate(fd, 0, 0, 16 * MIB), "fallocate");
	step("memfd: fallocate 16M", 16384);
	must(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8 * MIB), "punch");
	step("memfd: punch 8M", -8192);
	p = map_or_die("memfd", NULL, 8 * MIB, PROT_READ, MAP_SHARED, fd);
	step("memfd: map shared", 0);
	for (i = 0; i < 8 * MIB; i += PAGE)
		sink = p[i];
	step("memfd: read-touch that 8M", 8192);
	must(munmap(p, 8 * MIB), "munmap");
	must(ftruncate(fd, 0), "truncate");
	step("memfd: truncate 0", -16384);
	must(ftruncate(fd, 4 * MIB), "ftruncate");
	p = map_or_die("memfd private", NULL, 4 * MIB, RW, MAP_PRIVATE, fd);
	step("private RW of a 4 MiB memfd hole", 4096);
	touch(p, 4 * MIB);
	step("and write-touch", 4096);
	must(munmap(p, 4 * MIB), "munmap");
	step("munmap", -4096);
	close(fd);
	step("close", -4096);
	(void)sink;
}

static void fork_step(const char *name, long plus_kb, long rest_kb)
{
	int hold[2];
	pid_t pid;

	if (pipe(hold))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		char c;

		close(hold[1]);
		if (read(hold[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	step(name, rest_kb + plus_kb);
	close(hold[0]);
	close(hold[1]);
	waitpid(pid, NULL, 0);
	step("child ends", -(rest_kb + plus_kb));
}

static void forks(void)
{
	long rest;
	char *p;

	if (count_read("/proc/self/smaps", &map))
		die("smaps");
	rest = kB(count_space(&map));
	fork_step("fork", 0, rest);
	p = map_or_die("anon", NULL, 8 * MIB, RW, ANON, -1);
	touch(p, 8 * MIB);
	step("8 MiB", 8192);
	fork_step("fork with 8 MiB", 8192, rest);
	must(madvise(p, 8 * MIB, MADV_DONTFORK), "DONTFORK");
	fork_step("fork with 8 MiB MADV_DONTFORK", 0, rest);
	must(madvise(p, 8 * MIB, MADV_DOFORK), "DOFORK");
	must(madvise(p, 8 * MIB, MADV_WIPEONFORK), "WIPEONFORK");
	fork_step("fork with 8 MiB MADV_WIPEONFORK", 8192, rest);
	must(munmap(p, 8 * MIB), "munmap");
	step("munmap", -8192);
}

static void sysv(int extra, const char *name)
{
	int id = shmget(IPC_PRIVATE, 16 * MIB, IPC_CREAT | 0600 | extra);
	char *p;

	if (id < 0)
		die("shmget");
	step(name, 16384);
	p = shmat(id, NULL, 0);
	if (p == (void *)-1)
		die("shmat");
	must(shmctl(id, IPC_RMID, NULL), "IPC_RMID");
	touch(p, 16 * MIB);
	step("SysV: attach, touch, IPC_RMID", 0);
	must(shmdt(p), "shmdt");
	step("SysV: last detach", -16384);
}

static void not_reserved(void)
{
	char *p = map_or_die("noreserve", NULL, 16 * MIB, RW, ANON | MAP_NORESERVE, -1);

	step("mode 2: NORESERVE RW 16M", 16384);
	must(munmap(p, 16 * MIB), "munmap");
	step("mode 2: munmap", -16384);
	p = map_or_die("noreserve", NULL, 16 * MIB, PROT_NONE, ANON | MAP_NORESERVE, -1);
	step("mode 2: NORESERVE NONE", 0);
	must(mprotect(p, 16 * MIB, RW), "mprotect");
	step("mode 2: NORESERVE NONE to RW", 16384);
	must(munmap(p, 16 * MIB), "munmap");
	step("mode 2: munmap", -16384);
	p = map_or_die("shared noreserve", NULL, 16 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	step("mode 2: shared anon NORESERVE 16M", 16384);
	must(munmap(p, 16 * MIB), "munmap");
	step("mode 2: munmap", -16384);
	p = mmap(NULL, 16 * MIB, RW, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		say("skip DROPPABLE: %s", strerror(errno));
		wait_line();
		return;
	}
	step("DROPPABLE", 0);
	touch(p, 16 * MIB);
	step("DROPPABLE: touch", 0);
	must(munmap(p, 16 * MIB), "munmap");
	step("DROPPABLE: munmap", 0);
}

static void honoured(void)
{
	char *p = map_or_die("noreserve", NULL, SIZE, RW, ANON | MAP_NORESERVE, -1);

	step("mode 0: NORESERVE RW", 0);
	must(munmap(p, SIZE), "munmap");
	step("mode 0: munmap", 0);
	p = map_or_die("noreserve", NULL, SIZE, PROT_NONE, ANON | MAP_NORESERVE, -1);
	must(mprotect(p, SIZE, RW), "mprotect");
	step("mode 0: NORESERVE NONE to RW", 0);
	must(munmap(p, SIZE), "munmap");
	step("mode 0: munmap", 0);
	p = map_or_die("anon", NULL, SIZE, RW, ANON, -1);
	step("mode 0: anon RW", kB(SIZE));
	must(munmap(p, SIZE), "munmap");
	step("mode 0: munmap", -kB(SIZE));
	p = map_or_die("shared noreserve", NULL, SIZE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	step("mode 0: shared anon NORESERVE", 0);
	touch(p, 16 * MIB);
	step("mode 0: shared anon NORESERVE, touch 16M", 16384);
	must(munmap(p, SIZE), "munmap");
	step("mode 0: munmap", -16384);
}

/* Copies that the kernel makes without a charge when told to write past the protection. */
static void forced(void)
{
	char *p = map_or_die("read-only", NULL, 8 * MIB, PROT_READ, ANON, -1);
	static char data[MIB];
	unsigned long i;
	pid_t pid;
	int fd, status;

	step("read-only anon", 0);
	fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("/proc/self/mem");
	memset(data, 1, sizeof(data));
	step("a MiB of data", 0);
	for (i = 0; i < 8; i++)
		if (pwrite(fd, data, MIB, (off_t)(p + i * MIB)) != MIB)
			die("write to /proc/self/mem");
	close(fd);
	step("8 MiB written through /proc/self/mem", 8192);
	must(munmap(p, 8 * MIB), "munmap");
	step("munmap", -8192);

	if (count_read("/proc/self/smaps", &map))
		die("smaps");
	p = map_or_die("read-only", NULL, 8 * MIB, PROT_READ, ANON, -1);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		raw1(SYS_getpid, 0);
		for (;;)
			pause();
	}
	step("fork", kB(count_space(&map)));
	must((int)ptrace(PTRACE_SEIZE, pid, NULL, NULL), "SEIZE");
	must((int)ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), "INTERRUPT");
	waitpid(pid, &status, 0);
	for (i = 0; i < 16; i++)
		must((int)ptrace(PTRACE_POKEDATA, pid, p + i * 4 * PAGE, (void *)1), "POKEDATA");
	step("16 pages poked by ptrace", 64);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	step("child ends", -64 - kB(count_space(&map)));
}

int main(int argc, char **argv)
{
	const char *set = argc > 1 ? argv[1] : "mode2";
	volatile char stack[256 * 1024];
	struct utsname uts;
	int major = 0, minor = 0;

	memset((char *)stack, 0, sizeof(stack));
	memset(&map, 0, sizeof(map));
	memset(count_text, 0, sizeof(count_text));
	uname(&uts);
	if (sscanf(uts.release, "%d.%d", &major, &minor) == 2)
		kernel_version = major * 100 + minor;
	step("start", 0);
	if (!strcmp(set, "mode2")) {
		anonymous();
		shared_anonymous(RW, "shared anon RW");
		shared_anonymous(PROT_NONE, "shared anon NONE");
		private_file();
		replace_and_move();
		memfd();
		forks();
		sysv(0, "SysV 16M");
		sysv(SHM_NORESERVE, "mode 2: SHM_NORESERVE 16M");
		not_reserved();
	} else if (!strcmp(set, "mode0")) {
		honoured();
	} else if (!strcmp(set, "forced")) {
		forced();
	} else {
		return 2;
	}
	say("end");
	return 0;
}
