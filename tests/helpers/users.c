/* SPDX-License-Identifier: MIT
 *
 * users SIZE_MIB: maps so much and says so; then, for some seconds, processes of lower
 * ids share the address space, one after the other, each for a moment.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

#define RW (PROT_READ | PROT_WRITE)

int main(int argc, char **argv)
{
	struct timespec moment = { .tv_nsec = 300000 };
	pid_t id = getpid();
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK,
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&id,
		.set_tid_size = 1,
	};
	long ret;

	if (argc != 2)
		return 2;
	check(mmap(NULL, strtoul(argv[1], NULL, 10) * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED, "mapped");
	alarm(20);
	for (;;) {
		id = id > 300 ? id - 1 : getpid() - 1;
		ret = raw2(SYS_clone3, &args, sizeof(args));
		if (ret == 0) {
			raw2(SYS_nanosleep, &moment, 0);
			raw_exit(0);
		}
		if (ret > 0)
			waitpid((pid_t)ret, NULL, 0);
		else if (ret != -EEXIST)
			return 4; /* it takes privilege */
	}
}
