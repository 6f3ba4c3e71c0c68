/* SPDX-License-Identifier: MIT
 *
 * run_limit: see the header.
 */
#include "cli/run_limit.h"

#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "sys/cgroupfs.h"

enum { DEFAULT_RATIO = 50 }; /* vm.overcommit_ratio */

int run_limit(const struct run_opts *opts, struct limit *ret, struct err *err)
{
	bool by_limit = opts->limit_bytes != OPT_UNSET;
	/* Only a run that is recorded may leave the limit out. */
	bool unlimited = opts->mode == OVERCOMMIT_NEVER && !by_limit && opts->ratio == OPT_UNSET;
	/* Mode 0 refuses by RAM and swap, a ratio is one of RAM; a plain limit needs neither. */
	bool need_ram = !by_limit || opts->record || opts->mode == OVERCOMMIT_GUESS;
	struct memory_totals totals = { 0 };
	int r;

	if (need_ram && (opts->memory_bytes == OPT_UNSET || opts->swap_bytes == OPT_UNSET)) {
		r = cgroupfs_memory_totals("", getpid(), &totals);
		if (r < 0)
			return err_set(err, EXIT_SURETY, "cannot read the RAM and swap of '/proc/meminfo': %s (give --memory "
				       "and --swap)", strerror(-r));
	}
	memset(ret, 0, sizeof(*ret));
	ret->mode = (enum overcommit)opts->mode;
	ret->by_ratio = !by_limit && !unlimited;
	if (unlimited)
		ret->limit_pages = INT64_MAX >> PAGE_SHIFT;
	if (by_limit)
		ret->limit_pages = opts->limit_bytes >> PAGE_SHIFT;
	ret->ratio = opts->ratio == OPT_UNSET ? DEFAULT_RATIO : opts->ratio;
	if (opts->memory_bytes != OPT_UNSET) {
		ret->ram_pages = opts->memory_bytes >> PAGE_SHIFT;
	} else {
		ret->ram_pages = totals.ram_bytes >> PAGE_SHIFT;
		ret->hugetlb_pages = totals.hugetlb_bytes >> PAGE_SHIFT;
	}
	if (opts->swap_bytes != OPT_UNSET)
		ret->swap_pages = opts->swap_bytes >> PAGE_SHIFT;
	else if (!by_limit && !unlimited)
		ret->swap_pages = totals.swap_bytes >> PAGE_SHIFT;
	ret->admin_reserve_pages = opts->admin_reserve_bytes >> PAGE_SHIFT;
	ret->user_reserve_pages = opts->user_reserve_bytes >> PAGE_SHIFT;
	return 0;
}
