/* SPDX-License-Identifier: MIT
 *
 * choose: verbs by weight, places of what is mapped, amounts near the limit.
 */
#include "choose.h"

#include <string.h>
#include <sys/shm.h>

#include "base/bytes.h"

enum {
	TOUCH_PAGES = 1024,   /* of one operation */
	OBJECT_PAGES = 4096,  /* size of an object that is written */
	FREE_PAGES = 32768,   /* amounts where no limit says more */
	SOME_PAGES = 8192,
	ODD_IN = 8, /* one size in so many is not of whole pages */
};

static uint64_t next_random(struct chooser *c)
{
	/* xorshift64* */
	c->random ^= c->random >> 12;
	c->random ^= c->random << 25;
	c->random ^= c->random >> 27;
	return c->random * UINT64_C(0x2545f4914f6cdd1d);
}

uint64_t choose_below(struct chooser *c, uint64_t below)
{
	return below ? (next_random(c) >> 11) % below : 0;
}

static bool one_in(struct chooser *c, uint64_t n)
{
	return choose_below(c, n) == 0;
}

/* Pages of a request: small, large, and just within and just beyond what is left. */
static uint64_t amount(struct chooser *c, int process)
{
	uint64_t room = model_room_pages(c->model, process), beside = c->margin_pages + choose_below(c, 256);
	uint64_t throw = choose_below(c, 100);

	if (throw < 20)
		return 1 + choose_below(c, 64);
	if (throw < 45 || !c->limited)
		return 1 + choose_below(c, throw < 45 ? SOME_PAGES : FREE_PAGES);
	if (throw < 60)
		return room > beside ? room - beside : 1 + choose_below(c, SOME_PAGES);
	if (throw < 75)
		return room + beside;
	if (throw < 92)
		return 1 + room / (2 + choose_below(c, 6));
	return c->limit_pages / 2 + choose_below(c, 2 * c->limit_pages);
}

/* Pages as a size that somebody would write. */
static uint64_t as_bytes(struct chooser *c, uint64_t pages)
{
	uint64_t bytes = pages_to_bytes(pages);

	return bytes > PAGE_BYTES && one_in(c, ODD_IN) ? bytes - choose_below(c, PAGE_BYTES) : bytes;
}

static int any_process(struct chooser *c)
{
	int live[CHOOSE_PROCESSES], nr = 0;

	for (int i = 0; i < c->nr_processes; i++)
		if (model_lives(c->model, i))
			live[nr++] = i;
	return nr ? live[choose_below(c, (uint64_t)nr)] : SCRIPT_MAIN;
}

static int live_processes(const struct chooser *c)
{
	int nr = 0;

	for (int i = 0; i < c->nr_processes; i++)
		nr += model_lives(c->model, i);
	return nr;
}

/* A region that is mapped (or is not) for PROCESS. */
static int any_region(struct chooser *c, int process, bool mapped)
{
	int found[CHOOSE_REGIONS], nr = 0;

	for (int i = 0; i < CHOOSE_REGIONS; i++)
		if ((model_region_bytes(c->model, process, i) != UINT64_MAX) == mapped)
			found[nr++] = i;
	return nr ? found[choose_below(c, (uint64_t)nr)] : SCRIPT_NONE;
}

/* A range of a mapped region, of at most MOST pages. */
static bool any_range(struct chooser *c, struct script_op *op, uint64_t most)
{
	uint64_t pages, from;

	op->region = any_region(c, op->process, true);
	if (op->region == SCRIPT_NONE)
		return false;
	pages = bytes_to_pages(model_region_bytes(c->model, op->process, op->region));
	if (pages <= most && !one_in(c, 2)) {
		op->whole = true;
		return true;
	}
	from = choose_below(c, pages);
	if (one_in(c, 3))
		from = 0;
	op->offset = (int64_t)pages_to_bytes(from);
	pages -= from;
	if (pages > most)
		pages = most;
	op->length = as_bytes(c, one_in(c, 3) ? pages : 1 + choose_below(c, pages));
	return true;
}

static int any_object(struct chooser *c, int process, bool segment)
{
	int found[CHOOSE_OBJECTS], nr = 0;

	for (int i = 0; i < c->nr_objects; i++)
		if ((c->script->objects[i].kind == OBJECT_SEGMENT) == segment && model_has_object(c->model, process, i))
			found[nr++] = i;
	return nr ? found[choose_below(c, (uint64_t)nr)] : SCRIPT_NONE;
}

static void choose_prot(struct chooser *c, struct script_op *op)
{
	static const int prots[] = {
		PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE,
	};

	op->prot = prots[choose_below(c, sizeof(prots) / sizeof(prots[0]))];
}

static void choose_map_flags(struct chooser *c, struct script_op *op)
{
	uint64_t throw = choose_below(c, 100);

	op->flags |= throw < 62 ? MAP_PRIVATE : throw < 92 ? MAP_SHARED : MAP_DROPPABLE;
	if (one_in(c, 6))
		op->flags |= MAP_NORESERVE;
	if (one_in(c, 20))
		op->flags |= MAP_STACK;
	if (one_in(c, 25) && (op->flags & MAP_TYPE) == MAP_PRIVATE)
		op->flags |= MAP_GROWSDOWN;
	if (one_in(c, 15) && op->size <= pages_to_bytes(TOUCH_PAGES))
		op->flags |= one_in(c, 4) ? MAP_LOCKED : MAP_POPULATE;
	if (one_in(c, 10))
		op->zero = true;
	else if (one_in(c, 4))
		op->object = any_object(c, op->process, false);
	if (op->zero || op->object != SCRIPT_NONE)
		op->read_only = one_in(c, 6);
	else
		op->flags |= MAP_ANONYMOUS;
}

static bool choose_map(struct chooser *c, struct script_op *op)
{
	bool over = one_in(c, 4);
	uint64_t pages;

	op->region = any_region(c, op->process, over);
	if (op->region == SCRIPT_NONE)
		return false;
	op->flags = MAP_FIXED_NOREPLACE;
	if (over) {
		pages = bytes_to_pages(model_region_bytes(c->model, op->process, op->region));
		op->flags = MAP_FIXED;
		op->offset = one_in(c, 2) ? 0 : (int64_t)pages_to_bytes(choose_below(c, pages));
	}
	op->size = as_bytes(c, amount(c, op->process));
	choose_prot(c, op);
	choose_map_flags(c, op);
	if (op->object != SCRIPT_NONE && !one_in(c, 6)) /* mostly as large as it is */
		op->size = as_bytes(c, 1 + model_object_bytes(c->model, op->object) / PAGE_BYTES);
	/* Memory that is reserved now to be made writable later is larger than most. */
	if (op->prot == PROT_NONE && one_in(c, 2))
		op->size *= 2;
	return true;
}

static bool choose_protect(struct chooser *c, struct script_op *op)
{
	choose_prot(c, op);
	return any_range(c, op, op->prot & PROT_WRITE ? amount(c, op->process) : UINT64_MAX);
}

static bool choose_unmap(struct chooser *c, struct script_op *op)
{
	return any_range(c, op, UINT64_MAX);
}

static bool choose_remap(struct chooser *c, struct script_op *op)
{
	uint64_t pages;

	if (!any_range(c, op, UINT64_MAX))
		return false;
	pages = bytes_to_pages(op->whole ? model_region_bytes(c->model, op->process, op->region) : op->length);
	if (one_in(c, 8)) { /* a duplicate of shared memory */
		op->whole = false;
		op->length = 0;
	}
	op->size = as_bytes(c, one_in(c, 4) ? 1 + choose_below(c, pages) : pages + (one_in(c, 3) ? 0 : amount(c, op->process)));
	if (one_in(c, 2) && op->length != 0)
		return true;
	op->new_region = any_region(c, op->process, one_in(c, 4));
	op->flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	if (one_in(c, 4)) {
		op->flags |= MREMAP_DONTUNMAP;
		op->size = pages_to_bytes(pages);
	}
	return op->new_region != SCRIPT_NONE && op->new_region != op->region;
}

static bool choose_break(struct chooser *c, struct script_op *op)
{
	op->shrink = one_in(c, 4);
	op->size = as_bytes(c, amount(c, op->process));
	return true;
}

static bool choose_touch(struct chooser *c, struct script_op *op)
{
	op->read = one_in(c, 3);
	return any_range(c, op, TOUCH_PAGES);
}

static bool choose_below_start(struct chooser *c, struct script_op *op)
{
	uint64_t pages = 1 + choose_below(c, TOUCH_PAGES / 4);

	op->verb = VERB_TOUCH;
	op->region = any_region(c, op->process, true);
	op->offset = -(int64_t)pages_to_bytes(pages);
	op->length = pages_to_bytes(1 + choose_below(c, pages));
	return op->region != SCRIPT_NONE;
}

static bool choose_poke(struct chooser *c, struct script_op *op)
{
	int other = any_process(c);

	if (other != op->process && one_in(c, 3)) {
		op->region = any_region(c, other, true);
		op->other = other;
		op->length = pages_to_bytes(1 + choose_below(c, 8));
		return op->region != SCRIPT_NONE;
	}
	return any_range(c, op, 64);
}

static bool choose_stack(struct chooser *c, struct script_op *op)
{
	op->size = as_bytes(c, 1 + choose_below(c, 1024));
	return true;
}

static bool choose_fork(struct chooser *c, struct script_op *op)
{
	op->other = c->nr_processes;
	return c->nr_processes < CHOOSE_PROCESSES && live_processes(c) < CHOOSE_LIVE;
}

static bool choose_exec(struct chooser *c, struct script_op *op)
{
	static const uint64_t sizes[] = { 0, 0, UINT64_C(1) << 20, UINT64_C(16) << 20 };

	op->size = sizes[choose_below(c, sizeof(sizes) / sizeof(sizes[0]))];
	return true;
}

static bool choose_exit(struct chooser *c, struct script_op *op)
{
	(void)op;
	return live_processes(c) > 1;
}

static bool choose_plain(struct chooser *c, struct script_op *op)
{
	(void)c;
	(void)op;
	return true;
}

/* The next object; its name says what it is. */
static bool choose_made(struct chooser *c, struct script_op *op)
{
	static const struct {
		enum script_verb verb;
		enum script_object_kind kind;
		const char *letter;
	} made[] = {
		{ VERB_MEMFD, OBJECT_MEMFD, "m" },     { VERB_MEMFD, OBJECT_MEMFD, "m" },
		{ VERB_TMPFS, OBJECT_TMPFS, "t" },     { VERB_SEGMENT, OBJECT_SEGMENT, "s" },
		{ VERB_SEGMENT, OBJECT_SEGMENT, "s" }, { VERB_FILE, OBJECT_FILE, "f" },
	};
	uint64_t i = choose_below(c, sizeof(made) / sizeof(made[0]));
	struct script_object *object;

	if (c->nr_objects == CHOOSE_OBJECTS)
		return false;
	object = &c->script->objects[c->nr_objects];
	op->verb = made[i].verb;
	op->object = c->nr_objects;
	object->kind = made[i].kind;
	object->name[0] = made[i].letter[0];
	/* A size, so that the engine knows the name of a file on tmpfs. */
	op->size = as_bytes(c, 1 + choose_below(c, OBJECT_PAGES));
	if (op->verb == VERB_SEGMENT) {
		op->size = as_bytes(c, amount(c, op->process));
		op->flags = one_in(c, 4) ? SHM_NORESERVE : 0;
	}
	return true;
}

static bool choose_object_range(struct chooser *c, struct script_op *op)
{
	bool large = op->verb == VERB_ALLOCATE || op->verb == VERB_PUNCH;

	op->object = any_object(c, op->process, false);
	op->object_offset = as_bytes(c, choose_below(c, OBJECT_PAGES));
	op->size = as_bytes(c, 1 + choose_below(c, large ? OBJECT_PAGES : TOUCH_PAGES / 4));
	if (one_in(c, 2))
		op->object_offset = 0;
	/* Not every file system has fallocate. */
	return op->object != SCRIPT_NONE && !(large && c->script->objects[op->object].kind == OBJECT_FILE);
}

static bool choose_resize(struct chooser *c, struct script_op *op)
{
	op->object = any_object(c, op->process, false);
	op->size = as_bytes(c, choose_below(c, 2 * OBJECT_PAGES));
	return op->object != SCRIPT_NONE;
}

static bool choose_close(struct chooser *c, struct script_op *op)
{
	op->object = any_object(c, op->process, false);
	return op->object != SCRIPT_NONE;
}

static bool choose_attach(struct chooser *c, struct script_op *op)
{
	op->object = any_object(c, op->process, true);
	op->region = any_region(c, op->process, false);
	op->whole = true;
	return op->object != SCRIPT_NONE && op->region != SCRIPT_NONE;
}

static bool choose_detach(struct chooser *c, struct script_op *op)
{
	op->region = any_region(c, op->process, true);
	op->whole = true;
	return op->region != SCRIPT_NONE;
}

static bool choose_destroy(struct chooser *c, struct script_op *op)
{
	op->object = any_object(c, op->process, true);
	return op->object != SCRIPT_NONE;
}

static bool choose_small_range(struct chooser *c, struct script_op *op)
{
	return any_range(c, op, 256);
}

static const struct {
	unsigned int weight;
	enum script_verb verb;
	bool (*choose)(struct chooser *c, struct script_op *op);
} choices[] = {
	{ 110, VERB_MAP, choose_map },
	{ 80, VERB_PROTECT, choose_protect },
	{ 40, VERB_UNMAP, choose_unmap },
	{ 60, VERB_REMAP, choose_remap },
	{ 30, VERB_BREAK, choose_break },
	{ 45, VERB_TOUCH, choose_touch },
	{ 10, VERB_TOUCH, choose_below_start },
	{ 10, VERB_DISCARD, choose_unmap },
	{ 8, VERB_REMOVE, choose_unmap },
	{ 12, VERB_DONTFORK, choose_unmap },
	{ 6, VERB_DOFORK, choose_unmap },
	{ 8, VERB_WIPEONFORK, choose_unmap },
	{ 6, VERB_LOCK, choose_small_range },
	{ 8, VERB_POKE, choose_poke },
	{ 6, VERB_STACK, choose_stack },
	{ 25, VERB_FORK, choose_fork },
	{ 5, VERB_EXEC, choose_exec },
	{ 4, VERB_SPAWN, choose_plain },
	{ 3, VERB_THREAD, choose_plain },
	{ 12, VERB_EXIT, choose_exit },
	{ 3, VERB_DROP, choose_plain },
	{ 22, VERB_MEMFD, choose_made },
	{ 10, VERB_RESIZE, choose_resize },
	{ 16, VERB_ALLOCATE, choose_object_range },
	{ 10, VERB_PUNCH, choose_object_range },
	{ 12, VERB_WRITE, choose_object_range },
	{ 4, VERB_READ, choose_object_range },
	{ 5, VERB_CLOSE, choose_close },
	{ 14, VERB_ATTACH, choose_attach },
	{ 8, VERB_DETACH, choose_detach },
	{ 8, VERB_DESTROY, choose_destroy },
};

bool choose_operation(struct chooser *c, struct script_op *op)
{
	const size_t nr = sizeof(choices) / sizeof(choices[0]);
	uint64_t sum = 0, throw;
	size_t i;

	memset(op, 0, sizeof(*op));
	op->region = op->new_region = op->object = op->other = SCRIPT_NONE;
	op->process = any_process(c);
	for (i = 0; i < nr; i++)
		sum += choices[i].weight;
	throw = choose_below(c, sum);
	for (i = 0; throw >= choices[i].weight; i++)
		throw -= choices[i].weight;
	op->verb = choices[i].verb;
	return choices[i].choose(c, op);
}
