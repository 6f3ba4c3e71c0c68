/* SPDX-License-Identifier: MIT
 *
 * space: the bound on one address space, and the two ways to tighten it.
 */
#ifndef SURETY_ENGINE_SECCOMP_SPACE_H
#define SURETY_ENGINE_SECCOMP_SPACE_H

#include "engine/seccomp/group.h"
#include "sys/procfs.h"
#include "sys/smaps.h"

/* A new address space used by P alone; NULL without memory. */
struct space *space_new(struct group *g, struct proc *p);

/* Moves P to space S (NULL: to none); a space without users is freed. */
void space_attach(struct group *g, struct proc *p, struct space *s);

/* What the kernel would hold for it: the sum of the parts.  While an execve is in
 * flight the counters may be those of an image of which half is mapped, and the
 * kernel maps the rest without a call: then no less than the whole of it. */
uint64_t space_kernel_pages(const struct space *s);

/* Of these, what may be in them twice, or not be there yet: no peak is made of it. */
uint64_t space_doubtful_pages(const struct space *s);

/* PAGES of S are about to become writable: of what was counted read-only, so many may
 * be in data as well from now on.  How much may be so, now. */
void space_doubt_sticky(struct space *s, uint64_t pages);
uint64_t space_doubtful_sticky(const struct space *s);

/* T's call, which charges S, is in flight, or is so no more: adds it to the parts, or
 * takes it out.  The second returns how much of it was exposed.  Neither posts. */
void space_add_flight(struct space *s, struct task *t);
uint64_t space_remove_flight(struct space *s, const struct task *t);

/* space_look(), and a count where what was made read-only has been doubtful for a while. */
void space_look_for_peak(struct group *g, struct space *s, uint64_t now_ms);

/* Writes the sum of the parts to the ledger, after any of them changed. */
void space_post(struct space *s);

/* Reads the mm counters: O(1), whatever the process maps.  Where they cannot
 * tell (exact_only) it counts. */
void space_look(struct group *g, struct space *s);

/* The same of a space that statm tells enough of, its image known or not. */
void space_look_fast(struct space *s);

/* An execve of the only user is over.  Whether it failed shows in stat, which is
 * read only when the bound or the break must be known better; till then what
 * both images could hold counts.  space_know_image() returns whether the image
 * turned out to be another. */
void space_doubt_image(struct space *s);
bool space_know_image(struct space *s);

/* Reads smaps: exact but for what is in flight.  EACH (may be NULL) sees every
 * mapping on the way; it is called with NULL before the first, and again where
 * the reading is repeated, to begin anew.  Returns false when that did not come to
 * a reading that holds: the file is denied, the mappings never at rest, or gone. */
bool space_count(struct group *g, struct space *s, vma_fn *each, void *ctx);

/* Whether a count a moment ago still stands: nothing was granted since and the
 * counters are the same.  Only read-only memory that was charged, and replaced by
 * as much that is not, could make it too high. */
bool space_counted_lately(const struct space *s);

/* Reads the counters of the space.  Returns the thread that they are of, 0 where no
 * user is left, or -errno where they cannot be read (descriptors ran out). */
pid_t space_statm(const struct space *s, struct statm *ret);

/* Whether no other task that uses T's space has made a stopped call. */
bool space_only_user(const struct task *t);

/* A thread of the space that has not ended, or 0. */
pid_t space_live_task(const struct space *s);

#endif
