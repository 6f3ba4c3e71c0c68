/* SPDX-License-Identifier: MIT
 *
 * flags: see flags.h.  The values are the x86 kernel ABI's; those newer than
 * the headers of a build machine are given here.
 */
#include "report/flags.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "sys/uapi.h"

#ifndef MAP_ABOVE4G
#define MAP_ABOVE4G 0x80 /* KERNEL < 6.6 headers */
#endif

struct flag {
	uint64_t bit;
	const char *name;
};

#define FLAG(name) { (uint32_t)(name), #name }

static void put(char *buf, size_t size, const char *text)
{
	size_t used = strlen(buf);

	if (used < size)
		(void)snprintf(buf + used, size - used, "%s%s", used ? "|" : "", text);
}

static void put_number(char *buf, size_t size, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
	put(buf, size, text);
}

/* Appends the names of the bits set, then what is left as a number. */
static void put_bits(uint64_t value, const struct flag *flag, size_t nr, char *buf, size_t size)
{
	for (size_t i = 0; i < nr; i++) {
		if (value & flag[i].bit)
			put(buf, size, flag[i].name);
		value &= ~flag[i].bit;
	}
	if (value)
		put_number(buf, size, value);
}

#define PUT_BITS(value, table, buf, size) put_bits(value, table, sizeof(table) / sizeof((table)[0]), buf, size)

static char *finish(char *buf, size_t size, const char *nothing)
{
	if (!*buf)
		put(buf, size, nothing);
	return buf;
}

char *flags_prot(uint64_t prot, char *buf, size_t size)
{
	static const struct flag bits[] = {
		FLAG(PROT_READ), FLAG(PROT_WRITE), FLAG(PROT_EXEC), FLAG(PROT_GROWSDOWN), FLAG(PROT_GROWSUP),
	};

	*buf = '\0';
	PUT_BITS(prot, bits, buf, size);
	return finish(buf, size, "PROT_NONE");
}

char *flags_mmap(uint64_t flags, char *buf, size_t size)
{
	static const struct flag bits[] = {
		FLAG(MAP_FIXED),     FLAG(MAP_ANONYMOUS), FLAG(MAP_32BIT),           FLAG(MAP_ABOVE4G),
		FLAG(MAP_GROWSDOWN), FLAG(MAP_DENYWRITE), FLAG(MAP_EXECUTABLE),      FLAG(MAP_LOCKED),
		FLAG(MAP_NORESERVE), FLAG(MAP_POPULATE),  FLAG(MAP_NONBLOCK),        FLAG(MAP_STACK),
		FLAG(MAP_HUGETLB),   FLAG(MAP_SYNC),      FLAG(MAP_FIXED_NOREPLACE),
	};
	static const char *const type[16] = {
		[MAP_SHARED] = "MAP_SHARED",
		[MAP_PRIVATE] = "MAP_PRIVATE",
		[MAP_SHARED_VALIDATE] = "MAP_SHARED_VALIDATE",
		[MAP_DROPPABLE] = "MAP_DROPPABLE",
	};

	*buf = '\0';
	if (type[flags & MAP_TYPE])
		put(buf, size, type[flags & MAP_TYPE]);
	else if (flags & MAP_TYPE)
		put_number(buf, size, flags & MAP_TYPE);
	PUT_BITS(flags & ~(uint64_t)MAP_TYPE, bits, buf, size);
	return finish(buf, size, "0");
}

char *flags_mremap(uint64_t flags, char *buf, size_t size)
{
	static const struct flag bits[] = { FLAG(MREMAP_MAYMOVE), FLAG(MREMAP_FIXED), FLAG(MREMAP_DONTUNMAP) };

	*buf = '\0';
	PUT_BITS(flags, bits, buf, size);
	return finish(buf, size, "0");
}

char *flags_clone(uint64_t flags, char *buf, size_t size)
{
	static const struct flag bits[] = {
		FLAG(CLONE_VM),             FLAG(CLONE_FS),           FLAG(CLONE_FILES),
		FLAG(CLONE_SIGHAND),        FLAG(CLONE_PIDFD),        FLAG(CLONE_PTRACE),
		FLAG(CLONE_VFORK),          FLAG(CLONE_PARENT),       FLAG(CLONE_THREAD),
		FLAG(CLONE_NEWNS),          FLAG(CLONE_SYSVSEM),      FLAG(CLONE_SETTLS),
		FLAG(CLONE_PARENT_SETTID),  FLAG(CLONE_CHILD_CLEARTID), FLAG(CLONE_DETACHED),
		FLAG(CLONE_UNTRACED),       FLAG(CLONE_CHILD_SETTID), FLAG(CLONE_NEWCGROUP),
		FLAG(CLONE_NEWUTS),         FLAG(CLONE_NEWIPC),       FLAG(CLONE_NEWUSER),
		FLAG(CLONE_NEWPID),         FLAG(CLONE_NEWNET),       FLAG(CLONE_IO),
	};
	int signo = (int)(flags & CSIGNAL);
	const char *name = signo ? sigabbrev_np(signo) : NULL;
	char text[16];

	*buf = '\0';
	PUT_BITS(flags & ~(uint64_t)CSIGNAL, bits, buf, size);
	if (name) {
		(void)snprintf(text, sizeof(text), "SIG%s", name);
		put(buf, size, text);
	} else if (signo) {
		put_number(buf, size, (uint64_t)signo);
	}
	return finish(buf, size, "0");
}

char *flags_shmget(uint64_t shmflg, char *buf, size_t size)
{
	static const struct flag bits[] = {
		FLAG(IPC_CREAT), FLAG(IPC_EXCL), FLAG(SHM_HUGETLB), FLAG(SHM_NORESERVE),
	};
	char mode[16];

	*buf = '\0';
	PUT_BITS(shmflg & ~UINT64_C(0777), bits, buf, size);
	(void)snprintf(mode, sizeof(mode), "%#o", (unsigned int)(shmflg & 0777));
	put(buf, size, mode);
	return buf;
}

char *flags_fallocate(uint64_t mode, char *buf, size_t size)
{
	static const struct flag bits[] = {
		FLAG(FALLOC_FL_KEEP_SIZE),  FLAG(FALLOC_FL_PUNCH_HOLE),   FLAG(FALLOC_FL_COLLAPSE_RANGE),
		FLAG(FALLOC_FL_ZERO_RANGE), FLAG(FALLOC_FL_INSERT_RANGE), FLAG(FALLOC_FL_UNSHARE_RANGE),
	};

	*buf = '\0';
	PUT_BITS(mode, bits, buf, size);
	return finish(buf, size, "0");
}

char *flags_at(uint64_t flags, char *buf, size_t size)
{
	static const struct flag bits[] = { FLAG(AT_EMPTY_PATH), FLAG(AT_SYMLINK_NOFOLLOW) };

	*buf = '\0';
	PUT_BITS(flags, bits, buf, size);
	return finish(buf, size, "0");
}

char *flags_ptrace_request(uint64_t request, char *buf, size_t size)
{
	static const struct flag requests[] = {
		FLAG(PTRACE_POKETEXT), FLAG(PTRACE_POKEDATA), FLAG(PTRACE_POKEUSR), FLAG(PTRACE_PEEKTEXT),
		FLAG(PTRACE_PEEKDATA), FLAG(PTRACE_SETREGS),  FLAG(PTRACE_CONT),
	};

	*buf = '\0';
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (request == requests[i].bit)
			put(buf, size, requests[i].name);
	if (!*buf)
		put_number(buf, size, request);
	return buf;
}
