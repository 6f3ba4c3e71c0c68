/* SPDX-License-Identifier: MIT
 *
 * mm: one address space as the kernel keeps it: mappings with their flags, and
 * the private pages that are there.
 *
 * Numbers are pages.  Nothing here asks whether there is room: model.h does.
 * What returns int returns 0 or -ENOMEM; the model is then of no more use.
 */
#ifndef SURETY_MODEL_MM_H
#define SURETY_MODEL_MM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/ledger.h"
#include "core/rules.h"
#include "model/pageset.h"

/* Whether a mapping has the kernel's anon_vma: only without one does it let its
 * charge go when it is made read-only.  It gets one with the first private
 * page, or from a neighbour that it merges with or is split from. */
enum anon_vma {
	ANON_VMA_NO,
	ANON_VMA_MAYBE, /* a merge after a fork */
	ANON_VMA_YES,
};

/* Flags of a mapping that /proc does not show as an enum vma_flag. */
enum mm_flag {
	MM_WIPEONFORK = 1 << 0,
	MM_LOCKED = 1 << 1,
	MM_NOHUGEPAGE = 1 << 2,	 /* MAP_STACK, since 6.7 */
	MM_NEVER_WRITE = 1 << 3, /* shared, of a file that is open for reading */
	MM_SEGMENT = 1 << 4,	 /* has a close handler: is not merged */
	MM_NORESERVE = 1 << 5,	 /* the host does not charge it; VMA_ACCOUNT says whether the bpf engine does */
};

enum { MM_NO_INODE = -1 };

struct mm_vma {
	uint64_t start, end;
	uint64_t pgoff;     /* in the inode; for anonymous memory its first address */
	uint32_t flags;     /* enum vma_flag */
	uint32_t mm_flags;  /* enum mm_flag */
	int inode;	    /* of the model, or MM_NO_INODE: anonymous, /dev/zero too */
	uint32_t zero;	    /* which mapping of /dev/zero this is a part of; 0: of none */
	enum anon_vma anon_vma;
	uint32_t anon_id; /* which anon_vma, of the mm; only pieces with the same one merge */
	bool inherited;	  /* it came with a fork: whether an untouched neighbour merges is not certain */
	bool seam;	  /* where its pgoff is, or which anon_vma it has, is not certain */
};

struct mm {
	struct mm_vma *vma; /* sorted */
	size_t nr, room;
	struct pageset anon;	  /* private pages, by address */
	uint32_t anon_ids;	  /* given so far */
	bool blurred;		  /* a merge of MAP_NORESERVE memory that is charged with some that is not */
	bool merges_untouched;	  /* since 6.16: what has an anon_vma takes in a neighbour without one */
	uint64_t break_bytes;	  /* above the first break */
	uint64_t stack_pages;	  /* that the main stack has grown by */
	uint64_t extra_total_vm;  /* of the program beyond the mappings that are in the list */
	uint64_t unseen_pages;	  /* that stacks grew by, without a call */
	uint64_t cut[2];	  /* where the last mm_isolate() cut; 0: nowhere */
	struct ledger_holder hold;
};

void mm_done(struct mm *mm);
int mm_copy(struct mm *to, const struct mm *from); /* TO is zeroed; the holder is not copied */

/* Index of the first mapping that ends beyond PAGE; mm->nr where there is none. */
size_t mm_find(const struct mm *mm, uint64_t page);
bool mm_is_free(const struct mm *mm, uint64_t start, uint64_t end);
bool mm_is_covered(const struct mm *mm, uint64_t start, uint64_t end); /* without a hole */

/* Cuts mappings so that one begins or ends at START and at END.  mm_heal() undoes
 * what the last call cut, where both halves are still the same. */
int mm_isolate(struct mm *mm, uint64_t start, uint64_t end);
void mm_heal(struct mm *mm);

/* Takes mappings and private pages out. */
int mm_unmap(struct mm *mm, uint64_t start, uint64_t end);

/* Puts a mapping where nothing is, and merges it. */
int mm_insert(struct mm *mm, const struct mm_vma *vma);

/* Merges what the kernel merges when it has changed the mapping from START to END. */
void mm_merge(struct mm *mm, uint64_t start, uint64_t end);

/* Notes private pages from START to END, all in mapping I. */
int mm_add_anon(struct mm *mm, size_t i, uint64_t start, uint64_t end);

/* anonymous in the kernel's sense: without vm_ops. */
bool mm_vma_is_anonymous(const struct mm_vma *vma);
struct vma mm_core_vma(const struct mm *mm, const struct mm_vma *vma);

uint64_t mm_held(enum overcommit mode, const struct mm *mm);
uint64_t mm_forced(enum overcommit mode, const struct mm *mm);
/* What a fork is charged, and the most for one mapping: as they are kept here, and
 * where all have become one that may have (*RET_JOINED). */
uint64_t mm_fork_pages(enum overcommit mode, const struct mm *mm, uint64_t *ret_largest, uint64_t *ret_joined);
uint64_t mm_total_vm(const struct mm *mm);

/* MAP_NORESERVE memory that the bpf engine charges, and a fork does not copy. */
uint64_t mm_noreserve_left_out(const struct mm *mm);
/* Whether flags that the kernel has do not say which of it is charged. */
bool mm_is_blurred(const struct mm *mm);

/* What a fork makes of FROM, the charge aside. TO is zeroed. */
int mm_fork(struct mm *to, const struct mm *from);

#endif
