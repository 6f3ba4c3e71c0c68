/* SPDX-License-Identifier: MIT
 *
 * shmobj: shared-memory objects, as far as the system shows them: SysV segments
 * by /proc/sysvipc/shm (ipc/shm.c sysvipc_shm_proc_show), everything else by
 * the descriptors that keep it.
 *
 * Readers only; nothing here allocates.  The engine decides what is charged.
 * PROC_ROOT is "/proc" except in tests.
 */
#ifndef SURETY_SYS_SHMOBJ_H
#define SURETY_SYS_SHMOBJ_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/rules.h"

/* A SysV segment of the reader's IPC namespace.  Whether it was made with
 * SHM_NORESERVE or SHM_HUGETLB is not shown. */
struct shmobj_sysv {
	int32_t shmid;
	int32_t key;	     /* 0: IPC_PRIVATE */
	uint32_t perms;	     /* mode bits, with SHM_DEST and SHM_LOCKED */
	bool dest;	     /* removed: goes with its last attachment */
	pid_t cpid, lpid;    /* creator and last user, in the reader's pid namespace; 0: not in it */
	uint64_t size_bytes; /* as asked for, not rounded to pages */
	uint64_t nattch;
	int64_t ctime; /* seconds */
	uint64_t rss_bytes, swap_bytes;
};

/* Non-zero stops the walk. */
typedef int shmobj_sysv_fn(void *ctx, const struct shmobj_sysv *seg);

/* Walks PROC_ROOT/sysvipc/shm.  Returns 0, what fn returned, -errno of the file
 * (-ENOENT: a kernel without SysV IPC), or -EBADMSG for a row that is not one. */
int shmobj_walk_sysv(const char *proc_root, shmobj_sysv_fn *fn, void *ctx);

enum { SHMOBJ_PATH = 256 };

/* What a descriptor is open on. */
struct shmobj {
	dev_t dev;
	ino_t ino;  /* DEV and INO together name the object */
	dev_t rdev; /* of a device node */
	enum file_kind kind;
	uint64_t size_bytes;
	uint64_t pages;		/* instantiated, in RAM or in swap; what a noreserve object is charged */
	uint64_t nlink;		/* 0: goes with its last user */
	uint64_t born_ns;	/* CLOCK_REALTIME; 0 where the filesystem does not say */
	char path[SHMOBJ_PATH]; /* as /proc/PID/fd shows it, for people: cut where longer */
};

/* Describes descriptor FD of thread TID.  KIND is FILE_ZERO for /dev/zero,
 * FILE_SHMEM and FILE_HUGETLB for regular files of tmpfs (devtmpfs, memfd and
 * SysV are that) and hugetlbfs, else FILE_PLAIN.  Only where the device number
 * leaves the kind open is the filesystem itself asked (statfs): one whose
 * server is stuck, FUSE or NFS, holds up the caller.
 * Returns 0, -EBADF (no such descriptor), -ESRCH (no such thread), or -errno
 * (-EACCES: not ours to read; without privileges that is every zombie too). */
int shmobj_stat_fd(const char *proc_root, pid_t tid, int fd, struct shmobj *ret);

/* Whether descriptor FD of thread TID is open for writing: the link of /proc/PID/fd
 * has that as its own mode (fs/proc/fd.c tid_fd_update_inode).  True where that
 * cannot be told. */
bool shmobj_fd_writable(const char *proc_root, pid_t tid, int fd);

/* Describes what is mapped at START to END, a mapping's exact bounds, and for
 * a name.  map_files needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE: -EPERM. */
int shmobj_stat_map(const char *proc_root, pid_t tid, uint64_t start, uint64_t end, struct shmobj *ret);
int shmobj_stat_path(const char *path, struct shmobj *ret);

/* Non-zero stops the scan. */
typedef int shmobj_fn(void *ctx, int fd, const struct shmobj *obj);

/* Calls back for each FILE_SHMEM descriptor of PID; an object that is open
 * twice comes twice.  A descriptor that is closed meanwhile is left out.  One that
 * cannot be looked at ends the scan with its error.  Returns 0, what fn
 * returned, -ESRCH or -errno. */
int shmobj_scan_fds(const char *proc_root, pid_t pid, shmobj_fn *fn, void *ctx);

/* The same for memfds and other files of the kernel's own tmpfs alone, whose
 * device is ONLY: no other file is touched, so none whose server is stuck. */
int shmobj_scan_fds_on(const char *proc_root, pid_t pid, dev_t only, shmobj_fn *fn, void *ctx);
/* That device; 0 where it cannot be found out. */
dev_t shmobj_internal_dev(void);

#endif
