/* SPDX-License-Identifier: MIT
 *
 * surety attach, surety detach: limits that the kernel keeps.
 */
#include <string.h>

#include "cli/cmd.h"
#include "cli/run_limit.h"
#include "core/mode.h"
#include "engine/groups.h"

static int check(const struct attach_opts *opts, struct err *err)
{
	if (!opts->target)
		return err_set(err, EXIT_SURETY, "no cgroup given: surety attach needs one (surety attach system.slice "
			       "--limit 1G)");
	if (opts->limit_bytes != OPT_UNSET && opts->ratio != OPT_UNSET)
		return err_set(err, EXIT_SURETY, "cannot use '--overcommit-ratio': the limit is given as a size already "
			       "(give one of them)");
	if (opts->mode == OVERCOMMIT_NEVER && opts->limit_bytes == OPT_UNSET && opts->ratio == OPT_UNSET)
		return err_set(err, EXIT_SURETY, "no limit given: a group with overcommit_memory 2 has none by itself "
			       "(add --limit SIZE or --overcommit-ratio PCT)");
	return 0;
}

int cmd_attach(const struct attach_opts *opts, struct err *err)
{
	const struct run_opts same = {
		.limit_bytes = opts->limit_bytes,
		.ratio = opts->ratio,
		.mode = opts->mode,
		.memory_bytes = opts->memory_bytes,
		.swap_bytes = opts->swap_bytes,
		.admin_reserve_bytes = opts->admin_reserve_bytes,
		.user_reserve_bytes = opts->user_reserve_bytes,
	};
	struct limit limit;
	struct groups *g;
	char absolute[4096];
	uint64_t id;
	int r;

	if (check(opts, err) < 0 || run_limit(&same, &limit, err) < 0 ||
	    groups_cgroup(opts->target, &id, absolute, sizeof(absolute), err) < 0 || groups_open(&g, GROUPS_LOAD, err) < 0)
		return -1;
	r = groups_attach(g, absolute, &limit, err);
	groups_close(g);
	return r;
}

int cmd_detach(const struct detach_opts *opts, struct err *err)
{
	struct groups *g;
	int r;

	if (opts->all && opts->target)
		return err_set(err, EXIT_SURETY, "cannot use '--all': a cgroup is given already (give one of them)");
	if (opts->all)
		return groups_detach_all(err);
	if (!opts->target)
		return err_set(err, EXIT_SURETY, "no cgroup given: surety detach needs one, or --all (surety groups lists "
			       "them)");
	r = groups_open(&g, GROUPS_LOADED, err);
	if (r == 0) {
		groups_close(g);
		r = groups_open(&g, GROUPS_LOAD, err); /* alone with it */
	}
	if (r > 0)
		return err_set(err, EXIT_SURETY, "cannot detach '%s': no cgroup is limited (surety attach)", opts->target);
	if (r < 0)
		return -1;
	r = groups_detach(g, opts->target, err);
	groups_close(g);
	return r;
}
