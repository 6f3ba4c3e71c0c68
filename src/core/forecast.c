/* SPDX-License-Identifier: MIT
 *
 * forecast: see the header.
 *
 * Rests on the admission being strict: a limit that is reached refuses,
 * so the needed one is a page above what it has to hold.
 */
#include "core/forecast.h"

#include "base/arith.h"
#include "base/bytes.h"

/* a * b / c, rounded up; c is not 0. */
static uint64_t scale_up(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 n = (unsigned __int128)a * b + (c - 1);

	return n / c > UINT64_MAX ? UINT64_MAX : (uint64_t)(n / c);
}

struct forecast forecast(const struct forecast_in *in)
{
	const struct limit *limit = &in->limit;
	uint64_t ram = over(limit->ram_pages, limit->hugetlb_pages);
	uint64_t user = smaller(in->largest_pages / 32, limit->user_reserve_pages);
	struct forecast f = {
		.promised_pages = add_saturating(in->committed_pages, in->noreserve_pages),
		.reserve_pages = add_saturating(limit->admin_reserve_pages, user),
		.limit_pages = limit_commit(limit),
		.backing_pages = add_saturating(ram, limit->swap_pages),
	};
	uint64_t of_ram;

	f.headroom_pages = scale_up(f.promised_pages, in->headroom, 100);
	f.needed_pages = add_saturating(add_saturating(add_saturating(f.promised_pages, f.headroom_pages), f.reserve_pages), 1);
	of_ram = over(f.needed_pages, limit->swap_pages);
	of_ram = of_ram ? of_ram : 1; /* 0 is no kbytes, and no ratio of use */
	f.kbytes = pages_to_kib(of_ram);
	f.ratio = ram ? scale_up(of_ram, 100, ram) : UINT64_MAX;
	f.outlook = f.needed_pages <= f.limit_pages   ? OUTLOOK_LIVES :
		    f.needed_pages <= f.backing_pages ? OUTLOOK_RAISE :
							OUTLOOK_BEYOND;
	return f;
}
