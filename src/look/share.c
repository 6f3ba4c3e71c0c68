/* SPDX-License-Identifier: MIT
 *
 * share: which processes have one address space (vfork, CLONE_VM).
 *
 * Rests on kcmp(2): beside "the same" it tells an order of the two, so one sort
 * brings equal ones together.  Processes that may not be compared stand alone.
 */
#include <errno.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "look/scan.h"

/* Order of two address spaces, or of their ids where the kernel says nothing:
 * a process that ends meanwhile may be sorted anywhere, and shares with nobody. */
static long compare(pid_t a, pid_t b)
{
	return syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0);
}

static int by_space(const void *a, const void *b)
{
	const struct look_process *const *x = a, *const *y = b;
	long r = compare((*x)->pid, (*y)->pid);

	if (r == 1)
		return -1;
	if (r == 2)
		return 1;
	return (*x)->pid < (*y)->pid ? -1 : (*x)->pid > (*y)->pid;
}

void scan_share(struct look *l)
{
	struct look_process **all = calloc(l->nr + 1, sizeof(struct look_process *));
	size_t nr = 0;

	l->nr_spaces = (uint32_t)l->nr;
	if (!all)
		return;
	for (size_t i = 0; i < l->nr; i++) {
		pid_t pid = l->process[i].pid;

		l->process[i].space_of = pid;
		if (compare(pid, pid) == 0)
			all[nr++] = &l->process[i];
		else if (errno != ESRCH)
			l->missing.kcmp = true;
	}
	if (nr)
		qsort(all, nr, sizeof(struct look_process *), by_space);
	/* with equal spaces the lowest pid comes first */
	for (size_t i = 1; i < nr; i++) {
		if (compare(all[i - 1]->pid, all[i]->pid) != 0)
			continue;
		all[i]->space_of = all[i - 1]->space_of;
		l->nr_spaces--;
	}
	free(all);
}
