/* SPDX-License-Identifier: MIT
 *
 * cgroup: see the header.  Of surety it has the layout of the pinned maps alone.
 */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "director.h"
#include "hostlimit.h"
#include "tally.h"

#define MOUNT "/sys/fs/cgroup"
#define PINS "/sys/fs/bpf/surety/"

enum { PAGE = 4096, WORD = 40, WORDS = 16, TRIES = 200, WAIT_US = 5000 };

static char folder[64], procs[96];
static uint64_t cgroup_id;
static int table = -1, audit = -1;
static uint64_t faults_before;
static struct surety_table *copy; /* of the heap: workers are of the same image, and have none */

void cgroup_open(const struct script_settings *settings)
{
	uint64_t most = settings->has_limit ? settings->limit : UINT64_MAX;
	struct stat st;

	if (settings->mode == 0)
		most = settings->has_memory ? settings->memory : 0;
	else if (settings->mode == 1)
		most = UINT64_MAX;
	else if (settings->has_ratio)
		most = settings->memory * settings->ratio / 100;
	hostlimit_mode(most > tally_meminfo("MemTotal") ? 1 : 0);
	snprintf(folder, sizeof(folder), MOUNT "/oracle-%d", (int)getpid());
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", folder);
	if (mkdir(folder, 0755) || stat(folder, &st))
		fail(folder, strerror(errno));
	cgroup_id = st.st_ino;
}

bool cgroup_enter(void)
{
	int fd = open(procs, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, "0", 1) == 1;
}

static int pin(const char *path)
{
	union bpf_attr attr = { .pathname = (uint64_t)(uintptr_t)path };
	int fd = (int)syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr));

	if (fd < 0)
		fail(path, strerror(errno));
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

static void run(char **argv)
{
	pid_t pid = vfork();
	int status;

	if (pid < 0)
		fail("vfork", strerror(errno));
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		fail(argv[0], "attach has failed");
}

/* One more option and its value. */
static void add(char **argv, char words[][WORD], int *nr, const char *option, uint64_t value, const char *unit)
{
	snprintf(words[*nr], WORD, "--%s=%" PRIu64 "%s", option, value, unit);
	argv[*nr + 3] = words[*nr];
	(*nr)++;
}

/* Reading mappings anew at mremap is in the order of things. */
uint64_t cgroup_faults(void)
{
	return copy->faults.untracked + copy->faults.unseeded + copy->faults.underflow - faults_before;
}

void cgroup_limit(const char *surety, const struct script_settings *settings, uint64_t held)
{
	uint64_t above = settings->has_limit ? settings->limit : UINT64_C(1) << 50;
	char program[128], words[WORDS][WORD], *argv[WORDS + 4] = { program, "attach", folder };
	int nr = 0;

	snprintf(program, sizeof(program), "%s", surety);
	if (settings->has_ratio) /* of the script's memory, above what is held: no option has that */
		above = settings->memory * settings->ratio / 100 / PAGE * PAGE;
	add(argv, words, &nr, "overcommit-memory", settings->mode, "");
	add(argv, words, &nr, "limit", held + above, "");
	add(argv, words, &nr, "swap", 0, "");
	if (settings->mode == 0 && settings->has_memory)
		add(argv, words, &nr, "memory", settings->memory, "");
	add(argv, words, &nr, "admin-reserve", settings->admin_reserve, "");
	add(argv, words, &nr, "user-reserve", settings->user_reserve, "");
	run(argv);
	copy = calloc(1, sizeof(*copy));
	if (!copy)
		fail("cannot read the table", strerror(ENOMEM));
	table = pin(PINS "table");
	audit = pin(PINS "audit");
	if (cgroup_held() != (int64_t)held)
		fail("surety attach", "it holds another sum than the first process");
	faults_before = cgroup_faults();
}

static const struct surety_group *group(void)
{
	uint32_t zero = 0;
	union bpf_attr attr = {
		.map_fd = (uint32_t)table,
		.key = (uint64_t)(uintptr_t)&zero,
		.value = (uint64_t)(uintptr_t)copy,
	};

	if (syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)))
		fail(PINS "table", strerror(errno));
	for (uint32_t i = 1; i < copy->used && i < GROUPS_MAX; i++)
		if (copy->group[i].state == GROUP_LIVE && copy->group[i].cgroup_id == cgroup_id)
			return &copy->group[i];
	fail(PINS "table", "the cgroup is not in it");
}

int64_t cgroup_held(void)
{
	return group()->committed * PAGE;
}

int64_t cgroup_drift(pid_t pid)
{
	struct surety_reading reading;
	union bpf_attr attr = {
		.test = {
			.prog_fd = (uint32_t)audit,
			.ctx_in = (uint64_t)(uintptr_t)&reading,
			.ctx_size_in = sizeof(reading),
		},
	};

	for (int i = 0; i < TRIES; i++) {
		reading = (struct surety_reading){ .pid = (uint32_t)pid };
		if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)))
			fail(PINS "audit", strerror(errno));
		if (reading.result != -EAGAIN)
			break;
		usleep(WAIT_US);
	}
	if (reading.result || !reading.known)
		fail("a worker is not counted", strerror(-reading.result));
	return (reading.ledger_ac + reading.ledger_nr - reading.kernel_ac - reading.kernel_nr) * PAGE;
}

int64_t cgroup_close(void)
{
	int64_t held = 0;

	for (int i = 0; i < TRIES; i++) {
		held = cgroup_held();
		if (!held)
			break;
		usleep(WAIT_US); /* an object may go a little later than its last user */
	}
	for (int i = 0; rmdir(folder) && i < TRIES; i++)
		usleep(WAIT_US); /* the dead leave it in their own time */
	return held;
}
