/* SPDX-License-Identifier: MIT
 *
 * audit: see the header.
 *
 * Keeps nothing from the supervisor's ledger: mappings and objects are found
 * anew, in a plain list that is searched from end to end.
 */
#include "cli/audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/bytes.h"
#include "sys/shmobj.h"
#include "sys/smaps.h"

struct item {
	uint64_t dev, ino, pages;
};

struct counting {
	enum overcommit mode;
	uint64_t born_ns;
	struct audit *audit;
	pid_t pid;
	struct item *item;
	size_t nr, room;
	int error;
	const pid_t *all;
	uint32_t nr_all;
};

/* Notes an object; the largest size that was seen of it counts. */
static void note(struct counting *c, uint64_t dev, uint64_t ino, uint64_t pages)
{
	for (size_t i = 0; i < c->nr; i++) {
		if (c->item[i].dev == dev && c->item[i].ino == ino) {
			if (pages > c->item[i].pages)
				c->item[i].pages = pages;
			return;
		}
	}
	if (c->nr == c->room) {
		struct item *more = realloc(c->item, (c->room + 64) * sizeof(*more));

		if (!more) {
			c->error = -ENOMEM;
			return;
		}
		c->item = more;
		c->room += 64;
	}
	c->item[c->nr++] = (struct item){ dev, ino, pages };
}

static void note_shmem(struct counting *c, const struct shmobj *obj)
{
	if (obj->kind == FILE_SHMEM && !(obj->born_ns && obj->born_ns < c->born_ns))
		note(c, obj->dev, obj->ino, obj->pages);
}

static int count_vma(void *ctx, const struct vma *vma, const char *name)
{
	struct counting *c = ctx;
	struct shmobj obj;

	c->audit->space_pages += rules_vma_pages(c->mode, vma, NULL);
	c->audit->forced_pages += rules_vma_forced_pages(c->mode, vma);
	if (!vma->ino || strncmp(name, "/SYSV", 5) == 0)
		return 0;
	if (strcmp(name, "/dev/zero (deleted)") == 0 && (vma->flags & VMA_SHARED)) {
		uint64_t pages = (vma->pgoff + (vma->end - vma->start)) >> PAGE_SHIFT;

		if (shmobj_stat_map("/proc", c->pid, vma->start, vma->end, &obj) == 0)
			pages = bytes_to_pages(obj.size_bytes);
		note(c, makedev(vma->dev_major, vma->dev_minor), vma->ino, pages);
	} else if (shmobj_stat_map("/proc", c->pid, vma->start, vma->end, &obj) == 0) {
		note_shmem(c, &obj);
	}
	return 0;
}

static int note_fd(void *ctx, int fd, const struct shmobj *obj)
{
	(void)fd;
	note_shmem(ctx, obj);
	return 0;
}

static int count_sysv(void *ctx, const struct shmobj_sysv *seg)
{
	struct counting *c = ctx;

	for (uint32_t i = 0; i < c->nr_all; i++)
		if (seg->cpid == c->all[i] && seg->ctime >= (int64_t)(c->born_ns / 1000000000))
			c->audit->shmem_pages += bytes_to_pages(seg->size_bytes);
	return 0;
}

int audit_count(enum overcommit mode, const pid_t *pids, uint32_t nr_pids, const pid_t *all, uint32_t nr_all,
		uint64_t born_ns, struct audit *ret)
{
	struct counting c = { .mode = mode, .born_ns = born_ns, .audit = ret, .all = all, .nr_all = nr_all };

	memset(ret, 0, sizeof(*ret));
	for (uint32_t i = 0; i < nr_pids; i++) {
		c.pid = pids[i];
		if (smaps_walk("/proc", c.pid, count_vma, &c) == -EACCES)
			ret->unreadable++;
	}
	for (uint32_t i = 0; i < nr_all; i++)
		(void)shmobj_scan_fds("/proc", all[i], note_fd, &c); /* ended meanwhile: has none */
	for (size_t i = 0; i < c.nr; i++)
		ret->shmem_pages += c.item[i].pages;
	(void)shmobj_walk_sysv("/proc", count_sysv, &c); /* no SysV here: no segments */
	free(c.item);
	return c.error;
}
