/* SPDX-License-Identifier: MIT
 *
 * audit: the kernel's own count of a group, read apart from the engine.
 */
#ifndef SURETY_CLI_AUDIT_H
#define SURETY_CLI_AUDIT_H

#include <stdint.h>
#include <sys/types.h>

#include "core/mode.h"

struct audit {
	uint64_t space_pages;  /* mappings flagged ac, and nr ones in a mode-2 group */
	uint64_t forced_pages; /* uncharged private copies */
	uint64_t shmem_pages;  /* shared-memory objects */
	uint32_t unreadable;   /* processes whose smaps is denied */
};

/* Counts the processes PIDS, one for each distinct address space, and the shared
 * memory that the processes ALL map or have open, and the SysV segments that
 * they made since BORN_NS (CLOCK_REALTIME).  Returns 0 or -ENOMEM. */
int audit_count(enum overcommit mode, const pid_t *pids, uint32_t nr_pids, const pid_t *all, uint32_t nr_all,
		uint64_t born_ns, struct audit *ret);

#endif
