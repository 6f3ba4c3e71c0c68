/* SPDX-License-Identifier: MIT
 *
 * objects: files, memfds, files on tmpfs and SysV segments.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker.h"

enum { PAGE = 4096 };

static int result(int failed)
{
	return failed ? errno : 0;
}

static int descriptor(const struct order *order)
{
	return OBJECT_FD + order->op.object;
}

/* FD gets the object's own number, and SIZE. */
static int keep(const struct order *order, int fd, struct answer *answer)
{
	struct stat st;
	int r;

	if (fd < 0)
		return errno;
	r = result(dup3(fd, descriptor(order), O_CLOEXEC) < 0 || fstat(fd, &st) < 0 ||
		   (order->op.size && ftruncate(fd, (off_t)order->op.size)));
	close(fd);
	if (r) {
		close(descriptor(order));
		return r;
	}
	worker.open[order->op.object] = true;
	answer->dev = st.st_dev;
	answer->ino = st.st_ino;
	return 0;
}

static int make_file(const struct order *order, struct answer *answer)
{
	int fd = open(order->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0 && order->op.verb == VERB_FILE && unlink(order->path))
		return errno;
	return keep(order, fd, answer);
}

/* A page at a time until one fails. */
static int transfer(const struct order *order, bool write)
{
	static char page[PAGE];
	uint64_t at = order->op.object_offset, end = at + order->op.size;

	while (at < end) {
		size_t len = end - at < PAGE ? (size_t)(end - at) : PAGE;
		ssize_t n = write ? pwrite(descriptor(order), page, len, (off_t)at) :
				    pread(descriptor(order), page, len, (off_t)at);

		if (n < 0)
			return errno;
		at += len;
	}
	return 0;
}

static int do_close(const struct order *order)
{
	if (order->path[0] && unlink(order->path) && errno != ENOENT)
		return errno;
	worker.open[order->op.object] = false;
	return result(close(descriptor(order)) != 0);
}

static int do_open_object(const struct order *order)
{
	const struct script_op *op = &order->op;

	if (!worker.open[op->object])
		return NOT_HERE;
	switch (op->verb) {
	case VERB_RESIZE:
		return result(ftruncate(descriptor(order), (off_t)op->size) != 0);
	case VERB_ALLOCATE:
		return result(fallocate(descriptor(order), 0, (off_t)op->object_offset, (off_t)op->size) != 0);
	case VERB_PUNCH:
		return result(fallocate(descriptor(order), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					(off_t)op->object_offset, (off_t)op->size) != 0);
	case VERB_WRITE:
		return transfer(order, true);
	case VERB_READ:
		return transfer(order, false);
	case VERB_CLOSE:
		return do_close(order);
	default:
		return ENOSYS;
	}
}

static int do_attach(const struct order *order)
{
	if (shmat(order->shmid, (void *)order->place, 0) == (void *)-1)
		return errno;
	worker.length[order->op.region] = (order->segment_bytes + PAGE - 1) / PAGE * PAGE;
	return 0;
}

static int do_detach(const struct order *order)
{
	if (!worker.length[order->op.region])
		return NOT_HERE;
	if (shmdt((void *)order->place))
		return errno;
	worker.length[order->op.region] = 0;
	return 0;
}

int do_object(const struct order *order, struct answer *answer)
{
	const struct script_op *op = &order->op;

	switch (op->verb) {
	case VERB_FILE:
	case VERB_TMPFS:
		return make_file(order, answer);
	case VERB_MEMFD:
		return keep(order, memfd_create("oracle", MFD_CLOEXEC), answer);
	case VERB_SEGMENT:
		answer->shmid = shmget(IPC_PRIVATE, op->size, IPC_CREAT | 0600 | op->flags);
		return result(answer->shmid < 0);
	case VERB_ATTACH:
		return do_attach(order);
	case VERB_DETACH:
		return do_detach(order);
	case VERB_DESTROY:
		return result(shmctl(order->shmid, IPC_RMID, NULL) != 0);
	default:
		return do_open_object(order);
	}
}
