/* SPDX-License-Identifier: MIT
 *
 * object: the shared memory of the group.
 *
 * It belongs to the object, not to a process: it survives its creator and goes
 * with its last user.  An object is the group's while a process of the group
 * maps it or has it open, or its name is left (POSIX, SysV).  What was in it
 * before the group came is not the group's.
 *
 * Pages of a memfd or tmpfs file appear at a fault, with no call to refuse.
 * So the holes of one that is mapped shared are reserved when it is mapped
 * `reserved` counts in every decision and is shown apart from
 * Committed_AS, which stays what the kernel would say.
 */
#ifndef SURETY_ENGINE_SECCOMP_OBJECT_H
#define SURETY_ENGINE_SECCOMP_OBJECT_H

#include "core/rules.h"
#include "engine/seccomp/group.h"

/* What descriptor FD of TID is.  A FILE_SHMEM object is made known to the
 * group (*RET; NULL otherwise, or without memory).  A descriptor that cannot
 * be looked at is FILE_PLAIN. */
enum file_kind object_of_fd(struct group *g, pid_t tid, int fd, struct object **ret);

/* The memfd or tmpfs file that TID has mapped at VMA, looked at again; NULL where it
 * is something else.  It is known since it was mapped. */
struct object *object_of_vma(struct group *g, pid_t tid, const struct vma *vma);

/* The known memfd or tmpfs file of these numbers, or NULL. */
struct object *object_known(struct group *g, uint64_t dev, uint64_t ino);

/* Pages that faults can add to OBJ through MAPPED_PAGES of shared mappings, when
 * it has SIZE_PAGES. */
uint64_t object_holes(const struct object *obj, uint64_t size_pages, uint64_t mapped_pages);

/* OBJ is mapped shared, or has grown while mapped: its holes are reserved. */
void object_reserve(struct group *g, struct object *obj, uint64_t size_pages, uint64_t mapped_pages);

/* T's call that maps a memfd or tmpfs file shared, sets its size or fills it is in flight
 * (BEGINS), or over. */
void object_reserving(struct group *g, const struct task *t, bool begins);

/* T's granted call that made or grew an object has returned. */
void object_landed(struct group *g, struct task *t);

/* Reads all objects anew, and lets go of those that nobody has any more.  ALL
 * looks at the descriptors of every process, also where nothing was heard of a
 * memfd or tmpfs file. */
void object_scan(struct group *g, bool all);

/* Pages of the objects that surely exist: anonymous ones that a mapping is found
 * of, SysV segments that are listed. */
uint64_t object_least(struct group *g);

/* Whether shmget of KEY, which is not IPC_PRIVATE, finds a segment in our IPC namespace. */
bool object_sysv_find(int64_t key, struct shmobj_sysv *ret);

/* Pages of all objects, for reports. */
uint64_t object_pages(const struct group *g);

#endif
