/* SPDX-License-Identifier: MIT
 *
 * rollup: /proc/PID/smaps_rollup, the sums over a process's mappings.
 */
#ifndef SURETY_SYS_ROLLUP_H
#define SURETY_SYS_ROLLUP_H

#include <stdint.h>
#include <sys/types.h>

/* Anonymous memory, in RAM and in swap, in bytes. */
struct rollup {
	uint64_t anon;     /* all of it */
	uint64_t anon_pss; /* each page divided by the number of its users */
};

/* Walks the page tables of the process: some 20 ns a page.  Returns 0 or -errno
 * (-EACCES: not ours to read; -ESRCH: its memory is gone). */
int rollup_read(const char *proc_root, pid_t pid, struct rollup *ret);

#endif
