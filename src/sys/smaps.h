/* SPDX-License-Identifier: MIT
 *
 * smaps, maps: the mappings of a process, as the kernel prints them
 * (fs/proc/task_mmu.c show_smap, show_map_vma).
 *
 * A reader feeds text in any pieces and calls back once a mapping; it holds no
 * more than one line and never allocates.  Unknown fields are skipped.
 */
#ifndef SURETY_SYS_SMAPS_H
#define SURETY_SYS_SMAPS_H

#include <stddef.h>
#include <sys/types.h>

#include "core/rules.h"

/* Called for each mapping in address order.  NAME is the last column (""
 * where there is none), valid during the call.  Non-zero stops the walk. */
typedef int vma_fn(void *ctx, const struct vma *vma, const char *name);

struct smaps_parser {
	vma_fn *fn;
	void *ctx;
	int smaps;      /* 0: plain maps text, no fields between the header lines */
	int have;       /* a header was read and its mapping not yet delivered */
	int stopped;    /* what fn returned */
	struct vma vma; /* the mapping under way */
	size_t used;
	char line[4096 + 256]; /* a path is at most PATH_MAX, escaped as \012 at worst: cut, never overrun */
	char name[4096];
};

void smaps_parser_init(struct smaps_parser *p, int smaps, vma_fn *fn, void *ctx);
/* Returns 0, what fn returned, or -EBADMSG for a header line that is not one. */
int smaps_parser_feed(struct smaps_parser *p, const char *text, size_t len);
/* Delivers the last mapping.  Returns as feed. */
int smaps_parser_end(struct smaps_parser *p);

/* Walks PROC_ROOT/PID/smaps (or .../PID/maps) with the parser above.  PROC_ROOT
 * is "/proc" except in tests.  Returns 0, what fn returned, or -errno of the
 * file (-ENOENT, -ESRCH: the process is gone; -EACCES: not ours to read). */
int smaps_walk(const char *proc_root, pid_t pid, vma_fn *fn, void *ctx);
int maps_walk(const char *proc_root, pid_t pid, vma_fn *fn, void *ctx);

#endif
