/* SPDX-License-Identifier: MIT
 *
 * mappings: operations on regions, the break and the stack, by raw calls where
 * libc would keep an answer back.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

enum { PAGE = 4096 };

struct range {
	uint64_t start, len; /* bytes */
};

static int result(int failed)
{
	return failed ? errno : 0;
}

static uint64_t page_align(uint64_t bytes)
{
	return (bytes + PAGE - 1) / PAGE * PAGE;
}

static int find_range(const struct order *order, struct range *range)
{
	uint64_t length = worker.length[order->op.region];

	if (!length)
		return NOT_HERE;
	range->start = order->place + (uint64_t)order->op.offset;
	range->len = order->op.whole ? length : order->op.length;
	return 0;
}

/* The descriptor to map, to be closed after; -1: none is needed.  Returns 0, errno or NOT_HERE. */
static int open_mapped(const struct order *order, int *fd)
{
	char path[64];

	*fd = -1;
	if (!order->op.zero && order->op.object == SCRIPT_NONE)
		return 0;
	if (order->op.zero) {
		*fd = open(order->path, (order->op.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		return result(*fd < 0);
	}
	if (!worker.open[order->op.object])
		return NOT_HERE;
	if (!order->op.read_only) {
		*fd = fcntl(OBJECT_FD + order->op.object, F_DUPFD_CLOEXEC, OBJECT_FD + OBJECTS);
		return result(*fd < 0);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", OBJECT_FD + order->op.object);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return result(*fd < 0);
}

static int do_map(const struct order *order)
{
	const struct script_op *op = &order->op;
	void *start = (void *)(order->place + (uint64_t)op->offset);
	int fd, r;
	void *at;

	r = open_mapped(order, &fd);
	if (r)
		return r;
	at = mmap(start, op->size, op->prot, op->flags, fd, 0);
	r = result(at == MAP_FAILED);
	if (fd >= 0)
		close(fd);
	if (!r && op->flags & MAP_FIXED_NOREPLACE)
		worker.length[op->region] = page_align(op->size);
	return r;
}

static int do_remap(const struct order *order, const struct range *range)
{
	const struct script_op *op = &order->op;
	void *at = mremap((void *)range->start, range->len, op->size, op->flags, order->new_place);

	if (at == MAP_FAILED)
		return errno;
	if (op->new_region == SCRIPT_NONE) {
		worker.length[op->region] = (uint64_t)op->offset + page_align(op->size);
		return 0;
	}
	worker.length[op->new_region] = page_align(op->size);
	if (op->whole && !(op->flags & MREMAP_DONTUNMAP))
		worker.length[op->region] = 0;
	return 0;
}

static int do_break(const struct script_op *op)
{
	uint64_t want = op->shrink ? worker.brk - op->size : worker.brk + op->size;
	/* Below where the script began lies what libc took of the break: below that,
	 * the kernel refuses. */
	bool below = op->shrink && (op->size > worker.brk || want < worker.first_brk);
	uint64_t got = (uint64_t)syscall(SYS_brk, below ? 1 : want);

	if (got != want)
		return ENOMEM;
	worker.brk = want;
	return 0;
}

static void touch(const struct range *range, bool read)
{
	uint64_t end = range->start + range->len;

	for (uint64_t at = range->start; at < end; at += PAGE) {
		volatile char *byte = (volatile char *)at;

		if (read)
			(void)*byte;
		else
			*byte = 1;
	}
}

/* Through /proc/self/mem: the kernel copies where the protection forbids (FOLL_FORCE). */
static int poke_self(const struct range *range)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	int r = result(fd < 0);

	for (uint64_t done = 0; !r && done < range->len; done += PAGE)
		r = result(pwrite(fd, "x", 1, (off_t)(range->start + done)) != 1);
	if (fd >= 0)
		close(fd);
	return r;
}

static int poke_other(const struct range *range, pid_t pid)
{
	int r = 0, status;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL))
		return errno;
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) || waitpid(pid, &status, __WALL) != pid)
		r = errno;
	for (uint64_t done = 0; !r && done < range->len; done += PAGE)
		r = result(ptrace(PTRACE_POKEDATA, pid, range->start + done, 1) != 0);
	(void)ptrace(PTRACE_DETACH, pid, NULL, NULL); /* it goes on, or is gone */
	return r;
}

/* One fault far below: the kernel grows a stack in one step, charged as a whole. */
static void grow_stack(uint64_t size)
{
	if (!size)
		return;
	*(volatile char *)(worker.stack - page_align(size)) = 1;
	worker.stack -= page_align(size);
}

static int advise(const struct range *range, int advice)
{
	return result(madvise((void *)range->start, range->len, advice) != 0);
}

static int do_unmap(const struct order *order, const struct range *range)
{
	int r = result(munmap((void *)range->start, range->len) != 0);

	if (!r && order->op.whole)
		worker.length[order->op.region] = 0;
	return r;
}

static int do_range(const struct order *order, const struct range *range)
{
	void *start = (void *)range->start;

	switch (order->op.verb) {
	case VERB_PROTECT:
		return result(mprotect(start, range->len, order->op.prot) != 0);
	case VERB_UNMAP:
		return do_unmap(order, range);
	case VERB_REMAP:
		return do_remap(order, range);
	case VERB_TOUCH:
		touch(range, order->op.read);
		return 0;
	case VERB_DISCARD:
		return advise(range, MADV_DONTNEED);
	case VERB_REMOVE:
		return advise(range, MADV_REMOVE);
	case VERB_DONTFORK:
		return advise(range, MADV_DONTFORK);
	case VERB_DOFORK:
		return advise(range, MADV_DOFORK);
	case VERB_WIPEONFORK:
		return advise(range, MADV_WIPEONFORK);
	case VERB_LOCK:
		return result(mlock(start, range->len) != 0);
	case VERB_POKE:
		return order->other ? poke_other(range, order->other) : poke_self(range);
	default:
		return ENOSYS;
	}
}

int do_mapping(const struct order *order)
{
	struct range range;
	int r;

	switch (order->op.verb) {
	case VERB_MAP:
		return do_map(order);
	case VERB_BREAK:
		return do_break(&order->op);
	case VERB_STACK:
		grow_stack(order->op.size);
		return 0;
	default:
		r = find_range(order, &range);
		return r ? r : do_range(order, &range);
	}
}
