/* SPDX-License-Identifier: MIT
 *
 * count: what the kernel holds for processes, read by a helper about itself.
 *
 * Independent of the program under test on purpose: it shares no line with
 * src/.  It rests on smaps (fs/proc/task_mmu.c): `ac` is VM_ACCOUNT, `nr` is
 * VM_NORESERVE.  No memory is mapped and no break is moved while counting.
 */
#ifndef TESTS_COUNT_H
#define TESTS_COUNT_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "raw.h"

struct count_vma {
	unsigned long start, end, ino;
	unsigned char r, w, shared, ac, nr, ht, dp, dc, gd;
	unsigned long anonymous; /* bytes: Anonymous + Swap */
	char name[48];
};

enum { COUNT_VMAS = 8192 };

struct count_map {
	int nr;
	struct count_vma vma[COUNT_VMAS];
};

static char count_text[4 << 20];

/* Bytes that this mapping holds of a mode-2 group's commitment.  What was
 * written past the protection into a read-only mapping counts page by page. */
static inline unsigned long count_vma_bytes(const struct count_vma *v)
{
	if (v->ac)
		return v->end - v->start;
	if (v->shared || v->ht || v->dp)
		return 0;
	/* What mode 2 would have charged; read-only again, the pages that are there. */
	if (v->nr)
		return v->w ? v->end - v->start : v->anonymous;
	return v->w ? 0 : v->anonymous;
}

static inline void count_header(struct count_vma *v, char *line)
{
	char *p;
	int field;

	memset(v, 0, sizeof(*v));
	v->start = strtoul(line, &p, 16);
	v->end = strtoul(p + 1, &p, 16);
	v->r = p[1] == 'r';
	v->w = p[2] == 'w';
	v->shared = p[4] == 's';
	for (field = 0; field < 3 && *p; field++)
		for (p++; *p && *p != ' '; p++)
			;
	v->ino = strtoul(p, &p, 10);
	while (*p == ' ')
		p++;
	snprintf(v->name, sizeof(v->name), "%s", p);
}

static inline void count_flags(struct count_vma *v, const char *line)
{
	v->ac = strstr(line, " ac") != NULL;
	v->nr = strstr(line, " nr") != NULL;
	v->ht = strstr(line, " ht") != NULL;
	v->dp = strstr(line, " dp") != NULL;
	v->dc = strstr(line, " dc") != NULL;
	v->gd = strstr(line, " gd") != NULL;
}

/* Reads PATH (a smaps file).  Returns 0, or -1 where it cannot be read whole. */
static inline int count_read(const char *path, struct count_map *map)
{
	struct count_vma *v = NULL;
	size_t used = 0;
	ssize_t n;
	char *line, *next;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	map->nr = 0;
	if (fd < 0)
		return -1;
	while (used < sizeof(count_text) - 1 &&
	       (n = read(fd, count_text + used, sizeof(count_text) - 1 - used)) > 0)
		used += n;
	close(fd);
	if (used == sizeof(count_text) - 1)
		return -1;
	count_text[used] = '\0';
	for (line = count_text; *line; line = next) {
		next = strchr(line, '\n');
		if (!next)
			return -1;
		*next++ = '\0';
		if ((*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f')) {
			if (map->nr == COUNT_VMAS)
				return -1;
			v = &map->vma[map->nr++];
			count_header(v, line);
		} else if (v && (!strncmp(line, "Anonymous:", 10) || !strncmp(line, "Swap:", 5))) {
			v->anonymous += strtoul(strchr(line, ':') + 1, NULL, 10) * KIB;
		} else if (v && !strncmp(line, "VmFlags:", 8)) {
			count_flags(v, line + 8);
		}
	}
	return 0;
}

static inline int count_read_pid(long pid, struct count_map *map)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/smaps", pid);
	return count_read(path, map);
}

/* Private mappings only: the part of an address space. */
static inline unsigned long count_space(const struct count_map *map)
{
	unsigned long sum = 0;
	int i;

	for (i = 0; i < map->nr; i++)
		sum += count_vma_bytes(&map->vma[i]);
	return sum;
}

/* The parts of [start, end): what is counted there, what a change to writable
 * would add, and whether all of it is mapped. */
struct count_range {
	unsigned long counted, mapped, would_charge, forced;
	unsigned long sticky; /* counted for the pages in it, whole: changes when it is split */
	int pieces;
};

static inline struct count_range count_range(const struct count_map *map, unsigned long start, unsigned long end)
{
	struct count_range ret = { 0, 0, 0, 0, 0, 0 };
	int i;

	for (i = 0; i < map->nr; i++) {
		const struct count_vma *v = &map->vma[i];
		unsigned long a = v->start > start ? v->start : start;
		unsigned long b = v->end < end ? v->end : end;

		if (a >= b)
			continue;
		ret.pieces++;
		ret.mapped += b - a;
		if (v->ac || (v->nr && v->w && count_vma_bytes(v)))
			ret.counted += b - a;
		else if (!v->shared && !v->ht && !v->dp && !v->w)
			ret.would_charge += b - a;
		if (!v->ac && !v->nr && !v->w && !v->shared)
			ret.forced += v->anonymous;
		if (v->nr && !v->w && v->anonymous)
			ret.sticky += b - a;
	}
	return ret;
}

/* What a fork of this address space charges. */
static inline unsigned long count_fork(const struct count_map *map)
{
	unsigned long sum = 0;
	int i;

	for (i = 0; i < map->nr; i++)
		if (!map->vma[i].dc)
			sum += count_vma_bytes(&map->vma[i]);
	return sum;
}

#endif
