/* SPDX-License-Identifier: MIT
 *
 * absent: the bpf engine where it was not built.
 */
#include <stdio.h>
#include <string.h>

#include "engine/groups.h"

#define WHY "surety was built without it (install clang, llvm, bpftool and libbpf-dev, and build again)"

static int absent(struct err *err)
{
	return err_set(err, EXIT_SURETY, "cannot use the engine 'bpf': " WHY);
}

int groups_open(struct groups **ret, enum groups_open how, struct err *err)
{
	(void)ret;
	(void)how;
	return absent(err);
}

void groups_close(struct groups *g)
{
	(void)g;
}

int groups_attach(struct groups *g, const char *path, const struct limit *limit, struct err *err)
{
	(void)g;
	(void)path;
	(void)limit;
	return absent(err);
}

int groups_detach(struct groups *g, const char *path, struct err *err)
{
	(void)g;
	(void)path;
	return absent(err);
}

int groups_detach_all(struct err *err)
{
	return absent(err);
}

int groups_list(struct groups *g, groups_row_fn *fn, void *ctx, struct groups_faults *faults, struct err *err)
{
	(void)g;
	(void)fn;
	(void)ctx;
	(void)faults;
	return absent(err);
}

int groups_audit(struct groups *g, const char *path, groups_process_fn *fn, void *ctx, uint32_t *ret_unread,
		 struct err *err)
{
	(void)g;
	(void)path;
	(void)fn;
	(void)ctx;
	(void)ret_unread;
	return absent(err);
}

int groups_watch_open(struct groups_watch **ret, struct groups *g, uint64_t only, const struct engine_events *events,
		      struct err *err)
{
	(void)ret;
	(void)g;
	(void)only;
	(void)events;
	return absent(err);
}

int groups_watch_fd(const struct groups_watch *w)
{
	(void)w;
	return -1;
}

int groups_watch_dispatch(struct groups_watch *w)
{
	(void)w;
	return 0;
}

void groups_watch_close(struct groups_watch *w)
{
	(void)w;
}

uint64_t groups_lost(struct groups *g)
{
	(void)g;
	return 0;
}

int groups_cgroup(const char *path, uint64_t *ret_id, char *absolute, size_t size, struct err *err)
{
	(void)path;
	(void)ret_id;
	(void)absolute;
	(void)size;
	return absent(err);
}

static void absent_probe(struct probe_report *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->nr = 1;
	ret->line[0].fatal = true;
	snprintf(ret->line[0].what, sizeof(ret->line[0].what), "engine");
	snprintf(ret->line[0].why, sizeof(ret->line[0].why), WHY);
}

static int absent_start(struct engine **ret, const struct engine_config *cfg, struct err *err)
{
	(void)ret;
	(void)cfg;
	return absent(err);
}

const struct engine_ops engine_bpf = { .name = "bpf", .probe = absent_probe, .start = absent_start };
