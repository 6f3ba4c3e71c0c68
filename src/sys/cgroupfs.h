/* SPDX-License-Identifier: MIT
 *
 * cgroupfs: the nearest memory limit above a process, cgroup v1 or v2.
 */
#ifndef SURETY_SYS_CGROUPFS_H
#define SURETY_SYS_CGROUPFS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct memory_totals {
	uint64_t ram_bytes;
	uint64_t swap_bytes;
	uint64_t hugetlb_bytes; /* the host's pool; 0 when the limit is a cgroup's */
	char source[256];       /* the file or cgroup it came from, for people */
};

/* Total RAM and swap that PID may use: the lowest memory limit (v2 memory.max,
 * memory.swap.max; v1 memory.limit_in_bytes, memory.memsw.limit_in_bytes) on
 * its path to the root, else MemTotal, SwapTotal and Hugetlb of meminfo.  A
 * value that is no limit ("max", or v1's huge number beyond RAM) does not
 * count.  ROOT is prefixed to every path ("" for the real system; a fixture
 * tree in tests).  Returns 0 or -errno. */
int cgroupfs_memory_totals(const char *root, pid_t pid, struct memory_totals *ret);

/* Writes the cgroup of PID: its path in v2, or in v1's memory hierarchy where
 * v2 has it in the root.  Returns 0, -ENOENT (in none, or gone), -ENAMETOOLONG
 * or -errno. */
int cgroupfs_path(const char *root, pid_t pid, char *buf, size_t size);

#endif
