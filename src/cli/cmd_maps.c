/* SPDX-License-Identifier: MIT
 *
 * surety maps: one address space, mapping by mapping, judged by core/rules.
 *
 * Rows are printed as they are read: the sums below are of these rows, and of
 * a process that runs they are no snapshot.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "cli/amount.h"
#include "cli/cmd.h"
#include "cli/value.h"
#include "report/escape.h"
#include "sys/meminfo.h"
#include "sys/mountinfo.h"
#include "sys/procfs.h"
#include "sys/shmobj.h"
#include "sys/smaps.h"

struct rule_sum {
	uint64_t mappings, size, charge;
};

/* A shared-memory object that is mapped; charged once, wherever it is mapped. */
struct mapped_object {
	uint64_t dev, ino, charge, touched;
	enum rule rule;
	bool known; /* its size could be read */
	char name[64];
};

struct maps {
	const struct maps_opts *opts;
	enum overcommit mode;
	pid_t pid;
	struct rule_sum sum[RULE_NR];
	uint64_t size, charge, forced;
	struct mapped_object *object;
	size_t nr_objects;
};

static uint64_t vma_pages(const struct vma *vma)
{
	return (vma->end - vma->start) >> PAGE_SHIFT;
}

/* The rule by which the object behind a shared mapping is charged. */
static enum rule object_rule(const struct vma *vma, const char *name)
{
	if (strcmp(name, "/dev/zero (deleted)") == 0)
		return vma->flags & VMA_NORESERVE ? RULE_SHARED_ANON_NORESERVE : RULE_SHARED_ANON;
	return strncmp(name, "/SYSV", 5) == 0 ? RULE_SHMGET : RULE_SHMEM_PAGES;
}

/* Whether files of DEV are on a tmpfs that PID has mounted; no file is touched. */
static bool on_tmpfs(pid_t pid, uint64_t dev)
{
	autofclose FILE *f = NULL;
	autofree char *line = NULL;
	char path[64];
	size_t size = 0;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	f = fopen(path, "re");
	while (f && getline(&line, &size, f) > 0) {
		struct mount mount;

		if (mountinfo_split(line, &mount) && mount.dev == dev &&
		    (!strcmp(mount.fstype, "tmpfs") || !strcmp(mount.fstype, "devtmpfs")))
			return true;
	}
	return false;
}

static void note_object(struct maps *m, const struct vma *vma, const char *name)
{
	uint64_t dev = makedev(vma->dev_major, vma->dev_minor);
	enum rule rule = object_rule(vma, name);
	struct mapped_object *x, *more;
	struct shmobj obj;
	int r;

	if (!vma->ino || vma->flags & VMA_HUGETLB || vma->dev_major)
		return;
	for (size_t i = 0; i < m->nr_objects; i++)
		if (m->object[i].dev == dev && m->object[i].ino == vma->ino)
			return;
	if (dev != shmobj_internal_dev() && !on_tmpfs(m->pid, dev))
		return; /* an ordinary file: asking it could wait for a server */
	r = shmobj_stat_map("/proc", m->pid, vma->start, vma->end, &obj);
	if ((!r && obj.kind != FILE_SHMEM) || (r && rule == RULE_SHMEM_PAGES))
		return; /* nobody can tell */
	more = realloc(m->object, (m->nr_objects + 1) * sizeof(*more));
	if (!more)
		return;
	m->object = more;
	x = &more[m->nr_objects++];
	*x = (struct mapped_object){ .dev = dev, .ino = vma->ino, .rule = rule, .known = !r };
	x->touched = r ? 0 : obj.pages;
	x->charge = r ? vma_pages(vma) : bytes_to_pages(obj.size_bytes);
	if (rule == RULE_SHMEM_PAGES || rule == RULE_SHARED_ANON_NORESERVE)
		x->charge = x->touched;
	snprintf(x->name, sizeof(x->name), "%s", name);
}

static void permissions(const struct vma *vma, char ret[5])
{
	ret[0] = vma->flags & VMA_READ ? 'r' : '-';
	ret[1] = vma->flags & VMA_WRITE ? 'w' : '-';
	ret[2] = vma->flags & VMA_EXEC ? 'x' : '-';
	ret[3] = vma->flags & VMA_SHARED ? 's' : 'p';
	ret[4] = '\0';
}

/* "ac nr gd" as smaps has them, of those that decide. */
static void flag_names(const struct vma *vma, char ret[32])
{
	static const struct {
		uint32_t flag;
		const char *name;
	} all[] = { { VMA_ACCOUNT, "ac" },   { VMA_NORESERVE, "nr" }, { VMA_HUGETLB, "ht" },
		    { VMA_DROPPABLE, "dp" }, { VMA_DONTCOPY, "dc" },  { VMA_GROWSDOWN, "gd" } };

	ret[0] = '\0';
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (vma->flags & all[i].flag)
			strcat(strcat(ret, ret[0] ? " " : ""), all[i].name); /* six times three characters */
}

static void print_row(const struct maps *m, const struct vma *vma, const char *name, uint64_t charge, enum rule rule)
{
	char perms[5], size[BYTES_FORMAT_MAX], held[BYTES_FORMAT_MAX], present[BYTES_FORMAT_MAX];
	autofree char *safe = escape_text(name);

	permissions(vma, perms);
	printf("%012" PRIx64 "-%012" PRIx64 " %s %10s %10s %10s  %s  %s\n", vma->start, vma->end, perms,
	       amount_text(vma_pages(vma), m->opts->human, size), amount_text(charge, m->opts->human, held),
	       amount_text(vma->anonymous_pages, m->opts->human, present), rule_id(rule), safe ? safe : "?");
}

static void print_row_json(const struct vma *vma, const char *name, uint64_t charge, enum rule rule)
{
	char perms[5], flags[32], start[24], end[24];
	json_t *object;

	permissions(vma, perms);
	flag_names(vma, flags);
	snprintf(start, sizeof(start), "0x%" PRIx64, vma->start);
	snprintf(end, sizeof(end), "0x%" PRIx64, vma->end);
	object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "schema", "surety.maps/1", "row", "mapping", "start", start,
			   "end", end, "permissions", perms, "flags", flags, "rule", rule_id(rule));
	json_object_set_new(object, "size_bytes", amount_json(vma_pages(vma)));
	json_object_set_new(object, "charged_bytes", amount_json(charge));
	json_object_set_new(object, "private_bytes", amount_json(vma->anonymous_pages));
	json_object_set_new(object, "name", name_json(name));
	json_line(object);
}

static void print_head(const struct maps *m)
{
	const char *unit = m->opts->human ? "" : " kB";
	char comm[32];
	autofree char *safe = NULL;

	task_comm(m->pid, comm, sizeof(comm));
	safe = escape_text(comm);
	printf("process %d (%s), overcommit_memory %d\n\n%-25s perm %7s%3s %7s%3s %7s%3s  rule   mapping\n", m->pid,
	       safe ? safe : "?", (int)m->mode, "address", "size", unit, "charge", unit, "private", unit);
}

static int take_vma(void *ctx, const struct vma *vma, const char *name)
{
	struct maps *m = ctx;
	enum rule rule;
	uint64_t charge = rules_vma_pages(m->mode, vma, &rule), forced = rules_vma_forced_pages(m->mode, vma);

	if (!m->opts->json && m->size == 0)
		print_head(m); /* not before it is known that there is something to show */
	if (m->opts->json)
		print_row_json(vma, name, charge, rule);
	else
		print_row(m, vma, name, charge, rule);
	m->size += vma_pages(vma);
	m->charge += charge;
	m->forced += forced;
	m->sum[rule].mappings++;
	m->sum[rule].size += vma_pages(vma);
	m->sum[rule].charge += charge;
	if (forced) {
		m->sum[RULE_FORCED].mappings++;
		m->sum[RULE_FORCED].charge += forced;
	}
	if (vma->flags & VMA_SHARED)
		note_object(m, vma, name);
	return 0;
}

static void print_sums(const struct maps *m)
{
	char size[BYTES_FORMAT_MAX], charge[BYTES_FORMAT_MAX];
	bool human = m->opts->human;

	printf("\n%-6s %8s %12s %12s\n", "rule", "mappings", human ? "size" : "size kB", human ? "charge" : "charge kB");
	for (int i = 0; i < RULE_NR; i++)
		if (m->sum[i].mappings)
			printf("%-6s %8" PRIu64 " %12s %12s  %s\n", rule_id((enum rule)i), m->sum[i].mappings,
			       amount_text(m->sum[i].size, human, size), amount_text(m->sum[i].charge, human, charge),
			       rule_text((enum rule)i));
	printf("%-15s %12s %12s\n", "Committed_AS", amount_text(m->size, human, size), amount_text(m->charge, human, charge));
	if (m->forced)
		printf("Beside it %s%s of copies that the kernel does not charge (R-070).\n",
		       amount_text(m->forced, human, charge), human ? "" : " kB");
	if (m->nr_objects)
		printf("\nShared memory that is mapped here, and charged once for everybody:\n");
	for (size_t i = 0; i < m->nr_objects; i++) {
		const struct mapped_object *x = &m->object[i];
		autofree char *safe = escape_text(x->name);

		printf("%-15s %12s %12s  %s%s\n", rule_id(x->rule), amount_text(x->touched, human, size),
		       amount_text(x->charge, human, charge), safe ? safe : "?",
		       x->known ? "" : " (by what is mapped: its size may not be read)");
	}
}

static void print_sums_json(const struct maps *m)
{
	json_t *object;

	for (int i = 0; i < RULE_NR; i++) {
		if (!m->sum[i].mappings)
			continue;
		object = json_pack("{s:s, s:s, s:s, s:s, s:I}", "schema", "surety.maps/1", "row", "rule", "rule",
				   rule_id((enum rule)i), "text", rule_text((enum rule)i), "mappings",
				   (json_int_t)m->sum[i].mappings);
		json_object_set_new(object, "size_bytes", amount_json(m->sum[i].size));
		json_object_set_new(object, "charged_bytes", amount_json(m->sum[i].charge));
		json_line(object);
	}
	for (size_t i = 0; i < m->nr_objects; i++) {
		object = json_pack("{s:s, s:s, s:s, s:b}", "schema", "surety.maps/1", "row", "object", "rule",
				   rule_id(m->object[i].rule), "known", m->object[i].known);
		json_object_set_new(object, "charged_bytes", amount_json(m->object[i].charge));
		json_object_set_new(object, "touched_bytes", amount_json(m->object[i].touched));
		json_object_set_new(object, "name", name_json(m->object[i].name));
		json_line(object);
	}
	object = json_pack("{s:s, s:s, s:i, s:i}", "schema", "surety.maps/1", "row", "total", "pid", (int)m->pid,
			   "overcommit_memory", (int)m->mode);
	json_object_set_new(object, "size_bytes", amount_json(m->size));
	json_object_set_new(object, "charged_bytes", amount_json(m->charge));
	json_object_set_new(object, "forced_bytes", amount_json(m->forced));
	json_line(object);
}

static int read_mode(struct maps *m, struct err *err)
{
	struct meminfo info;
	struct limit limit;
	int r;

	m->mode = (enum overcommit)m->opts->mode;
	if (m->opts->mode != MAPS_MODE_HOST)
		return 0;
	r = meminfo_read("/proc", &info);
	if (!r)
		r = meminfo_limit("/proc", &info, &limit);
	if (r < 0)
		return err_set(err, EXIT_SURETY, "cannot read the mode of '/proc/sys/vm/overcommit_memory': %s (give "
			       "--overcommit-memory)", strerror(-r));
	m->mode = limit.mode;
	return 0;
}

static int fail(const char *target, int r, struct err *err)
{
	if (r == -ENOENT || r == -ESRCH)
		return err_set(err, EXIT_SURETY, "no process '%s': it is not running (surety ps lists those that are)", target);
	return err_set(err, EXIT_SURETY, "cannot read the mappings of process '%s': %s (run it as root, or as its user)", target,
		       strerror(-r));
}

int cmd_maps(const struct maps_opts *opts, struct err *err)
{
	autofree struct maps *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return err_set(err, EXIT_SURETY, "cannot start 'maps': %s (free some memory)", strerror(errno));
	m->opts = opts;
	if (!opts->target)
		return err_set(err, EXIT_SURETY, "no process given: surety maps has nothing to show (surety maps PID)");
	if (value_pid(opts->target, &m->pid, err) < 0 || read_mode(m, err) < 0)
		return -1;
	r = smaps_walk("/proc", m->pid, take_vma, m);
	if (r < 0) {
		free(m->object);
		return fail(opts->target, r, err);
	}
	if (opts->json)
		print_sums_json(m);
	else if (m->size)
		print_sums(m);
	else
		printf("process %d has no address space: it is a kernel thread, or has ended\n", m->pid);
	free(m->object);
	return output_end(err);
}
