/* SPDX-License-Identifier: MIT
 *
 * static: a program without a dynamic loader, whatever else.
 *
 *   static MIB      asks for MIB by malloc; exit 0, or 3 where it gets none
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int take(unsigned long len)
{
	char *p = malloc(len);

	if (!p) {
		puts("no memory");
		return 3;
	}
	memset(p, 1, len);
	puts("had it");
	free(p);
	return 0;
}

int main(int argc, char **argv)
{
	return take(argc > 1 ? strtoul(argv[1], NULL, 10) << 20 : 1);
}
