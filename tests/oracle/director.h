/* SPDX-License-Identifier: MIT
 *
 * director: starts the first worker of a script, has each operation made by the
 * worker whose it is, and prints the outcomes.
 *
 * The director makes none of the calls.  It outlives every worker, is their
 * subreaper, and reads how one has ended from /proc/PID/stat where it is not the
 * parent.
 */
#ifndef TESTS_ORACLE_DIRECTOR_H
#define TESTS_ORACLE_DIRECTOR_H

#include <stdbool.h>

#include "model/script.h"

struct options {
	const char *files; /* folder of ordinary files */
	const char *tmpfs; /* folder on a tmpfs */
	const char *surety; /* a program: the script's limit is that of a cgroup, by the bpf engine */
	bool kernel_limit; /* the host's own sysctls are the script's: only in a test guest */
	bool meminfo;	   /* Committed_AS moves with this script alone: it is the count */
	bool ask;	   /* at each rest, print "ask" and wait for a line */
	bool base;	   /* print what is held at the start, and end */
};

/* Returns the exit status: 0, or 99 after a line on standard error. */
int direct(const struct script *script, const struct options *options);

/* Prints a line and ends with status 99. */
_Noreturn void fail(const char *what, const char *why);

#endif
