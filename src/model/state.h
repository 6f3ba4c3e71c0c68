/* SPDX-License-Identifier: MIT
 *
 * state: what the files of the model share; nobody else includes this.
 *
 * An operation is a `turn`.  Its handler (model_VERB) changes the state and sets
 * the outcome, which is "ok" before.  Numbers are pages unless they say bytes.
 */
#ifndef SURETY_MODEL_STATE_H
#define SURETY_MODEL_STATE_H

#include "core/ledger.h"
#include "model/mm.h"
#include "model/model.h"
#include "model/pageset.h"

/* An object with pages of its own. */
struct inode {
	bool exists;
	bool shmem;	/* memfd, tmpfs, segment, shared anonymous memory: charged */
	bool whole;	/* charged for its size when it is made; else page by page */
	bool linked;	/* a tmpfs file with a name, a segment before IPC_RMID */
	bool segment;
	bool known;	/* the seccomp engine knows its name */
	uint64_t size_bytes;
	struct pageset pages;
	uint64_t unseen_pages; /* that came without a call which the engine stops */
	struct ledger_holder hold;
};

struct process {
	bool alive;
	bool cap_sys_admin;
	struct mm mm;
	uint64_t *region_bytes; /* UINT64_MAX: unmapped */
	bool *has_object;	/* a descriptor */
};

struct model {
	const struct script *script;
	struct model_config config;
	struct limit own_limit; /* above what the first program holds */
	struct ledger_group group;
	struct process *process; /* one for each name */
	struct inode *inode;	 /* [0..nr_objects) are the script's, others follow */
	size_t nr_inodes, inode_room;
	uint64_t *region_page; /* where each region starts */
	uint32_t zero_maps;
	uint64_t reserved;	   /* */
	struct ledger_holder leak; /* growth that the kernel never gives back */
	uint64_t peak;
	bool failed; /* no memory */
};

#define UNMAPPED UINT64_MAX

struct turn {
	struct model *m;
	const struct script_op *op;
	struct process *p;
	struct outcome *out;
};

/* Where things are, in pages. */
#define PROGRAM_PAGE (UINT64_C(1) << 10)
#define BREAK_PAGE (UINT64_C(1) << 28)
#define BREAK_PAGES_MAX (UINT64_C(1) << 29)
#define REGIONS_PAGE (UINT64_C(1) << 30)
#define STACK_PAGE (UINT64_C(1) << 35) /* the main stack ends here */

/* model.c */
enum overcommit host_mode(const struct model *m); /* the kernel's own */
bool as_seccomp(const struct model *m);
bool as_bpf(const struct model *m);
/* MAP_NORESERVE memory that the host does not charge, and the bpf engine does. */
bool charges_noreserve(const struct model *m);
bool kernel_since(const struct model *m, unsigned int major, unsigned int minor);
void turn_ok(struct turn *t, enum rule rule);
void turn_fail(struct turn *t, int error, enum rule rule);
void turn_unsure(struct turn *t);
void turn_kill(struct turn *t, int signal, enum rule rule); /* ends the process */
void turn_keep(struct turn *t, int status);                 /* notes -ENOMEM */
void process_end(struct turn *t, struct process *p);
int program_map(struct model *m, struct mm *mm); /* what an image holds by itself */

/* decide.c: whether PAGES fit, asked by MM.  The outcome gets the figures; a refusal
 * makes it ENOMEM, which the caller may change. */
bool turn_admit(struct turn *t, const struct mm *mm, enum rule rule, uint64_t pages);
/* The same where the kernel asks piece by piece, the largest of LARGEST pages: mode 0
 * looks at one request alone. */
bool turn_admit_pieces(struct turn *t, const struct mm *mm, enum rule rule, uint64_t pages, uint64_t largest);
/* R-069, of the seccomp engine: the holes of OBJECT that faults can fill are set aside
 * when its size becomes SIZE_PAGES and MORE pages of it are mapped shared. */
bool turn_admit_holes(struct turn *t, int object, uint64_t size_pages, uint64_t more);
/* Whether mode 0 lets a single request of so many pages pass; any other mode does
 * not look at single requests. */
bool turn_would_admit(struct turn *t, const struct mm *mm, uint64_t largest);
/* One page at a time: how many of PAGES fit. */
uint64_t turn_admit_each(struct turn *t, const struct mm *mm, enum rule rule, uint64_t pages);

/* settle.c: brings the ledger to what the state is. */
void settle_mm(struct model *m, struct mm *mm);
void settle_inode(struct model *m, struct inode *inode);
void settle(struct model *m);
uint64_t inode_mapped_pages(const struct model *m, int inode); /* shared mappings, each counted */
uint64_t inode_holes(const struct model *m, int inode, uint64_t size_pages, uint64_t mapped_pages);
int inode_new(struct model *m); /* index of one that exists, or -1 and `failed` */

/* The operation's RANGE in WHOSE address space; false where it is skipped. */
bool turn_range(struct turn *t, const struct process *whose, struct page_range *ret);

/* fault.c */
enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_FORCE, ACCESS_POPULATE };
/* Touches the pages; false where it stopped: the outcome is set, but for populate. */
bool fault_pages(struct turn *t, struct process *p, uint64_t start, uint64_t end, enum access access);

/* An object gains the pages from START to END that it lacks, by RULE where they are
 * charged one by one.  Returns how far that went; MM is who asks. */
uint64_t fill_pages(struct turn *t, const struct mm *mm, int inode, uint64_t start, uint64_t end, enum rule rule);

/* One handler for each verb. */
typedef void turn_fn(struct turn *t);
turn_fn do_map, do_protect, do_unmap;                             /* do_map.c */
turn_fn do_remap, do_break;                                       /* do_remap.c */
turn_fn do_touch, do_poke, do_stack;                              /* fault.c */
turn_fn do_discard, do_remove, do_copy_advice, do_lock;           /* do_advise.c */
turn_fn do_fork, do_exec, do_spawn, do_thread, do_exit, do_drop;  /* do_process.c */
turn_fn do_make_file, do_resize, do_allocate, do_punch, do_write; /* do_object.c */
turn_fn do_read, do_close, do_segment, do_attach, do_detach, do_destroy;

#endif
