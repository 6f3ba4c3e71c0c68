/* SPDX-License-Identifier: MIT
 *
 * shmobj: readers of shared-memory objects.
 *
 * Decides only what kind of file a descriptor is open on.  Must not open the
 * object (a device may act on it) and must not allocate.  Rests on
 * mm/shmem.c: i_blocks counts the pages that an inode has instantiated, swapped
 * ones with the rest; tmpfs and hugetlbfs have no block device, so st_dev has
 * major number 0; and on fs/d_path.c: only names of what is not in any
 * directory tree ("socket:[1]", "pipe:[2]", "anon_inode:x") begin otherwise than
 * with '/'.  A "/memfd:" name proves nothing, any file may be called that.
 */
#include "sys/shmobj.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"

/* ---- SysV ---- */

/* Columns of a row, in the kernel's order. */
enum column {
	COL_KEY,
	COL_SHMID,
	COL_PERMS,
	COL_SIZE,
	COL_CPID,
	COL_LPID,
	COL_NATTCH,
	COL_UID,
	COL_GID,
	COL_CUID,
	COL_CGID,
	COL_ATIME,
	COL_DTIME,
	COL_CTIME,
	COL_RSS,
	COL_SWAP,
	COL_NR
};

/* A column as two's complement: only a key and a time can be negative. */
static bool take_column(const char **at, const char *end, unsigned int base, uint64_t *ret)
{
	const char *s = *at, *first;
	uint64_t value = 0;
	bool minus;

	while (s < end && *s == ' ')
		s++;
	minus = s < end && *s == '-';
	s += minus;
	for (first = s; s < end && *s >= '0' && *s < (char)('0' + base); s++) {
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
			return false;
	}
	if (s == first || (s < end && *s != ' ') || (minus && value > (uint64_t)INT64_MAX))
		return false;
	*ret = minus ? -value : value;
	*at = s;
	return true;
}

static int sysv_row(const char *text, size_t len, shmobj_sysv_fn *fn, void *ctx)
{
	const char *end = text + len;
	struct shmobj_sysv seg;
	uint64_t col[COL_NR];
	int i;

	for (i = 0; i < COL_NR; i++)
		if (!take_column(&text, end, i == COL_PERMS ? 8 : 10, &col[i]))
			return -EBADMSG;
	seg = (struct shmobj_sysv){
		.shmid = (int32_t)col[COL_SHMID],
		.key = (int32_t)col[COL_KEY],
		.perms = (uint32_t)col[COL_PERMS],
		.dest = col[COL_PERMS] & SHM_DEST,
		.cpid = (pid_t)col[COL_CPID],
		.lpid = (pid_t)col[COL_LPID],
		.size_bytes = col[COL_SIZE],
		.nattch = col[COL_NATTCH],
		.ctime = (int64_t)col[COL_CTIME],
		.rss_bytes = col[COL_RSS],
		.swap_bytes = col[COL_SWAP],
	};
	return fn(ctx, &seg);
}

static ssize_t read_some(int fd, char *buf, size_t len)
{
	ssize_t n;

	do {
		n = read(fd, buf, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Hands on every whole row in BUF and moves the rest to its front. */
static int take_rows(char *buf, size_t *used, bool *header, shmobj_sysv_fn *fn, void *ctx)
{
	char *at = buf, *newline;
	int r;

	while ((newline = memchr(at, '\n', *used))) {
		r = *header ? 0 : sysv_row(at, (size_t)(newline - at), fn, ctx);
		if (r)
			return r;
		*header = false;
		*used -= (size_t)(newline + 1 - at);
		at = newline + 1;
	}
	memmove(buf, at, *used);
	return 0;
}

int shmobj_walk_sysv(const char *proc_root, shmobj_sysv_fn *fn, void *ctx)
{
	char path[PATH_MAX], buf[8192];
	autoclose int fd = -1;
	bool header = true;
	size_t used = 0;
	int r;

	r = snprintf(path, sizeof(path), "%s/sysvipc/shm", proc_root);
	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n;

		if (used == sizeof(buf))
			return -EBADMSG; /* no row is that long */
		n = read_some(fd, buf + used, sizeof(buf) - used);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return used || header ? -EBADMSG : 0;
		used += (size_t)n;
		r = take_rows(buf, &used, &header, fn, ctx);
		if (r)
			return r;
	}
}

/* ---- descriptors ---- */

/* Filesystem types by device number, for the length of one scan. */
struct known_dev {
	dev_t dev;
	enum file_kind kind;
};

struct known_devs {
	dev_t only; /* not 0: the one device that is asked for, a tmpfs; no other is looked at */
	unsigned int nr;
	struct known_dev dev[8];
};

static int kind_of_filesystem(const char *path, enum file_kind *ret)
{
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return -errno;
	if (fs.f_type == TMPFS_MAGIC)
		*ret = FILE_SHMEM;
	else if (fs.f_type == HUGETLBFS_MAGIC)
		*ret = FILE_HUGETLB;
	else
		*ret = FILE_PLAIN;
	return 0;
}

/* KNOWN may be NULL. */
static int kind_of(const char *path, const struct statx *sx, struct known_devs *known, enum file_kind *ret)
{
	dev_t dev = makedev(sx->stx_dev_major, sx->stx_dev_minor);
	unsigned int i;
	int r;

	*ret = FILE_PLAIN;
	if (S_ISCHR(sx->stx_mode) && sx->stx_rdev_major == 1 && sx->stx_rdev_minor == 5)
		*ret = FILE_ZERO;
	if (!S_ISREG(sx->stx_mode) || sx->stx_dev_major != 0)
		return 0;
	if (known && known->only) {
		*ret = dev == known->only ? FILE_SHMEM : FILE_PLAIN;
		return 0;
	}
	for (i = 0; known && i < known->nr; i++) {
		if (known->dev[i].dev == dev) {
			*ret = known->dev[i].kind;
			return 0;
		}
	}
	r = kind_of_filesystem(path, ret);
	if (!r && known && known->nr < sizeof(known->dev) / sizeof(known->dev[0]))
		known->dev[known->nr++] = (struct known_dev){ dev, *ret };
	return r;
}

/* PATH leads to the object: a link of /proc, or its own name. */
static int describe(const char *path, struct known_devs *known, struct shmobj *ret)
{
	const unsigned int wanted = STATX_BASIC_STATS | STATX_BTIME;
	struct shmobj obj = { 0 };
	struct statx sx;
	ssize_t len;
	int r;

	/* what a remote filesystem has cached will do: only shmem's figures are used */
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, wanted, &sx) < 0)
		return -errno;
	r = kind_of(path, &sx, known, &obj.kind);
	if (r)
		return r;
	len = readlink(path, obj.path, sizeof(obj.path) - 1);
	if (len < 0 && errno != EINVAL) /* EINVAL: the object's own name, no link */
		return -errno;
	obj.path[len < 0 ? 0 : len] = '\0';
	obj.dev = makedev(sx.stx_dev_major, sx.stx_dev_minor);
	obj.ino = sx.stx_ino;
	obj.rdev = makedev(sx.stx_rdev_major, sx.stx_rdev_minor);
	obj.size_bytes = sx.stx_size;
	obj.pages = (sx.stx_blocks >> (PAGE_SHIFT - 9)) + ((sx.stx_blocks & ((PAGE_BYTES >> 9) - 1)) != 0);
	obj.nlink = sx.stx_nlink;
	if (sx.stx_mask & STATX_BTIME)
		obj.born_ns = (uint64_t)sx.stx_btime.tv_sec * 1000000000 + sx.stx_btime.tv_nsec;
	*ret = obj;
	return 0;
}

/* Whether PROC_ROOT/ID is there. */
static bool is_alive(const char *proc_root, pid_t id)
{
	char path[PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof(path), "%s/%d", proc_root, (int)id);

	return n > 0 && (size_t)n < sizeof(path) && stat(path, &st) == 0;
}

int shmobj_stat_fd(const char *proc_root, pid_t tid, int fd, struct shmobj *ret)
{
	char path[PATH_MAX];
	int r;

	if (fd < 0)
		return -EBADF;
	r = snprintf(path, sizeof(path), "%s/%d/fd/%d", proc_root, (int)tid, fd);
	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	r = describe(path, NULL, ret);
	if (r == -ENOENT)
		return is_alive(proc_root, tid) ? -EBADF : -ESRCH;
	return r;
}

bool shmobj_fd_writable(const char *proc_root, pid_t tid, int fd)
{
	char path[PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof(path), "%s/%d/fd/%d", proc_root, (int)tid, fd);

	return n < 0 || (size_t)n >= sizeof(path) || lstat(path, &st) < 0 || (st.st_mode & S_IWUSR);
}

int shmobj_stat_map(const char *proc_root, pid_t tid, uint64_t start, uint64_t end, struct shmobj *ret)
{
	char path[PATH_MAX];
	int r = snprintf(path, sizeof(path), "%s/%d/map_files/%" PRIx64 "-%" PRIx64, proc_root, (int)tid, start, end);

	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	return describe(path, NULL, ret);
}

int shmobj_stat_path(const char *path, struct shmobj *ret)
{
	return describe(path, NULL, ret);
}

struct scan {
	char path[PATH_MAX]; /* of the directory, with its last '/' */
	size_t path_len;
	int dir_fd;
	dev_t only; /* 0: any */
	struct known_devs known;
	shmobj_fn *fn;
	void *ctx;
};

/* What files of the kernel's own tmpfs are called; others may be called so, too. */
static bool is_internal_name(const char *name, size_t len)
{
	static const char *const all[] = { "/memfd:", "/dev/zero", "/SYSV" };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (len >= strlen(all[i]) && memcmp(name, all[i], strlen(all[i])) == 0)
			return true;
	return false;
}

static int scan_entry(struct scan *scan, const char *name)
{
	char target[SHMOBJ_PATH];
	struct shmobj obj;
	ssize_t len;
	int fd = 0;
	int r;

	for (len = 0; name[len]; len++)
		if (name[len] < '0' || name[len] > '9' || __builtin_mul_overflow(fd, 10, &fd) ||
		    __builtin_add_overflow(fd, name[len] - '0', &fd))
			return 0; /* "." and ".." */

	len = readlinkat(scan->dir_fd, name, target, sizeof(target));
	if (len < 0)
		return errno == ENOENT ? 0 : -errno;
	if (len == 0 || target[0] != '/' || (scan->only && !is_internal_name(target, (size_t)len)))
		return 0;
	r = snprintf(scan->path + scan->path_len, sizeof(scan->path) - scan->path_len, "%d", fd);
	if (r < 0 || (size_t)r >= sizeof(scan->path) - scan->path_len)
		return -ENAMETOOLONG;
	r = describe(scan->path, &scan->known, &obj);
	if (r)
		return r == -ENOENT ? 0 : r;
	return obj.kind == FILE_SHMEM ? scan->fn(scan->ctx, fd, &obj) : 0;
}

/* readdir(3) would allocate. */
static int scan_entries(struct scan *scan)
{
	_Alignas(struct dirent64) char buf[4096];

	for (;;) {
		long n = syscall(SYS_getdents64, scan->dir_fd, buf, sizeof(buf));
		long at;

		if (n < 0)
			return errno == ENOENT ? -ESRCH : -errno; /* it has ended since */
		if (n == 0)
			return 0;
		for (at = 0; at < n;) {
			const struct dirent64 *entry = (const struct dirent64 *)(buf + at);
			int r = scan_entry(scan, entry->d_name);

			if (r)
				return r;
			at += entry->d_reclen;
		}
	}
}

int shmobj_scan_fds(const char *proc_root, pid_t pid, shmobj_fn *fn, void *ctx)
{
	return shmobj_scan_fds_on(proc_root, pid, 0, fn, ctx);
}

int shmobj_scan_fds_on(const char *proc_root, pid_t pid, dev_t only, shmobj_fn *fn, void *ctx)
{
	struct scan scan = { .only = only, .fn = fn, .ctx = ctx };
	autoclose int dir_fd = -1;
	int r;

	r = snprintf(scan.path, sizeof(scan.path), "%s/%d/fd/", proc_root, (int)pid);
	if (r < 0 || (size_t)r >= sizeof(scan.path))
		return -ENAMETOOLONG;
	scan.path_len = (size_t)r;
	dir_fd = open(scan.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	scan.dir_fd = dir_fd;
	if (only)
		scan.known.only = only;
	return scan_entries(&scan);
}

dev_t shmobj_internal_dev(void)
{
	autoclose int fd = memfd_create("surety", MFD_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_dev : 0;
}
