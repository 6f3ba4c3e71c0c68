/* SPDX-License-Identifier: MIT
 *
 * rules: which memory is charged, and how much of it.
 *
 * Pure: the facts of one mapping or one request go in, pages and the rule that
 * decided come out.  Each rule has a number in docs/ACCOUNTING.md, where its
 * kernel source is named; rules.def is the list.  A group keeps its own mode,
 * which need not be the host's: in a mode-2 group on a mode-0 host the kernel
 * marks a MAP_NORESERVE mapping `nr` and not `ac`, and it is charged here all
 * the same.
 *
 * All amounts are pages.
 */
#ifndef SURETY_CORE_RULES_H
#define SURETY_CORE_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/mode.h"

/* rules.def holds RULE(NAME, "R-nnn", "what it says", "kernel source") rows. */
enum rule {
#define RULE(name, id, text, source) RULE_##name,
#include "core/rules.def"
#undef RULE
	RULE_NR
};

const char *rule_id(enum rule rule);     /* "R-001" */
const char *rule_text(enum rule rule);   /* one line for people */
const char *rule_source(enum rule rule); /* kernel function or file */

/* One mapping as /proc/PID/smaps shows it. */
enum vma_flag {
	VMA_READ = 1 << 0,
	VMA_WRITE = 1 << 1,
	VMA_EXEC = 1 << 2,
	VMA_SHARED = 1 << 3,    /* 's' in the permissions: VM_MAYSHARE */
	VMA_ACCOUNT = 1 << 4,   /* ac */
	VMA_NORESERVE = 1 << 5, /* nr */
	VMA_HUGETLB = 1 << 6,   /* ht */
	VMA_DROPPABLE = 1 << 7, /* dp */
	VMA_DONTCOPY = 1 << 8,  /* dc */
	VMA_GROWSDOWN = 1 << 9, /* gd */
};

struct vma {
	uint64_t start, end;      /* bytes, page aligned */
	uint64_t pgoff;           /* offset in the object, bytes */
	uint64_t ino;             /* 0 for anonymous private memory */
	uint32_t dev_major, dev_minor;
	uint32_t flags;           /* enum vma_flag */
	uint64_t anonymous_pages; /* private copies present, in RAM or in swap */
};

/* What an existing mapping holds of the group's commitment.  *RET_RULE (may be
 * NULL) tells the rule that decided, also where the answer is 0. */
uint64_t rules_vma_pages(enum overcommit mode, const struct vma *vma, enum rule *ret_rule);

/* Pages that the kernel copied into a private mapping without charging them:
 * written by ptrace, /proc/PID/mem or a uprobe. */
uint64_t rules_vma_forced_pages(enum overcommit mode, const struct vma *vma);

/* What a fork charges for this mapping of the parent: 0 when it is not copied. */
uint64_t rules_vma_fork_pages(enum overcommit mode, const struct vma *vma);

/* Whether statm's data+stack figure (mm->data_vm + mm->stack_vm) contains it;
 * include/linux/mm.h is_data_mapping, is_stack_mapping. */
bool rules_vma_in_data(const struct vma *vma);

/* What a mapped file is, as far as accounting cares. */
enum file_kind {
	FILE_NONE,    /* MAP_ANONYMOUS */
	FILE_PLAIN,   /* an ordinary file, a device, anything else */
	FILE_ZERO,    /* /dev/zero; opened read-only and mapped shared it is FILE_PLAIN */
	FILE_SHMEM,   /* tmpfs, memfd, POSIX shared memory: charged page by page */
	FILE_HUGETLB, /* hugetlbfs */
};

/* Who holds a charge until it is given back. */
enum holder {
	HOLDER_NONE,
	HOLDER_SPACE,  /* an address space, by its mappings */
	HOLDER_OBJECT, /* a shared-memory object */
};

struct charge {
	enum holder holder;
	uint64_t pages;
	enum rule rule;
};

/* A call's arguments are the kernel's own constants (PROT_*, MAP_*, MREMAP_*,
 * SHM_*), lengths in bytes as the caller gave them. */
struct charge rules_mmap(enum overcommit mode, uint64_t len, int prot, int flags, enum file_kind kind);

/* Net charge of the same over the mapping OLD where MAP_FIXED replaces OVERLAP
 * pages of it: what rules_vma_pages() holds there is given back. */
uint64_t rules_replaced_pages(enum overcommit mode, const struct vma *old, uint64_t overlap_pages);

/* mprotect over OVERLAP pages of VMA. */
struct charge rules_mprotect(enum overcommit mode, const struct vma *vma, uint64_t overlap_pages, int prot);

/* mremap of a mapping; VMA is the one at the old address, or NULL when not
 * known, then the answer is an upper bound. */
struct charge rules_mremap(enum overcommit mode, const struct vma *vma, uint64_t old_len, uint64_t new_len,
			   int flags);

/* brk from CURRENT to WANTED (addresses). */
struct charge rules_brk(uint64_t current, uint64_t wanted);

/* shmget that creates a segment. */
struct charge rules_shmget(enum overcommit mode, uint64_t size, int shmflg);

#endif
