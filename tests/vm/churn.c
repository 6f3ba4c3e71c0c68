/* SPDX-License-Identifier: MIT
 *
 * churn: random memory operations by many processes in nested cgroups.
 *
 *   churn SEED PROCESSES OPERATIONS CGROUP...
 *
 * Process I enters cgroup I modulo their number, does its share of OPERATIONS,
 * stops (SIGSTOP) with what it holds then, and waits to be killed.  Some of the
 * operations fork, execute or move between the cgroups; refusals are as good as
 * grants.  Prints "done" when all have stopped, and stays.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 12
#define PAGE 4096UL
#define RW (PROT_READ | PROT_WRITE)

static uint64_t state;
static char **cgroups;
static unsigned int nr_cgroups;

static struct {
	char *at;
	size_t len;
} slots[SLOTS];

static uint32_t draw(uint32_t below)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(state >> 33) % below;
}

static void enter(unsigned int which)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroups[which % nr_cgroups]);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(99);
	close(fd);
}

static void op_map(unsigned int i)
{
	static const int flags[] = { MAP_PRIVATE, MAP_PRIVATE, MAP_PRIVATE | MAP_NORESERVE, MAP_SHARED };
	static const int prots[] = { RW, RW, PROT_NONE, PROT_READ };
	size_t len = (1 + draw(512)) * PAGE;
	char *p;

	if (slots[i].at && draw(3) == 0) {
		/* Over what is there, perhaps in part. */
		p = mmap(slots[i].at, slots[i].len, prots[draw(4)], flags[draw(3)] | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		return;
	}
	if (slots[i].at)
		munmap(slots[i].at, slots[i].len);
	p = mmap(NULL, len, prots[draw(4)], flags[draw(4)] | MAP_ANONYMOUS, -1, 0);
	slots[i].at = p == MAP_FAILED ? NULL : p;
	slots[i].len = len;
}

static void op_protect(unsigned int i)
{
	static const int prots[] = { RW, PROT_READ, PROT_NONE };
	size_t pages = slots[i].len / PAGE, from, len;

	if (!slots[i].at)
		return;
	from = draw((uint32_t)pages);
	len = 1 + draw((uint32_t)(pages - from));
	mprotect(slots[i].at + from * PAGE, len * PAGE, prots[draw(3)]);
}

/* Writes without a store: what is not writable says EFAULT. */
static void op_touch(unsigned int i)
{
	static int zero = -1;

	if (zero < 0)
		zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (slots[i].at && read(zero, slots[i].at + draw((uint32_t)(slots[i].len / PAGE)) * PAGE, 1) < 0 && errno != EFAULT)
		_exit(99);
}

static void op_unmap_part(unsigned int i)
{
	size_t pages = slots[i].len / PAGE;

	if (slots[i].at)
		munmap(slots[i].at + draw((uint32_t)pages) * PAGE, (1 + draw(8)) * PAGE < slots[i].len ? PAGE : slots[i].len);
}

static void op_remap(unsigned int i)
{
	size_t len = (1 + draw(512)) * PAGE;
	char *p;

	if (!slots[i].at)
		return;
	p = mremap(slots[i].at, slots[i].len, len, MREMAP_MAYMOVE);
	if (p != MAP_FAILED) {
		slots[i].at = p;
		slots[i].len = len;
	}
}

static void op_fork(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		op_map(draw(SLOTS));
		if (draw(2))
			execl("/bin/ops", "ops", "rw:0:1", (char *)NULL);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* Never below where it began: a static program's own data lies there. */
static void op_brk(void)
{
	static intptr_t grown;
	intptr_t by = (intptr_t)((draw(64) + 1) * PAGE);

	if (draw(2))
		by = by > grown ? -grown : -by;
	if (sbrk(by) != (void *)-1)
		grown += by;
}

static void work(unsigned int operations, int null)
{
	if (dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(99);
	while (operations--) {
		unsigned int i = draw(SLOTS);

		if (draw(1000) == 0)
			enter(draw(nr_cgroups)); /* a slow one: the kernel waits for all processors */
		switch (draw(128)) {
		case 0: op_fork(); break;
		case 1 ... 9: op_brk(); break;
		case 10 ... 30: op_remap(i); break;
		case 31 ... 56: op_protect(i); break;
		case 57 ... 72: op_unmap_part(i); break;
		case 73 ... 92: op_touch(i); break;
		default: op_map(i);
		}
	}
}

int main(int argc, char **argv)
{
	unsigned int processes, share;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (argc < 5 || null < 0)
		return 99;
	processes = (unsigned int)strtoul(argv[2], NULL, 10);
	share = (unsigned int)strtoul(argv[3], NULL, 10) / processes;
	cgroups = argv + 4;
	nr_cgroups = (unsigned int)argc - 4;
	for (unsigned int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 99;
		if (pid == 0) {
			state = strtoull(argv[1], NULL, 10) * 1000 + i;
			enter(i);
			work(share, null);
			raise(SIGSTOP);
			_exit(0);
		}
	}
	for (unsigned int i = 0; i < processes; i++) {
		int status;

		if (waitpid(-1, &status, WUNTRACED) < 0 || !WIFSTOPPED(status)) {
			printf("a process ended: %d\n", status);
			return 99;
		}
	}
	printf("done\n");
	fflush(stdout);
	if (dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		return 99;
	while (pause() < 0)
		; /* stopped processes whose parent ends are ended by the kernel */
	return 0;
}
