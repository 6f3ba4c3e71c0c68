/* SPDX-License-Identifier: MIT
 *
 * mountinfo: see the header.  Decides only where a field ends; opens nothing.
 */
#include "sys/mountinfo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* mountinfo writes blank, tab, newline and backslash as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' && text[2] <= '7' &&
		    text[3] >= '0' && text[3] <= '7') {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/* 36 35 98:0 /root /point opts [optional fields] - fstype source super */
bool mountinfo_split(char *line, struct mount *ret)
{
	char *save = NULL, *word;
	char *fields[5];
	char *minor;
	int i;

	for (i = 0; i < 5; i++) {
		fields[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!fields[i])
			return false;
	}
	do {
		word = strtok_r(NULL, " ", &save);
	} while (word && strcmp(word, "-"));
	ret->root = fields[3];
	ret->point = fields[4];
	ret->fstype = strtok_r(NULL, " ", &save);
	if (!ret->fstype || !strtok_r(NULL, " ", &save))
		return false;
	ret->super = strtok_r(NULL, " ", &save);
	if (!ret->super)
		return false;
	minor = strchr(fields[2], ':');
	ret->dev = minor ? makedev((unsigned int)strtoul(fields[2], NULL, 10), (unsigned int)strtoul(minor + 1, NULL, 10)) : 0;
	unescape(ret->root);
	unescape(ret->point);
	return true;
}
