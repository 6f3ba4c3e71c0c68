/* SPDX-License-Identifier: MIT
 *
 * load: keeps a supervisor busy until it is told otherwise.
 *
 *   load forks|maps|refusals|mixed|sleep [CHILDREN]
 *
 * Runs for ever.  When a call that can raise a charge fails otherwise than
 * with ENOMEM or EAGAIN it ends with status 70: nobody is left to answer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static void look(long ret)
{
	if (raw_failed(ret) && ret != -ENOMEM && ret != -EAGAIN)
		raw_exit(70);
}

static void forks(void)
{
	long pid = raw0(SYS_fork);

	if (pid == 0)
		raw_exit(0);
	look(pid);
	if (pid > 0)
		raw4(SYS_wait4, pid, 0, 0, 0);
}

static void maps(void)
{
	long p = raw6(SYS_mmap, 0, MIB, RW, ANON, -1, 0);

	look(p);
	if (!raw_failed(p))
		raw2(SYS_munmap, p, MIB);
}

static void refusals(void)
{
	look(raw6(SYS_mmap, 0, 64 * GIB, RW, ANON, -1, 0));
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	int i, children = argc > 2 ? atoi(argv[2]) : 0;

	grow_stack();
	for (i = 0; i < children; i++)
		if (fork() == 0)
			break;
	check_put("up\n", 3);
	for (;;) {
		if (!strcmp(kind, "forks") || !strcmp(kind, "mixed"))
			forks();
		if (!strcmp(kind, "maps") || !strcmp(kind, "mixed"))
			maps();
		if (!strcmp(kind, "refusals") || !strcmp(kind, "mixed"))
			refusals();
		if (!strcmp(kind, "sleep"))
			pause();
	}
}
