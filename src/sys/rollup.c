/* SPDX-License-Identifier: MIT
 *
 * rollup: see the header (fs/proc/task_mmu.c show_smaps_rollup).
 */
#include "sys/rollup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

static int field(const char *text, const char *name, uint64_t *sum)
{
	const char *at = strstr(text, name);

	if (!at)
		return -EBADMSG;
	*sum += strtoull(at + strlen(name), NULL, 10) << 10;
	return 0;
}

int rollup_read(const char *proc_root, pid_t pid, struct rollup *ret)
{
	struct rollup sums = { 0 };
	char path[4096], text[2048];
	autoclose int fd = -1;
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/%d/smaps_rollup", proc_root, pid) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return n < 0 ? -errno : -ESRCH;
	text[n] = '\0';
	if (field(text, "\nAnonymous:", &sums.anon) < 0 || field(text, "\nSwap:", &sums.anon) < 0 ||
	    field(text, "\nPss_Anon:", &sums.anon_pss) < 0 || field(text, "\nSwapPss:", &sums.anon_pss) < 0)
		return -EBADMSG;
	*ret = sums;
	return 0;
}
