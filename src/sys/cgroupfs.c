/* SPDX-License-Identifier: MIT
 *
 * cgroupfs: RAM and swap that a process may use.
 *
 * Decides which limit counts; sets none and creates nothing.  A limit that is
 * there and cannot be read is an error, never "no limit".
 *
 * Rests on /proc/PID/cgroup (one line a hierarchy, "0::" is v2) and
 * /proc/PID/mountinfo.  Both print cgroup paths as seen from the cgroup
 * namespace of the reader; a mount may show only part of a hierarchy (its
 * root), and what is above that part cannot be seen from here.  Limits hold for
 * the whole subtree, so the lowest one on the way up is the one that binds.
 * On v1 memsw limits RAM and swap together; on v2 swap has its own limit.
 * v1's memory.use_hierarchy=0 (gone since 5.11) is not looked at.
 */
#include "sys/cgroupfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "sys/mountinfo.h"

enum { SOURCE_BYTES = sizeof(((struct memory_totals *)0)->source) };

/* From whose side the mounts are seen. */
struct view {
	char mountinfo[PATH_MAX];
	char prefix[PATH_MAX]; /* in front of a mount point */
};

struct lowest {
	uint64_t bytes; /* UINT64_MAX: none */
	char source[SOURCE_BYTES];
};

struct limits {
	struct lowest memory;
	struct lowest swap;  /* v2 */
	struct lowest memsw; /* v1: memory and swap together */
};

/* The directory of a cgroup, and how much of it belongs to the mount. */
struct place {
	char dir[2 * PATH_MAX];
	size_t prefix_len; /* not part of what people are shown */
	size_t mount_len;  /* prefix and mount point */
};

static int format_path(char *ret, size_t size, const char *a, const char *b, const char *c)
{
	int n = snprintf(ret, size, "%s%s%s", a, b, c);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static FILE *open_text(const char *path, int *ret_error)
{
	FILE *f = fopen(path, "re");

	*ret_error = f ? 0 : -errno;
	return f;
}

/* Next line without its newline; 1, or 0 at the end, or -errno. */
static int next_line(FILE *f, char **line, size_t *size)
{
	ssize_t len;

	errno = 0;
	len = getline(line, size, f);
	if (len < 0)
		return ferror(f) ? -(errno ? errno : EIO) : 0;
	if (len > 0 && (*line)[len - 1] == '\n')
		(*line)[len - 1] = '\0';
	return 1;
}

/* "MemTotal:       24731708 kB" */
static int meminfo_value(const char *line, const char *name, uint64_t *ret_bytes)
{
	size_t name_len = strlen(name);
	char digits[24];
	uint64_t kib;
	size_t len;
	int r;

	if (strncmp(line, name, name_len))
		return 0;
	line += name_len;
	line += strspn(line, " ");
	len = strspn(line, "0123456789");
	if (!len || len >= sizeof(digits))
		return -EBADMSG;
	memcpy(digits, line, len);
	digits[len] = '\0';
	r = number_parse(digits, &kib);
	if (r || __builtin_mul_overflow(kib, UINT64_C(1024), ret_bytes))
		return -EBADMSG;
	return 1;
}

static int read_meminfo(const char *root, struct memory_totals *ret)
{
	char path[PATH_MAX];
	autofclose FILE *f = NULL;
	autofree char *line = NULL;
	bool have_ram = false;
	size_t size = 0;
	int r;

	memset(ret, 0, sizeof(*ret));
	r = format_path(path, sizeof(path), root, "/proc/meminfo", "");
	if (r)
		return r;
	f = open_text(path, &r);
	if (!f)
		return r;
	while ((r = next_line(f, &line, &size)) > 0) {
		r = meminfo_value(line, "MemTotal:", &ret->ram_bytes);
		if (r > 0)
			have_ram = true;
		if (!r)
			r = meminfo_value(line, "SwapTotal:", &ret->swap_bytes);
		if (!r)
			r = meminfo_value(line, "Hugetlb:", &ret->hugetlb_bytes);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	return have_ram ? 0 : -EBADMSG;
}

/* A process in another mount namespace has other mount points: they are looked
 * up below its root.  Where that is not ours to see, our own mounts serve: the
 * cgroup paths are relative to the reader in any case. */
static int find_view(const char *root, pid_t pid, struct view *ret)
{
	char proc[32];
	struct stat st;
	int r;

	(void)snprintf(proc, sizeof(proc), "/proc/%d", (int)pid); /* sized for it */
	r = format_path(ret->mountinfo, sizeof(ret->mountinfo), root, proc, "");
	if (r)
		return r;
	if (stat(ret->mountinfo, &st) < 0)
		return errno == ENOENT ? -ESRCH : -errno;

	r = format_path(ret->prefix, sizeof(ret->prefix), root, proc, "/root");
	if (r)
		return r;
	if (stat(ret->prefix, &st) < 0) {
		(void)snprintf(proc, sizeof(proc), "/proc/self");
		r = format_path(ret->prefix, sizeof(ret->prefix), root, "", "");
		if (r)
			return r;
	}
	return format_path(ret->mountinfo, sizeof(ret->mountinfo), root, proc, "/mountinfo");
}

/* Whether the comma-separated LIST has ITEM. */
static bool list_has(const char *list, const char *item)
{
	size_t len = strlen(item);

	while (list) {
		if (!strncmp(list, item, len) && (list[len] == ',' || list[len] == '\0'))
			return true;
		list = strchr(list, ',');
		if (list)
			list++;
	}
	return false;
}

/* Path of PID in the memory hierarchy of v1, or in v2: 1 with *RET (sized
 * PATH_MAX), 0 when there is none, or -errno. */
static int find_path(const char *root, pid_t pid, bool v2, char *ret)
{
	char path[PATH_MAX], proc[40];
	autofclose FILE *f = NULL;
	autofree char *line = NULL;
	size_t size = 0;
	int r;

	(void)snprintf(proc, sizeof(proc), "/proc/%d/cgroup", (int)pid); /* sized for it */
	r = format_path(path, sizeof(path), root, proc, "");
	if (r)
		return r;
	f = open_text(path, &r);
	if (!f)
		return r == -ENOENT ? 0 : r; /* a kernel without cgroups */
	while ((r = next_line(f, &line, &size)) > 0) {
		char *controllers = strchr(line, ':');
		char *where = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!where || where[1] != '/')
			continue;
		controllers++;
		*where++ = '\0';
		if (v2 ? strncmp(line, "0:", 2) || *controllers : !list_has(controllers, "memory"))
			continue;
		r = format_path(ret, PATH_MAX, where, "", "");
		return r ? r : 1;
	}
	return r;
}

static bool climbs(const char *path)
{
	const char *at = path;

	while ((at = strstr(at, "/.."))) {
		if (at[3] == '/' || at[3] == '\0')
			return true;
		at += 3;
	}
	return false;
}

/* Whether PATH is "/..", "/../.." and so on: a cgroup above our namespace. */
static bool only_climbs(const char *path)
{
	while (!strncmp(path, "/..", 3))
		path += 3;
	return *path == '\0';
}

/* What of the cgroup path PATH lies below the mount's root: "", "/a/b", or NULL
 * when PATH is not below it.  Below a root above our namespace PATH's own
 * directory cannot be named; the root itself can. */
static const char *below_root(const char *mount_root, const char *path)
{
	size_t len = strlen(mount_root);
	const char *rest;

	if (len == 1)
		len = 0; /* "/" */
	if (strncmp(path, mount_root, len) || (path[len] != '/' && path[len] != '\0'))
		return only_climbs(mount_root) && !climbs(path) ? "" : NULL;
	rest = path + len;
	if (!strcmp(rest, "/"))
		rest = "";
	return climbs(rest) ? NULL : rest;
}

/* The directory of PATH: through the mount that shows most of the way up, the
 * later one of two alike, for it may lie over the other.  1, 0 or -errno. */
static int find_place(const struct view *view, const char *path, bool v2, struct place *ret)
{
	autofclose FILE *f = NULL;
	autofree char *line = NULL;
	size_t best = SIZE_MAX, size = 0;
	int found = 0;
	int r;

	f = open_text(view->mountinfo, &r);
	if (!f)
		return r;
	while ((r = next_line(f, &line, &size)) > 0) {
		const char *rest;
		struct mount mount;

		if (!mountinfo_split(line, &mount) || strcmp(mount.fstype, v2 ? "cgroup2" : "cgroup"))
			continue;
		if (!v2 && !list_has(mount.super, "memory"))
			continue;
		rest = below_root(mount.root, path);
		if (!rest || strlen(mount.root) > best)
			continue;
		best = strlen(mount.root);
		r = format_path(ret->dir, sizeof(ret->dir), view->prefix, mount.point, rest);
		if (r)
			return r;
		ret->prefix_len = strlen(view->prefix);
		ret->mount_len = ret->prefix_len + strlen(mount.point);
		found = 1;
	}
	return r < 0 ? r : found;
}

/* Reads the limit in DIR/NAME: 1 with *RET, 0 when there is none, or -errno. */
static int read_limit(const char *path, uint64_t *ret)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ENODEV ? 0 : -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return errno == ENODEV ? 0 : -errno; /* removed since it was opened */
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (!strcmp(text, "max"))
		return 0;
	return number_parse(text, ret) ? -EBADMSG : 1;
}

static int note_limit(const struct place *place, const char *name, struct lowest *lowest)
{
	char path[sizeof(place->dir) + 64];
	uint64_t bytes;
	int r;

	r = format_path(path, sizeof(path), place->dir, "/", name);
	if (r)
		return r;
	r = read_limit(path, &bytes);
	if (r <= 0)
		return r;
	if (bytes < lowest->bytes) {
		lowest->bytes = bytes;
		/* for people: a path that is too long is cut */
		(void)snprintf(lowest->source, sizeof(lowest->source), "%s", path + place->prefix_len);
	}
	return 0;
}

/* Notes the limits of the cgroup and of each one above it that the mount shows. */
static int walk_up(struct place *place, bool v2, struct limits *limits)
{
	for (;;) {
		char *slash;
		int r;

		r = note_limit(place, v2 ? "memory.max" : "memory.limit_in_bytes", &limits->memory);
		if (!r && v2)
			r = note_limit(place, "memory.swap.max", &limits->swap);
		if (!r && !v2)
			r = note_limit(place, "memory.memsw.limit_in_bytes", &limits->memsw);
		if (r)
			return r;
		if (strlen(place->dir) <= place->mount_len)
			return 0;
		slash = strrchr(place->dir, '/');
		*slash = '\0'; /* there is one: dir is longer than the mount point */
	}
}

static int read_hierarchy(const char *root, pid_t pid, const struct view *view, bool v2, struct limits *limits)
{
	char path[PATH_MAX];
	struct place place;
	int r;

	r = find_path(root, pid, v2, path);
	if (r <= 0)
		return r;
	r = find_place(view, path, v2, &place);
	if (r <= 0)
		return r;
	return walk_up(&place, v2, limits);
}

/* Lowers the host's figures to the limits, and names what they came from: where
 * RAM has a limit that one, else also the one of swap. */
static void apply(const struct limits *limits, struct memory_totals *totals)
{
	const char *ram_source = NULL;
	const char *swap_source = NULL;
	int n;

	if (limits->memory.bytes < totals->ram_bytes) {
		totals->ram_bytes = limits->memory.bytes;
		ram_source = limits->memory.source;
	}
	if (limits->memsw.bytes < totals->ram_bytes) {
		totals->ram_bytes = limits->memsw.bytes;
		ram_source = limits->memsw.source;
	}
	if (limits->swap.bytes < totals->swap_bytes) {
		totals->swap_bytes = limits->swap.bytes;
		swap_source = limits->swap.source;
	}
	/* not negative: RAM was lowered to memsw above */
	if (limits->memsw.bytes - totals->ram_bytes < totals->swap_bytes) {
		totals->swap_bytes = limits->memsw.bytes - totals->ram_bytes;
		swap_source = limits->memsw.source;
	}
	if (ram_source)
		totals->hugetlb_bytes = 0;
	/* for people: a path that is too long is cut */
	n = snprintf(totals->source, sizeof(totals->source), "%s%s%s", ram_source ? ram_source : "/proc/meminfo",
		     !ram_source && swap_source ? ", " : "", !ram_source && swap_source ? swap_source : "");
	if (n < 0)
		totals->source[0] = '\0';
}

int cgroupfs_memory_totals(const char *root, pid_t pid, struct memory_totals *ret)
{
	struct limits limits = {
		.memory.bytes = UINT64_MAX,
		.swap.bytes = UINT64_MAX,
		.memsw.bytes = UINT64_MAX,
	};
	struct memory_totals totals;
	struct view view;
	int r;

	r = read_meminfo(root, &totals);
	if (r)
		return r;
	r = find_view(root, pid, &view);
	if (r)
		return r;
	r = read_hierarchy(root, pid, &view, false, &limits);
	if (!r)
		r = read_hierarchy(root, pid, &view, true, &limits);
	if (r)
		return r;
	apply(&limits, &totals);
	*ret = totals;
	return 0;
}

int cgroupfs_path(const char *root, pid_t pid, char *buf, size_t size)
{
	char path[PATH_MAX];
	int r = find_path(root, pid, true, path);

	/* v2 is mounted beside v1 on many hosts, with every process in its root */
	if (r == 0 || (r > 0 && !strcmp(path, "/"))) {
		int v1 = find_path(root, pid, false, path);

		if (v1 > 0)
			r = v1;
	}
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	return format_path(buf, size, path, "", "");
}
