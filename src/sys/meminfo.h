/* SPDX-License-Identifier: MIT
 *
 * meminfo: the host's own commitment and what bounds it: /proc/meminfo and the
 * sysctls of vm (fs/proc/meminfo.c, mm/util.c).
 */
#ifndef SURETY_SYS_MEMINFO_H
#define SURETY_SYS_MEMINFO_H

#include <stdint.h>

#include "core/limit.h"

/* Bytes.  Committed_AS is the exact sum of all CPUs since Linux 5.9. */
struct meminfo {
	uint64_t ram_bytes, swap_bytes;
	uint64_t hugetlb_bytes; /* 0 also where the kernel has no such line (before 4.19) */
	uint64_t commit_limit_bytes, committed_bytes;
};

/* Reads PROC_ROOT/meminfo.  Returns 0, -EBADMSG or -errno. */
int meminfo_read(const char *proc_root, struct meminfo *ret);

/* The host as a group: meminfo with vm.overcommit_memory, _ratio and _kbytes,
 * admin_reserve_kbytes and user_reserve_kbytes.  Returns as above. */
int meminfo_limit(const char *proc_root, const struct meminfo *info, struct limit *ret);

#endif
