/* SPDX-License-Identifier: MIT
 *
 * journal: what an engine tells of a run that is recorded, and what is read of
 * it later.  Types only; docs/RECORD.md has them as they are written.
 *
 * An address space has a number of its own: a new program in a process is a new
 * space.  All amounts are pages; times are nanoseconds since the job started.
 */
#ifndef SURETY_CORE_JOURNAL_H
#define SURETY_CORE_JOURNAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/refusal.h"

enum journal_kind {
	JOURNAL_END_OF_FILE, /* never told; what a reader has after the last event */
	JOURNAL_SPACE,       /* an address space is there */
	JOURNAL_GONE,        /* and is gone, with all it held */
	JOURNAL_FORK_GONE,   /* a granted fork made nothing that lived to ask */
	JOURNAL_MAPS,        /* where files are mapped: what stacks are read with */
	JOURNAL_STACK,       /* a stack, once for all requests that came from it */
	JOURNAL_REQUEST,     /* a call that asked for commitment */
	JOURNAL_TOTAL,       /* the whole group at one moment */
	JOURNAL_RANGES,      /* the charged memory of one space at one moment */
	JOURNAL_FINISH,      /* the job has ended, and nothing is missing before */
	JOURNAL_NR
};

enum journal_origin {
	JOURNAL_FOUND,  /* nobody told where it comes from */
	JOURNAL_FORKED, /* a copy of space `from`, made by request `fork` */
	JOURNAL_EXECED, /* replaces space `from` (0: surety itself) */
};

struct journal_space {
	uint32_t id; /* from 1, without gaps */
	uint32_t from;
	uint64_t fork; /* number of the request, or 0 */
	enum journal_origin origin;
	pid_t pid;
	char comm[REFUSAL_COMM];
	char exe[REFUSAL_EXE];
};

enum journal_request_flag {
	JOURNAL_PEAK = 1 << 0,      /* the figures were tightened as before a refusal: the highest need so far */
	JOURNAL_REFUSED = 1 << 1,   /* it did not fit in the run that was recorded */
	JOURNAL_NORESERVE = 1 << 2, /* MAP_NORESERVE: modes 0 and 1 do not charge it */
	JOURNAL_RANGE = 1 << 3,     /* start and end are known; of mremap those before it */
	JOURNAL_REQUEST_FLAGS = (1 << 4) - 1,
};

struct journal_request {
	uint64_t number; /* from 1; those left out are counted */
	uint32_t space;  /* 0: surety's own, the execve of the command */
	uint32_t stack;  /* number of a stack, 0: none was taken */
	pid_t tid;
	enum operation op;
	enum rule rule;
	uint32_t flags;     /* enum journal_request_flag */
	uint64_t pages;     /* what it charges */
	uint64_t committed; /* of the group before it */
	uint64_t reserved;  /* R-069, part of the decision */
	uint64_t start, end; /* page numbers */
};

struct journal_maps {
	uint32_t id; /* from 1, without gaps */
	const char *text; /* lines of /proc/PID/maps: files, code and the stack */
	size_t len;
};

/* A word of a stack that may lead its reader on: an address of code, or one of
 * the stack itself.  No other word is kept. */
struct journal_word {
	uint32_t offset; /* bytes from sp */
	uint64_t value;
};

struct journal_stack {
	uint32_t id; /* from 1, without gaps */
	uint32_t maps;
	int compat;  /* an i386 task */
	uint64_t pc, sp;
	uint32_t len; /* bytes that were looked at */
	uint32_t nr;
	const struct journal_word *word; /* by offset */
};

struct journal_total {
	uint64_t committed, reserved;
	uint64_t used; /* of it in RAM, as far as the processes' own counters tell */
	uint64_t objects; /* of committed: shared memory */
	uint32_t processes;
};

enum journal_range_kind {
	JOURNAL_ANON,
	JOURNAL_FILE,
	JOURNAL_HEAP,       /* [heap] */
	JOURNAL_STACK_AREA, /* [stack] */
	JOURNAL_RANGE_KINDS
};

struct journal_range {
	uint64_t start, end; /* page numbers */
	uint64_t charged, used;
	enum journal_range_kind kind;
};

struct journal_ranges {
	uint32_t space;
	uint32_t nr;
	const struct journal_range *range; /* in address order */
};

struct journal_finish {
	int status; /* as of wait(2) */
	uint64_t requests, refusals;
};

struct journal_event {
	enum journal_kind kind;
	uint64_t time_ns;
	union {
		struct journal_space space;
		uint32_t gone;      /* id of the space */
		uint64_t fork_gone; /* number of the request */
		struct journal_maps maps;
		struct journal_stack stack;
		struct journal_request request;
		struct journal_total total;
		struct journal_ranges ranges;
		struct journal_finish finish;
	};
};

/* What stands at the front. */
enum { JOURNAL_TEXT = 512 };

struct journal_head {
	uint64_t started_ns; /* CLOCK_REALTIME */
	struct limit limit;
	char group[REFUSAL_GROUP];
	char engine[16];
	char kernel[64];
	char command[JOURNAL_TEXT]; /* its words, with blanks between; cut where longer */
};

/* Bounds of every record: what an engine must keep to, and a reader holds to. */
enum {
	JOURNAL_WORDS_MAX = 8192,
	JOURNAL_RANGES_MAX = 16384,
	JOURNAL_MAPS_MAX = 512 * 1024,
	JOURNAL_STACK_BYTES = 32768,
	JOURNAL_STACKS_MAX = 65536,
	JOURNAL_SPACES_MAX = 1 << 22,
};
#define JOURNAL_PAGES_MAX (UINT64_C(1) << 52)

#endif
