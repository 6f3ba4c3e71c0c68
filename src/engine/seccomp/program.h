/* SPDX-License-Identifier: MIT
 *
 * program: what the file that an execve names will charge.
 */
#ifndef SURETY_ENGINE_SECCOMP_PROGRAM_H
#define SURETY_ENGINE_SECCOMP_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* What was found of the programs that were run last: most jobs run few. */
struct program {
	dev_t dev, root_dev;
	ino_t ino, root_ino;
	struct timespec ctime; /* a changed file is another */
	uint64_t stack_rlimit;
	uint64_t pages;
	uint64_t usual_pages; /* it had, arguments and all, when it last made its first call; 0 unknown */
};

struct programs {
	struct program slot[64];
	int root;        /* the directory that programs are looked up from, as a path */
	dev_t root_dev;
	ino_t root_ino;
	bool roots_vary; /* a process may have another: each is asked for its own */
};

/* ROOT is our own, which a group begins with. */
void programs_init(struct programs *known);
void programs_done(struct programs *known);

/* The figures are pages that the image at PATH_ADDR in the memory of TID needs
 * before it makes a call of its own, its arguments apart.  DIRFD is the caller's,
 * AT_FDCWD included.  PROGRAM_UNKNOWN where the program cannot be read: the call
 * will fail, or what it charges shows when it is next looked at. */
enum { PROGRAM_COLD = 0, PROGRAM_UNKNOWN = 1 };

/* From what is known, and from the kernel's cache of names: never waits for a
 * filesystem, whose server may be a process of the group that waits for us.
 * PROGRAM_COLD where that does not tell.  *RET is what is remembered of it, NULL
 * where nothing is; it may become another program's. */
uint64_t program_known(struct programs *known, pid_t tid, int dirfd, uint64_t path_addr, uint64_t stack_rlimit,
		       struct program **ret);

/* Reads the file; may wait as long as its filesystem likes.  *RET is what there
 * is to remember of it (ino 0: nothing). */
uint64_t program_read(pid_t tid, int dirfd, uint64_t path_addr, uint64_t stack_rlimit, struct program *ret);

/* The same for a PATH of our own, ahead of its execve. */
void program_preload(struct programs *known, const char *path, uint64_t stack_rlimit);

void program_remember(struct programs *known, const struct program *program);

#endif
