/* SPDX-License-Identifier: MIT
 *
 * fork32: a process with a 32 MiB buffer that forks 32 children which keep it.
 *
 *   fork32 LIMIT_MIB
 *
 * Says "fits N", the children that its own figures say must be allowed, then
 * "forked N" and the error; then waits for a line and ends them all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

#define BUFFER (32 * MIB)

enum { CHILDREN = 32 };

static struct count_map map;

/* Children that fit: each charges what the parent holds at that moment, and
 * the sum must stay below the limit. */
static int predict(unsigned long limit)
{
	unsigned long space, charge, held;
	int n = 0;

	if (count_read("/proc/self/smaps", &map))
		return -1;
	space = held = count_space(&map);
	charge = count_fork(&map);
	(void)space;
	while (n < CHILDREN && held + charge < limit) {
		held += charge;
		n++;
	}
	return n;
}

int main(int argc, char **argv)
{
	unsigned long limit = strtoul(argc > 1 ? argv[1] : "512", NULL, 10) * MIB;
	char *buffer = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char line[80];
	pid_t child[CHILDREN];
	int i, error = 0;

	if (buffer == MAP_FAILED)
		return 1;
	memset(buffer, 1, BUFFER);
	grow_stack();
	snprintf(line, sizeof(line), "fits %d", predict(limit));
	hold(line);
	for (i = 0; i < CHILDREN; i++) {
		child[i] = fork();
		if (child[i] < 0) {
			error = errno;
			break;
		}
		if (child[i] == 0) {
			for (;;)
				pause();
		}
	}
	snprintf(line, sizeof(line), "forked %d %s", i, error == ENOMEM ? "ENOMEM" : error ? strerror(error) : "all");
	hold(line);
	while (i-- > 0)
		kill(child[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	hold("after");
	return 0;
}
