/* SPDX-License-Identifier: MIT
 *
 * torture: random memory operations by several processes and threads at once.
 *
 *   torture SEED OPERATIONS LIMIT_MIB
 *   torture leaf SEED OPERATIONS          what a forked child execs now and then
 *
 * Workers (processes) of several threads do OPERATIONS in rounds.  Between two
 * rounds all of them stand at a gate with no call in flight, and the first
 * process says "rest ROUND" and waits for a line: the group's figures can then
 * be looked at from outside.  The line's number, where it has one, is what the
 * group has left (bytes that fit); the first process then asks for just that
 * and for a page more, which must be granted and refused.
 *
 * Each thread works in a window of its own of the address space, far below
 * where the kernel places mappings by itself, and at times in one that its
 * process shares.  Nothing is written to by a plain store: read(2) of /dev/zero
 * writes, and says EFAULT where a store would be fatal.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define WINDOW (256 * MIB)
#define WINDOWS 0x100000000000UL

enum { WORKERS = 4, THREADS = 3, ROUNDS = 48, HELD = 2, KEYS = 16, SHARED_WINDOW = THREADS };

extern char **environ;

/* Shared by all processes; the gate is a futex. */
struct control {
	uint32_t arrived, generation;
	uint32_t parked; /* held children that have come to rest */
	uint32_t tight;  /* this round asks for a lot at a time */
	uint32_t grows;  /* this round maps what may grow by itself, beyond any limit */
	uint64_t done, refused;
};

struct worker {
	uint64_t state;
	unsigned long base;
	int memory_fd, own_break;
	pid_t held[HELD];
	int nr_held, leaf, written;
	uint64_t done, refused;
};

static struct control *control;
static unsigned long limit, per_round;
static int zero_fd, file_fd, key_prefix;

static uint64_t rnd(struct worker *w)
{
	w->state ^= w->state << 13;
	w->state ^= w->state >> 7;
	w->state ^= w->state << 17;
	return w->state * 0x2545f4914f6cdd1dULL >> 16;
}

static unsigned long below(struct worker *w, unsigned long n)
{
	return n ? rnd(w) % n : 0;
}

static unsigned long size(struct worker *w)
{
	unsigned long max = control->tight ? 14 : 6, pages = 1UL << below(w, max);

	return (pages + below(w, pages)) * PAGE;
}

/* Where a thread works: its own window, now and then the one of all threads. */
static unsigned long place(struct worker *w, unsigned long len)
{
	unsigned long base = below(w, 8) ? w->base : WINDOWS + SHARED_WINDOW * WINDOW;
	unsigned long span = control->tight ? WINDOW : 4 * MIB;

	return base + below(w, (span - (len < span ? len : span)) / PAGE + 1) * PAGE;
}

static void note(struct worker *w, long ret)
{
	w->done++;
	w->refused += ret == -ENOMEM || ret == -ENOSPC;
}

static void op_map(struct worker *w)
{
	static const struct {
		int flags, zero, file;
	} kinds[] = {
		{ ANON, 0, 0 },
		{ ANON, 0, 0 },
		{ ANON | MAP_NORESERVE, 0, 0 },
		{ ANON | MAP_GROWSDOWN, 0, 0 },
		{ ANON | MAP_POPULATE, 0, 0 },
		{ MAP_SHARED | MAP_ANONYMOUS, 0, 0 },
		{ MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, 0, 0 },
		{ MAP_PRIVATE, 1, 0 },
		{ MAP_SHARED, 1, 0 },
		{ MAP_PRIVATE, 0, 1 },
		{ MAP_SHARED, 0, 1 },
	};
	static const int prots[] = { RW, RW, RW, PROT_NONE, PROT_READ, PROT_WRITE, RW | PROT_EXEC };
	unsigned long kind = below(w, sizeof(kinds) / sizeof(kinds[0])), len = size(w);
	int fd = kinds[kind].zero ? zero_fd : kinds[kind].file ? file_fd : -1;
	unsigned long at = below(w, 6) ? place(w, len) : 0;
	long ret;

	if (kinds[kind].flags & MAP_GROWSDOWN && !control->grows)
		return;
	/* Populating costs memory and time: little of it. */
	if (kinds[kind].flags & MAP_POPULATE && len > MIB / 4)
		len = MIB / 4;
	ret = raw6(SYS_mmap, at, len, prots[below(w, 7)], kinds[kind].flags | (at ? MAP_FIXED : 0), fd, 0);
	note(w, ret);
	if (!at && !raw_failed(ret)) {
		if (below(w, 2))
			raw3(SYS_read, zero_fd, ret, PAGE);
		note(w, raw2(SYS_munmap, ret, len));
	}
}

static void op_unmap(struct worker *w)
{
	unsigned long len = size(w);

	note(w, raw2(SYS_munmap, place(w, len), len));
}

static void op_protect(struct worker *w)
{
	static const int prots[] = { RW, RW, RW, PROT_NONE, PROT_READ };
	unsigned long len = size(w), at = place(w, len);

	/* ENOMEM of a hole is no refusal; the count does not matter here. */
	if (below(w, 8))
		note(w, raw3(SYS_mprotect, at, len, prots[below(w, 5)]));
	else
		note(w, raw4(SYS_pkey_mprotect, at, len, prots[below(w, 5)], -1));
}

static void op_remap(struct worker *w)
{
	unsigned long len = size(w), want = size(w), at = place(w, len), to = place(w, want);
	long ret;

	switch (below(w, 4)) {
	case 0:
		ret = raw4(SYS_mremap, at, len, want, 0);
		break;
	case 1:
		ret = raw5(SYS_mremap, at, len, len, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to);
		break;
	case 2:
		ret = raw5(SYS_mremap, at, 0, want, MREMAP_MAYMOVE | MREMAP_FIXED, to);
		break;
	default:
		ret = raw5(SYS_mremap, at, len, want, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	}
	note(w, ret);
}

static void op_touch(struct worker *w)
{
	unsigned long len = below(w, 16) ? PAGE : 64 * KIB;

	note(w, raw3(SYS_read, zero_fd, place(w, len), len));
}

static void op_advise(struct worker *w)
{
	static const int advice[] = { MADV_DONTNEED, MADV_DONTFORK, MADV_DOFORK,
				      MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_FREE };
	unsigned long len = size(w);

	raw3(SYS_madvise, place(w, len), len, advice[below(w, 6)]);
	note(w, 0);
}

static void op_break(struct worker *w)
{
	long now, start;

	if (!w->own_break)
		return;
	now = raw1(SYS_brk, 0);
	start = (long)w->own_break * (long)PAGE;
	if (below(w, 2) || now < start)
		now = raw1(SYS_brk, now + (long)size(w));
	else
		now = raw1(SYS_brk, start + (long)below(w, now - start + 1));
	note(w, 0);
}

static void op_memory_file(struct worker *w)
{
	static const char data[4 * PAGE];
	unsigned long len = size(w) % (4 * MIB) / PAGE * PAGE + PAGE, at = below(w, 2048) * PAGE;
	int fd = w->memory_fd;
	long ret = 0;

	switch (below(w, 7)) {
	case 0:
		ret = raw2(SYS_ftruncate, fd, below(w, 2 * MIB));
		break;
	case 1:
		ret = raw4(SYS_fallocate, fd, 0, at, len % (256 * KIB) + PAGE);
		break;
	case 2:
		ret = raw4(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len);
		break;
	case 3:
		/* It is not stopped, and may pass the limit: once a round, and
		 * test_torture.py knows of it. */
		if (w->leaf || w->written)
			return;
		w->written = 1;
		ret = raw4(SYS_pwrite64, fd, data, len < sizeof(data) ? len : sizeof(data), at);
		break;
	case 4:
	case 5:
		ret = raw6(SYS_mmap, place(w, len), len, below(w, 3) ? RW : PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
		break;
	default:
		ret = raw6(SYS_mmap, place(w, len), len, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
	}
	note(w, ret);
}

static void op_segment(struct worker *w)
{
	int key = (int)((unsigned int)key_prefix << 16 | below(w, KEYS));
	long id, ret;

	id = raw3(SYS_shmget, key, size(w), IPC_CREAT | 0600 | (below(w, 3) ? 0 : SHM_NORESERVE));
	note(w, id);
	if (id < 0) {
		id = raw3(SYS_shmget, key, 0, 0600);
		if (id >= 0)
			raw3(SYS_shmctl, id, IPC_RMID, 0);
		return;
	}
	ret = raw3(SYS_shmat, id, place(w, 8 * MIB), SHM_REMAP);
	note(w, ret);
	if (below(w, 3) == 0)
		raw3(SYS_shmctl, id, IPC_RMID, 0);
	if (!raw_failed(ret) && below(w, 3))
		raw1(SYS_shmdt, ret);
}

static void op_huge(struct worker *w)
{
	/* The pool's own affair; it must not disturb the count. */
	long ret = raw6(SYS_mmap, 0, 2 * MIB, RW, ANON | MAP_HUGETLB, -1, 0);

	if (!raw_failed(ret))
		raw2(SYS_munmap, ret, 2 * MIB);
	w->done++;
}

static void several(struct worker *w, unsigned long count);

static void exec_leaf(struct worker *w)
{
	char seed[24], count[24];
	char *argv[] = { (char *)"torture", (char *)"leaf", seed, count, NULL };

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)rnd(w));
	snprintf(count, sizeof(count), "%lu", below(w, 30));
	execve("/proc/self/exe", argv, environ);
	raw_exit(0);
}

/* A forked child: does a little, then exits, execs, or stays until the round is over. */
static void op_fork(struct worker *w)
{
	unsigned long fate = below(w, 10);
	long pid = raw0(SYS_fork);

	note(w, pid);
	if (pid == 0) {
		w->leaf = 1;
		w->state ^= 0x123456789abcdefULL;
		several(w, below(w, 12));
		if (fate < 2)
			exec_leaf(w);
		if (fate < 4 && w->nr_held < HELD) {
			__atomic_add_fetch(&control->parked, 1, __ATOMIC_SEQ_CST);
			for (;;)
				raw0(SYS_pause);
		}
		raw_exit(0);
	}
	if (pid < 0)
		return;
	if (fate >= 2 && fate < 4 && w->nr_held < HELD)
		w->held[w->nr_held++] = (pid_t)pid;
	else
		raw4(SYS_wait4, pid, 0, 0, 0);
}

static int in_the_same_space(void *arg)
{
	struct worker *w = arg;

	several(w, 3);
	if (below(w, 2))
		exec_leaf(w);
	raw1(SYS_exit, 0);
	return 0;
}

static void op_vfork(struct worker *w)
{
	struct worker other = *w;
	char stack[32 * 1024] __attribute__((aligned(16)));
	pid_t pid;

	other.leaf = 1;
	other.own_break = 0;
	pid = clone(in_the_same_space, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &other);
	note(w, pid < 0 ? -errno : pid);
	if (pid > 0)
		raw4(SYS_wait4, pid, 0, 0, 0);
}

static void op_spawn(struct worker *w)
{
	char *argv[] = { (char *)"torture", (char *)"leaf", (char *)"1", (char *)"5", NULL };
	pid_t pid;
	int ret = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ);

	note(w, -ret);
	if (!ret)
		raw4(SYS_wait4, pid, 0, 0, 0);
}

static void *short_thread(void *arg)
{
	struct worker other = *(struct worker *)arg;

	other.leaf = 1;
	several(&other, 4);
	return NULL;
}

static void op_thread(struct worker *w)
{
	pthread_t thread;
	int ret;

	/* pthread_create may move the break, which one thread here does by hand. */
	if (w->base == WINDOWS || w->leaf || control->tight)
		return;
	ret = pthread_create(&thread, NULL, short_thread, w);
	note(w, ret == EAGAIN ? -ENOMEM : 0);
	if (!ret)
		pthread_join(thread, NULL);
}

static void one(struct worker *w)
{
	static void (*const common[])(struct worker *) = {
		op_map, op_map, op_map, op_map, op_unmap, op_unmap, op_protect, op_protect, op_protect,
		op_remap, op_touch, op_touch, op_touch, op_advise, op_break, op_memory_file,
	};
	static void (*const rare[])(struct worker *) = {
		op_fork, op_fork, op_vfork, op_spawn, op_thread, op_segment, op_segment, op_segment, op_segment, op_huge,
	};
	void (*op)(struct worker *);

	if (w->leaf || below(w, 30))
		op = common[below(w, sizeof(common) / sizeof(common[0]))];
	else
		op = rare[below(w, sizeof(rare) / sizeof(rare[0]))];
	op(w);
}

static void several(struct worker *w, unsigned long count)
{
	while (count--)
		one(w);
}

/* The gate: the last of NR opens it. */
static void gate(uint32_t nr)
{
	uint32_t now = __atomic_load_n(&control->generation, __ATOMIC_SEQ_CST);

	if (__atomic_add_fetch(&control->arrived, 1, __ATOMIC_SEQ_CST) == nr) {
		__atomic_store_n(&control->arrived, 0, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&control->generation, 1, __ATOMIC_SEQ_CST);
		raw3(SYS_futex, &control->generation, FUTEX_WAKE, INT32_MAX);
		return;
	}
	while (__atomic_load_n(&control->generation, __ATOMIC_SEQ_CST) == now)
		raw4(SYS_futex, &control->generation, FUTEX_WAIT, now, 0);
}

enum { ALL = WORKERS * THREADS + 1 };

static void end_held(struct worker *w)
{
	while (w->nr_held) {
		pid_t pid = w->held[--w->nr_held];

		raw2(SYS_kill, pid, SIGKILL);
		raw4(SYS_wait4, pid, 0, 0, 0);
	}
}

/* A held child is at rest once it sleeps in pause(2). */
static void await_held(struct worker *w)
{
	char path[64], text[32];
	int i, tries;

	for (i = 0; i < w->nr_held; i++) {
		snprintf(path, sizeof(path), "/proc/%d/syscall", (int)w->held[i]);
		for (tries = 0; tries < 20000; tries++) {
			int fd = open(path, O_RDONLY | O_CLOEXEC);
			ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

			if (fd >= 0)
				close(fd);
			if (n <= 0)
				break;
			text[n] = '\0';
			if (strtol(text, NULL, 10) == SYS_pause && text[0] != 'r')
				break;
			usleep(500);
		}
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		gate(ALL);
		w->written = 0;
		end_held(w);
		if (control->tight) {
			several(w, per_round / 8);
		} else {
			/* Room to breathe after a round that filled the group. */
			raw2(SYS_munmap, w->base, WINDOW);
			raw2(SYS_munmap, WINDOWS + SHARED_WINDOW * WINDOW, WINDOW);
			several(w, per_round);
		}
		await_held(w);
		__atomic_add_fetch(&control->done, w->done, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&control->refused, w->refused, __ATOMIC_SEQ_CST);
		w->done = w->refused = 0;
		gate(ALL);
	}
	gate(ALL); /* the last rest is over */
	end_held(w);
	return NULL;
}

static void worker_main(uint64_t seed, int number)
{
	static struct worker worker[THREADS];
	pthread_t thread[THREADS];
	int i;

	for (i = 0; i < THREADS; i++) {
		worker[i].state = (seed * 1000003 + (uint64_t)number * 101 + i) * 0x9e3779b97f4a7c15ULL | 1;
		worker[i].base = WINDOWS + (unsigned long)i * WINDOW;
		worker[i].memory_fd = memfd_create("torture", MFD_CLOEXEC);
		if (i && pthread_create(&thread[i], NULL, work, &worker[i]))
			_exit(4);
	}
	/* One thread of one worker moves the break; nothing else does there. */
	if (number == 0)
		worker[0].own_break = (int)((raw1(SYS_brk, 0) + (long)PAGE - 1) / (long)PAGE);
	work(&worker[0]);
	for (i = 1; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	_exit(0);
}

/* Says "rest", reads what the group has left, and tries it out. */
static void rest(int round)
{
	char line[64], c;
	unsigned long left;
	long ret;
	int n = 0;

	snprintf(line, sizeof(line), "rest %d done %llu refused %llu\n", round, (unsigned long long)control->done,
		 (unsigned long long)control->refused);
	check_put(line, (int)strlen(line));
	while (read(0, &c, 1) == 1 && c != '\n')
		if (n < (int)sizeof(line) - 1)
			line[n++] = c;
	line[n] = '\0';
	left = strtoul(line, NULL, 10);
	if (left < PAGE)
		return;
	ret = raw6(SYS_mmap, 0, left + PAGE, RW, ANON, -1, 0);
	check(ret == -ENOMEM, "round %d: a page more than is left is refused (%ld)", round, ret == -ENOMEM ? 0 : ret);
	if (!raw_failed(ret))
		raw2(SYS_munmap, ret, left + PAGE);
	ret = raw6(SYS_mmap, 0, left, RW, ANON, -1, 0);
	check(!raw_failed(ret), "round %d: all that is left is granted (%ld)", round, raw_failed(ret) ? ret : 0);
	if (!raw_failed(ret))
		raw2(SYS_munmap, ret, left);
}

static void remove_segments(void)
{
	int i, id;

	for (i = 0; i < KEYS; i++) {
		id = shmget((int)((unsigned int)key_prefix << 16 | i), 0, 0600);
		if (id >= 0)
			shmctl(id, IPC_RMID, NULL);
	}
}

static void open_files(void)
{
	char name[] = "/tmp/surety-torture-XXXXXX";

	zero_fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	file_fd = mkostemp(name, O_CLOEXEC);
	if (zero_fd < 0 || file_fd < 0 || unlink(name) || ftruncate(file_fd, 256 * (off_t)MIB))
		_exit(5);
}

static int leaf(char **argv)
{
	static struct control alone;
	struct worker w = { .leaf = 1, .base = WINDOWS, .memory_fd = memfd_create("leaf", MFD_CLOEXEC) };

	control = &alone;
	w.state = strtoull(argv[2], NULL, 10) | 1;
	open_files();
	several(&w, strtoul(argv[3], NULL, 10));
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pid[WORKERS];
	int i, status, round, bad = 0;
	uint64_t seed;

	if (argc == 4 && !strcmp(argv[1], "leaf"))
		return leaf(argv);
	if (argc != 4)
		return 2;
	seed = strtoull(argv[1], NULL, 10);
	limit = strtoul(argv[3], NULL, 10) * MIB;
	/* Three rounds of four are loose, the fourth does an eighth as much: together all and a little more. */
	per_round = strtoul(argv[2], NULL, 10) / (WORKERS * THREADS) / (ROUNDS * 3 / 4) + 2;
	key_prefix = 0x5000 + getpid() % 0x1000;
	remove_segments(); /* of one that was killed */
	grow_stack();
	control = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	open_files();
	check(1, "keys %x", key_prefix);
	for (i = 0; i < WORKERS; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			worker_main(seed, i);
	}
	for (round = 0; round < ROUNDS; round++) {
		control->tight = round % 4 == 3;
		control->grows = round == 0;
		gate(ALL);
		gate(ALL);
		rest(round);
	}
	gate(ALL);
	for (i = 0; i < WORKERS; i++)
		bad += waitpid(pid[i], &status, 0) != pid[i] || status;
	remove_segments();
	check(!bad, "every worker came to its end");
	check(control->done >= strtoull(argv[2], NULL, 10), "%llu operations, %llu refused",
	      (unsigned long long)control->done, (unsigned long long)control->refused);
	return check_failed;
}
