/* SPDX-License-Identifier: MIT
 *
 * engine: the mechanism that sees and refuses charges in real processes.
 *
 * One contract for all.  An engine turns what the system shows into requests,
 * asks core, and turns the verdict into the call's result; it never prints.
 * What people read is made by the callbacks that its user gives it.
 */
#ifndef SURETY_ENGINE_ENGINE_H
#define SURETY_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <signal.h>
#include <sys/types.h>

#include "base/err.h"
#include "core/journal.h"
#include "core/forkpolicy.h"
#include "core/ledger.h"
#include "core/refusal.h"

/* What happens to a caller that is refused, beside the error it gets. */
enum on_refusal {
	ON_REFUSAL_RETURN, /* nothing more */
	ON_REFUSAL_STOP,   /* its process is stopped (SIGSTOP), for a debugger */
	ON_REFUSAL_ABORT,  /* the thread gets SIGABRT at the call */
	ON_REFUSAL_KILL,   /* its process is killed */
};

struct engine_events {
	void *ctx;
	/* A refusal with the stack of its caller; called from a thread of the
	 * engine, one at a time, after the caller has been answered.  CAPTURE is
	 * NULL where the stack could not be had. */
	void (*refused)(void *ctx, const struct refusal *refusal, const struct capture *capture);
};

/* Where a run is recorded.  Called with the engine's lock, one at a time: what it
 * does is part of what a call costs. */
struct engine_recorder {
	void *ctx;
	void (*event)(void *ctx, const struct journal_event *event);
	void (*tick)(void *ctx, uint64_t time_ns); /* now and then, and at the end */
};

/* One line of what an engine can and cannot do here. */
struct probe_line {
	bool ok;
	bool fatal; /* not ok: the engine cannot work at all */
	char what[80];
	char why[240]; /* what was found, and what to do about it */
};

enum { PROBE_LINES = 16 };

struct probe_report {
	bool usable;
	int nr;
	struct probe_line line[PROBE_LINES];
};

/* A process of the group, for status and audit. */
struct engine_process {
	pid_t pid;
	char comm[REFUSAL_COMM];
	uint64_t committed_pages;
	bool shared; /* same address space as an earlier row: its pages are 0 here */
};

/* The group as it stands, exact: every figure was re-read from the kernel.  The
 * peak is of what the limit had to hold: Committed_AS with what is reserved. */
struct engine_status {
	uint64_t committed_pages, limit_pages, peak_pages, reserved_pages, shmem_pages;
	uint64_t charges, refusals, refused_pages;
	uint64_t fork_uncharged_pages; /* that the kernel holds for children and a fork policy does not */
	uint64_t fork_kept_pages;      /* that a fork policy holds and the kernel does not */
	uint64_t forks_ended;          /* children ended, their reserve used up */
	uint64_t notifications;
	uint64_t started_ns;   /* CLOCK_REALTIME */
	uint32_t nr_processes; /* all of them; the array holds what fits */
};

struct engine_config {
	const char *group;  /* its name */
	struct limit limit;
	struct fork_policies forks;
	enum on_refusal on_refusal;
	struct engine_events events;
	const struct engine_recorder *recorder; /* NULL: nothing is recorded */
	const char *path;   /* the program: resolved, and found executable */
	char *const *argv;
	const sigset_t *signals; /* mask that the command starts with */
};

struct engine;

struct engine_ops {
	const char *name;
	/* Tries it for real, with a child of its own; no side effect remains. */
	void (*probe)(struct probe_report *ret);
	/* Starts the command as the first process of the group; it is a child of
	 * the caller, for waitpid(2).  Fails with nothing left running. */
	int (*start)(struct engine **ret, const struct engine_config *cfg, struct err *err);
	pid_t (*main_pid)(const struct engine *e);
	/* Whether the limit ended the command while it was still being loaded,
	 * before any of its own code ran: then ERR says so. */
	bool (*load_refused)(const struct engine *e, struct err *err);
	int (*poll_fd)(const struct engine *e);
	/* Handles what poll_fd announced.  Returns 1 when the last process of
	 * the group has ended, 0 otherwise. */
	int (*dispatch)(struct engine *e);
	/* Reads all figures anew.  ROWS may be NULL; at most MAX are filled. */
	void (*status)(struct engine *e, struct engine_status *ret, struct engine_process *rows, uint32_t max);
	/* Sends SIG to every process of the group that is left. */
	void (*signal_all)(struct engine *e, int sig);
	/* Ends the engine, with the reports that are under way written first.
	 * Its figures can still be read. */
	void (*stop)(struct engine *e);
};

extern const struct engine_ops engine_seccomp;
extern const struct engine_ops engine_bpf;
extern const struct engine_ops engine_null;

#endif
