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
	ask->mapped_pages = obj->mapped_pages + ask->maps_pages;
	ask->charge.pages = over(object_holes(obj, ask->size_pages, ask->mapped_pages), obj->reserved);
}

/* A fallocate fills holes, others perhaps than those that are reserved; and where it
 * makes the object longer, mappings of it have more of them. */
static void sum_filled(struct ask *ask, const struct object *obj)
{
	uint64_t longer = larger(bytes_to_pages(ask->arg[2] + ask->arg[3]), obj->size_pages);
	uint64_t filled = object_holes(obj, longer, ask->most_pages), left;

	ask->size_pages = ask->arg[1] & FALLOC_FL_KEEP_SIZE ? obj->size_pages : longer;
	ask->mapped_pages = obj->mapped_pages;
	left = smaller(over(object_holes(obj, ask->size_pages, UINT64_MAX), filled), ask->mapped_pages);
	/* What is reserved was asked for when it was mapped. */
	ask->charge.pages = ask->g->ledger->limit.mode == OVERCOMMIT_NEVER ? over(filled + left, obj->reserved) : filled;
}

static void sum_object(struct ask *ask, const struct object *obj)
{
	ask->object_dev = obj->dev;
	ask->object_ino = obj->ino;
	if (ask->flight == FLIGHT_OBJECT)
		sum_filled(ask, obj);
	else
		sum_holes(ask, obj);
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
		sum_object(ask, obj);
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
	sum_object(ask, obj);
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
	const struct object *obj;
	uint64_t end;

	if (ask->arg[1] & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE))
		return false;
	obj = shmem_of(ask, (int)ask->arg[0]);
	if (!obj || __builtin_add_overflow(ask->arg[2], ask->arg[3], &end) || (int64_t)end < 0)
		return false;
	ask->most_pages = bytes_to_pages(ask->arg[3] + (ask->arg[2] & (PAGE_BYTES - 1)));
	ask->reserves = true;
	ask->reserve_fd = (int)ask->arg[0];
	ask->op = OP_SHMEM;
	ask->charge = (struct charge){ .holder = HOLDER_OBJECT, .rule = RULE_SHMEM_PAGES };
	ask->flight = FLIGHT_OBJECT;
	ask->refine = refine_holes;
	ask->error = ENOSPC; /* as the kernel's own refusal of a tmpfs page */
	sum_object(ask, obj);
	return true;
}
