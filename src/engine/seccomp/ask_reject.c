/* SPDX-License-Identifier: MIT
 *
 * ask_reject: calls that the kernel would reject for their own arguments, before
 * it asks for commitment.
 *
 * Looked at only when a call is about to be refused: the caller then gets the
 * error that it would have got.  It is answered and not continued, for what it
 * names may change before the kernel looks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "engine/seccomp/ask.h"
#include "sys/procfs.h"
#include "sys/shmobj.h"

static const uint64_t task_size = UINT64_C(0x7ffffffff000); /* 47 bits, four-level page tables */

static int reject_mmap(const struct ask *ask)
{
	int prot = (int)ask->arg[2], flags = (int)ask->arg[3], fd = (int)ask->arg[4];
	bool shared = (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;
	bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	struct shmobj file;
	uint64_t end;

	if (!(flags & MAP_ANONYMOUS) && shmobj_stat_fd("/proc", ask->t->tid, fd, &file) == -EBADF)
		return EBADF;
	if (fixed && (ask->arg[0] & (PAGE_BYTES - 1)))
		return EINVAL;
	if ((flags & MAP_FIXED_NOREPLACE) && !__builtin_add_overflow(ask->arg[0], ask->arg[1], &end) &&
	    vma_between(ask->t->tid, ask->arg[0], end))
		return EEXIST;
	if (!(flags & MAP_ANONYMOUS) && shared && (prot & PROT_WRITE) && !shmobj_fd_writable("/proc", ask->t->tid, fd))
		return EACCES;
	if ((flags & MAP_GROWSDOWN) && (shared || !(flags & MAP_ANONYMOUS)))
		return EINVAL;
	return 0;
}

static int reject_mremap(const struct ask *ask)
{
	if ((ask->arg[0] & (PAGE_BYTES - 1)) || ask->arg[2] > task_size)
		return EINVAL;
	return 0;
}

static int reject_shmget(const struct ask *ask)
{
	autoclose int fd = open("/proc/sys/kernel/shmmax", O_RDONLY | O_CLOEXEC);
	char buf[32] = "";

	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) <= 0)
		return 0;
	return ask->arg[1] > strtoull(buf, NULL, 10) ? EINVAL : 0;
}

int ask_rejected(const struct ask *ask)
{
	switch (ask->op) {
	case OP_MMAP: return reject_mmap(ask);
	case OP_MREMAP: return ask->hole_pages ? EFAULT : reject_mremap(ask);
	case OP_MPROTECT: return ask->hole_pages ? ENOMEM : 0;
	case OP_SHMGET: return reject_shmget(ask);
	case OP_SHMEM: return ask->maps_pages ? reject_mmap(ask) : 0; /* shared, of an object with holes */
	default: return 0;
	}
}
