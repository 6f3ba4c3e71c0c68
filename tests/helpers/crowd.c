/* SPDX-License-Identifier: MIT
 *
 * crowd: a machine with many processes.
 *
 *   crowd N
 *
 * Forks N children that sleep, says "rest", and ends them all at a line or at
 * the end of standard input.  The children end with their parent in any case.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 0, i;
	pid_t *child = calloc(n + 1, sizeof(*child));
	char c;

	if (!child || n < 1)
		return 2;
	for (i = 0; i < n; i++) {
		child[i] = fork();
		if (child[i] < 0)
			break;
		if (child[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
	}
	printf(i == n ? "rest\n" : "cannot fork\n");
	fflush(stdout);
	while (i == n && read(0, &c, 1) == 1 && c != '\n')
		;
	n = i;
	for (i = 0; i < n; i++)
		kill(child[i], SIGKILL);
	for (i = 0; i < n; i++)
		waitpid(child[i], NULL, 0);
	return 0;
}
