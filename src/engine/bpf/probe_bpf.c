/* SPDX-License-Identifier: MIT
 *
 * probe_bpf: whether the programs can be loaded here, by loading them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/bpf/engine_bpf.h"
#include "engine/bpf/pins.h"

static void add(struct probe_report *r, bool ok, const char *what, const char *why)
{
	struct probe_line *line = &r->line[r->nr++];

	line->ok = ok;
	line->fatal = !ok;
	if (!ok)
		r->usable = false;
	snprintf(line->what, sizeof(line->what), "%s", what);
	snprintf(line->why, sizeof(line->why), "%s", why);
}

void bpf_probe(struct probe_report *ret)
{
	char mount[4096];
	struct groups *g;
	struct err err = { 0 };
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->usable = true;
	cgroup_mount(mount, sizeof(mount));
	if (mount[0])
		add(ret, true, "cgroup v2", mount);
	else
		add(ret, false, "cgroup v2", "not mounted (mount -t cgroup2 none /sys/fs/cgroup)");
	r = groups_open(&g, GROUPS_LOADED, &err);
	if (r == 0) {
		add(ret, true, "programs", "loaded, with groups attached");
		groups_close(g);
		return;
	}
	if (r > 0 && groups_open(&g, GROUPS_LOAD, &err) == 0) {
		add(ret, true, "programs", "can be loaded and attached");
		pins_remove(PINS_DIR);
		groups_close(g);
		return;
	}
	add(ret, false, "programs", err.text);
}
