/* SPDX-License-Identifier: MIT
 *
 * settle: what the state of the model holds, put into the ledger.
 *
 * Decides nothing about a request.  A mapping is worth what core/rules.h says; an
 * object its size or its pages (mm/shmem.c); what nobody uses any more is let go.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "model/state.h"

void settle_mm(struct model *m, struct mm *mm)
{
	uint64_t pages = mm_held(m->config.limit.mode, mm);

	if (as_seccomp(m))
		pages += mm_forced(m->config.limit.mode, mm); /* the kernel does not count them */
	ledger_set(&mm->hold, pages);
}

void settle_inode(struct model *m, struct inode *inode)
{
	uint64_t pages = 0;

	(void)m;
	if (inode->exists && inode->shmem)
		pages = inode->whole ? bytes_to_pages(inode->size_bytes) : inode->pages.pages;
	if (inode->unseen_pages > pages)
		inode->unseen_pages = pages;
	ledger_set(&inode->hold, pages);
}

static bool is_mapped(const struct model *m, int inode)
{
	for (int p = 0; p < m->script->nr_processes; p++) {
		const struct mm *mm = &m->process[p].mm;

		for (size_t i = 0; i < mm->nr; i++)
			if (mm->vma[i].inode == inode)
				return true;
	}
	return false;
}

static bool is_open(const struct model *m, int inode)
{
	if (inode >= m->script->nr_objects || m->inode[inode].segment)
		return false;
	for (int p = 0; p < m->script->nr_processes; p++)
		if (m->process[p].alive && m->process[p].has_object[inode])
			return true;
	return false;
}

/* Its last user is gone. */
static void evict(struct inode *inode)
{
	inode->exists = false;
	pageset_done(&inode->pages);
}

uint64_t inode_mapped_pages(const struct model *m, int inode)
{
	uint64_t sum = 0;

	for (int p = 0; p < m->script->nr_processes; p++) {
		const struct mm *mm = &m->process[p].mm;

		for (size_t i = 0; i < mm->nr; i++)
			if (mm->vma[i].inode == inode && mm->vma[i].flags & VMA_SHARED)
				sum += mm->vma[i].end - mm->vma[i].start;
	}
	return sum;
}

uint64_t inode_holes(const struct model *m, int inode, uint64_t size_pages, uint64_t mapped_pages)
{
	uint64_t present = m->inode[inode].pages.pages;
	uint64_t holes = size_pages > present ? size_pages - present : 0;

	return holes < mapped_pages ? holes : mapped_pages;
}

static uint64_t inode_reserved(const struct model *m, int inode)
{
	const struct inode *i = &m->inode[inode];

	if (!i->exists || !i->shmem || i->whole || i->segment || inode >= m->script->nr_objects)
		return 0;
	return inode_holes(m, inode, bytes_to_pages(i->size_bytes), inode_mapped_pages(m, inode));
}

void settle(struct model *m)
{
	m->reserved = 0;
	for (int p = 0; p < m->script->nr_processes; p++)
		if (m->process[p].alive)
			settle_mm(m, &m->process[p].mm);
	for (size_t i = 0; i < m->nr_inodes; i++) {
		struct inode *inode = &m->inode[i];

		if (inode->exists && !inode->linked && !is_open(m, (int)i) && !is_mapped(m, (int)i))
			evict(inode);
		settle_inode(m, inode);
		/* A file that nobody has open, and whose name the engine has not learned. */
		if (as_seccomp(m) && inode->linked && !inode->segment && !inode->known && !is_open(m, (int)i) &&
		    !is_mapped(m, (int)i))
			ledger_set(&inode->hold, 0);
		if (as_seccomp(m))
			m->reserved += inode_reserved(m, (int)i);
	}
	if (model_held_pages(m) > m->peak)
		m->peak = model_held_pages(m);
}

int inode_new(struct model *m)
{
	if (m->nr_inodes == m->inode_room) {
		size_t room = m->inode_room ? m->inode_room * 2 : 16;
		struct inode *inode = reallocarray(m->inode, room, sizeof(*inode));

		if (!inode) {
			m->failed = true;
			return MM_NO_INODE;
		}
		m->inode = inode;
		m->inode_room = room;
	}
	m->inode[m->nr_inodes] = (struct inode){ .exists = true };
	ledger_join(&m->inode[m->nr_inodes].hold, &m->group);
	return (int)m->nr_inodes++;
}
