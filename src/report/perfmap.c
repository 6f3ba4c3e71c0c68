/* SPDX-License-Identifier: MIT
 *
 * perfmap: see perfmap.h.  Lines are "START SIZE NAME", both numbers in hex
 * (tools/perf/Documentation/jit-interface.txt of the kernel).  A later line
 * for the same address replaces an earlier one: code is compiled again.
 */
#include "report/perfmap.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

enum {
	PERFMAP_NAME = 256,
	PERFMAP_LINES = 2000000, /* a large program's; about 100 MB */
};

static void name_frames(struct stack *stack, uint64_t start, uint64_t size, const char *name)
{
	for (int i = 0; i < stack->nr; i++) {
		struct frame *f = &stack->frame[i];
		uint64_t call = f->pc - 1;
		char *copy;

		if (f->module || call < start || call - start >= size)
			continue;
		copy = strndup(name, PERFMAP_NAME);
		if (!copy)
			return;
		free(f->symbol);
		f->symbol = copy;
		f->symbol_offset = f->pc - start;
	}
}

void perfmap_read(FILE *file, struct stack *stack)
{
	char line[2 * 16 + 2 + PERFMAP_NAME + 2];
	int c;

	for (long n = 0; n < PERFMAP_LINES && fgets(line, sizeof(line), file); n++) {
		char *end = strchr(line, '\n'), *at;
		uint64_t start, size;

		if (end)
			*end = '\0';
		else /* the rest of a line too long is not another line */
			while ((c = getc(file)) != EOF && c != '\n')
				;
		start = strtoull(line, &at, 16);
		if (at == line || *at != ' ')
			continue;
		size = strtoull(at, &end, 16);
		if (end == at || *end != ' ' || !end[1])
			continue;
		name_frames(stack, start, size, end + 1);
	}
}

static FILE *open_perfmap(const char *path, uid_t owner)
{
	autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	FILE *f;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	if (st.st_uid != owner && st.st_uid != geteuid())
		return NULL;
	f = fdopen(fd, "r");
	if (f)
		(void)steal_fd(&fd);
	return f;
}

void perfmap_resolve(pid_t pid, struct stack *stack)
{
	autofclose FILE *file = NULL;
	char path[64];
	struct stat st;
	uid_t owner = geteuid();
	int wanted = 0;

	for (int i = 0; i < stack->nr; i++)
		wanted += !stack->frame[i].module;
	if (!wanted)
		return;

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (stat(path, &st) == 0)
		owner = st.st_uid;
	(void)snprintf(path, sizeof(path), "/proc/%d/root/tmp/perf-%d.map", (int)pid, (int)pid);
	file = open_perfmap(path, owner);
	if (!file) { /* it has ended, or is not ours to look into */
		(void)snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)pid);
		file = open_perfmap(path, owner);
	}
	if (file)
		perfmap_read(file, stack);
}
