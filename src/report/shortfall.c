/* SPDX-License-Identifier: MIT
 *
 * shortfall: see shortfall.h.  Repeats the comparison of core/limit, it
 * does not decide.
 */
#include "report/shortfall.h"

#include "base/bytes.h"

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

uint64_t shortfall_bytes(const struct refusal *refusal)
{
	uint64_t wanted = add(add(refusal->committed_bytes, refusal->reserved_bytes), refusal->request_bytes);

	if (refusal->verdict != VERDICT_OVER_LIMIT || wanted < refusal->allowed_bytes)
		return 0;
	return add(wanted - refusal->allowed_bytes, PAGE_BYTES);
}
