/* SPDX-License-Identifier: MIT
 *
 * ask_shm: calls that make or grow shared-memory objects.
 */
#include <errno.h>
#include <linux/falloc.h>
#include <sys/ipc.h>

#include "base/bytes.h"
#include "engine/seccomp/ask.h"
#include "engine/seccomp/object.h"

bool ask_shmget(struct ask *ask)
{
	int64_t key = (int32_t)ask->arg[0];
	int flags = (int)ask->arg[2];

	if (key != IPC_PRIVATE && !(flags & IPC_CREAT))
		return false;
	ask->op = OP_SHMGET;
	ask->charge = rules_shmget(ask->g->ledger->limit.mode, ask->arg[1], flags);
	if (ask->charge.holder != HOLDER_OBJECT)
		return false;
	/* One that exists is free, unless it goes meanwhile. */
	ask->most_pages = ask->charge.pages;
	if (key != IPC_PRIVATE && object_sysv_exists(key))
		ask->charge.pages = 0;
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

static void sum_holes(struct ask *ask)
{
	struct object *obj = ask->reserve;
	uint64_t holes;

	ask->mapped_pages = obj->mapped_pages + ask->maps_pages;
	holes = object_holes(obj, ask->size_pages, ask->mapped_pages);
	ask->charge.pages = holes > obj->reserved ? holes - obj->reserved : 0;
}

/* What is still mapped of it shows only now: nobody tells of a munmap.  Where the
 * descriptor has gone meanwhile, the call will fail. */
static void refine_holes(struct ask *ask)
{
	object_scan(ask->g, false);
	ask->reserve = shmem_of(ask, ask->reserve_fd);
	if (ask->reserve)
		sum_holes(ask);
	else
		ask->charge.pages = 0;
}

void ask_holes(struct ask *ask)
{
	ask->op = OP_SHMEM;
	ask->charge = (struct charge){ .holder = HOLDER_OBJECT, .rule = RULE_SHMEM_RESERVE };
	ask->flight = FLIGHT_RESERVE;
	ask->refine = refine_holes;
	sum_holes(ask);
}

/* A new size charges nothing; under a mapping it opens holes. */
bool ask_ftruncate(struct ask *ask)
{
	struct object *obj = shmem_of(ask, (int)ask->arg[0]);

	if (!obj || (int64_t)ask->arg[1] < 0)
		return false;
	ask->reserve = obj;
	ask->reserve_fd = (int)ask->arg[0];
	ask->size_pages = bytes_to_pages(ask->arg[1]);
	ask_holes(ask);
	return ask->charge.pages > 0;
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
	if (pages <= obj->reserved)
		return false; /* promised when it was mapped */
	ask->op = OP_SHMEM;
	ask->charge = (struct charge){ HOLDER_OBJECT, pages - obj->reserved, RULE_SHMEM_PAGES };
	ask->flight = FLIGHT_OBJECT;
	ask->filled = obj;
	ask->error = ENOSPC; /* as the kernel's own refusal of a tmpfs page */
	return true;
}
