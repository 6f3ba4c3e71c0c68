/* SPDX-License-Identifier: MIT
 *
 * scenario: the rows that tell memory limits apart, one a call.
 *
 *   scenario S1|S2|S3|S4|S5 [MIB]
 *
 * MIB (256) is the limit that the row is about; what is asked for is a share of
 * it.  Prints one line with the outcome and exits 0: that a request is refused
 * is an outcome, not a failure.  Touches at most twice MIB.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw.h"

static unsigned long limit = 256 * MIB;

static const char *error_name(int error)
{
	return error == ENOMEM ? "ENOMEM" : strerror(error);
}

static void touch(char *p, unsigned long len)
{
	unsigned long i;

	for (i = 0; i < len; i += PAGE)
		p[i] = 1;
}

/* S1, S5: twice the limit at once, and every page written. */
static int map_and_touch(int extra)
{
	unsigned long len = 2 * limit;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | extra, -1, 0);

	if (p == MAP_FAILED) {
		printf("%s at mmap\n", error_name(errno));
		return 0;
	}
	touch(p, len);
	printf("works\n");
	return 0;
}

enum { MEMBERS = 4 };

/* Maps 40 % of the limit, writes it, tells the outcome and keeps it until RELEASE ends. */
static void member(int tell, int release)
{
	unsigned long len = limit / 10 * 4;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char outcome = p != MAP_FAILED ? 'p' : errno == ENOMEM ? 'n' : '?';

	if (p != MAP_FAILED)
		touch(p, len);
	if (write(tell, &outcome, 1) != 1)
		_exit(1);
	if (read(release, &outcome, 1) < 0)
		_exit(1);
	_exit(0);
}

/* S2: four processes, 40 % each; all hold what they have until all have tried. */
static int four_processes(void)
{
	int tell[2], release[2], i, passed = 0, refused = 0, killed = 0, status;
	char outcome;

	if (pipe(tell) || pipe(release))
		return 1;
	for (i = 0; i < MEMBERS; i++) {
		switch (fork()) {
		case -1:
			printf("fork: %s\n", error_name(errno));
			return 1;
		case 0:
			close(release[1]);
			close(tell[0]);
			member(tell[1], release[0]);
		}
	}
	close(tell[1]);
	for (i = 0; i < MEMBERS && read(tell[0], &outcome, 1) == 1; i++) {
		passed += outcome == 'p';
		refused += outcome == 'n';
	}
	close(release[1]);
	while (wait(&status) > 0)
		killed += WIFSIGNALED(status) != 0;
	if (killed)
		printf("%d killed\n", killed);
	else if (refused)
		printf("%d pass, %d ENOMEM\n", passed, refused);
	else
		printf("all pass\n");
	return 0;
}

/* S3: a reservation far beyond the limit, of which 10 MiB are used. */
static int reserve(void)
{
	char *p = mmap(NULL, 64 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		printf("refused (%s)\n", error_name(errno));
		return 0;
	}
	if (mprotect(p + GIB, 10 * MIB, PROT_READ | PROT_WRITE)) {
		printf("refused at mprotect (%s)\n", error_name(errno));
		return 0;
	}
	touch(p + GIB, 10 * MIB);
	printf("works\n");
	return 0;
}

/* S4: a sparse file four times the limit, mapped read-only and looked at. */
static int file_read_only(void)
{
	char name[] = "/tmp/surety-scenario-XXXXXX";
	unsigned long len = 4 * limit, i, sum = 0;
	int fd = mkstemp(name);
	const char *p;

	if (fd < 0 || unlink(name) || ftruncate(fd, (off_t)len)) {
		perror("scenario: file");
		return 1;
	}
	p = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED) {
		printf("refused (%s)\n", error_name(errno));
		return 0;
	}
	for (i = 0; i < len; i += 16 * MIB)
		sum += (unsigned long)p[i];
	printf(sum ? "wrong content\n" : "works\n");
	return 0;
}

int main(int argc, char **argv)
{
	const char *row = argc > 1 ? argv[1] : "";

	if (argc > 2)
		limit = strtoul(argv[2], NULL, 10) * MIB;
	if (!strcmp(row, "S1"))
		return map_and_touch(0);
	if (!strcmp(row, "S2"))
		return four_processes();
	if (!strcmp(row, "S3"))
		return reserve();
	if (!strcmp(row, "S4"))
		return file_read_only();
	if (!strcmp(row, "S5"))
		return map_and_touch(MAP_NORESERVE);
	fprintf(stderr, "usage: scenario S1|S2|S3|S4|S5 [MIB]\n");
	return 2;
}
