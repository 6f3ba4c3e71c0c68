/* SPDX-License-Identifier: MIT
 *
 * ops: memory operations by their names, each with its outcome.
 *
 *   ops OP[:SLOT[:MIB[:AT]]]...     prints "OP=ok" or "OP=ERROR" for each
 *
 * A slot holds a mapping or a descriptor; AT is an offset in MiB, or what the
 * operation says.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1UL << 20)
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define SLOTS 16

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 8
#endif

static struct slot {
	char *at;
	size_t len;
	int fd;
} slots[SLOTS];

struct args {
	struct slot *slot;
	size_t len, at; /* bytes */
};

static int map(const struct args *a, int prot, int flags)
{
	char *p = mmap(flags & MAP_FIXED ? a->slot->at : NULL, a->len, prot, flags, -1, 0);

	if (p == MAP_FAILED)
		return -1;
	if (!(flags & MAP_FIXED)) {
		a->slot->at = p;
		a->slot->len = a->len;
	}
	return 0;
}

static int op_rw(const struct args *a) { return map(a, RW, ANON); }
static int op_none(const struct args *a) { return map(a, PROT_NONE, ANON); }
static int op_nr(const struct args *a) { return map(a, RW, ANON | MAP_NORESERVE); }
static int op_nrnone(const struct args *a) { return map(a, PROT_NONE, ANON | MAP_NORESERVE); }
static int op_shared(const struct args *a) { return map(a, RW, MAP_SHARED | MAP_ANONYMOUS); }
static int op_sharednr(const struct args *a) { return map(a, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE); }
static int op_droppable(const struct args *a) { return map(a, RW, MAP_DROPPABLE | MAP_ANONYMOUS); }
static int op_fixed(const struct args *a) { return map(a, RW, ANON | MAP_FIXED); }
static int op_fixednone(const struct args *a) { return map(a, PROT_NONE, ANON | MAP_FIXED); }

static size_t part(const struct args *a)
{
	return a->len ? a->len : a->slot->len - a->at;
}

static int op_unmap(const struct args *a) { return munmap(a->slot->at + a->at, part(a)); }
static int op_protrw(const struct args *a) { return mprotect(a->slot->at + a->at, part(a), RW); }
static int op_protro(const struct args *a) { return mprotect(a->slot->at + a->at, part(a), PROT_READ); }
static int op_protnone(const struct args *a) { return mprotect(a->slot->at + a->at, part(a), PROT_NONE); }
static int op_dontfork(const struct args *a) { return madvise(a->slot->at + a->at, part(a), MADV_DONTFORK); }

static int op_touch(const struct args *a)
{
	for (size_t i = 0; i < part(a); i += 4096)
		((volatile char *)a->slot->at)[a->at + i] = 1;
	return 0;
}

static int remap(const struct args *a, size_t len, int flags)
{
	char *p = mremap(a->slot->at, a->slot->len, len, flags);

	if (p == MAP_FAILED)
		return -1;
	a->slot->at = p;
	a->slot->len = len;
	return 0;
}

static int op_remap(const struct args *a) { return remap(a, a->len, MREMAP_MAYMOVE); }
static int op_grow(const struct args *a) { return remap(a, a->len, 0); }
static int op_dontunmap(const struct args *a) { return remap(a, a->slot->len, MREMAP_MAYMOVE | MREMAP_DONTUNMAP); }
static int op_brk(const struct args *a) { return sbrk((intptr_t)a->len) == (void *)-1 ? -1 : 0; }
static int op_brkdown(const struct args *a) { return sbrk(-(intptr_t)a->len) == (void *)-1 ? -1 : 0; }

static int op_shmget(const struct args *a)
{
	a->slot->fd = shmget(IPC_PRIVATE, a->len, 0600);
	return a->slot->fd < 0 ? -1 : 0;
}

static int op_shmrm(const struct args *a) { return shmctl(a->slot->fd, IPC_RMID, NULL); }

static int op_memfd(const struct args *a)
{
	a->slot->fd = memfd_create("ops", 0);
	return a->slot->fd < 0 ? -1 : ftruncate(a->slot->fd, (off_t)a->len);
}

static int op_write(const struct args *a)
{
	static const char page[4096] = "x";

	for (size_t i = 0; i < a->len; i += sizeof(page))
		if (pwrite(a->slot->fd, page, sizeof(page), (off_t)(a->at + i)) != (ssize_t)sizeof(page))
			return -1;
	return 0;
}

static int op_fallocate(const struct args *a) { return fallocate(a->slot->fd, 0, (off_t)a->at, (off_t)a->len); }

static int op_punch(const struct args *a)
{
	return fallocate(a->slot->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)a->at, (off_t)a->len);
}

static int op_truncate(const struct args *a) { return ftruncate(a->slot->fd, (off_t)a->len); }
static int op_close(const struct args *a) { return close(a->slot->fd); }

/* A file whose driver refuses to be mapped, after the charge. */
static int op_badmap(const struct args *a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char *p = fd < 0 ? MAP_FAILED : mmap(NULL, a->len, RW, MAP_PRIVATE, fd, 0);

	if (fd >= 0)
		close(fd);
	return p == MAP_FAILED ? -1 : 0;
}

static int op_fork(const struct args *a)
{
	pid_t pid = fork();

	(void)a;
	if (pid == 0)
		_exit(0);
	return pid < 0 || waitpid(pid, NULL, 0) != pid ? -1 : 0;
}

/* A child that stays. */
static int op_child(const struct args *a)
{
	pid_t pid = fork();

	(void)a;
	if (pid == 0) {
		fclose(stdout);
		for (;;)
			pause();
	}
	return pid < 0 ? -1 : 0;
}

static int op_exec(const struct args *a)
{
	int status = 0;
	pid_t pid = vfork();

	(void)a;
	if (pid == 0) {
		execl("/bin/ops", "ops", (char *)NULL);
		_exit(errno);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EFAULT;
	return errno ? -1 : 0;
}

static int op_stack(const struct args *a)
{
	volatile char *p = __builtin_alloca(a->len);

	for (size_t i = 0; i < a->len; i += 4096)
		p[a->len - 1 - i] = 1;
	return 0;
}

static int op_stay(const struct args *a)
{
	(void)a;
	printf("staying\n");
	fclose(stdout);
	while (pause() < 0)
		;
	return 0;
}

#define OP(name) { #name, op_##name }
static const struct {
	const char *name;
	int (*run)(const struct args *a);
} ops[] = {
	OP(rw), OP(none), OP(nr), OP(nrnone), OP(shared), OP(sharednr), OP(droppable), OP(fixed), OP(fixednone),
	OP(unmap), OP(protrw), OP(protro), OP(protnone), OP(dontfork), OP(touch), OP(remap), OP(grow), OP(dontunmap),
	OP(brk), OP(brkdown), OP(shmget), OP(shmrm), OP(memfd), OP(write), OP(fallocate), OP(punch), OP(truncate),
	OP(close), OP(badmap), OP(fork), OP(child), OP(exec), OP(stack), OP(stay),
};

static int run(const char *word)
{
	char name[32] = "";
	unsigned int slot = 0;
	unsigned long len = 0, at = 0;
	struct args a;

	if (sscanf(word, "%31[a-z]:%u:%lu:%lu", name, &slot, &len, &at) < 1)
		return 99;
	a = (struct args){ &slots[slot % SLOTS], len * MIB, at * MIB };
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (strcmp(ops[i].name, name) != 0)
			continue;
		printf("%s=%s ", name, ops[i].run(&a) == 0 ? "ok" : strerrorname_np(errno));
		return 0;
	}
	printf("%s=unknown ", name);
	return 99;
}

int main(int argc, char **argv)
{
	int status = 0;

	setvbuf(stdout, NULL, _IONBF, 0);
	for (int i = 1; i < argc; i++)
		status |= run(argv[i]);
	printf("\n");
	return status;
}
