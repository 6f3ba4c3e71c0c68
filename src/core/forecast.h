/* SPDX-License-Identifier: MIT
 *
 * forecast: what a limit has to be for what is promised now.
 *
 * Pure, and checked like limit.h.  All amounts are pages.
 */
#ifndef SURETY_CORE_FORECAST_H
#define SURETY_CORE_FORECAST_H

#include <stdint.h>

#include "core/limit.h"

struct forecast_in {
	struct limit limit;       /* as it is; its mode plays no part */
	uint64_t committed_pages; /* Committed_AS */
	uint64_t noreserve_pages; /* what mode 2 would charge beside it */
	uint64_t largest_pages;   /* total_vm of the largest process */
	uint64_t headroom;        /* per cent of what is promised */
};

enum outlook {
	OUTLOOK_LIVES,  /* the limit as it is would do */
	OUTLOOK_RAISE,  /* a higher one would, and RAM with swap backs it */
	OUTLOOK_BEYOND, /* more is promised than RAM and swap have */
};

struct forecast {
	enum outlook outlook;
	uint64_t promised_pages; /* under mode 2 */
	uint64_t headroom_pages;
	uint64_t reserve_pages;  /* kept from an unprivileged caller */
	uint64_t needed_pages;   /* least CommitLimit */
	uint64_t limit_pages;    /* CommitLimit as it is */
	uint64_t backing_pages;  /* RAM without hugetlb, and swap */
	uint64_t kbytes, ratio;  /* vm.overcommit_kbytes, or _ratio, that make the needed one; at least 4, 1 */
};

struct forecast forecast(const struct forecast_in *in);

#endif
