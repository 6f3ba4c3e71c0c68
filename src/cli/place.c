/* SPDX-License-Identifier: MIT
 *
 * place: see the header.
 */
#include "cli/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/procfs.h"

enum {
	PLACES_MAX = 1024,
	COMM_SIZE = 16,           /* TASK_COMM_LEN */
	ENVIRON_MAX = 256 << 10, /* of a supervisor: as much as is looked at */
};

static const char root_dir[] = "/run/surety";

/* /run/surety for root, else under the user's run-time directory, else /tmp. */
static int directory(const char *prefix, uid_t uid, const char *runtime, struct place *ret)
{
	int n;

	ret->uid = uid;
	if (uid == 0)
		n = snprintf(ret->dir, sizeof(ret->dir), "%s%s", prefix, root_dir);
	else if (runtime && runtime[0] == '/')
		n = snprintf(ret->dir, sizeof(ret->dir), "%s%s/surety", prefix, runtime);
	else
		n = snprintf(ret->dir, sizeof(ret->dir), "%s/tmp/surety-%u", prefix, uid);
	return n < 0 || (size_t)n >= sizeof(ret->dir) ? -ENAMETOOLONG : 0;
}

/* A directory of its user alone: another's under /tmp is not entered. */
static int check(const struct place *place, struct stat *ret)
{
	if (lstat(place->dir, ret) < 0)
		return -errno;
	return S_ISDIR(ret->st_mode) && ret->st_uid == place->uid && !(ret->st_mode & 077) ? 0 : -EPERM;
}

int place_own(struct place *ret, bool create)
{
	struct stat st;
	int r = directory("", geteuid(), getenv("XDG_RUNTIME_DIR"), ret);

	if (r < 0)
		return r;
	if (create && mkdir(ret->dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	return check(ret, &st);
}

struct others {
	place_fn *fn;
	void *ctx;
	struct {
		dev_t dev;
		ino_t ino;
	} seen[PLACES_MAX];
	size_t nr;
};

/* Whether PLACE is one, and for the first time. */
static bool is_new(struct others *others, const struct place *place)
{
	struct stat st;

	if (check(place, &st) < 0 || others->nr == PLACES_MAX)
		return false;
	for (size_t i = 0; i < others->nr; i++)
		if (others->seen[i].dev == st.st_dev && others->seen[i].ino == st.st_ino)
			return false;
	others->seen[others->nr].dev = st.st_dev;
	others->seen[others->nr++].ino = st.st_ino;
	return true;
}

static void take(struct others *others, const struct place *place)
{
	if (is_new(others, place))
		others->fn(others->ctx, place);
}

/* What a process had in NAME when it was started, in BUF, or NULL. */
static const char *started_with(pid_t pid, const char *name, char *buf, size_t size)
{
	size_t len = strlen(name), have = 0;
	autoclose int fd = -1;
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && have < size - 1 && (n = read(fd, buf + have, size - 1 - have)) > 0)
		have += (size_t)n;
	buf[have] = '\0';
	for (const char *at = buf; at < buf + have; at += strlen(at) + 1)
		if (!strncmp(at, name, len) && at[len] == '=')
			return at + len + 1;
	return NULL;
}

/* One that supervisor PID may have its socket in. */
static int take_supervisor(void *ctx, pid_t pid)
{
	struct others *others = ctx;
	autofree char *environ_of = NULL;
	char comm[COMM_SIZE], prefix[32];
	struct place place;
	struct stat st;

	task_comm(pid, comm, sizeof(comm));
	if (strcmp(comm, "surety") != 0)
		return 0;
	snprintf(prefix, sizeof(prefix), "/proc/%d", pid);
	environ_of = malloc(ENVIRON_MAX);
	if (!environ_of || stat(prefix, &st) < 0)
		return 0;
	snprintf(prefix, sizeof(prefix), "/proc/%d/root", pid);
	if (directory(prefix, st.st_uid, started_with(pid, "XDG_RUNTIME_DIR", environ_of, ENVIRON_MAX), &place) == 0)
		take(others, &place);
	/* Who is root in a user namespace only. */
	if (st.st_uid != 0 && directory(prefix, 0, NULL, &place) == 0) {
		place.uid = st.st_uid;
		take(others, &place);
	}
	return 0;
}

void place_others(place_fn *fn, void *ctx)
{
	struct others *others = geteuid() == 0 ? calloc(1, sizeof(*others)) : NULL;
	struct place own;

	if (!others)
		return;
	others->fn = fn;
	others->ctx = ctx;
	if (place_own(&own, false) == 0)
		(void)is_new(others, &own);
	(void)process_list(take_supervisor, others);
	free(others);
}

bool place_is_name(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);

	return len > 0 && len <= PLACE_NAME_MAX && strspn(name, allowed) == len && name[0] != '.' && name[0] != '-';
}

void place_names(const struct place *place, place_name_fn *fn, void *ctx)
{
	autoclosedir DIR *d = opendir(place->dir);
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		fn(ctx, place, entry->d_name);
}

int place_address(const struct place *place, const char *name, struct sockaddr_un *ret)
{
	int n;

	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%s", place->dir, name);
	return n < 0 || (size_t)n >= sizeof(ret->sun_path) ? -ENAMETOOLONG : 0;
}

int place_connect(const struct sockaddr_un *addr, int wait_ms)
{
	const struct timeval wait = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000L };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		return fd;
	r = -errno;
	close_fd(&fd);
	return r;
}
