/* SPDX-License-Identifier: MIT
 *
 * sample: see the header.
 *
 * Rests on: a statm that is open says ESRCH once its process is gone, also when
 * the id is taken by another; it follows the process through execve.  A kernel
 * thread's shows 0, as that of a zombie.
 */
#include "top/sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uthash.h>

#include "base/bytes.h"
#include "look/scan.h"
#include "sys/procfs.h"
#include "sys/status.h"

enum {
	TURNS = 16, /* every process is read whole once in so many looks */
	SPARE_FDS = 32,
};

struct sample_row {
	UT_hash_handle hh;
	pid_t pid;
	uint32_t tick; /* of the last look that saw it */
	int fd;	       /* statm, or -1 */
	uint64_t swap; /* as of the last whole reading */
	struct look_process p;
};

struct looking {
	struct sample *s;
	int max_fd;
};

void sample_init(struct sample *s)
{
	struct rlimit lim;

	memset(s, 0, sizeof(*s));
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
		lim.rlim_cur = lim.rlim_max < 1 << 16 ? lim.rlim_max : 1 << 16;
		(void)setrlimit(RLIMIT_NOFILE, &lim); /* fewer: more opening and closing */
	}
}

static bool is_shared(const struct sample *s, const struct look_process *p)
{
	struct sample_row *parent;

	HASH_FIND_INT(s->by_pid, &p->ppid, parent);
	return parent && same_address_space(p->pid, p->ppid) == 1;
}

/* All of a process.  False: it is gone, or not ours to see. */
static bool read_whole(struct sample *s, struct sample_row *row, bool new)
{
	struct task_status st;
	pid_t space_of = new ? row->pid : row->p.space_of;

	if (task_status_read("/proc", row->pid, &st) != 0)
		return false;
	scan_counters(&st, row->pid, &row->p);
	row->swap = st.swap;
	/* who shares a space has it from its parent, and loses it by execve */
	if (st.has_space && (new || space_of != row->pid))
		space_of = is_shared(s, &row->p) ? row->p.ppid : row->pid;
	row->p.space_of = space_of;
	return true;
}

static int read_counters(struct sample_row *row)
{
	struct statm statm;
	int r = row->fd >= 0 ? statm_read(row->fd, &statm) : statm_of(row->pid, &statm);

	if (r)
		return r;
	row->p.size = statm.size;
	row->p.committed = statm.data;
	row->p.used = look_unused(statm.resident, statm.shared) + row->swap;
	return 0;
}

static void forget(struct sample *s, struct sample_row *row)
{
	HASH_DEL(s->by_pid, row);
	if (row->fd >= 0)
		close(row->fd);
	free(row);
}

static int add(struct looking *look, pid_t pid)
{
	struct sample *s = look->s;
	struct sample_row *row = calloc(1, sizeof(*row));

	if (!row)
		return -ENOMEM;
	row->pid = pid;
	row->tick = s->tick;
	row->fd = statm_open(pid);
	if (row->fd >= look->max_fd) {
		close(row->fd);
		row->fd = -1;
	}
	if (!read_whole(s, row, true)) {
		if (row->fd >= 0)
			close(row->fd);
		free(row);
		s->denied += 1;
		return 0;
	}
	if (row->p.size == 0 && row->fd >= 0) { /* a kernel thread: looked at by its turn only */
		close(row->fd);
		row->fd = -1;
	}
	HASH_ADD_INT(s->by_pid, pid, row);
	return 0;
}

static int take_pid(void *ctx, pid_t pid)
{
	struct looking *look = ctx;
	struct sample *s = look->s;
	struct sample_row *row;
	bool turn = (uint32_t)pid % TURNS == s->tick % TURNS;

	HASH_FIND_INT(s->by_pid, &pid, row);
	if (!row)
		return add(look, pid);
	row->tick = s->tick;
	if (row->p.size == 0 && !turn)
		return 0; /* a kernel thread: it stays one */
	if (read_counters(row) < 0) {
		forget(s, row); /* gone, and the id is another's by now */
		return add(look, pid);
	}
	if (turn || row->p.space_of != pid)
		(void)read_whole(s, row, false); /* gone: the next look finds out */
	return 0;
}

static void sweep(struct sample *s)
{
	struct sample_row *row, *next;

	s->sum = (struct look_sum){ 0 };
	s->nr_spaces = 0;
	HASH_ITER(hh, s->by_pid, row, next) {
		if (row->tick != s->tick) {
			forget(s, row);
		} else if (row->p.size) {
			look_sum_add(&s->sum, &row->p);
			s->nr_spaces += row->p.space_of == row->pid;
		}
	}
}

int sample_look(struct sample *s, const pid_t *visible, size_t nr)
{
	struct looking look = { s, (int)sysconf(_SC_OPEN_MAX) - SPARE_FDS };
	int r = meminfo_read("/proc", &s->info);

	if (!r)
		r = meminfo_limit("/proc", &s->info, &s->host);
	if (r)
		return r;
	s->tick++;
	s->denied = 0;
	s->swap = s->info.swap_bytes != 0;
	r = process_list(take_pid, &look);
	if (r)
		return r;
	for (size_t i = 0; i < nr; i++) {
		struct sample_row *row;

		HASH_FIND_INT(s->by_pid, &visible[i], row);
		if (row && row->tick == s->tick)
			(void)read_whole(s, row, false); /* gone: the next look finds out */
	}
	sweep(s);
	return 0;
}

void sample_free(struct sample *s)
{
	struct sample_row *row, *next;

	HASH_ITER(hh, s->by_pid, row, next)
		forget(s, row);
}

ssize_t sample_rows(const struct sample *s, sample_wanted_fn *wanted, void *ctx, struct look_process **ret, size_t *room)
{
	struct sample_row *row, *next;
	size_t nr = 0;

	if (*room < HASH_COUNT(s->by_pid) + 1) {
		size_t more = HASH_COUNT(s->by_pid) + 64;
		struct look_process *rows = realloc(*ret, more * sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		*ret = rows;
		*room = more;
	}
	HASH_ITER(hh, s->by_pid, row, next)
		if (row->p.size && wanted(ctx, &row->p))
			(*ret)[nr++] = row->p;
	return (ssize_t)nr;
}
