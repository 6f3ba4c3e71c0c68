/* SPDX-License-Identifier: MIT
 *
 * shortfall: how far a request was from being granted.
 */
#ifndef SURETY_REPORT_SHORTFALL_H
#define SURETY_REPORT_SHORTFALL_H

#include "core/refusal.h"

/* Bytes by which CommitLimit would have to be higher for this very request to
 * be granted; admission is strict, so at least one page.  0 where no limit
 * decided (mode 0). */
uint64_t shortfall_bytes(const struct refusal *refusal);

#endif
