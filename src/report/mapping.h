/* SPDX-License-Identifier: MIT
 *
 * mapping: the address space of a captured thread, by address.
 */
#ifndef SURETY_REPORT_MAPPING_H
#define SURETY_REPORT_MAPPING_H

#include <stddef.h>

#include "core/rules.h"

struct mapping {
	struct vma vma;
	char *name; /* as /proc/PID/maps prints it, "" for anonymous memory */
};

struct mappings {
	struct mapping *at; /* in address order */
	size_t nr;
};

/* Reads text of /proc/PID/maps; what stands before a line that is none is
 * kept.  Returns 0 or -ENOMEM. */
int mappings_parse(struct mappings *ret, const char *text, size_t len);
void mappings_done(struct mappings *m);

/* The mapping that holds ADDR, or NULL. */
const struct mapping *mappings_find(const struct mappings *m, uint64_t addr);

/* The lowest mapping of the file that MAPPING is of, in one run with it: where
 * the loader put the start of the image. */
const struct mapping *mappings_image(const struct mappings *m, const struct mapping *mapping);

/* The same for the same set of mapped files at the same addresses. */
uint64_t mappings_files_hash(const struct mappings *m);

#endif
