/* SPDX-License-Identifier: MIT
 *
 * ask_shm: calls that make or grow shared-memory objects.
 */
#include <errno.h>
#include <linux/falloc.h>
#include <sys/ipc.h>

#include "base/arith.h"
#include "base/bytes.h"
#include "engine/seccomp/ask.h"
#include "engine/seccomp/object.h"
#include "sys/procfs.h"
#include "sys/shmobj.h"

bool ask_shmget(struct ask *ask)
{
	int64_t key = (int32_t)ask->arg[0];
	int flags = (int)ask->arg[2];
	struct shmobj_sysv there;

	if (key != IPC_PRIVATE && !(flags & IPC_CREAT))
		return false;
	ask->op = OP_SHMGET;
	ask->charge = rules_shmget(ask->g->ledger->limit.mode, ask->arg[1], flags);
	if (ask->charge.holder != HOLDER_OBJECT)
		return false;
	ask->most_pages = ask->charge.pages;
	if (key != IPC_PRIVATE && object_sysv_find(key, &there) && task_in_our_ipcns(ask->t->tid)) {
		/* It is free, unless it goes meanwhile and one is made.  Where that would
		 * not fit, this is the kernel's answer; shmat asks for permission. */
		ask->charge.pages = 0;
		ask->answer_known = true;
		ask->value = there.shmid;
		ask->error = flags & IPC_EXCL ? EEXIST : ask->arg[1] > there.size_bytes ? EINVAL : 0;
	}
	ask->flight = FLIGHT_OBJECT;
	return true;
}

/* memfd_create, shm_open: empty at first, but there may be growth to look for. */
bool ask_shmem_made(struct ask *ask)
{
	ask->g->has_shmem = true;
	return false;
}

static struct object *shmem_of(struct ask *ask, int fd)
{
	struct object *obj;

	return object_of_fd(ask->g, ask->t->tid, fd, &obj) == FILE_SHMEM ? obj : NULL;
}

static void sum_holes(struct ask *ask, const struct object *obj)
{
	ask->object_dev = obj->dev;
	ask->object_ino = obj->ino;
	ask->mapped_pages = obj->mapped_pages + ask->maps_pages;
	ask->charge.pages = over(object_holes(obj, ask->size_pages, ask->mapped_pages), obj->reserved);
}

/* What is still mapped of it shows only now: nobody tells of a munmap.  Where the
 * descriptor has gone meanwhile, the call will fail. */
static bool refine_holes(struct ask *ask)
{
	struct object *obj;

	object_scan(ask->g, false);
	obj = ask->reserve_fd < 0 ? object_known(ask->g, ask->object_dev, ask->object_ino) : shmem_of(ask, ask->reserve_fd);
	ask->reserves = obj != NULL;
	if (obj)
		sum_holes(ask, obj);
	else
		ask->charge.pages = 0;
	return true;
}

void ask_holes(struct ask *ask, const struct object *obj, int fd, uint64_t size_pages, uint64_t maps_pages)
{
	ask->reserves = true;
	ask->reserve_fd = fd;
	ask->size_pages = size_pages;
	ask->maps_pages = maps_pages;
	ask->op = OP_SHMEM;
	ask->charge = (struct charge){ .holder = HOLDER_OBJECT, .rule = RULE_SHMEM_RESERVE };
	ask->flight = FLIGHT_RESERVE;
	ask->refine = refine_holes;
	sum_holes(ask, obj);
}

/* A new size charges nothing; under a mapping it opens holes. */
bool ask_ftruncate(struct ask *ask)
{
	struct object *obj = shmem_of(ask, (int)ask->arg[0]);

	if (!obj || (int64_t)ask->arg[1] < 0)
		return false;
	ask_holes(ask, obj, (int)ask->arg[0], bytes_to_pages(ask->arg[1]), 0);
	return ask->size_pages > obj->size_pages; /* known of while another thread maps it */
}

bool ask_fallocate(struct ask *ask)
{
	struct object *obj;
	uint64_t end, size, holes, pages;

	if (ask->arg[1] & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE))
		return false;
	obj = shmem_of(ask, (int)ask->arg[0]);
	if (!obj || __builtin_add_overflow(ask->arg[2], ask->arg[3], &end) || (int64_t)end < 0)
		return false;
	size = bytes_to_pages(end);
	if (size < obj->size_pages)
		size = obj->size_pages;
	holes = object_holes(obj, size, UINT64_MAX);
	pages = ask->most_pages = bytes_to_pages(ask->arg[3] + (ask->arg[2] & (PAGE_BYTES - 1)));
	if (pages > holes)
		pages = holes;
	ask->op = OP_SHMEM;
	/* What is reserved was asked for when it was mapped. */
	ask->charge = (struct charge){ HOLDER_OBJECT, over(pages, obj->reserved), RULE_SHMEM_PAGES };
	ask->flight = FLIGHT_OBJECT;
	ask->object_dev = obj->dev;
	ask->object_ino = obj->ino;
	ask->error = ENOSPC; /* as the kernel's own refusal of a tmpfs page */
	return true;
}
