/* SPDX-License-Identifier: MIT
 *
 * ask: one stopped call, as a request for commitment.
 *
 * The charge starts as an upper bound made from the arguments alone, which are
 * registers of a stopped thread and cannot change.  `refine` looks at the
 * caller's mappings and makes it exact; it is called only when the bound does
 * not fit.
 *
 * What it is about is known by numbers: while it is decided any process but the
 * caller's may be found to have ended, and an object to be gone.
 */
#ifndef SURETY_ENGINE_SECCOMP_ASK_H
#define SURETY_ENGINE_SECCOMP_ASK_H

#include "engine/seccomp/group.h"

struct ask {
	struct group *g;
	struct task *t;
	const struct seccomp_notif *req;
	bool compat;        /* an i386 call */
	uint64_t arg[6];    /* as the call takes them, unpacked where it takes a structure */
	enum operation op;
	enum flight flight; /* what a grant starts */
	struct charge charge;
	/* Makes the charge exact.  False where it may still be too much. */
	bool (*refine)(struct ask *ask);
	bool odd;           /* see space.odd */
	uint64_t sticky;    /* see task.flight_sticky */
	uint64_t writable_pages; /* that an mprotect makes writable, charged already perhaps */
	int error;          /* errno of a refusal; 0 with VALUE for brk */
	int64_t value;
	bool answer_known;  /* these are the kernel's answer, if nothing changes till it looks */

	uint64_t start, end;    /* range of addresses that the call is about */
	uint64_t most_pages;    /* that the call charges where what it was found to replace is gone by then */
	uint64_t sum;           /* refine's running total */
	uint64_t hole_pages;    /* of the range that nothing is mapped at, where another thread may map something */
	uint64_t largest;       /* of the requests that the kernel makes of it, one a mapping; 0: it is one */
	uint64_t object_dev, object_ino; /* that is filled, mapped or resized; 0 */
	bool reserves;          /* its holes are to be reserved */
	int reserve_fd;         /* the caller's, of it; -1: it is the object of these numbers */
	uint64_t size_pages;    /* its size */
	uint64_t maps_pages;    /* of it, by this call; 0: ftruncate */
	uint64_t mapped_pages;  /* of it, mapped shared in the group, with these */
	uint64_t brk;           /* the break after a grant */
	pid_t poked;            /* that a poke copies a page in; 0 */
	pid_t child_of;         /* whose child a fork makes, where it is not the caller's (CLONE_PARENT); 0 */
	uint64_t fork_pages;    /* what the kernel will charge the fork */
	uint64_t exec_pages;    /* all that the new image needs; given, or to be found */
	bool cold;              /* the program has to be read first, see slow.h */
	uint64_t exec_args;     /* of these, for arguments */
	struct program *program; /* what is remembered of it, or NULL */
	uint64_t recorded;      /* its number in a recording, 0: none is made */
};

/* Reads the call.  EXEC_PAGES is what slow.h found of its program, else 0.
 * Returns true when it asks for something; false when it may
 * go on as it is (what it changes has then been noted). */
bool ask_read(struct ask *ask, struct group *g, struct task *t, const struct seccomp_notif *req, uint64_t exec_pages);

/* Where an execve or execveat finds its program. */
struct exec_call {
	int dirfd;
	uint64_t path;
};
struct exec_call ask_exec_call(const struct seccomp_notif *req);

/* The errno that the kernel would give the call whatever memory there is, or 0. */
int ask_rejected(const struct ask *ask);

/* The grant is given: what follows from it is noted, before the call goes on. */
void ask_granted(struct ask *ask);

/* The address space that a poke copies a page in; NULL when it has ended. */
struct space *ask_poked_space(const struct ask *ask);

/* One file each: mappings, processes, shared memory. */
bool ask_mmap(struct ask *ask);
bool ask_brk(struct ask *ask);
bool ask_mprotect(struct ask *ask);
bool ask_mremap(struct ask *ask);
bool ask_shadow_stack(struct ask *ask);

bool ask_fork(struct ask *ask);
bool ask_clone(struct ask *ask);
bool ask_clone3(struct ask *ask);
bool ask_execve(struct ask *ask);
bool ask_execveat(struct ask *ask);
bool ask_root(struct ask *ask);
bool ask_poke(struct ask *ask);

bool ask_shmget(struct ask *ask);
bool ask_shmem_made(struct ask *ask);
/* The holes of OBJ that are not reserved yet, for SIZE_PAGES of it, of which
 * MAPS_PAGES more will be mapped.  FD is the caller's, or -1. */
void ask_holes(struct ask *ask, const struct object *obj, int fd, uint64_t size_pages, uint64_t maps_pages);
bool ask_ftruncate(struct ask *ask);
bool ask_fallocate(struct ask *ask);

#endif
