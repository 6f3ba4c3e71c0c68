/* SPDX-License-Identifier: MIT
 *
 * director: places, files and segments of a script; one line an operation.
 */
#include "director.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <unistd.h>

#include "cgroup.h"
#include "crew.h"
#include "hostlimit.h"
#include "images.h"
#include "tally.h"

#define ARENA (UINT64_C(1) << 40)      /* above the program, far below the stack */
#define HUGE_PAGE (UINT64_C(2) << 20) /* where a region may start */

enum { KIB = 1024 };

struct object {
	dev_t dev;
	ino_t ino;
	int shmid;	/* -1: none */
	uint64_t bytes; /* of a segment */
	bool noreserve, hugetlb;
	bool linked; /* a tmpfs file that has its name */
};

static const struct script *script;
static const struct options *options;
static uint64_t places[REGIONS];
static struct object objects[OBJECTS];
static uint64_t program_bytes, base_bytes, committed_bytes; /* at the start */

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line in one write, so that what has been done is known when we are killed. */
static void say(const char *format, ...)
{
	char line[256];
	va_list ap;
	int len;

	va_start(ap, format);
	len = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (write(STDOUT_FILENO, line, (size_t)len) != len)
		exit(99);
}

_Noreturn void fail(const char *what, const char *why)
{
	dprintf(STDERR_FILENO, "perform: %s: %s\n", what, why);
	crew_end();
	exit(99);
}

static void lay_out(void)
{
	uint64_t at = ARENA;

	for (int i = 0; i < script->nr_regions; i++) {
		const struct script_region *region = &script->regions[i];

		places[i] = (at + region->below + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
		at = places[i] + region->above + SCRIPT_ROOM_GAP;
	}
	for (int i = 0; i < script->nr_objects; i++)
		objects[i].shmid = -1;
}

static const char *tmpfs_path(int object, char *path)
{
	snprintf(path, PATH_LEN, "%s/oracle-%d-%s", options->tmpfs, (int)getpid(), script->objects[object].name);
	return path;
}

static const char *file_path(int object, char *path)
{
	snprintf(path, PATH_LEN, "%s/oracle-%d-%s", options->files, (int)getpid(), script->objects[object].name);
	return path;
}

/* Returns false for what cannot be done: the process, or the other one, is gone. */
static bool make_order(const struct script_op *op, struct order *order)
{
	memset(order, 0, sizeof(*order));
	order->op = *op;
	order->shmid = -1;
	if (op->region != SCRIPT_NONE)
		order->place = places[op->region];
	if (op->verb == VERB_REMAP && op->new_region != SCRIPT_NONE)
		order->new_place = places[op->new_region];
	if (op->verb == VERB_POKE && op->other != SCRIPT_NONE) {
		if (!crew[op->other].alive)
			return false;
		order->other = crew[op->other].pid;
	}
	if (op->object != SCRIPT_NONE) {
		order->shmid = objects[op->object].shmid;
		order->segment_bytes = objects[op->object].bytes;
	}
	if (op->verb == VERB_FILE)
		file_path(op->object, order->path);
	else if (op->verb == VERB_TMPFS || (op->verb == VERB_CLOSE && script->objects[op->object].kind == OBJECT_TMPFS))
		tmpfs_path(op->object, order->path);
	else if (op->verb == VERB_EXEC || op->verb == VERB_SPAWN)
		snprintf(order->path, PATH_LEN, "%s", image_path(op->verb == VERB_EXEC ? op->size : 0));
	else if (op->zero)
		snprintf(order->path, PATH_LEN, "/dev/zero");
	return true;
}

/* What the director has to know of an operation that was done. */
static void note(const struct script_op *op, const struct answer *answer)
{
	struct object *object = op->object == SCRIPT_NONE ? NULL : &objects[op->object];

	switch (op->verb) {
	case VERB_FORK:
		crew_join(op->other, answer->child);
		break;
	case VERB_SEGMENT:
		object->shmid = answer->shmid;
		object->bytes = op->size;
		object->noreserve = op->flags & SHM_NORESERVE;
		object->hugetlb = op->flags & SHM_HUGETLB;
		break;
	case VERB_MEMFD:
	case VERB_TMPFS:
		object->dev = answer->dev;
		object->ino = answer->ino;
		object->linked = op->verb == VERB_TMPFS;
		break;
	case VERB_CLOSE:
		object->linked = false;
		break;
	default:
		break;
	}
}

static void print_outcome(const struct script_op *op, const struct outcome *outcome)
{
	const struct answer *answer = &outcome->answer;
	int signal = outcome->ended ? outcome->signal : answer->signal;

	if (signal)
		say("%u SIG%s\n", op->line, sigabbrev_np(signal));
	else if (outcome->ended)
		say("%u %s\n", op->line, op->verb == VERB_EXIT ? "ok" : "ended");
	else if (answer->kind == ANSWER_SKIPPED)
		say("%u skipped\n", op->line);
	else
		say("%u %s\n", op->line, answer->error ? strerrorname_np(answer->error) : "ok");
}

static void direct_one(const struct script_op *op)
{
	static struct order order;
	struct outcome outcome;

	if (!crew[op->process].alive || !make_order(op, &order)) {
		say("%u skipped\n", op->line);
		return;
	}
	if (options->kernel_limit)
		hostlimit_fold();
	crew_do(op->process, &order, &outcome);
	if (!outcome.ended && outcome.answer.kind != ANSWER_SKIPPED && !outcome.answer.error)
		note(op, &outcome.answer);
	print_outcome(op, &outcome);
}

static void add_object(struct tally *tally, int i)
{
	const struct object *object = &objects[i];
	char path[PATH_LEN];

	if (object->shmid >= 0 && !object->hugetlb) /* its pool's */
		tally_segment(tally, object->shmid, object->noreserve, options->surety ? 0 : (int)script->settings.mode);
	if (!object->ino)
		return;
	if (object->linked)
		tally_path(tally, tmpfs_path(i, path));
	for (int k = 0; k < crew_size; k++) {
		if (!crew[k].alive)
			continue;
		tally_fd(tally, crew[k].pid, OBJECT_FD + i, object->dev, object->ino);
		tally_mapped(tally, crew[k].pid, object->dev, object->ino);
	}
}

static void count(struct tally *tally)
{
	int r;

	memset(tally, 0, sizeof(*tally));
	for (int i = 0; i < crew_size; i++) {
		r = crew[i].alive ? tally_space(tally, crew[i].pid, (int)script->settings.mode) : 0;
		if (r)
			fail("cannot count a worker", strerror(-r));
	}
	for (int i = 0; i < script->nr_objects; i++)
		add_object(tally, i);
}

/* What the bpf engine says of the same, and by how much it is off. */
static void add_ledger(char *more, size_t size, uint64_t programs)
{
	int64_t drift = 0;

	for (int i = 0; i < crew_size; i++)
		drift += crew[i].alive ? llabs(cgroup_drift(crew[i].pid)) : 0;
	snprintf(more, size, ", %" PRId64 " kB by ledger", (cgroup_held() - (int64_t)programs) / KIB);
	if (drift)
		snprintf(more + strlen(more), size - strlen(more), ", %" PRId64 " kB drift", drift / KIB);
	if (cgroup_faults())
		snprintf(more + strlen(more), size - strlen(more), ", %" PRIu64 " faults", cgroup_faults());
}

/* The driver reads what another says about us now, and writes a line. */
static void ask(uint64_t own)
{
	char c;

	say("ask %" PRIu64 " kB\n", own / KIB);
	do {
		if (read(STDIN_FILENO, &c, 1) != 1)
			fail("rest", "nobody answers");
	} while (c != '\n');
}

static void rest(unsigned int line)
{
	static struct tally tally;
	uint64_t programs = (uint64_t)crew_living() * program_bytes;
	int64_t held, moved;
	char more[96] = "";

	count(&tally);
	held = (int64_t)(tally.spaces + tally.objects - programs);
	if (tally.forced)
		snprintf(more, sizeof(more), ", %" PRIu64 " kB forced", tally.forced / KIB);
	if (options->meminfo) {
		moved = (int64_t)(tally_meminfo("Committed_AS") + program_bytes - committed_bytes - programs);
		if (moved != held)
			snprintf(more + strlen(more), sizeof(more) - strlen(more), ", %" PRId64 " kB by meminfo",
				 moved / KIB);
	}
	if (options->surety)
		add_ledger(more + strlen(more), sizeof(more) - strlen(more), programs);
	say("%u rest %" PRId64 " kB%s\n", line, held / KIB, more);
	if (options->ask)
		ask(base_bytes - program_bytes + programs);
}

/* What is held when nothing of the script has been done. */
static void measure(void)
{
	static struct tally tally;

	count(&tally);
	program_bytes = tally.spaces;
	if (tally_space(&tally, getpid(), (int)script->settings.mode))
		fail("cannot count", "the director");
	base_bytes = tally.spaces;
	if (options->kernel_limit)
		hostlimit_set(&script->settings);
	if (options->surety)
		cgroup_limit(options->surety, &script->settings, program_bytes);
	committed_bytes = tally_meminfo("Committed_AS");
}

static void clean_up(void)
{
	char path[PATH_LEN];

	crew_end();
	for (int i = 0; i < script->nr_objects; i++) {
		if (objects[i].shmid >= 0)
			(void)shmctl(objects[i].shmid, IPC_RMID, NULL); /* the script may have done it */
		if (objects[i].linked)
			(void)unlink(tmpfs_path(i, path)); /* best effort */
	}
	images_remove();
}

/* All that was held is given back, and nothing went another way than it should. */
static void close_group(void)
{
	int64_t held = cgroup_close();

	say("left %" PRId64 " kB, %" PRIu64 " faults\n", held / KIB, cgroup_faults());
}

int direct(const struct script *the_script, const struct options *the_options)
{
	script = the_script;
	options = the_options;
	if (script->nr_processes > PROCESSES || script->nr_objects > OBJECTS || script->nr_regions > REGIONS)
		fail("cannot perform", "too many names");
	if (options->kernel_limit)
		hostlimit_open();
	if (options->surety)
		cgroup_open(&script->settings);
	lay_out();
	images_make(script, options->files);
	crew_open(script->nr_processes);
	crew_start(image_path(0), options->surety ? cgroup_enter : NULL);
	measure();
	if (options->base)
		say("base %" PRIu64 " kB\n", base_bytes / KIB);
	say("program %" PRIu64 " kB, %" PRIu64 " kB mapped\n", program_bytes / KIB,
	    tally_total_vm(crew[SCRIPT_MAIN].pid) / KIB);
	for (size_t i = 0; !options->base && i < script->nr_ops; i++) {
		if (script->ops[i].verb == VERB_REST)
			rest(script->ops[i].line);
		else
			direct_one(&script->ops[i]);
	}
	clean_up();
	if (options->surety)
		close_group();
	return 0;
}
