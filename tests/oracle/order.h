/* SPDX-License-Identifier: MIT
 *
 * order: what the director and a worker say to each other, a packet each way.
 */
#ifndef TESTS_ORACLE_ORDER_H
#define TESTS_ORACLE_ORDER_H

#include <sys/types.h>

#include "model/script.h"

enum {
	PROCESSES = 100, /* of one script */
	OBJECTS = 256,
	REGIONS = 2048,
	PATH_LEN = 160,

	/* Descriptors: the worker's end of process i, the director's, object i. */
	WORKER_FD = 100,
	DIRECTOR_FD = WORKER_FD + PROCESSES,
	OBJECT_FD = DIRECTOR_FD + PROCESSES,
};

struct order {
	struct script_op op;
	uint64_t place, new_place; /* where the regions of op start */
	uint64_t segment_bytes;	   /* attach */
	int shmid;		   /* attach, destroy */
	pid_t other;		   /* poke of PROCESS: it */
	char path[PATH_LEN];	   /* exec, spawn: the program; file, tmpfs, close: the file; zero: the device */
};

struct answer {
	enum { ANSWER_DONE, ANSWER_SKIPPED, ANSWER_UP } kind; /* UP: the first of a new image or process */
	int error;					       /* errno, or 0 */
	int signal;					       /* of a child that was to end by itself, or 0 */
	pid_t child;					       /* fork */
	int shmid;					       /* segment */
	dev_t dev;					       /* memfd, tmpfs */
	ino_t ino;
};

#endif
