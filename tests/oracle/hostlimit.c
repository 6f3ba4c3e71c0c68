/* SPDX-License-Identifier: MIT
 *
 * hostlimit: vm.overcommit_* and the reserves.
 */
#include "hostlimit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "director.h"
#include "tally.h"

#define SYSCTL "/proc/sys/vm/"

enum { KIB = 1024 };

static int mode_file = -1;
static char mode_digit = '0';

static void in_a_guest(void)
{
	char text[4096] = " ";

	(void)tally_read("/proc/cmdline", text + 1, sizeof(text) - 1); /* then the word is not there */
	if (!strstr(text, " surety.guest"))
		fail("cannot set the host's limit", "this is no test guest (no surety.guest in /proc/cmdline)");
}

static void put(const char *path, uint64_t value)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%" PRIu64 "\n", value);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, (size_t)len) != len)
		fail(path, strerror(errno));
	close(fd);
}

void hostlimit_open(void)
{
	in_a_guest();
	mode_file = open(SYSCTL "overcommit_memory", O_WRONLY | O_CLOEXEC);
	if (mode_file < 0)
		fail(SYSCTL "overcommit_memory", strerror(errno));
	hostlimit_fold();
}

/* The kernel's CommitLimit for RATIO against mm/util.c vm_commit_limit. */
static void check_ratio(uint64_t ratio)
{
	uint64_t ram = tally_meminfo("MemTotal"), swap = tally_meminfo("SwapTotal");
	uint64_t huge = tally_meminfo("HugePages_Total") * tally_meminfo("Hugepagesize");
	uint64_t pages = (ram - huge) / 4096 * ratio / 100 + swap / 4096;
	char why[128];

	put(SYSCTL "overcommit_ratio", ratio);
	if (tally_meminfo("CommitLimit") == pages * 4096)
		return;
	snprintf(why, sizeof(why), "CommitLimit is %" PRIu64 " kB, and should be %" PRIu64 " kB",
		 tally_meminfo("CommitLimit") / KIB, pages * 4096 / KIB);
	fail("the ratio form", why);
}

void hostlimit_set(const struct script_settings *settings)
{
	uint64_t above = settings->has_limit ? settings->limit : UINT64_C(1) << 50;

	in_a_guest();
	if (settings->has_ratio) {
		check_ratio(settings->ratio);
		above = settings->memory * settings->ratio / 100;
	}
	put(SYSCTL "admin_reserve_kbytes", settings->admin_reserve / KIB);
	put(SYSCTL "user_reserve_kbytes", settings->user_reserve / KIB);
	mode_digit = (char)('0' + settings->mode);
	put(SYSCTL "overcommit_kbytes", (tally_meminfo("Committed_AS") + above - tally_meminfo("SwapTotal")) / KIB);
	hostlimit_fold();
}

void hostlimit_mode(int mode)
{
	hostlimit_open();
	mode_digit = (char)('0' + mode);
	hostlimit_fold();
}

void hostlimit_fold(void)
{
	const char text[2] = { mode_digit, '\n' };

	if (pwrite(mode_file, text, sizeof(text), 0) != sizeof(text))
		fail(SYSCTL "overcommit_memory", strerror(errno));
}
