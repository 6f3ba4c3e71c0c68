/* SPDX-License-Identifier: MIT
 *
 * image: a process's mapped files, opened for libdwfl.
 *
 * A session (its ELF files, symbol tables, line tables) is kept for the next
 * record with the same files at the same addresses: of the same process, or of
 * one that it forked.
 */
#ifndef SURETY_REPORT_IMAGE_H
#define SURETY_REPORT_IMAGE_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <sys/types.h>

#include "core/refusal.h"
#include "report/mapping.h"

struct image {
	Dwfl *dwfl;
	pid_t pid;   /* whose it was last */
	bool compat; /* an i386 task */
	bool fresh;  /* nothing was looked up in it yet; unwind attaches to it */
	uint64_t files_hash;
	uint64_t used; /* when it was last taken from its cache */
	struct mappings maps;
	Elf *machine; /* an ELF header that only tells the architecture */
	union {
		Elf64_Ehdr e64;
		Elf32_Ehdr e32;
	} header;
	void *vdso; /* copy of the [vdso], NULL while not needed */

	/* During one unwind only. */
	const struct capture *capture;
	bool read_beyond; /* memory above the copied stack was wanted */
};

enum { IMAGE_CACHE = 8 };

struct image_cache {
	struct image *slot[IMAGE_CACHE];
	uint64_t clock;
};

/* The image of PID as CAPTURE shows it: a kept one whose files are the same, or
 * a new one in place of the one used longest ago.  Valid until the next call.
 * Returns 0, -ENOMEM, or -ENOEXEC when libdwfl refuses. */
int image_get(struct image_cache *cache, pid_t pid, const struct capture *capture, struct image **ret);
void image_cache_done(struct image_cache *cache);

#endif
