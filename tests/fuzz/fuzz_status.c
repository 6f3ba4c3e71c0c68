/* SPDX-License-Identifier: MIT
 *
 * Lines of status and mountinfo, whole and broken: what is accepted is sane, and
 * nothing is read or written beyond its end.
 */
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"
#include "sys/mountinfo.h"
#include "sys/status.h"

static const char *const piece[] = {
	"Name:\t", "State:\t", "PPid:\t", "Uid:\t", "Threads:\t", "VmSize:\t", "VmData:\t", "VmStk:\t", "VmSwap:\t", "RssAnon:\t",
	"Groups:\t", "\n", "\\n", "\\\\", "\\", " kB\n", "\t", "0", "1 2 3 4", "18446744073709551615", "99999999999999999999",
	"S (sleeping)", "x", " ", "-", ":", "0:23", "/", "/run\\040a", "tmpfs", "\\", "\\1", "\\777", "rw",
	"Name:\ta\nState:\tS\nPPid:\t1\nUid:\t0\t0\nThreads:\t1\n",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct task_status st;
	struct mount mount;
	char *text = malloc(8192), *line;
	size_t used = 0;

	if (!text)
		return 0;
	while (in.left && used < 8000) {
		const char *p = piece[fuzz_byte(&in) % (sizeof(piece) / sizeof(piece[0]))];
		size_t len = strlen(p);

		if (used + len >= 8000)
			break;
		memcpy(text + used, p, len);
		used += len;
	}
	line = malloc(used + 1); /* to its last byte, for a sanitizer */
	if (line) {
		memcpy(line, text, used);
		line[used] = '\0';
		memset(&st, 0xaa, sizeof(st));
		if (task_status_parse(line, used, &st) == 0) {
			FUZZ_CHECK(memchr(st.comm, '\0', sizeof(st.comm)));
			FUZZ_CHECK(st.has_space || st.size == 0);
		} else {
			FUZZ_CHECK(st.threads == 0xaaaaaaaau); /* outputs are left alone */
		}
		if (mountinfo_split(line, &mount)) {
			FUZZ_CHECK(mount.point >= line && mount.point <= line + used);
			FUZZ_CHECK(strlen(mount.point) + strlen(mount.fstype) + strlen(mount.super) <= used);
		}
	}
	free(line);
	free(text);
	return 0;
}
