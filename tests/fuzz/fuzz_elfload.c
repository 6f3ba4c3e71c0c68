/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a program, and as its own interpreter: the paths "/i" and "i"
 * lead back to it, in a root directory that holds nothing else.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/elfload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[] = "/dev/shm/fuzz_elfload.XXXXXX";
static int root_fd = -1;

static void clean_up(void)
{
	unlinkat(root_fd, "i", 0);
	rmdir(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elfload load;
	int fd, next[4], r, i;

	if (root_fd < 0) {
		if (!mkdtemp(root))
			abort();
		root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (root_fd < 0)
			abort();
		atexit(clean_up);
	}
	fd = openat(root_fd, "i", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	memset(&load, 0xa5, sizeof(load));
	r = elfload_estimate(fd, root_fd, root_fd, 8 << 20, &load);
	if (r > 0 || (r == 0 && (load.stack_pages != 32 || load.dynamic > 1 || load.script > 1 || load.compat > 1)))
		abort();
	/* nothing was left open: the next ones are free */
	for (i = 0; i < 4; i++) {
		next[i] = dup(fd);
		if (next[i] != fd + 1 + i)
			abort();
	}
	while (i--)
		close(next[i]);
	close(fd);
	return 0;
}
