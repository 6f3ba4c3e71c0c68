/* SPDX-License-Identifier: MIT
 *
 * compat: the i386 entries of the calls that raise a charge.
 *
 *   compat LIMIT_MIB
 *
 * Built twice: as a 64-bit program it goes in through int $0x80, built with
 * -m32 it is an i386 process.  Facts as in check.h.  Numbers are i386's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

enum {
	I386_FORK = 2,
	I386_BRK = 45,
	I386_MMAP = 90,
	I386_MUNMAP = 91,
	I386_IPC = 117,
	I386_CLONE = 120,
	I386_MPROTECT = 125,
	I386_MREMAP = 163,
	I386_VFORK = 190,
	I386_MMAP2 = 192,
	I386_SHMGET = 395,
	I386_CLONE3 = 435,
	IPC_SHMGET = 23,
};

static unsigned long limit;

/* Arguments of i386's first mmap, read by the kernel from memory below 4 GiB. */
struct old_mmap {
	uint32_t addr, len, prot, flags, fd, offset;
};

static long mmap2(unsigned long at, unsigned long len, int prot, int flags)
{
	return int80(I386_MMAP2, at, len, prot, flags, -1UL, 0);
}

static int failed(long ret)
{
	return ret < 0 && ret >= -4095;
}

static unsigned long address(long ret)
{
	return (uint32_t)ret;
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
	if (!failed(ret))
		check(1, "%s is granted", what);
	else
		check(0, "%s is granted: got %ld", what, ret);
}

static void mappings(void)
{
	struct old_mmap *old;
	unsigned long p;
	long ret;

	refused(mmap2(0, 2 * limit, RW, ANON), "mmap2");
	ret = mmap2(0, 4 * MIB, RW, ANON);
	granted(ret, "a small mmap2");
	hold("mmap2");
	old = (struct old_mmap *)address(ret);
	*old = (struct old_mmap){ 0, 2 * limit, RW, ANON, -1U, 0 };
	refused(int80(I386_MMAP, U(old), 0, 0, 0, 0, 0), "the first mmap, arguments in memory");
	old->len = 4 * MIB;
	ret = int80(I386_MMAP, U(old), 0, 0, 0, 0, 0);
	granted(ret, "a small one");
	hold("mmap");
	check(int80(I386_MMAP, 16, 0, 0, 0, 0, 0) == -EFAULT, "arguments from nowhere: EFAULT");
	check(int80(I386_MUNMAP, address(ret), 4 * MIB, 0, 0, 0, 0) == 0, "munmap");

	ret = mmap2(0, 2 * limit, PROT_NONE, ANON);
	granted(ret, "mmap2 PROT_NONE of twice the limit");
	p = address(ret);
	refused(int80(I386_MPROTECT, p, 2 * limit, RW, 0, 0, 0), "mprotect");
	granted(int80(I386_MPROTECT, p, 4 * MIB, RW, 0, 0, 0), "a small mprotect");
	hold("mprotect");
	refused(mmap2(p, 2 * limit, RW, ANON | MAP_FIXED), "mmap2 MAP_FIXED over it");
	refused(int80(I386_MREMAP, p, 4 * MIB, 2 * limit, MREMAP_MAYMOVE, 0, 0), "mremap");
	ret = int80(I386_MREMAP, p, 4 * MIB, 8 * MIB, MREMAP_MAYMOVE, 0, 0);
	granted(ret, "a small mremap");
	hold("mremap");
	refused(mmap2(0, 2 * limit, RW, MAP_SHARED | MAP_ANONYMOUS), "mmap2 shared anonymous");
	refused(mmap2(0, 2 * limit, RW, ANON | MAP_NORESERVE), "mmap2 MAP_NORESERVE");
}

static void segments(void)
{
	long id;

	refused(int80(I386_SHMGET, IPC_PRIVATE, 2 * limit, IPC_CREAT | 0600, 0, 0, 0), "shmget");
	refused(int80(I386_IPC, IPC_SHMGET, IPC_PRIVATE, 2 * limit, IPC_CREAT | 0600, 0, 0), "ipc(SHMGET)");
	id = int80(I386_IPC, IPC_SHMGET, IPC_PRIVATE, 4 * MIB, IPC_CREAT | 0600, 0, 0);
	granted(id, "a small ipc(SHMGET)");
	hold("segment");
	if (id >= 0)
		shmctl((int)id, IPC_RMID, NULL);
	hold("no segment");
}

static void processes(void)
{
	long pid;
	int status = -1;

	pid = int80(I386_FORK, 0, 0, 0, 0, 0, 0);
	if (pid == 0)
		_exit(5);
	check(pid > 0 && waitpid((pid_t)pid, &status, 0) == pid && WEXITSTATUS(status) == 5, "a small fork");
	granted(mmap2(0, limit / 10 * 6, RW, ANON), "60 % of the limit");
	refused(int80(I386_FORK, 0, 0, 0, 0, 0, 0), "fork");
	refused(int80(I386_CLONE, 17, 0, 0, 0, 0, 0), "clone");
	hold("after");
}

#ifdef __i386__
static void program_break(void)
{
	long now = int80(I386_BRK, 0, 0, 0, 0, 0, 0);
	void *p;

	check(int80(I386_BRK, now + 2 * limit, 0, 0, 0, 0, 0) == now, "a refused brk returns the present break");
	check(int80(I386_BRK, now + MIB, 0, 0, 0, 0, 0) == now + (long)MIB, "a small one moves it");
	hold("break");
	p = malloc(2 * limit);
	check(!p && errno == ENOMEM, "malloc: NULL and ENOMEM");
	p = malloc(MIB);
	check(p != NULL, "a small malloc");
}
#endif

int main(int argc, char **argv)
{
	limit = (argc > 1 ? strtoul(argv[1], NULL, 10) : 256) * MIB;
	grow_stack();
	mappings();
	segments();
#ifdef __i386__
	program_break();
#endif
	processes();
	return check_failed;
}
