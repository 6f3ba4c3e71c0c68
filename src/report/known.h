/* SPDX-License-Identifier: MIT
 *
 * known: what stands at an address of a file, kept for all processes.
 *
 * A file's debug information costs tens of milliseconds and megabytes to open
 * (libc's is compressed), its symbol table is read whole for each address.  A
 * build-id and an offset say the same in every process, so that a job of many
 * short processes pays once.
 */
#ifndef SURETY_REPORT_KNOWN_H
#define SURETY_REPORT_KNOWN_H

#include "report/frame.h"

/* All of it is thrown away when it holds this many addresses. */
enum { KNOWN_MAX = 4096 };

struct known; /* NULL is an empty one */

/* An instruction of a file.  The inode is part of it: a build-id can be forged. */
struct known_place {
	const char *build_id;
	uint64_t dev, ino;
	uint64_t offset;
	bool exact; /* pc is the address itself, not the one behind a call */
};

/* The frames at PLACE, copied to RET but for what depends on the process, pc and
 * module.  Returns how many, 0 where they are not known or more than ROOM. */
int known_get(struct known *known, const struct known_place *place, struct frame *ret, int room);

/* Keeps NR frames; without memory they are not kept. */
void known_put(struct known **known, const struct known_place *place, const struct frame *frames, int nr);

void known_free(struct known **known);

#endif
