/* SPDX-License-Identifier: MIT
 *
 * generate: a random script from a seed, whose every outcome is certain.
 *
 *     generate --seed N [--operations N] [--limit SIZE] [--mode 0|1|2]
 *              [--program SIZE] [--program-mapped SIZE] [--margin PAGES]
 *
 * An operation is kept where the model says one thing as a Linux 6.12 in that mode
 * and under the seccomp engine, is sure of it, also for Linux 6.1, and the script
 * stays small: what it touches fits a small machine.  Where the answer depends on
 * the last few pages it is not kept: programs are not of the same size everywhere.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "choose.h"

enum {
	TRIES = 400,	       /* for one operation */
	PRESENT_PAGES = 16384, /* of all processes and objects: 64 MiB */
	REST_EVERY = 10,       /* operations, and up to as many more */
	REFUSED_PERCENT = 60,  /* refusals that are kept */
	ENDED_PERCENT = 15,    /* signals that are kept: they end a process */
	SKIPPED_PERCENT = 5,
	REGION_ROOM_SHIFT = 34,
};

/* As whom the model is asked. */
enum { SIX_TWELVE, SECCOMP, SIX_ONE, ASKED };

struct generator {
	struct chooser c;
	struct script script;
	struct model *model[ASKED];
	uint64_t operations;
};

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "generate: %s: %s\n", what, why);
	exit(99);
}

static void *make(size_t nr, size_t size)
{
	void *p = calloc(nr, size);

	if (!p)
		fail("cannot generate", strerror(ENOMEM));
	return p;
}

/* All names that may be used, so that the models know them from the start. */
static void make_names(struct script *script)
{
	script->processes = make(CHOOSE_PROCESSES, sizeof(*script->processes));
	script->regions = make(CHOOSE_REGIONS, sizeof(*script->regions));
	script->objects = make(CHOOSE_OBJECTS, sizeof(*script->objects));
	script->nr_processes = CHOOSE_PROCESSES;
	script->nr_regions = CHOOSE_REGIONS;
	script->nr_objects = CHOOSE_OBJECTS;
	for (int i = 0; i < CHOOSE_PROCESSES; i++)
		snprintf(script->processes[i].name, SCRIPT_NAME, i ? "p%d" : "main", i);
	for (int i = 0; i < CHOOSE_REGIONS; i++) {
		script->regions[i].below = UINT64_C(1) << 30;
		script->regions[i].above = UINT64_C(1) << REGION_ROOM_SHIFT;
		snprintf(script->regions[i].name, SCRIPT_NAME, "r%d", i);
	}
	for (int i = 0; i < CHOOSE_OBJECTS; i++)
		snprintf(script->objects[i].name, SCRIPT_NAME, "x%d", i);
}

/* The limit, and now and then the reserves: printed and put into CONFIG. */
static void choose_limit(struct generator *g, struct model_config *config)
{
	struct limit *limit = &config->limit;
	uint64_t throw = choose_below(&g->c, 100);

	if (!limit->limit_pages)
		limit->limit_pages = 32768 + choose_below(&g->c, 32768 * 7);
	printf("limit %" PRIu64 "K\nmode %d\n", pages_to_kib(limit->limit_pages), (int)limit->mode);
	if (limit->mode == OVERCOMMIT_GUESS) {
		limit->ram_pages = 131072;
		printf("memory 512M\n");
	}
	if (throw < 25) {
		limit->admin_reserve_pages = 2048 + choose_below(&g->c, 8192);
		printf("admin-reserve %" PRIu64 "K\n", pages_to_kib(limit->admin_reserve_pages));
	}
	if (throw % 4 == 0) {
		limit->user_reserve_pages = 256 + choose_below(&g->c, 16384);
		printf("user-reserve %" PRIu64 "K\n", pages_to_kib(limit->user_reserve_pages));
	}
	g->c.limit_pages = limit->limit_pages;
	g->c.limited = limit->mode == OVERCOMMIT_NEVER;
	g->c.margin_pages = config->margin_pages;
}

static void make_models(struct generator *g, const struct model_config *config)
{
	for (int i = 0; i < ASKED; i++) {
		struct model_config asked = *config;

		/* In mode 0 a kernel compares with its own RAM: a small machine's will do. */
		if (i != SECCOMP)
			asked.limit.ram_pages = config->limit.ram_pages / 2;
		asked.as = i == SECCOMP ? MODEL_SECCOMP : MODEL_KERNEL;
		asked.kernel_major = 6;
		asked.kernel_minor = i == SIX_ONE ? 1 : i == SIX_TWELVE ? 12 : 18;
		g->model[i] = model_new(&g->script, &asked);
		if (!g->model[i])
			fail("cannot generate", strerror(ENOMEM));
	}
}

static bool same(const struct outcome *a, const struct outcome *b)
{
	char text[2][OUTCOME_TEXT];

	return strcmp(outcome_format(a, text[0]), outcome_format(b, text[1])) == 0;
}

/* Whether this kind of outcome is to be in the script this time. */
static bool wanted(struct generator *g, const struct outcome *outcome)
{
	uint64_t throw = choose_below(&g->c, 100);
	int live = 0;

	switch (outcome->kind) {
	case OUTCOME_ERROR:
		return throw < (outcome->asked ? REFUSED_PERCENT : SKIPPED_PERCENT);
	case OUTCOME_SIGNAL:
		for (int i = 0; i < g->c.nr_processes; i++)
			live += model_lives(g->model[SIX_TWELVE], i);
		return live > 1 && throw < ENDED_PERCENT;
	case OUTCOME_SKIPPED:
		return throw < SKIPPED_PERCENT;
	case OUTCOME_OK:
	case OUTCOME_REST:
		break;
	}
	return true;
}

/* Does OP on copies; keeps them where all are sure and agree. */
static bool try_operation(struct generator *g, const struct script_op *op)
{
	struct outcome outcome[ASKED];
	struct model *copy[ASKED] = { NULL };
	bool keep = true;

	for (int i = 0; i < ASKED && keep; i++) {
		copy[i] = model_copy(g->model[i]);
		if (!copy[i] || model_run(copy[i], op, &outcome[i]) < 0)
			fail("cannot generate", strerror(ENOMEM));
		keep = !outcome[i].unsure && model_present_pages(copy[i]) <= PRESENT_PAGES;
	}
	keep = keep && same(&outcome[SIX_TWELVE], &outcome[SECCOMP]) &&
	       model_held_pages(copy[SIX_TWELVE]) == model_held_pages(copy[SECCOMP]) &&
	       wanted(g, &outcome[SIX_TWELVE]);
	for (int i = 0; i < ASKED; i++) {
		model_free(keep ? g->model[i] : copy[i]);
		if (keep)
			g->model[i] = copy[i];
	}
	return keep;
}

static void print_operation(struct generator *g, const struct script_op *op)
{
	char text[SCRIPT_LINE];

	puts(script_format(&g->script, op, text, sizeof(text)));
	if (op->verb == VERB_FORK)
		g->c.nr_processes++;
	if (op->object == g->c.nr_objects)
		g->c.nr_objects++;
}

static void one_operation(struct generator *g)
{
	struct script_op op;

	g->c.model = g->model[SIX_TWELVE];
	for (int i = 0; i < TRIES; i++) {
		if (!choose_operation(&g->c, &op) || !try_operation(g, &op))
			continue;
		print_operation(g, &op);
		return;
	}
	fail("cannot generate", "no operation is certain any more");
}

static void rest(struct generator *g)
{
	const struct script_op op = { .verb = VERB_REST, .region = SCRIPT_NONE, .new_region = SCRIPT_NONE,
				      .object = SCRIPT_NONE, .other = SCRIPT_NONE };

	print_operation(g, &op);
}

static void generate(struct generator *g)
{
	uint64_t until_rest = REST_EVERY;

	for (uint64_t i = 1; i < g->operations; i++) {
		if (until_rest-- == 0) {
			rest(g);
			until_rest = REST_EVERY / 2 + choose_below(&g->c, REST_EVERY);
		} else {
			one_operation(g);
		}
	}
	rest(g);
}

static uint64_t number(const char *text, bool size)
{
	uint64_t value;

	if ((size ? bytes_parse(text, &value) : number_parse(text, &value)) < 0)
		fail(text, size ? "not a size" : "not a number");
	return value;
}

static void read_options(int argc, char **argv, struct generator *g, struct model_config *config)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },	    { "operations", required_argument, NULL, 'o' },
		{ "limit", required_argument, NULL, 'l' },	    { "mode", required_argument, NULL, 'm' },
		{ "program", required_argument, NULL, 'p' },	    { "margin", required_argument, NULL, 'g' },
		{ "program-mapped", required_argument, NULL, 'v' }, { 0 },
	};
	uint64_t seed = 1, mode = UINT64_MAX;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's': seed = number(optarg, false); break;
		case 'o': g->operations = number(optarg, false); break;
		case 'l': config->limit.limit_pages = number(optarg, true) >> PAGE_SHIFT; break;
		case 'm': mode = number(optarg, false); break;
		case 'p': config->program_pages = bytes_to_pages(number(optarg, true)); break;
		case 'v': config->program_vm_pages = bytes_to_pages(number(optarg, true)); break;
		case 'g': config->margin_pages = number(optarg, false); break;
		default: fail("usage", "generate --seed N [--operations N] [--limit SIZE] [--mode 0|1|2] "
				       "[--program SIZE] [--program-mapped SIZE] [--margin PAGES]");
		}
	}
	/* Neighbouring seeds are to be nothing alike. */
	g->c.random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	for (int i = 0; i < 8; i++)
		(void)choose_below(&g->c, 1);
	if (mode == UINT64_MAX) {
		uint64_t throw = choose_below(&g->c, 100);

		mode = throw < 80 ? OVERCOMMIT_NEVER : throw < 90 ? OVERCOMMIT_GUESS : OVERCOMMIT_ALWAYS;
	}
	if (mode > OVERCOMMIT_NEVER)
		fail("usage", "a mode is 0, 1 or 2");
	config->limit.mode = (enum overcommit)mode;
	printf("# seed %" PRIu64 "\n", seed);
}

int main(int argc, char **argv)
{
	struct generator g = { .operations = 200 };
	struct model_config config = {
		.program_pages = 105, /* of tests/oracle/perform, about */
		.program_vm_pages = 313,
		.stack_limit_pages = 262144,
		.margin_pages = 160,
	};

	read_options(argc, argv, &g, &config);
	make_names(&g.script);
	g.c.script = &g.script;
	g.c.nr_processes = 1;
	choose_limit(&g, &config);
	make_models(&g, &config);
	generate(&g);
	for (int i = 0; i < ASKED; i++)
		model_free(g.model[i]);
	free(g.script.processes);
	free(g.script.regions);
	free(g.script.objects);
	return fflush(stdout) || ferror(stdout) ? 99 : 0;
}
