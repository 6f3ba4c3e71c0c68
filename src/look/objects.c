/* SPDX-License-Identifier: MIT
 *
 * objects: shared memory that no address space is charged for.
 *
 * Decides what is an object and what it is charged.  Rests on: shared anonymous
 * memory, SysV segments and memfds are files of one tmpfs that the kernel keeps
 * to itself, whose device number our own memfd has; files of a mounted tmpfs are
 * in that filesystem's used blocks, which are what was charged for it
 * (mm/shmem.c shmem_inode_acct_blocks), whoever has them open.
 *
 * Gets wrong: that a segment was made with SHM_NORESERVE or SHM_HUGETLB is not
 * shown, it counts whole; and without the flags of smaps neither is
 * MAP_NORESERVE of shared anonymous memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <uthash.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "look/scan.h"
#include "sys/mountinfo.h"
#include "sys/shmobj.h"

struct key {
	uint64_t dev, ino;
};

struct node {
	UT_hash_handle hh;
	struct key key;
	struct look_object object;
	pid_t last; /* the process that was counted last as a holder */
	bool sized;
	bool noreserve; /* shared anonymous, charged page by page */
};

struct seen_ns {
	UT_hash_handle hh;
	uint64_t ino;
};

struct objects {
	struct look *l;
	struct node *node;
	struct seen_ns *mnt;
	uint64_t shm_dev; /* of the kernel's own tmpfs; 0: could not be found out */
	uint64_t ipc_ns, mnt_ns; /* ours */
	bool failed;
};

static uint64_t namespace_of(pid_t pid, const char *kind)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kind);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

struct objects *objects_new(struct look *l)
{
	struct objects *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->l = l;
	o->shm_dev = shmobj_internal_dev();
	o->ipc_ns = namespace_of(getpid(), "ipc");
	o->mnt_ns = namespace_of(getpid(), "mnt");
	return o;
}

/* The node of an object; *RET_NEW tells that it has just been made. */
static struct node *node_of(struct objects *o, uint64_t dev, uint64_t ino, bool *ret_new)
{
	const struct key key = { dev, ino };
	struct node *node;

	HASH_FIND(hh, o->node, &key, sizeof(key), node);
	*ret_new = !node;
	if (node)
		return node;
	node = calloc(1, sizeof(*node));
	if (!node) {
		o->failed = true;
		return NULL;
	}
	node->key = key;
	node->object.dev = dev;
	node->object.ino = ino;
	HASH_ADD(hh, o->node, key, sizeof(key), node);
	return node;
}

static void add_holder(struct node *node, pid_t pid)
{
	if (node->last == pid)
		return;
	node->last = pid;
	node->object.holders++;
	if (!node->object.holder)
		node->object.holder = pid;
}

/* By the name that the kernel gives it: a memfd's begins with "/memfd:", always. */
static enum look_object_kind kind_of(const char *name)
{
	if (strcmp(name, "/dev/zero (deleted)") == 0)
		return LOOK_SHARED_ANON;
	return strncmp(name, "/SYSV", 5) == 0 ? LOOK_SYSV : LOOK_MEMFD;
}

static void set_size(struct node *node, const struct shmobj *obj)
{
	node->sized = true;
	node->object.size = bytes_to_pages(obj->size_bytes);
	node->object.touched = obj->pages;
}

static void name_node(struct node *node, enum look_object_kind kind, const char *name)
{
	node->object.kind = kind;
	if (kind == LOOK_MEMFD && strncmp(name, "/memfd:", 7) == 0)
		name += 7;
	snprintf(node->object.name, sizeof(node->object.name), "%s", kind == LOOK_SHARED_ANON ? "" : name);
}

void objects_mapping(void *objects, const struct look_process *p, const struct vma *vma, const char *name)
{
	struct objects *o = objects;
	uint64_t dev = makedev(vma->dev_major, vma->dev_minor);
	enum look_object_kind kind;
	struct shmobj obj;
	struct node *node;
	bool new;

	if (!vma->ino || dev != o->shm_dev)
		return;
	kind = kind_of(name);
	if (kind == LOOK_SYSV) {
		uint64_t ns = namespace_of(p->pid, "ipc");

		if (!ns || ns == o->ipc_ns)
			return; /* it is in the list of segments */
		dev = ns;
	}
	node = node_of(o, dev, vma->ino, &new);
	if (!node)
		return;
	if (new) {
		name_node(node, kind, name);
		if (shmobj_stat_map("/proc", p->pid, vma->start, vma->end, &obj) == 0)
			set_size(node, &obj);
	}
	if (!node->sized) { /* without privileges: at least what is mapped of it */
		uint64_t end = (vma->pgoff + (vma->end - vma->start)) >> PAGE_SHIFT;

		node->object.size = end > node->object.size ? end : node->object.size;
	}
	if (vma->flags & VMA_NORESERVE && kind == LOOK_SHARED_ANON)
		node->noreserve = true;
	add_holder(node, p->pid);
}

struct fd_scan {
	struct objects *o;
	pid_t pid;
};

static int take_fd(void *ctx, int fd, const struct shmobj *obj)
{
	struct fd_scan *scan = ctx;
	struct node *node;
	bool new;

	(void)fd;
	if (obj->dev != scan->o->shm_dev || kind_of(obj->path) == LOOK_SYSV)
		return 0;
	node = node_of(scan->o, obj->dev, obj->ino, &new);
	if (!node)
		return 0;
	if (new)
		name_node(node, kind_of(obj->path), obj->path);
	set_size(node, obj);
	add_holder(node, scan->pid);
	return 0;
}

/* One mounted tmpfs.  False where it cannot be reached or has no limit, and so tells
 * nothing of what it uses. */
static bool take_filesystem(struct objects *o, pid_t pid, const struct mount *mount)
{
	char path[4096 + 32];
	struct statfs fs;
	struct stat st;
	struct node *node;
	bool new;

	/* through another namespace's root, and not where something is mounted over it */
	snprintf(path, sizeof(path), "/proc/%d/root%s", pid, mount->point);
	if (stat(path, &st) < 0 || st.st_dev != mount->dev || statfs(path, &fs) < 0 || fs.f_blocks == 0)
		return false;
	node = node_of(o, mount->dev, 0, &new);
	if (!node || !new)
		return node != NULL;
	node->object.kind = LOOK_TMPFS;
	node->object.touched = (uint64_t)(fs.f_blocks - fs.f_bfree) * ((uint64_t)fs.f_bsize >> PAGE_SHIFT);
	node->sized = true;
	snprintf(node->object.name, sizeof(node->object.name), "%s", mount->point);
	return true;
}

static bool is_known(struct objects *o, uint64_t dev)
{
	const struct key key = { dev, 0 };
	struct node *node;

	HASH_FIND(hh, o->node, &key, sizeof(key), node);
	return node != NULL;
}

/* Filesystems with a server, which may be stuck, or be the job's own. */
static bool has_server(const char *fstype)
{
	static const char *const all[] = { "fuse", "nfs", "cifs", "smb", "9p", "ceph", "afs", "autofs", "gluster", "virtiofs" };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strncmp(fstype, all[i], strlen(all[i])) == 0)
			return true;
	return false;
}

static bool is_below(const char *point, const char *above)
{
	size_t len = strlen(above);

	if (strcmp(above, "/") == 0)
		return true;
	return strncmp(point, above, len) == 0 && point[len] == '/';
}

static bool take_line(struct objects *o, pid_t pid, const struct names *servers, const struct mount *mount)
{
	for (uint32_t i = 1; i <= servers->nr; i++)
		if (is_below(mount->point, names_text(servers, i)))
			return false; /* the way to it leads through a server */
	return take_filesystem(o, pid, mount);
}

/* WHICH 0: notes mounts that have a server; 1: looks at those of tmpfs. */
static void read_mounts(struct objects *o, pid_t pid, struct names *servers, bool ours, int which)
{
	autofclose FILE *f = NULL;
	autofree char *line = NULL;
	char path[64];
	size_t size = 0;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	f = fopen(path, "re");
	while (f && getline(&line, &size, f) > 0) {
		struct mount mount;

		line[strcspn(line, "\n")] = '\0';
		if (!mountinfo_split(line, &mount))
			continue;
		if (which == 0 && has_server(mount.fstype) && !(ours && strcmp(mount.point, "/") == 0))
			(void)names_add(servers, mount.point); /* without memory: it is not avoided */
		if (which == 0 || (strcmp(mount.fstype, "tmpfs") != 0 && strcmp(mount.fstype, "devtmpfs") != 0))
			continue;
		if (!is_known(o, mount.dev) && !take_line(o, pid, servers, &mount))
			o->l->missing.filesystems++;
	}
}

static void take_mounts(struct objects *o, pid_t pid, bool ours)
{
	struct names servers = { 0 };

	read_mounts(o, pid, &servers, ours, 0);
	read_mounts(o, pid, &servers, ours, 1);
	names_free(&servers);
}

void objects_process(struct objects *o, const struct look_process *p)
{
	struct fd_scan scan = { o, p->pid };
	uint64_t mnt = namespace_of(p->pid, "mnt");
	struct seen_ns *seen = NULL;
	int r = shmobj_scan_fds_on("/proc", p->pid, o->shm_dev, take_fd, &scan);

	if (r == -EACCES || r == -EPERM)
		o->l->missing.files++;
	if (mnt)
		HASH_FIND(hh, o->mnt, &mnt, sizeof(mnt), seen);
	if (!mnt || seen)
		return;
	seen = calloc(1, sizeof(*seen));
	if (!seen) {
		o->failed = true;
		return;
	}
	seen->ino = mnt;
	HASH_ADD(hh, o->mnt, ino, sizeof(seen->ino), seen);
	take_mounts(o, p->pid, mnt == o->mnt_ns);
}

static int take_segment(void *ctx, const struct shmobj_sysv *seg)
{
	struct objects *o = ctx;
	struct node *node;
	bool new;

	node = node_of(o, o->ipc_ns, (uint64_t)(uint32_t)seg->shmid, &new);
	if (!node)
		return -ENOMEM;
	node->object.kind = LOOK_SYSV;
	node->object.size = bytes_to_pages(seg->size_bytes);
	node->object.touched = bytes_to_pages(seg->rss_bytes) + bytes_to_pages(seg->swap_bytes);
	node->object.holders = (uint32_t)seg->nattch;
	node->object.holder = seg->cpid;
	node->sized = true;
	snprintf(node->object.name, sizeof(node->object.name), "shmid %d", seg->shmid);
	return 0;
}

/* Largest first. */
static int by_charge(const void *a, const void *b)
{
	const struct look_object *x = a, *y = b;

	if (x->charged != y->charged)
		return x->charged > y->charged ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static void objects_free(struct objects *o)
{
	struct node *node, *next;
	struct seen_ns *seen, *after;

	HASH_ITER(hh, o->node, node, next) {
		HASH_DEL(o->node, node);
		free(node);
	}
	HASH_ITER(hh, o->mnt, seen, after) {
		HASH_DEL(o->mnt, seen);
		free(seen);
	}
	free(o);
}

int objects_finish(struct objects *o)
{
	struct node *node, *next;
	struct look *l = o->l;
	int r;

	(void)shmobj_walk_sysv("/proc", take_segment, o); /* no SysV here: no segments */
	l->object = calloc(HASH_COUNT(o->node) + 1, sizeof(*l->object));
	r = !l->object || o->failed ? -ENOMEM : 0;
	HASH_ITER(hh, o->node, node, next) {
		bool whole = (node->object.kind == LOOK_SHARED_ANON && !node->noreserve) ||
			     node->object.kind == LOOK_SYSV;

		if (r)
			break;
		node->object.charged = whole ? node->object.size : node->object.touched;
		if (node->noreserve)
			node->object.noreserve = look_unused(node->object.size, node->object.touched);
		l->missing.objects += !node->sized;
		l->object[l->nr_objects++] = node->object;
	}
	if (l->nr_objects)
		qsort(l->object, l->nr_objects, sizeof(*l->object), by_charge);
	objects_free(o);
	return r;
}
