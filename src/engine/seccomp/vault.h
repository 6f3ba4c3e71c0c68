/* SPDX-License-Identifier: MIT
 *
 * vault: the decision on one request.
 *
 * Granted from the bound when the bound fits; that is one comparison.  When it
 * does not, the figures are tightened, cheapest first, until the request fits
 * or every figure is exact: then, and only then, it is refused.  No charge can
 * be added meanwhile, for every call that adds one waits here; so a request
 * that is refused did not fit when it was made.
 */
#ifndef SURETY_ENGINE_SECCOMP_VAULT_H
#define SURETY_ENGINE_SECCOMP_VAULT_H

#include "engine/seccomp/ask.h"

/* Decides, and makes ask->charge exact where that was needed. */
enum verdict vault_decide(struct ask *ask);

/* Whether it fits as well, as the bounds stand, if it comes to charge ask->most_pages. */
bool vault_holds_most(const struct ask *ask);

/* Reads every figure of the group anew, objects and calls in flight included. */
void vault_count(struct group *g, const struct task *self);

/* Keeps the peak true at O(1) a grant: where the bound would set a new one, the
 * caller is looked at, and everybody once in as many grants as there are address
 * spaces.  A caller in a steady loop, whose counters are the same at each look and
 * which asks for the same again, is looked at every other time, by chance so that no
 * rhythm hides from it.  Returns whether the bound, with this request, is fit to be a peak. */
bool vault_look_for_peak(struct ask *ask);

/* Raises the peaks to what is there now.  The needed peak is what a limit must
 * hold: what is reserved, too. */
void vault_note_needed(struct group *g);

/* What the group's limit allows this caller, in pages. */
uint64_t vault_allowed(const struct ask *ask);

#endif
