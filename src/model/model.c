/* SPDX-License-Identifier: MIT
 *
 * model: its life, and one operation of a script from start to end.
 *
 * Decides what is skipped.  What an operation does is in do_*.c and fault.c, what
 * a request is worth in src/core.
 */
#include "model/model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "model/state.h"

enum overcommit host_mode(const struct model *m)
{
	return as_seccomp(m) ? OVERCOMMIT_GUESS : m->config.limit.mode;
}

bool as_seccomp(const struct model *m)
{
	return m->config.as == MODEL_SECCOMP;
}

bool as_bpf(const struct model *m)
{
	return m->config.as == MODEL_BPF;
}

bool charges_noreserve(const struct model *m)
{
	return as_bpf(m) && m->config.limit.mode == OVERCOMMIT_NEVER;
}

bool kernel_since(const struct model *m, unsigned int major, unsigned int minor)
{
	return m->config.kernel_major > major ||
	       (m->config.kernel_major == major && m->config.kernel_minor >= minor);
}

void turn_ok(struct turn *t, enum rule rule)
{
	t->out->rule = rule;
}

void turn_fail(struct turn *t, int error, enum rule rule)
{
	t->out->kind = OUTCOME_ERROR;
	t->out->error = error;
	t->out->rule = rule;
}

void turn_unsure(struct turn *t)
{
	t->out->unsure = true;
}

void turn_kill(struct turn *t, int signal, enum rule rule)
{
	t->out->kind = OUTCOME_SIGNAL;
	t->out->signal = signal;
	t->out->rule = rule;
	process_end(t, t->p);
}

void turn_keep(struct turn *t, int status)
{
	if (status < 0)
		t->m->failed = true;
}

void process_end(struct turn *t, struct process *p)
{
	(void)t;
	p->alive = false;
	ledger_leave(&p->mm.hold);
	mm_done(&p->mm);
}

bool turn_range(struct turn *t, const struct process *whose, struct page_range *ret)
{
	const struct script_op *op = t->op;
	uint64_t bytes = op->whole ? whose->region_bytes[op->region] : op->length;

	if (whose->region_bytes[op->region] == UNMAPPED) {
		t->out->kind = OUTCOME_SKIPPED;
		return false;
	}
	ret->start = t->m->region_page[op->region] + (uint64_t)(op->offset / (int64_t)PAGE_BYTES);
	ret->end = ret->start + bytes_to_pages(bytes);
	return true;
}

/* Every region at a place of its own, as far from the next as the program that
 * makes the calls keeps them. */
static void place_regions(struct model *m)
{
	uint64_t page = REGIONS_PAGE;

	for (int i = 0; i < m->script->nr_regions; i++) {
		const struct script_region *region = &m->script->regions[i];

		page += bytes_to_pages(region->below);
		m->region_page[i] = page;
		page += bytes_to_pages(region->above) + bytes_to_pages(SCRIPT_ROOM_GAP);
	}
}

static bool process_init(const struct script *script, struct process *p)
{
	p->region_bytes = calloc((size_t)script->nr_regions + 1, sizeof(*p->region_bytes));
	p->has_object = calloc((size_t)script->nr_objects + 1, sizeof(*p->has_object));
	for (int i = 0; p->region_bytes && i < script->nr_regions; i++)
		p->region_bytes[i] = UNMAPPED;
	return p->region_bytes && p->has_object;
}

static bool model_alloc(struct model *m)
{
	const struct script *script = m->script;
	bool done;

	m->region_page = calloc((size_t)script->nr_regions + 1, sizeof(*m->region_page));
	m->process = calloc((size_t)script->nr_processes, sizeof(*m->process));
	m->inode_room = (size_t)script->nr_objects + 16;
	m->inode = calloc(m->inode_room, sizeof(*m->inode));
	done = m->region_page && m->process && m->inode;
	for (int i = 0; done && i < script->nr_processes; i++)
		done = process_init(script, &m->process[i]);
	return done;
}

/* What a new image holds by itself. */
int program_map(struct model *m, struct mm *mm)
{
	uint64_t pages = m->config.program_pages, total = m->config.program_vm_pages;
	struct mm_vma vma = {
		.start = PROGRAM_PAGE,
		.end = PROGRAM_PAGE + pages,
		.flags = VMA_READ | VMA_WRITE | VMA_ACCOUNT,
		.inode = MM_NO_INODE,
		.anon_vma = ANON_VMA_YES,
	};

	mm->merges_untouched = kernel_since(m, 6, 16);
	mm->extra_total_vm = total > pages ? total - pages : 0;
	return pages ? mm_insert(mm, &vma) : 0;
}

/* The limit of a group that holds PAGES before the script starts. */
static struct limit limit_above(const struct limit *limit, uint64_t pages)
{
	struct limit above = *limit;

	above.by_ratio = false;
	above.limit_pages = limit_commit(limit); /* the ratio is of the memory, above what is held */
	above.limit_pages -= limit->swap_pages < above.limit_pages ? limit->swap_pages : above.limit_pages;
	if (__builtin_add_overflow(above.limit_pages, pages, &above.limit_pages))
		above.limit_pages = UINT64_MAX;
	return above;
}

struct model *model_new(const struct script *script, const struct model_config *config)
{
	struct model *m = calloc(1, sizeof(*m));
	struct process *first;

	if (!m)
		return NULL;
	m->script = script;
	m->config = *config;
	m->own_limit = limit_above(&config->limit, config->program_pages);
	ledger_group_init(&m->group, NULL, &m->own_limit);
	if (!model_alloc(m)) {
		model_free(m);
		return NULL;
	}
	place_regions(m);
	ledger_join(&m->leak, &m->group);
	m->nr_inodes = (size_t)script->nr_objects;
	for (size_t i = 0; i < m->nr_inodes; i++)
		ledger_join(&m->inode[i].hold, &m->group);
	first = &m->process[SCRIPT_MAIN];
	first->alive = first->cap_sys_admin = true;
	ledger_join(&first->mm.hold, &m->group);
	if (program_map(m, &first->mm) < 0) {
		model_free(m);
		return NULL;
	}
	settle(m);
	return m;
}

void model_free(struct model *m)
{
	if (!m)
		return;
	for (int i = 0; m->process && i < m->script->nr_processes; i++) {
		mm_done(&m->process[i].mm);
		free(m->process[i].region_bytes);
		free(m->process[i].has_object);
	}
	for (size_t i = 0; m->inode && i < m->nr_inodes; i++)
		pageset_done(&m->inode[i].pages);
	free(m->process);
	free(m->inode);
	free(m->region_page);
	free(m);
}

static bool copy_process(struct model *to, int i, const struct process *from)
{
	size_t regions = (size_t)to->script->nr_regions, objects = (size_t)to->script->nr_objects;
	struct process *p = &to->process[i];

	p->alive = from->alive;
	p->cap_sys_admin = from->cap_sys_admin;
	memcpy(p->region_bytes, from->region_bytes, regions * sizeof(*p->region_bytes));
	memcpy(p->has_object, from->has_object, objects * sizeof(*p->has_object));
	if (!p->alive)
		return true;
	if (mm_copy(&p->mm, &from->mm) < 0)
		return false;
	ledger_join(&p->mm.hold, &to->group);
	ledger_set(&p->mm.hold, from->mm.hold.pages);
	return true;
}

static bool copy_inodes(struct model *to, const struct model *from)
{
	while (to->nr_inodes < from->nr_inodes)
		if (inode_new(to) < 0)
			return false;
	for (size_t i = 0; i < from->nr_inodes; i++) {
		struct ledger_holder hold = to->inode[i].hold;

		to->inode[i] = from->inode[i];
		to->inode[i].hold = hold;
		to->inode[i].pages = (struct pageset){ 0 };
		if (pageset_copy(&to->inode[i].pages, &from->inode[i].pages) < 0)
			return false;
		ledger_set(&to->inode[i].hold, from->inode[i].hold.pages);
	}
	return true;
}

struct model *model_copy(const struct model *from)
{
	struct model *m = model_new(from->script, &from->config);
	bool done;

	if (!m)
		return NULL;
	ledger_leave(&m->process[SCRIPT_MAIN].mm.hold);
	mm_done(&m->process[SCRIPT_MAIN].mm);
	done = copy_inodes(m, from);
	for (int i = 0; done && i < m->script->nr_processes; i++)
		done = copy_process(m, i, &from->process[i]);
	if (!done) {
		model_free(m);
		return NULL;
	}
	ledger_set(&m->leak, from->leak.pages);
	m->zero_maps = from->zero_maps;
	m->group.refusals = from->group.refusals;
	m->group.charges = from->group.charges;
	m->peak = from->peak;
	settle(m);
	return m;
}

static void do_rest(struct turn *t)
{
	t->out->kind = OUTCOME_REST;
	t->out->held_pages = model_held_pages(t->m);
}

static turn_fn *const handlers[VERB_NR] = {
	[VERB_MAP] = do_map,
	[VERB_PROTECT] = do_protect,
	[VERB_UNMAP] = do_unmap,
	[VERB_REMAP] = do_remap,
	[VERB_BREAK] = do_break,
	[VERB_TOUCH] = do_touch,
	[VERB_DISCARD] = do_discard,
	[VERB_REMOVE] = do_remove,
	[VERB_DONTFORK] = do_copy_advice,
	[VERB_DOFORK] = do_copy_advice,
	[VERB_WIPEONFORK] = do_copy_advice,
	[VERB_LOCK] = do_lock,
	[VERB_POKE] = do_poke,
	[VERB_STACK] = do_stack,
	[VERB_FORK] = do_fork,
	[VERB_EXEC] = do_exec,
	[VERB_SPAWN] = do_spawn,
	[VERB_THREAD] = do_thread,
	[VERB_EXIT] = do_exit,
	[VERB_DROP] = do_drop,
	[VERB_FILE] = do_make_file,
	[VERB_MEMFD] = do_make_file,
	[VERB_TMPFS] = do_make_file,
	[VERB_RESIZE] = do_resize,
	[VERB_ALLOCATE] = do_allocate,
	[VERB_PUNCH] = do_punch,
	[VERB_WRITE] = do_write,
	[VERB_READ] = do_read,
	[VERB_CLOSE] = do_close,
	[VERB_SEGMENT] = do_segment,
	[VERB_ATTACH] = do_attach,
	[VERB_DETACH] = do_detach,
	[VERB_DESTROY] = do_destroy,
	[VERB_REST] = do_rest,
};

/* An object that is used has to be there. */
static bool misses_object(const struct model *m, const struct script_op *op)
{
	switch (op->verb) {
	case VERB_FILE:
	case VERB_MEMFD:
	case VERB_TMPFS:
	case VERB_SEGMENT:
		return false;
	default:
		return op->object != SCRIPT_NONE && !model_has_object(m, op->process, op->object);
	}
}

/* What a process holds may be another sum in the bpf engine's ledger: it goes by the
 * kernel's flags, which do not tell all (docs/ENGINES.md). */
static bool blurred(const struct model *m)
{
	for (int i = 0; i < m->script->nr_processes; i++)
		if (m->process[i].alive && mm_is_blurred(&m->process[i].mm))
			return true;
	return false;
}

int model_run(struct model *m, const struct script_op *op, struct outcome *ret)
{
	struct turn t = { m, op, &m->process[op->process], ret };

	*ret = (struct outcome){ .kind = OUTCOME_OK, .rule = RULE_NR, .admission = RULE_NR };
	if (op->verb != VERB_REST && (!t.p->alive || misses_object(m, op))) {
		ret->kind = OUTCOME_SKIPPED;
		return 0;
	}
	handlers[op->verb](&t);
	settle(m);
	if (charges_noreserve(m) && blurred(m))
		turn_unsure(&t);
	return m->failed ? -ENOMEM : 0;
}

uint64_t model_held_pages(const struct model *m)
{
	uint64_t programs = 0;

	for (int i = 0; i < m->script->nr_processes; i++)
		programs += m->process[i].alive ? m->config.program_pages : 0;
	return m->group.committed > programs ? m->group.committed - programs : 0;
}

uint64_t model_peak_pages(const struct model *m)
{
	return m->peak;
}

uint64_t model_refusals(const struct model *m)
{
	return m->group.refusals;
}

bool model_lives(const struct model *m, int process)
{
	return m->process[process].alive;
}

uint64_t model_region_bytes(const struct model *m, int process, int region)
{
	return m->process[process].region_bytes[region];
}

bool model_has_object(const struct model *m, int process, int object)
{
	if (m->script->objects[object].kind == OBJECT_SEGMENT)
		return true; /* needs no descriptor; one that is not there is an error of the call */
	return m->process[process].has_object[object];
}

uint64_t model_object_bytes(const struct model *m, int object)
{
	return m->inode[object].size_bytes;
}

uint64_t model_present_pages(const struct model *m)
{
	uint64_t sum = 0;

	for (int i = 0; i < m->script->nr_processes; i++)
		sum += m->process[i].mm.anon.pages;
	for (size_t i = 0; i < m->nr_inodes; i++)
		sum += m->inode[i].pages.pages;
	return sum;
}

uint64_t model_room_pages(const struct model *m, int process)
{
	const struct process *p = &m->process[process];
	struct requester who = { p->cap_sys_admin, mm_total_vm(&p->mm) };
	uint64_t allowed = limit_allowed(&m->own_limit, &who);
	uint64_t held = m->group.committed + m->reserved;

	return allowed > held ? allowed - held : 0;
}

char *outcome_format(const struct outcome *outcome, char buf[OUTCOME_TEXT])
{
	const char *name = NULL;

	switch (outcome->kind) {
	case OUTCOME_OK:
		name = "ok";
		break;
	case OUTCOME_SKIPPED:
		name = "skipped";
		break;
	case OUTCOME_ERROR:
		name = strerrorname_np(outcome->error);
		break;
	case OUTCOME_SIGNAL:
		snprintf(buf, OUTCOME_TEXT, "SIG%s", sigabbrev_np(outcome->signal));
		return buf;
	case OUTCOME_REST:
		snprintf(buf, OUTCOME_TEXT, "rest %" PRIu64 " kB", pages_to_kib(outcome->held_pages));
		return buf;
	}
	snprintf(buf, OUTCOME_TEXT, "%s", name ? name : "?");
	return buf;
}
