/* SPDX-License-Identifier: MIT
 *
 * tally: smaps row by row, objects by the files that show them.
 */
#include "tally.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { KIB = 1024, PAGE = 4096, LINE = 512 };

/* A mapping as smaps has it. */
struct row {
	uint64_t start, end, anonymous;
	dev_t dev;
	ino_t ino;
	bool writable, shared, zero; /* zero: shared anonymous memory or /dev/zero */
};

/* A file read line by line. */
struct lines {
	int fd;
	size_t used, at;
	char buf[8192];
};

static struct lines lines;

/* The next line without its end, or NULL.  What a long one has beyond LINE is lost. */
static char *next_line(char *line)
{
	size_t len = 0;

	for (;;) {
		if (lines.at == lines.used) {
			ssize_t n = read(lines.fd, lines.buf, sizeof(lines.buf));

			if (n <= 0)
				return NULL;
			lines.used = (size_t)n;
			lines.at = 0;
		}
		if (lines.buf[lines.at] == '\n')
			break;
		if (len < LINE - 1)
			line[len++] = lines.buf[lines.at];
		lines.at++;
	}
	lines.at++;
	line[len] = '\0';
	return line;
}

static int open_lines(const char *path)
{
	lines.used = lines.at = 0;
	lines.fd = open(path, O_RDONLY | O_CLOEXEC);
	return lines.fd < 0 ? -errno : 0;
}

int tally_read(const char *path, char *buf, int size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (len < size - 1 && (n = read(fd, buf + len, (size_t)(size - 1 - len))) > 0)
		len += (int)n;
	close(fd);
	buf[len] = '\0';
	return len;
}

/* "start-end perms offset major:minor inode name" */
static void read_header(struct row *row, const char *line)
{
	unsigned int major_nr, minor_nr;
	char *p;

	memset(row, 0, sizeof(*row));
	row->start = strtoull(line, &p, 16);
	row->end = strtoull(p + 1, &p, 16);
	row->writable = p[2] == 'w';
	row->shared = p[4] == 's';
	p = strchr(p + 1, ' ') + 1; /* the offset */
	p = strchr(p, ' ') + 1;
	major_nr = (unsigned int)strtoul(p, &p, 16);
	minor_nr = (unsigned int)strtoul(p + 1, &p, 16);
	row->dev = makedev(major_nr, minor_nr);
	row->ino = strtoull(p, &p, 10);
	p += strspn(p, " ");
	row->zero = row->shared && !strncmp(p, "/dev/zero (deleted)", 19);
}

static bool first_seen(struct tally *tally, dev_t dev, ino_t ino)
{
	for (int i = 0; i < tally->nr_seen; i++)
		if (tally->seen[i].dev == dev && tally->seen[i].ino == ino)
			return false;
	if (tally->nr_seen == TALLY_OBJECTS)
		return false;
	tally->seen[tally->nr_seen].dev = dev;
	tally->seen[tally->nr_seen++].ino = ino;
	return true;
}

static int stat_mapping(pid_t pid, const struct row *row, struct stat *st)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", (int)pid, (unsigned long)row->start,
		 (unsigned long)row->end);
	return stat(path, st) ? -errno : 0;
}

static uint64_t page_align(uint64_t bytes)
{
	return (bytes + PAGE - 1) / PAGE * PAGE;
}

static int add_row(struct tally *tally, pid_t pid, const struct row *row, const char *flags, int mode)
{
	bool noreserve = strstr(flags, " nr");
	struct stat st;

	if (row->zero && first_seen(tally, row->dev, row->ino)) {
		int r = stat_mapping(pid, row, &st);

		if (r)
			return r;
		tally->objects += noreserve && mode != 2 ? (uint64_t)st.st_blocks * 512 : page_align((uint64_t)st.st_size);
	}
	if (strstr(flags, " ac")) {
		tally->spaces += row->end - row->start;
	} else if (row->shared || strstr(flags, " ht") || strstr(flags, " dp")) {
		return 0;
	} else if (noreserve) {
		if (mode == 2)
			tally->spaces += row->writable ? row->end - row->start : row->anonymous;
	} else if (!row->writable) {
		tally->forced += row->anonymous;
	}
	return 0;
}

int tally_space(struct tally *tally, pid_t pid, int mode)
{
	struct row row = { 0 };
	char line[LINE], path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	r = open_lines(path);
	if (r)
		return r == -ENOENT ? -ESRCH : r;
	while (!r && next_line(line)) {
		if (line[0] < 'A' || line[0] > 'Z')
			read_header(&row, line);
		else if (!strncmp(line, "Anonymous:", 10) || !strncmp(line, "Swap:", 5))
			row.anonymous += strtoull(strchr(line, ':') + 1, NULL, 10) * KIB;
		else if (!strncmp(line, "VmFlags:", 8))
			r = add_row(tally, pid, &row, line + 8, mode);
	}
	close(lines.fd);
	return r;
}

static void add_pages(struct tally *tally, const struct stat *st)
{
	if (first_seen(tally, st->st_dev, st->st_ino))
		tally->objects += (uint64_t)st->st_blocks * 512;
}

void tally_path(struct tally *tally, const char *path)
{
	struct stat st;

	if (!stat(path, &st))
		add_pages(tally, &st);
}

void tally_fd(struct tally *tally, pid_t pid, int fd, dev_t dev, ino_t ino)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	if (!stat(path, &st) && st.st_dev == dev && st.st_ino == ino)
		add_pages(tally, &st);
}

void tally_mapped(struct tally *tally, pid_t pid, dev_t dev, ino_t ino)
{
	char line[LINE], path[64];
	struct stat st;
	struct row row;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	if (open_lines(path))
		return;
	while (next_line(line)) {
		read_header(&row, line);
		if (row.dev != dev || row.ino != ino)
			continue;
		if (!stat_mapping(pid, &row, &st))
			add_pages(tally, &st);
		break;
	}
	close(lines.fd);
}

/* Pages of a segment, in RAM or in swap: /proc/sysvipc/shm alone has them. */
static uint64_t segment_pages(int shmid)
{
	unsigned long long rss = 0, swap = 0;
	char line[LINE];
	int id;

	if (open_lines("/proc/sysvipc/shm"))
		return 0;
	while (next_line(line))
		if (sscanf(line, "%*d %d %*o %*u %*d %*d %*u %*u %*u %*u %*u %*u %*u %*u %llu %llu", &id, &rss,
			   &swap) == 3 &&
		    id == shmid)
			break;
		else
			rss = swap = 0;
	close(lines.fd);
	return rss + swap;
}

void tally_segment(struct tally *tally, int shmid, bool noreserve, int mode)
{
	struct shmid_ds ds;

	if (shmctl(shmid, IPC_STAT, &ds))
		return;
	tally->objects += noreserve && mode != 2 ? segment_pages(shmid) : page_align(ds.shm_segsz);
}

uint64_t tally_total_vm(pid_t pid)
{
	char path[64], text[128];

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	return tally_read(path, text, sizeof(text)) > 0 ? strtoull(text, NULL, 10) * PAGE : 0;
}

uint64_t tally_stack(pid_t pid)
{
	char line[LINE], path[64];
	uint64_t start = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	if (open_lines(path))
		return 0;
	while (!start && next_line(line))
		if (strstr(line, "[stack]"))
			start = strtoull(line, NULL, 16);
	close(lines.fd);
	return start;
}

uint64_t tally_meminfo(const char *name)
{
	static char text[8192];
	size_t len = strlen(name);
	char *p, *unit;
	uint64_t amount;

	if (tally_read("/proc/meminfo", text, sizeof(text)) < 0)
		return 0;
	for (p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		if (strncmp(p, name, len) || p[len] != ':')
			continue;
		amount = strtoull(p + len + 1, &unit, 10);
		return strncmp(unit, " kB", 3) ? amount : amount * KIB;
	}
	return 0;
}
