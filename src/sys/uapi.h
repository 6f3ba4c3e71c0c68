/* SPDX-License-Identifier: MIT
 *
 * uapi: kernel constants that are newer than Debian 12's headers.
 * Values only, from include/uapi/linux of the release named beside each.
 */
#ifndef SURETY_SYS_UAPI_H
#define SURETY_SYS_UAPI_H

#include <linux/ioctl.h>
#include <linux/seccomp.h>
#include <linux/types.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS /* 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

#ifndef MAP_DROPPABLE /* 6.11 */
#define MAP_DROPPABLE 0x08
#endif

#ifndef __NR_map_shadow_stack /* 6.6 */
#define __NR_map_shadow_stack 453
#endif

#ifndef PROCMAP_QUERY /* 6.11, uapi/linux/fs.h */
struct procmap_query {
	__u64 size;
	__u64 query_flags; /* 0: the mapping that holds query_addr */
	__u64 query_addr;
	__u64 vma_start;
	__u64 vma_end;
	__u64 vma_flags;
	__u64 vma_page_size;
	__u64 vma_offset;
	__u64 inode;
	__u32 dev_major;
	__u32 dev_minor;
	__u32 vma_name_size;
	__u32 build_id_size;
	__u64 vma_name_addr;
	__u64 build_id_addr;
};
#define PROCMAP_QUERY _IOWR('f', 17, struct procmap_query)
#define PROCMAP_QUERY_VMA_READABLE 0x01
#define PROCMAP_QUERY_VMA_WRITABLE 0x02
#define PROCMAP_QUERY_VMA_EXECUTABLE 0x04
#define PROCMAP_QUERY_VMA_SHARED 0x08
#define PROCMAP_QUERY_COVERING_OR_NEXT_VMA 0x10
#endif

#ifndef PIDFD_GET_INFO /* 6.13, uapi/linux/pidfd.h */
struct pidfd_info {
	__u64 mask; /* what is asked for, and what was given */
	__u64 cgroupid;
	__u32 pid;
	__u32 tgid;
	__u32 ppid; /* in the caller's pid namespace */
	__u32 ids[8];
	__s32 exit_code;
};
#define PIDFD_INFO_PID (1UL << 0) /* always given */
#define PIDFD_GET_INFO _IOWR(0xFF, 11, struct pidfd_info)
#endif

#ifndef SCHED_ATTR_SIZE_VER0 /* uapi/linux/sched/types.h, which does not go with sched.h before glibc 2.41 */
#define SCHED_ATTR_SIZE_VER0 48
#define SCHED_FLAG_RESET_ON_FORK 0x01
struct sched_attr {
	__u32 size;
	__u32 sched_policy;
	__u64 sched_flags;
	__s32 sched_nice;
	__u32 sched_priority;
	__u64 sched_runtime; /* of SCHED_OTHER since 6.12: how long it runs at a time */
	__u64 sched_deadline;
	__u64 sched_period;
};
#endif

#endif
