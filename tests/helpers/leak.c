/* SPDX-License-Identifier: MIT
 *
 * leak: makes the kernel lose commitment, for good, until the next boot.
 *
 *   leak KIB
 *
 * Memory that grows down and is not charged (MAP_NORESERVE) is charged for its
 * growth, and gives nothing back (docs/ACCOUNTING.md, L1).  For guests: nothing
 * on a machine that others use may call this.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "count.h"

int main(int argc, char **argv)
{
	unsigned long kib = argc > 1 ? strtoul(argv[1], NULL, 10) : 0, room = (kib << 10) + (4UL << 20);
	char *space, *top;

	if (!kib || kib > 6144) /* RLIMIT_STACK bounds one growth */
		return 2;
	space = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (space == MAP_FAILED || munmap(space, room))
		return 1;
	top = mmap(space + room - PAGE, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	if (top == MAP_FAILED)
		return 1;
	*(volatile char *)(top - (kib << 10)) = 1;
	return 0;
}
