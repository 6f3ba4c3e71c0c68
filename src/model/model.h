/* SPDX-License-Identifier: MIT
 *
 * model: what the kernel does to a group's commitment, operation by operation.
 *
 * Address spaces, shared-memory objects and processes are kept as the kernel
 * keeps them; what each request is worth, what each mapping holds and whether it
 * fits is asked of src/core.  Pure: no system call is made.
 *
 * Three ways to be asked.  MODEL_KERNEL is a host that is itself in that mode.
 * MODEL_SECCOMP is a group under `surety run` on a host in mode 0; it differs in
 * what docs/ACCOUNTING.md lists, and in nothing else.  MODEL_BPF is a cgroup under
 * `surety attach` on a host in mode 0; it differs in what docs/ENGINES.md lists.
 */
#ifndef SURETY_MODEL_MODEL_H
#define SURETY_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/limit.h"
#include "core/rules.h"
#include "model/script.h"

enum model_as {
	MODEL_KERNEL,
	MODEL_SECCOMP,
	MODEL_BPF,
};

struct model_config {
	enum model_as as;
	unsigned int kernel_major, kernel_minor;

	/* CommitLimit counts from what the group holds when the script starts. */
	struct limit limit;

	/* Of every program: what it holds by itself, and its size. */
	uint64_t program_pages, program_vm_pages;
	uint64_t stack_limit_pages; /* RLIMIT_STACK */

	/* How near to the edge a decision is not sure: the kernel's sum is off by a
	 * batch on each CPU.  0: every decision is. */
	uint64_t margin_pages;
};

enum outcome_kind {
	OUTCOME_OK,
	OUTCOME_ERROR,   /* the call fails */
	OUTCOME_SIGNAL,  /* ends the process */
	OUTCOME_SKIPPED, /* nothing is done: see docs/SCRIPTS.md */
	OUTCOME_REST,    /* held_pages is what the operation prints */
};

struct outcome {
	enum outcome_kind kind;
	int error;       /* of OUTCOME_ERROR */
	int signal;      /* of OUTCOME_SIGNAL */
	enum rule rule;  /* that decided; RULE_NR: none, it is about no memory */
	bool asked;      /* pages were asked for, and the next three mean something */
	uint64_t request_pages;
	uint64_t held_pages;    /* by the group when it was decided, reservations included */
	uint64_t allowed_pages; /* below which the sum had to stay; UINT64_MAX: no limit */
	enum rule admission;    /* R-090 and on: what the decision rested on */

	/* The kernel may do otherwise: the figures are too near to the edge, or rest on
	 * what a script does not tell.  What is said is the most likely. */
	bool unsure;
};

struct model;

/* A group before the first operation of SCRIPT, which is borrowed: its names must
 * stay, operations may be added.  NULL without memory. */
struct model *model_new(const struct script *script, const struct model_config *config);
struct model *model_copy(const struct model *model);
void model_free(struct model *model); /* NULL is free */

/* Does OP, and says what came of it.  Returns 0, or -ENOMEM: the model is then of
 * no more use. */
int model_run(struct model *model, const struct script_op *op, struct outcome *ret);

/* Pages beyond what the programs hold by themselves, and the highest that was. */
uint64_t model_held_pages(const struct model *model);
uint64_t model_peak_pages(const struct model *model);
uint64_t model_refusals(const struct model *model);

/* What a generator asks before it writes an operation. */
bool model_lives(const struct model *model, int process);
uint64_t model_region_bytes(const struct model *model, int process, int region); /* UINT64_MAX: unmapped */
bool model_has_object(const struct model *model, int process, int object);	 /* a descriptor; a segment */
uint64_t model_object_bytes(const struct model *model, int object);
uint64_t model_present_pages(const struct model *model); /* that are touched: RAM that the script needs */

/* What is left of the limit for PROCESS, in pages; 0 where it is passed. */
uint64_t model_room_pages(const struct model *model, int process);

/* The outcome as docs/SCRIPTS.md prints it: "ok", "ENOMEM", "SIGSEGV", "skipped",
 * "rest 64 kB".  Returns BUF. */
enum { OUTCOME_TEXT = 48 };
char *outcome_format(const struct outcome *outcome, char buf[OUTCOME_TEXT]);

#endif
