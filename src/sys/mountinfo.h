/* SPDX-License-Identifier: MIT
 *
 * mountinfo: one line of /proc/PID/mountinfo (fs/proc_namespace.c show_mountinfo).
 */
#ifndef SURETY_SYS_MOUNTINFO_H
#define SURETY_SYS_MOUNTINFO_H

#include <stdbool.h>
#include <sys/types.h>

/* Points into the line. */
struct mount {
	dev_t dev;
	char *root, *point, *fstype;
	char *super; /* options of the filesystem */
};

/* Splits LINE (without its newline) where it stands; the escapes of root and
 * point are undone.  False where it is no such line. */
bool mountinfo_split(char *line, struct mount *ret);

#endif
