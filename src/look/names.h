/* SPDX-License-Identifier: MIT
 *
 * names: strings kept once, by number; 0 is "".
 */
#ifndef SURETY_LOOK_NAMES_H
#define SURETY_LOOK_NAMES_H

#include <stdint.h>

struct name;

struct names {
	struct name *by_text, **by_number;
	uint32_t nr, room;
};

/* The number of TEXT, which is copied where it is new; 0 also without memory. */
uint32_t names_add(struct names *n, const char *text);
/* "" for 0. */
const char *names_text(const struct names *n, uint32_t number);
void names_free(struct names *n);

#endif
