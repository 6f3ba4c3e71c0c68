/* SPDX-License-Identifier: MIT
 *
 * tally: what the kernel holds, by its own files.
 *
 * Shares no line with what it is compared with (src/core, the engines): it reads
 * VmFlags of smaps, the size of objects through map_files and descriptors, and
 * Committed_AS of /proc/meminfo (fs/proc/task_mmu.c, fs/proc/meminfo.c).
 * Maps nothing and keeps the stack small, so that reading changes nothing.
 */
#ifndef TESTS_ORACLE_TALLY_H
#define TESTS_ORACLE_TALLY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { TALLY_OBJECTS = 512 };

/* All amounts are bytes. */
struct tally {
	uint64_t spaces;  /* of mappings */
	uint64_t objects; /* of shared memory, each object once */
	uint64_t forced;  /* private pages of mappings that hold nothing */
	int nr_seen;	  /* objects that are in it */
	struct {
		dev_t dev;
		ino_t ino;
	} seen[TALLY_OBJECTS];
};

/* Adds the address space of PID and the shared anonymous memory that it maps.
 * MODE is the script's: 2 counts what a mode-2 host would have charged of what
 * this host marked `nr`.  Returns 0, -ESRCH, -EPERM (map_files wants
 * privileges) or -EBADMSG. */
int tally_space(struct tally *tally, pid_t pid, int mode);

/* Adds the pages of the object that has PATH, or of DEV and INO where it is open in
 * PID as FD: once, and nothing where it is not there. */
void tally_fd(struct tally *tally, pid_t pid, int fd, dev_t dev, ino_t ino);
void tally_path(struct tally *tally, const char *path);
/* The same where it is only mapped. */
void tally_mapped(struct tally *tally, pid_t pid, dev_t dev, ino_t ino);

/* Adds segment SHMID while it exists; its pages where it is NORESERVE in MODE. */
void tally_segment(struct tally *tally, int shmid, bool noreserve, int mode);

/* total_vm of PID in bytes, 0 where it is gone. */
uint64_t tally_total_vm(pid_t pid);

/* Where the main stack of PID starts, its lowest address; 0 where that cannot be read. */
uint64_t tally_stack(pid_t pid);

/* The field NAME of /proc/meminfo in bytes, or in pages where it has no unit;
 * 0 where there is none. */
uint64_t tally_meminfo(const char *name);

/* Reads the start of the file PATH as text into BUF.  Returns its length, or -errno. */
int tally_read(const char *path, char *buf, int size);

#endif
