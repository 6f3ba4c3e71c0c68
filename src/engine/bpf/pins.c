/* SPDX-License-Identifier: MIT
 *
 * pins: see the header.
 */
#include "engine/bpf/pins.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/bpf/engine_bpf.h"

void pins_remove(const char *dir)
{
	autoclosedir DIR *d = opendir(dir);
	struct dirent *entry;

	if (!d)
		return;
	/* The links first: with the hooks gone the rest is of no use to anyone. */
	for (int links = 1; links >= 0; links--) {
		rewinddir(d);
		while ((entry = readdir(d)))
			if (entry->d_name[0] != '.' && (strncmp(entry->d_name, "link-", 5) == 0) == links)
				(void)unlinkat(dirfd(d), entry->d_name, 0);
	}
	(void)rmdir(dir); /* what is left is told by who uses it next */
}

int pins_run(int prog, void *arg, uint32_t size)
{
	/* The kernel writes the answer over the question. */
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = arg, .ctx_size_in = size);

	return bpf_prog_test_run_opts(prog, &opts) < 0 ? -errno : 0;
}

struct surety_table *pins_table(const struct groups *g, struct err *err)
{
	struct surety_table *t = malloc(sizeof(*t));
	uint32_t zero = 0;

	if (t && bpf_map_lookup_elem(g->table, &zero, t) == 0)
		return t;
	err_set(err, EXIT_SURETY, "cannot read '" PINS_DIR "/table': %s (surety detach --all)",
		strerror(t ? errno : ENOMEM));
	free(t);
	return NULL;
}

static int open_pin(const char *name, int *ret, struct err *err)
{
	char path[128];

	snprintf(path, sizeof(path), PINS_DIR "/%s", name);
	*ret = bpf_obj_get(path);
	if (*ret >= 0)
		return 0;
	return err_set(err, EXIT_SURETY, "cannot open '%s': %s (%s)", path, strerror(errno),
		       errno == EPERM || errno == EACCES ? "run it as root" : "surety detach --all, then attach again");
}

static int open_pins(struct groups *g, struct err *err)
{
	const struct {
		const char *name;
		int *fd;
	} pins[] = {
		{ "table", &g->table },	  { "cgroups", &g->cgroups }, { "spaces", &g->spaces }, { "objects", &g->objects },
		{ "events", &g->events }, { "control", &g->control }, { "seed", &g->seed },	  { "audit", &g->audit },
	};
	struct surety_table *t;
	uint32_t abi;

	for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]); i++)
		if (open_pin(pins[i].name, pins[i].fd, err) < 0)
			return -1;
	t = pins_table(g, err);
	if (!t)
		return -1;
	abi = t->abi;
	free(t);
	if (abi != SURETY_ABI)
		return err_set(err, EXIT_SURETY, "cannot use '" PINS_DIR "': it was loaded by another version of surety (%u, "
			       "here %d) (use that one, or surety detach --all)", abi, SURETY_ABI);
	return 0;
}

void groups_close(struct groups *g)
{
	if (!g)
		return;
	close_fd(&g->table);
	close_fd(&g->cgroups);
	close_fd(&g->spaces);
	close_fd(&g->objects);
	close_fd(&g->events);
	close_fd(&g->control);
	close_fd(&g->seed);
	close_fd(&g->audit);
	close_fd(&g->lock);
	free(g);
}

static int open_locked(struct groups *g, enum groups_open how, struct err *err)
{
	g->lock = open(PINS_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (g->lock < 0)
		return err_set(err, EXIT_SURETY, "cannot open '" PINS_ROOT "': %s (is it mounted, and are you root?)",
			       strerror(errno));
	if (how == GROUPS_LOAD)
		while (flock(g->lock, LOCK_EX) < 0 && errno == EINTR)
			;
	if (access(PINS_DIR, F_OK) < 0) {
		if (errno == EACCES)
			return err_set(err, EXIT_SURETY, "cannot open '" PINS_DIR "': %s (run it as root)", strerror(errno));
		if (how == GROUPS_LOADED)
			return 1;
		if (load_pinned(err) < 0)
			return -1;
	}
	return open_pins(g, err);
}

int groups_open(struct groups **ret, enum groups_open how, struct err *err)
{
	struct groups *g = malloc(sizeof(*g));
	int r;

	if (!g)
		return err_set(err, EXIT_SURETY, "cannot open '" PINS_DIR "': %s (try again)", strerror(ENOMEM));
	*g = (struct groups){ -1, -1, -1, -1, -1, -1, -1, -1, -1 };
	r = open_locked(g, how, err);
	if (r == 0)
		*ret = g;
	else
		groups_close(g);
	return r;
}

void cgroup_mount(char *buf, size_t size)
{
	autofclose FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], where[4096];

	buf[0] = '\0';
	while (f && fgets(line, sizeof(line), f)) {
		if (!strstr(line, " - cgroup2 ") || sscanf(line, "%*s %*s %*s %*s %4095s", where) != 1)
			continue;
		snprintf(buf, size, "%s", where);
		return;
	}
}

int cgroup_walk(const char *path, cgroup_fn *fn, void *ctx)
{
	autoclosedir DIR *d = opendir(path);
	struct dirent *entry;
	struct stat st;
	int r;

	if (!d || fstat(dirfd(d), &st) < 0)
		return 0; /* removed meanwhile */
	r = fn(ctx, path, st.st_ino);
	while (r == 0 && (entry = readdir(d))) {
		autofree char *below = NULL;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (asprintf(&below, "%s/%s", path, entry->d_name) < 0)
			return -ENOMEM;
		r = cgroup_walk(below, fn, ctx);
	}
	return r;
}

int cgroup_pids(const char *path, cgroup_pid_fn *fn, void *ctx)
{
	autofree char *name = NULL;
	autofclose FILE *f = NULL;
	int pid, r = 0;

	if (asprintf(&name, "%s/cgroup.procs", path) < 0)
		return -ENOMEM;
	f = fopen(name, "re");
	while (f && r == 0 && fscanf(f, "%d", &pid) == 1)
		r = fn(ctx, pid);
	return r;
}

int groups_cgroup(const char *path, uint64_t *ret_id, char *absolute, size_t size, struct err *err)
{
	char mount[4096];
	struct stat st;
	int n;

	cgroup_mount(mount, sizeof(mount));
	if (!mount[0])
		return err_set(err, EXIT_SURETY, "cannot find cgroup '%s': cgroup v2 is not mounted (mount -t cgroup2 none "
			       "/sys/fs/cgroup)", path);
	if (path[0] == '/' && strncmp(path, mount, strlen(mount)) == 0)
		n = snprintf(absolute, size, "%s", path);
	else
		n = snprintf(absolute, size, "%s/%s", mount, path + (path[0] == '/'));
	while (n > 1 && n < (int)size && absolute[n - 1] == '/')
		absolute[--n] = '\0';
	if (n >= (int)size || stat(absolute, &st) < 0)
		return err_set(err, EXIT_SURETY, "cannot find cgroup '%s': %s (a path below %s)", path,
			       strerror(n >= (int)size ? ENAMETOOLONG : errno), mount);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, EXIT_SURETY, "cannot limit '%s': it is a file (give the directory of a cgroup)", path);
	*ret_id = st.st_ino;
	return 0;
}

void groups_unlock(struct groups *g)
{
	close_fd(&g->lock);
}

int groups_detach_all(struct err *err)
{
	autoclose int lock = open(PINS_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (lock >= 0 && flock(lock, LOCK_EX) < 0 && errno == EINTR)
		;
	pins_remove(PINS_NEW);
	pins_remove(PINS_DIR);
	if (access(PINS_DIR, F_OK) == 0 || errno == EACCES)
		return err_set(err, EXIT_SURETY, "cannot remove '" PINS_DIR "': %s (run it as root)", strerror(EPERM));
	return 0;
}
