/* SPDX-License-Identifier: MIT
 *
 * copies: how many pages the members of a family have beyond its root's.
 *
 * Two measures.  Exact: the Pss of all, less what the root has, from
 * smaps_rollup; it walks page tables.  Cheap: a page is copied by a fault, so the
 * last exact figure and the faults since (stat, O(1)) are an upper bound.
 */
#ifndef SURETY_ENGINE_SECCOMP_COPIES_H
#define SURETY_ENGINE_SECCOMP_COPIES_H

#include "engine/seccomp/family.h"

/* Brings f->bound and f->rate up to NOW_NS.  Group locked. */
void copies_look(struct family *f, uint64_t now_ns);

/* Counts: f->extra, and the bound from it.  The group's lock is let go of
 * meanwhile, so F may be gone afterwards: then, and when its members have
 * changed or cannot be read, false is returned.  Its members' faults are read
 * before their pages, so that a page copied between the two counts twice rather
 * than not at all. */
bool copies_count(struct group *g, struct family *f);

#endif
