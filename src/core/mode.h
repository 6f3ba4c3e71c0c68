/* SPDX-License-Identifier: MIT
 *
 * The three values of vm.overcommit_memory, with the kernel's names
 * (include/uapi/linux/... OVERCOMMIT_*; mm/util.c).
 */
#ifndef SURETY_CORE_MODE_H
#define SURETY_CORE_MODE_H

enum overcommit {
	OVERCOMMIT_GUESS = 0,  /* refuse only one obviously impossible request */
	OVERCOMMIT_ALWAYS = 1, /* refuse nothing */
	OVERCOMMIT_NEVER = 2,  /* strict: refuse what would pass CommitLimit */
};

#endif
