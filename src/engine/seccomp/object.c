/* SPDX-License-Identifier: MIT
 *
 * object: see the header; mm/shmem.c, ipc/shm.c.
 *
 * A new object is identified when its creator makes its next call, by its
 * inode in that process's maps, by the creator's pid in /proc/sysvipc/shm, or
 * through the descriptor that the call named.
 */
#include "engine/seccomp/object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/arith.h"
#include "base/bytes.h"
#include "engine/seccomp/space.h"
#include "sys/procfs.h"
#include "sys/shmobj.h"
#include "sys/smaps.h"

#define ANON_NAME "/dev/zero (deleted)"

static struct object *find(struct group *g, enum object_kind kind, uint64_t dev, uint64_t ino)
{
	struct object *obj;

	LIST_FOREACH(obj, &g->objects, entry)
		if (obj->ino == ino && obj->dev == dev && obj->kind == kind)
			return obj;
	return NULL;
}

static struct object *add(struct group *g, enum object_kind kind, uint64_t dev, uint64_t ino)
{
	struct object *obj = calloc(1, sizeof(*obj));

	if (!obj)
		return NULL;
	obj->kind = kind;
	obj->dev = dev;
	obj->ino = ino;
	LIST_INSERT_HEAD(&g->objects, obj, entry);
	return obj;
}

static void set_pages(struct group *g, struct object *obj, uint64_t pages)
{
	ledger_set(&g->objects_held, g->objects_held.pages - obj->pages + pages);
	obj->pages = pages;
}

static void set_reserved(struct group *g, struct object *obj, uint64_t pages)
{
	g->reserved = g->reserved - obj->reserved + pages;
	obj->reserved = pages;
}

static void drop(struct group *g, struct object *obj)
{
	set_pages(g, obj, 0);
	set_reserved(g, obj, 0);
	LIST_REMOVE(obj, entry);
	free(obj);
}

uint64_t object_holes(const struct object *obj, uint64_t size_pages, uint64_t mapped_pages)
{
	return smaller(over(size_pages, obj->pages + obj->baseline_pages), mapped_pages);
}

void object_reserve(struct group *g, struct object *obj, uint64_t size_pages, uint64_t mapped_pages)
{
	obj->size_pages = size_pages;
	obj->mapped_pages = mapped_pages;
	set_reserved(g, obj, object_holes(obj, size_pages, mapped_pages));
}

/* Takes in what a look at the object itself has shown. */
static void refresh(struct group *g, struct object *obj, const struct shmobj *found)
{
	uint64_t ours = over(found->pages, obj->baseline_pages), size;

	if (found->pages < obj->baseline_pages)
		obj->baseline_pages = found->pages;
	size = bytes_to_pages(found->size_bytes);
	set_pages(g, obj, ours);
	/* A call in flight may be about to make it larger. */
	object_reserve(g, obj, obj->reserving ? larger(size, obj->size_pages) : size, obj->mapped_pages);
	if (found->path[0] == '/' && found->nlink > 0)
		memcpy(obj->path, found->path, sizeof(obj->path));
	else if (found->nlink == 0)
		obj->path[0] = '\0';
}

static struct object *meet(struct group *g, const struct shmobj *found)
{
	struct object *obj = find(g, OBJECT_SHMEM, found->dev, found->ino);

	if (!obj) {
		obj = add(g, OBJECT_SHMEM, found->dev, found->ino);
		if (!obj)
			return NULL;
		if (found->born_ns && found->born_ns < g->started_ns)
			obj->baseline_pages = found->pages;
	}
	refresh(g, obj, found);
	return obj;
}

enum file_kind object_of_fd(struct group *g, pid_t tid, int fd, struct object **ret)
{
	struct shmobj found;

	*ret = NULL;
	if (shmobj_stat_fd("/proc", tid, fd, &found) < 0)
		return FILE_PLAIN;
	if (found.kind == FILE_SHMEM) {
		g->has_shmem = true;
		*ret = meet(g, &found);
	}
	return found.kind;
}

struct object *object_of_vma(struct group *g, pid_t tid, const struct vma *vma)
{
	struct object *obj = find(g, OBJECT_SHMEM, makedev(vma->dev_major, vma->dev_minor), vma->ino);
	struct shmobj found;

	/* Where it cannot be looked at, what is known of it stands. */
	if (obj && shmobj_stat_map("/proc", tid, vma->start, vma->end, &found) == 0 && found.dev == obj->dev &&
	    found.ino == obj->ino)
		refresh(g, obj, &found);
	return obj;
}

struct object *object_known(struct group *g, uint64_t dev, uint64_t ino)
{
	return find(g, OBJECT_SHMEM, dev, ino);
}

struct maps_look {
	struct group *g;
	pid_t tid;
	uint64_t asked_pages;   /* by the call that is identified; 0 in a scan */
	uint64_t granted_pages; /* the same, till an object was taken for its */
	bool noreserve;         /* that call made an object which is charged page by page */
	bool scan;              /* all mappings are looked at: what is mapped of each is summed up */
	bool some;              /* there was a mapping */
	bool ended;             /* the task did, before all of them were looked at */
	bool met;               /* one of an anonymous object that was not known, and as large */
};

static bool denied(int r)
{
	return r == -EACCES || r == -EPERM;
}

static void meet_anon(struct maps_look *look, const struct vma *vma)
{
	uint64_t dev = makedev(vma->dev_major, vma->dev_minor);
	struct object *obj = find(look->g, OBJECT_ANON, dev, vma->ino);
	uint64_t extent = (vma->pgoff + (vma->end - vma->start)) >> PAGE_SHIFT;
	struct shmobj found;
	/* Met before in a scan, it may have been in the making: the call that is over knows. */
	bool new = !obj || (obj->by_scan && !look->scan && look->noreserve), told;
	int r;

	if (!obj)
		obj = add(look->g, OBJECT_ANON, dev, vma->ino);
	if (!obj)
		return;
	obj->seen = true;
	if (new) {
		obj->noreserve = look->noreserve;
		obj->by_scan = look->scan;
	} else if (!obj->noreserve && extent <= obj->pages && !obj->unsized) {
		return;
	}
	/* Its size is its own, whatever is still mapped of it; where the kernel does
	 * not let us ask, the grant and the extent tell.  Else another thread has changed
	 * the mapping, or the task has ended. */
	r = shmobj_stat_map("/proc", look->tid, vma->start, vma->end, &found);
	told = r == 0 && found.dev == dev && found.ino == vma->ino;
	obj->unsized = !told && !denied(r);
	if (told)
		extent = obj->noreserve ? found.pages : bytes_to_pages(found.size_bytes);
	else if (new && look->granted_pages > extent)
		extent = look->granted_pages;
	if (!told && !obj->unsized)
		look->granted_pages = 0;
	look->met |= new && (look->noreserve || extent == look->asked_pages);
	if (extent > obj->pages || told)
		set_pages(look->g, obj, extent);
}

static int maps_vma(void *ctx, const struct vma *vma, const char *name)
{
	struct maps_look *look = ctx;
	struct object *obj;
	struct shmobj found;
	int r;

	look->some = true;
	if (vma->ino == 0)
		return 0;
	if (strcmp(name, ANON_NAME) == 0 && (vma->flags & VMA_SHARED)) {
		meet_anon(look, vma);
		return 0;
	}
	obj = find(look->g, OBJECT_SHMEM, makedev(vma->dev_major, vma->dev_minor), vma->ino);
	if (!obj && strncmp(name, "/memfd:", 7) != 0 && strncmp(name, "/dev/shm/", 9) != 0)
		return 0;
	if (obj)
		obj->seen = true; /* whatever another thread has mapped there by now */
	r = shmobj_stat_map("/proc", look->tid, vma->start, vma->end, &found);
	if (r == 0 && found.kind == FILE_SHMEM)
		obj = meet(look->g, &found);
	look->ended |= r == -ESRCH;
	if (!obj)
		return 0;
	obj->seen = true;
	if ((vma->flags & VMA_SHARED) && look->scan)
		object_reserve(look->g, obj, obj->size_pages,
			       obj->mapped_pages + ((vma->end - vma->start) >> PAGE_SHIFT));
	return 0;
}

enum { MAPS_TRIES = 8 }; /* users of a space that end while their mappings are read */

/* Of several users, the one whose file is read may end: then another's is.  Returns
 * false where mappings may be left that were not seen; a file that is denied to us
 * has none that we can see. */
static bool look_at_maps(const struct space *s, struct maps_look *look)
{
	struct statm m;
	int r = -ESRCH;

	for (int i = 0; i < MAPS_TRIES && (r == -ESRCH || r == -ENOENT); i++) {
		look->tid = space_statm(s, &m);
		if (look->tid <= 0)
			return look->tid == 0;
		look->some = look->ended = false;
		r = maps_walk("/proc", look->tid, maps_vma, look);
		if (r == 0 && (!look->some || look->ended))
			r = -ESRCH; /* it has let go of its memory */
	}
	return r == 0 || denied(r);
}

struct sysv_look {
	struct group *g;
	pid_t creator;  /* whose new segments become known; 0: nobody's */
	bool noreserve; /* these are charged page by page */
};

static int sysv_row(void *ctx, const struct shmobj_sysv *row)
{
	const struct sysv_look *look = ctx;
	struct object *obj = find(look->g, OBJECT_SYSV, 0, (uint64_t)row->shmid);

	if (!obj && look->creator && row->cpid == look->creator &&
	    row->ctime >= (int64_t)(look->g->started_ns / 1000000000)) {
		obj = add(look->g, OBJECT_SYSV, 0, (uint64_t)row->shmid);
		if (obj)
			obj->noreserve = look->noreserve;
	}
	if (obj) {
		obj->seen = true;
		set_pages(look->g, obj, bytes_to_pages(obj->noreserve ? row->rss_bytes + row->swap_bytes : row->size_bytes));
	}
	return 0;
}

/* False where segments may be left that were not seen. */
static bool look_at_sysv(struct group *g, pid_t creator, bool noreserve)
{
	struct sysv_look look = { g, creator, noreserve };
	int r = shmobj_walk_sysv("/proc", sysv_row, &look);

	return r == 0 || r == -ENOENT; /* no SysV here: no segments */
}

static int fd_found(void *ctx, int fd, const struct shmobj *found)
{
	struct group *g = ctx;
	struct object *obj = meet(g, found);

	(void)fd;
	g->has_shmem = true;
	if (obj)
		obj->seen = true;
	return 0;
}

static void look_by_name(struct group *g, struct object *obj)
{
	struct shmobj found;

	if (obj->path[0] && shmobj_stat_path(obj->path, &found) == 0 && found.dev == obj->dev &&
	    found.ino == obj->ino) {
		refresh(g, obj, &found);
		obj->seen = true;
	}
}

/* Whether descriptors of P may be left that were not seen. */
static bool look_at_fds(struct group *g, const struct proc *p)
{
	int r = shmobj_scan_fds("/proc", p->pid, fd_found, g);

	return r != -EMFILE && r != -ENFILE && r != -ENOMEM;
}

/* Looks at everything that shows an object; false where one may have been missed. */
static bool look_everywhere(struct group *g, bool fds)
{
	struct maps_look look = { .g = g, .scan = true };
	const struct space *s;
	const struct proc *p;
	bool all = g->moving == 0 && LIST_EMPTY(&g->promises); /* else a child may have what nobody else has */

	LIST_FOREACH(s, &g->spaces, entry) {
		all &= look_at_maps(s, &look);
		if (fds)
			LIST_FOREACH(p, &s->procs, in_space)
				all &= look_at_fds(g, p);
	}
	return look_at_sysv(g, 0, false) && all;
}

/* What a scan that saw EVERYTHING, or not, says of OBJ. */
static void scanned(struct group *g, struct object *obj, bool everything)
{
	if (!everything || obj->reserving)
		object_reserve(g, obj, obj->size_pages, larger(obj->mapped_pages, obj->mapped_least));
	else if (!obj->seen)
		drop(g, obj);
	else if (obj->mapped_pages == 0)
		set_reserved(g, obj, 0);
}

void object_scan(struct group *g, bool all)
{
	struct object *obj, *next;
	bool everything;

	if (!all && LIST_EMPTY(&g->objects) && g->objects_inflight.pages == 0 && !g->has_shmem)
		return;
	LIST_FOREACH(obj, &g->objects, entry) {
		obj->seen = false;
		obj->mapped_least = obj->mapped_pages;
		obj->mapped_pages = 0;
	}
	everything = look_everywhere(g, all || g->has_shmem);
	for (obj = LIST_FIRST(&g->objects); obj; obj = next) {
		next = LIST_NEXT(obj, entry);
		if (!obj->seen)
			look_by_name(g, obj);
		scanned(g, obj, everything);
	}
	if (everything) {
		ledger_set(&g->objects_inflight, g->objects_inflight.pages - g->objects_unfound);
		g->objects_unfound = 0;
	}
}

/* A fallocate is over: any look at the object shows what it has now. */
static void look_at_filled(struct group *g, const struct task *t)
{
	struct shmobj found;

	if (shmobj_stat_fd("/proc", t->tid, (int)t->flight_arg0, &found) == 0 && found.dev == t->flight_dev &&
	    found.ino == t->flight_ino)
		(void)meet(g, &found); /* no memory for one that is new: found again by a scan */
	else
		object_scan(g, false); /* closed, or its process has ended: others may have it, or it has a name */
}

/* Another thread may have moved the mapping about while it was looked for, or have
 * copied it into a child and unmapped it here: then a scan has to find it. */
static bool found_shared(struct group *g, const struct task *t)
{
	struct maps_look look = {
		.g = g,
		.asked_pages = t->flight_pages,
		.granted_pages = t->flight_pages,
		.noreserve = t->flight_pages == 0,
	};
	bool all = look_at_maps(t->proc->space, &look);

	return look.met || (all && (space_only_user(t) || g->moves == t->flight_moves));
}

void object_landed(struct group *g, struct task *t)
{
	uint64_t pages = t->flight_most;
	bool noreserve = t->flight_pages == 0 && g->ledger->limit.mode != OVERCOMMIT_NEVER;
	bool found = true;

	t->flight = FLIGHT_NONE;
	g->objects_netted -= t->flight_most - t->flight_pages;
	if (t->flight_op == OP_SHMGET)
		found = look_at_sysv(g, t->proc->pid, noreserve);
	else if (t->flight_op == OP_SHMEM)
		look_at_filled(g, t);
	else
		found = found_shared(g, t);
	if (found)
		ledger_set(&g->objects_inflight, g->objects_inflight.pages - pages);
	else
		g->objects_unfound += pages;
}

void object_reserving(struct group *g, const struct task *t, bool begins)
{
	struct object *obj = find(g, OBJECT_SHMEM, t->flight_dev, t->flight_ino);

	if (obj && begins)
		obj->reserving++;
	else if (obj)
		obj->reserving--;
}

struct least_look {
	struct group *g;
	uint64_t pages, unseen;
};

static int least_vma(void *ctx, const struct vma *vma, const char *name)
{
	struct least_look *look = ctx;
	struct object *obj;

	if (!vma->ino || strcmp(name, ANON_NAME) != 0)
		return 0;
	obj = find(look->g, OBJECT_ANON, makedev(vma->dev_major, vma->dev_minor), vma->ino);
	if (obj && !obj->seen && !obj->noreserve) {
		obj->seen = true;
		look->pages += obj->pages;
		look->unseen--;
	}
	return look->unseen == 0;
}

uint64_t object_least(struct group *g)
{
	struct least_look look = { g, 0, 0 };
	struct object *obj;
	struct space *s;

	LIST_FOREACH(obj, &g->objects, entry) {
		obj->seen = false;
		look.unseen += obj->kind == OBJECT_ANON && !obj->noreserve;
	}
	/* Most often the first process maps them all. */
	LIST_FOREACH(s, &g->spaces, entry) {
		pid_t tid = look.unseen ? space_live_task(s) : 0;

		if (tid)
			(void)maps_walk("/proc", tid, least_vma, &look); /* gone: maps none */
	}
	look_at_sysv(g, 0, false);
	LIST_FOREACH(obj, &g->objects, entry)
		if (obj->kind == OBJECT_SYSV && obj->seen)
			look.pages += obj->pages;
	return look.pages;
}

struct sysv_key {
	int64_t key;
	struct shmobj_sysv *ret;
};

static int sysv_key_row(void *ctx, const struct shmobj_sysv *row)
{
	const struct sysv_key *wanted = ctx;

	if (row->key != wanted->key)
		return 0;
	*wanted->ret = *row;
	return 1;
}

bool object_sysv_find(int64_t key, struct shmobj_sysv *ret)
{
	struct sysv_key wanted = { key, ret };

	return shmobj_walk_sysv("/proc", sysv_key_row, &wanted) == 1;
}

uint64_t object_pages(const struct group *g)
{
	return g->objects_held.pages + g->objects_inflight.pages;
}
