/* SPDX-License-Identifier: MIT
 *
 * sample: the processes of this host, looked at again and again at little cost.
 *
 * A look reads the mm counters of every process through a descriptor that stays
 * open; names, users and threads only where a process is new, is on the screen,
 * or has its turn.
 */
#ifndef SURETY_TOP_SAMPLE_H
#define SURETY_TOP_SAMPLE_H

#include "look/look.h"

struct sample_row;

struct sample {
	struct sample_row *by_pid;
	uint32_t tick;
	uint32_t denied;   /* processes that /proc does not show us, though it lists them */
	bool swap;	   /* the host has swap, which the counters that are read each time lack */
	struct meminfo info;
	struct limit host;
	struct look_sum sum;
	uint32_t nr_spaces;
};

/* Lets the process hold as many descriptors as it may. */
void sample_init(struct sample *s);

/* Looks.  VISIBLE are rows to read whole.  0 or -errno of /proc. */
int sample_look(struct sample *s, const pid_t *visible, size_t nr);

void sample_free(struct sample *s);

/* Copies every row that has an address space for which WANTED says so.  Returns
 * how many; *RET grows as needed.  -ENOMEM. */
typedef bool sample_wanted_fn(void *ctx, const struct look_process *p);
ssize_t sample_rows(const struct sample *s, sample_wanted_fn *wanted, void *ctx, struct look_process **ret,
		    size_t *room);

#endif
