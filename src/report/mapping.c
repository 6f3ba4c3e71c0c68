/* SPDX-License-Identifier: MIT
 *
 * mapping: see mapping.h.  The kernel prints mappings in address order
 * (fs/proc/task_mmu.c); sys/smaps reads the lines.
 */
#include "report/mapping.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sys/smaps.h"

struct collect {
	struct mappings *ret;
	size_t room;
};

static int collect_mapping(void *ctx, const struct vma *vma, const char *name)
{
	struct collect *c = ctx;
	struct mappings *m = c->ret;
	char *copy;

	if (m->nr == c->room) {
		size_t room = c->room ? c->room * 2 : 64;
		struct mapping *at = reallocarray(m->at, room, sizeof(*at));

		if (!at)
			return -ENOMEM;
		m->at = at;
		c->room = room;
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	m->at[m->nr++] = (struct mapping){ .vma = *vma, .name = copy };
	return 0;
}

int mappings_parse(struct mappings *ret, const char *text, size_t len)
{
	struct collect c = { .ret = ret };
	struct smaps_parser parser;
	int r;

	*ret = (struct mappings){ 0 };
	smaps_parser_init(&parser, 0, collect_mapping, &c);
	r = smaps_parser_feed(&parser, text, len);
	if (r == 0)
		r = smaps_parser_end(&parser);
	if (r == -ENOMEM) {
		mappings_done(ret);
		return r;
	}
	return 0;
}

void mappings_done(struct mappings *m)
{
	for (size_t i = 0; i < m->nr; i++)
		free(m->at[i].name);
	free(m->at);
	*m = (struct mappings){ 0 };
}

const struct mapping *mappings_find(const struct mappings *m, uint64_t addr)
{
	size_t low = 0, high = m->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (addr < m->at[mid].vma.start)
			high = mid;
		else if (addr >= m->at[mid].vma.end)
			low = mid + 1;
		else
			return &m->at[mid];
	}
	return NULL;
}

static bool same_file(const struct vma *a, const struct vma *b)
{
	return a->ino && a->ino == b->ino && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

const struct mapping *mappings_image(const struct mappings *m, const struct mapping *mapping)
{
	const struct mapping *first = mapping;

	/* Anonymous gaps (bss, a reservation) belong to the run; another file ends it. */
	for (const struct mapping *p = mapping; p > m->at && p->vma.pgoff; ) {
		p--;
		if (same_file(&p->vma, &mapping->vma))
			first = p;
		else if (p->vma.ino)
			break;
	}
	return first;
}

static uint64_t hash_add(uint64_t hash, uint64_t value)
{
	for (int i = 0; i < 8; i++, value >>= 8)
		hash = (hash ^ (value & 0xff)) * UINT64_C(0x100000001b3); /* FNV-1a */
	return hash;
}

uint64_t mappings_files_hash(const struct mappings *m)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < m->nr; i++) {
		const struct vma *v = &m->at[i].vma;

		if (!v->ino)
			continue;
		hash = hash_add(hash, v->start);
		hash = hash_add(hash, v->end);
		hash = hash_add(hash, v->pgoff);
		hash = hash_add(hash, v->ino);
		hash = hash_add(hash, (uint64_t)v->dev_major << 32 | v->dev_minor);
	}
	return hash;
}
