/* SPDX-License-Identifier: MIT
 *
 * script: a text of memory operations, read into values.
 *
 * The grammar is docs/SCRIPTS.md.  The same reading serves `surety simulate`,
 * which asks the model what would happen, and the test program that makes the
 * real calls; neither sees text again.  Pure: text in, structure out.
 *
 * Names are small numbers, in the order in which they are first written.  Sizes
 * and offsets are bytes as written: nothing is rounded here.
 */
#ifndef SURETY_MODEL_SCRIPT_H
#define SURETY_MODEL_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/err.h"
#include "core/mode.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08 /* a MAP_TYPE value, since 6.11 */
#endif

enum {
	SCRIPT_NAME = 16, /* with its NUL */
	SCRIPT_MAIN = 0,  /* the process that a script starts with */
	SCRIPT_NONE = -1, /* an index that is not there */
};

/* Room of one region is at most this, above and below its start together, and of
 * all regions together; each is given at least SCRIPT_ROOM_GAP between it and the
 * next, more than the kernel's stack_guard_gap. */
#define SCRIPT_ROOM_MAX (UINT64_C(16) << 40)
#define SCRIPT_ROOM_GAP (UINT64_C(4) << 20)

enum script_verb {
#define VERB(name, word, arguments) VERB_##name,
#include "model/verbs.def"
#undef VERB
	VERB_NR
};

const char *script_verb_word(enum script_verb verb); /* "map" */

/* What `needs` lines name. */
enum script_need {
	NEED_HUGETLB = 1 << 0,   /* "hugetlb": free huge pages in the pool */
	NEED_THP_NEVER = 1 << 1, /* "thp-never": no transparent huge pages */
};

struct script_op {
	unsigned int line; /* of the text, from 1 */
	enum script_verb verb;
	int process; /* who does it */

	/* RANGE, or NAME[+OFFSET] of map, or REGION of attach and detach.  With
	 * `whole` it is what the region was last mapped as: offset 0, length 0. */
	int region; /* or SCRIPT_NONE */
	bool whole;
	int64_t offset;  /* from the region's start; negative: below it. Whole pages */
	uint64_t length; /* of RANGE; may be 0, may be a part of a page */

	/* SIZE: map's, remap's new one, break's amount, stack, exec, objects.  0 where
	 * it may be left out and is. */
	uint64_t size;
	bool shrink; /* break -SIZE */

	int new_region;         /* remap NEWNAME, or SCRIPT_NONE: in place */
	int object;             /* made, used or mapped; or SCRIPT_NONE */
	uint64_t object_offset; /* OFFSET of allocate, punch, write, read */
	int other;              /* fork NAME; poke RANGE of PROCESS; or SCRIPT_NONE */

	int prot;  /* map, protect: PROT_* */
	int flags; /* map: MAP_* as for mmap, with MAP_FIXED (NAME+OFFSET) or
		    * MAP_FIXED_NOREPLACE (NAME), MAP_ANONYMOUS unless `of` or `zero`;
		    * remap: MREMAP_*; segment: SHM_NORESERVE, SHM_HUGETLB */
	bool zero;      /* map: of /dev/zero */
	bool read_only; /* map: the object or /dev/zero is opened O_RDONLY for it */
	bool read;      /* touch: read only */
};

struct script_process {
	char name[SCRIPT_NAME];
	int parent; /* whose fork made it; SCRIPT_NONE for main */
};

/* A place in the address space.  All operations of the script lie between
 * `below` bytes under its start and `above` bytes over it; both are whole pages. */
struct script_region {
	char name[SCRIPT_NAME];
	uint64_t below, above;
};

enum script_object_kind {
	OBJECT_FILE,
	OBJECT_MEMFD,
	OBJECT_TMPFS,
	OBJECT_SEGMENT,
};

struct script_object {
	char name[SCRIPT_NAME];
	enum script_object_kind kind;
};

/* The lines at the top.  Sizes are bytes. */
struct script_settings {
	bool has_limit, has_mode, has_memory, has_ratio;
	uint64_t limit;
	enum overcommit mode; /* OVERCOMMIT_NEVER unless it is given */
	uint64_t memory;      /* RAM plus swap */
	uint64_t ratio;       /* per cent of it */
	uint64_t admin_reserve, user_reserve;
	uint32_t needs;                          /* enum script_need */
	unsigned int kernel_major, kernel_minor; /* of `needs 6.7`; 0.0 without */
};

struct script {
	struct script_settings settings;
	struct script_op *ops;
	struct script_process *processes; /* [0] is main */
	struct script_region *regions;
	struct script_object *objects;
	size_t nr_ops;
	int nr_processes, nr_regions, nr_objects;
};

/* Reads TEXT of LEN bytes, which need not end in NUL; NAME is what an error calls
 * it.  Returns 0 and *RET, which script_free() ends, or -1 with ERR set to one line
 * that has the number of the line at fault:
 *     cannot read script 'NAME': line 3: ...
 * A script without an operation is one. */
int script_parse(const char *name, const char *text, size_t len, struct script **ret, struct err *err);

void script_free(struct script *script); /* NULL is free */

/* Writes OP as a line of a script, without a newline; "" where BUF is too small
 * (SCRIPT_LINE always does).  Returns BUF. */
enum { SCRIPT_LINE = 256 };
char *script_format(const struct script *script, const struct script_op *op, char *buf, size_t size);

#endif
