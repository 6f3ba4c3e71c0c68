/* SPDX-License-Identifier: MIT
 *
 * ask: from a system call number and its registers to the call's meaning.
 *
 * The filter stops x86-64, x32 and i386 calls alike; here they become one.
 */
#include "engine/seccomp/ask.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <string.h>

#include "base/arith.h"
#include "base/bytes.h"
#include "engine/seccomp/flight.h"
#include "engine/seccomp/object.h"
#include "engine/seccomp/promise.h"
#include "engine/seccomp/space.h"
#include "sys/procfs.h"

enum {
	X32_BIT = 0x40000000,
	X32_EXECVE = 520,
	X32_EXECVEAT = 545,
	X32_PTRACE = 521,
};

/* arch/x86/entry/syscalls/syscall_32.tbl */
enum {
	I386_FORK = 2,
	I386_OPEN = 5,
	I386_EXECVE = 11,
	I386_PTRACE = 26,
	I386_BRK = 45,
	I386_CHROOT = 61,
	I386_MMAP = 90,
	I386_FTRUNCATE = 93,
	I386_IPC = 117,
	I386_CLONE = 120,
	I386_MPROTECT = 125,
	I386_MREMAP = 163,
	I386_MMAP2 = 192,
	I386_FTRUNCATE64 = 194,
	I386_PIVOT_ROOT = 217,
	I386_OPENAT = 295,
	I386_UNSHARE = 310,
	I386_FALLOCATE = 324,
	I386_SETNS = 346,
	I386_MEMFD_CREATE = 356,
	I386_EXECVEAT = 358,
	I386_PKEY_MPROTECT = 380,
	I386_SHMGET = 395,
	I386_CLONE3 = 435,
	I386_MAP_SHADOW_STACK = 453,
};

/* The old mmap takes a structure of six words (mm/mmap.c mmap_arg_struct). */
static bool i386_old_mmap(struct ask *ask)
{
	uint32_t word[6];

	if (remote_read(ask->t->tid, ask->arg[0], word, sizeof(word)) != (ssize_t)sizeof(word))
		return false; /* the call will fail with EFAULT by itself */
	for (int i = 0; i < 6; i++)
		ask->arg[i] = word[i];
	return ask_mmap(ask);
}

/* ipc(SHMGET, key, size, flags): the filter stops no other. */
static bool i386_ipc(struct ask *ask)
{
	memmove(&ask->arg[0], &ask->arg[1], 3 * sizeof(ask->arg[0]));
	return ask_shmget(ask);
}

static bool i386_fallocate(struct ask *ask)
{
	ask->arg[2] = ask->arg[2] | ask->arg[3] << 32;
	ask->arg[3] = ask->arg[4] | ask->arg[5] << 32;
	return ask_fallocate(ask);
}

static bool i386_ftruncate64(struct ask *ask)
{
	ask->arg[1] = ask->arg[1] | ask->arg[2] << 32;
	return ask_ftruncate(ask);
}

static bool read_i386(struct ask *ask, int nr)
{
	switch (nr) {
	case I386_MMAP: return i386_old_mmap(ask);
	case I386_MMAP2: return ask_mmap(ask);
	case I386_BRK: return ask_brk(ask);
	case I386_MPROTECT:
	case I386_PKEY_MPROTECT: return ask_mprotect(ask);
	case I386_MREMAP: return ask_mremap(ask);
	case I386_MAP_SHADOW_STACK: return ask_shadow_stack(ask);
	case I386_FORK: return ask_fork(ask);
	case I386_CLONE: return ask_clone(ask);
	case I386_CLONE3: return ask_clone3(ask);
	case I386_EXECVE: return ask_execve(ask);
	case I386_EXECVEAT: return ask_execveat(ask);
	case I386_CHROOT:
	case I386_PIVOT_ROOT:
	case I386_SETNS:
	case I386_UNSHARE: return ask_root(ask);
	case I386_PTRACE: return ask_poke(ask);
	case I386_IPC: return i386_ipc(ask);
	case I386_SHMGET: return ask_shmget(ask);
	case I386_FTRUNCATE: return ask_ftruncate(ask);
	case I386_FTRUNCATE64: return i386_ftruncate64(ask);
	case I386_FALLOCATE: return i386_fallocate(ask);
	case I386_OPEN:
	case I386_OPENAT:
	case I386_MEMFD_CREATE: return ask_shmem_made(ask);
	default: return false;
	}
}

static bool read_x86_64(struct ask *ask, int nr)
{
	switch (nr) {
	case __NR_mmap: return ask_mmap(ask);
	case __NR_brk: return ask_brk(ask);
	case __NR_mprotect:
	case __NR_pkey_mprotect: return ask_mprotect(ask);
	case __NR_mremap: return ask_mremap(ask);
	case __NR_map_shadow_stack: return ask_shadow_stack(ask);
	case __NR_fork: return ask_fork(ask);
	case __NR_clone: return ask_clone(ask);
	case __NR_clone3: return ask_clone3(ask);
	case X32_EXECVE:
	case __NR_execve: return ask_execve(ask);
	case X32_EXECVEAT:
	case __NR_execveat: return ask_execveat(ask);
	case __NR_chroot:
	case __NR_pivot_root:
	case __NR_setns:
	case __NR_unshare: return ask_root(ask);
	case X32_PTRACE:
	case __NR_ptrace: return ask_poke(ask);
	case __NR_shmget: return ask_shmget(ask);
	case __NR_ftruncate: return ask_ftruncate(ask);
	case __NR_fallocate: return ask_fallocate(ask);
	case __NR_open:
	case __NR_openat:
	case __NR_memfd_create: return ask_shmem_made(ask);
	default: return false;
	}
}

bool ask_read(struct ask *ask, struct group *g, struct task *t, const struct seccomp_notif *req, uint64_t exec_pages)
{
	memset(ask, 0, sizeof(*ask));
	ask->g = g;
	ask->t = t;
	ask->req = req;
	ask->error = ENOMEM;
	ask->exec_pages = exec_pages;
	memcpy(ask->arg, req->data.args, sizeof(ask->arg));
	ask->compat = req->data.arch == AUDIT_ARCH_I386;
	if (ask->compat)
		return read_i386(ask, req->data.nr);
	return read_x86_64(ask, req->data.nr & ~X32_BIT);
}

struct exec_call ask_exec_call(const struct seccomp_notif *req)
{
	int nr = req->data.nr & ~X32_BIT;
	bool at = req->data.arch == AUDIT_ARCH_I386 ? nr == I386_EXECVEAT : nr == __NR_execveat || nr == X32_EXECVEAT;

	if (at)
		return (struct exec_call){ (int)req->data.args[0], req->data.args[1] };
	return (struct exec_call){ AT_FDCWD, req->data.args[0] };
}

void ask_granted(struct ask *ask)
{
	struct group *g = ask->g;
	struct space *s = ask->t->proc->space, *poked = ask_poked_space(ask);
	struct object *reserve = ask->reserves ? object_known(g, ask->object_dev, ask->object_ino) : NULL;

	if (reserve)
		object_reserve(g, reserve, ask->size_pages, ask->mapped_pages);
	if (poked) {
		poked->forced += ask->charge.pages;
		space_post(poked);
	}
	if (ask->op == OP_BRK) {
		s->brk = ask->brk;
		s->brk_unsure = true;
	}
	if (ask->odd)
		s->odd = s->exact_only = true;
	space_doubt_sticky(s, ask->writable_pages);
	ask->t->flight_sticky = ask->sticky;
	ask->t->flight_most = g->ledger->limit.mode == OVERCOMMIT_NEVER ? larger(ask->most_pages, ask->charge.pages)
									: ask->charge.pages;
	ask->t->flight_program = ask->program;
	ask->t->flight_image = ask->exec_pages + ask->exec_args;
	ask->t->flight_dev = ask->object_dev;
	ask->t->flight_ino = ask->object_ino;
	if (ask->flight == FLIGHT_RESERVE && !reserve)
		ask->flight = FLIGHT_NONE; /* its descriptor has gone: the call will fail */
	if (ask->flight == FLIGHT_FORK) {
		ask->t->promise = promise_new(g, ask->t, ask->child_of ? ask->child_of : ask->t->proc->pid, ask->fork_pages,
					      ask->charge.pages, ask->t->flight_most);
		if (!ask->t->promise)
			ask->flight = FLIGHT_SPACE; /* no memory of our own: the parent carries it */
		else
			ask->t->promise->recorded = ask->recorded;
	}
	if (ask->flight != FLIGHT_NONE)
		flight_start(g, ask->t, ask->flight, ask->op, ask->charge.pages, ask->req);
	if (ask->flight == FLIGHT_SPACE)
		promise_add(g, ask->t, ask->t->flight_most, ask->sticky);
}
