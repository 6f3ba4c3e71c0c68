/* SPDX-License-Identifier: MIT
 *
 * Any bytes, in any pieces: every mapping handed out is a possible one, and the
 * pieces make no difference.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sys/smaps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check(void *ctx, const struct vma *vma, const char *name)
{
	uint64_t *sum = ctx;

	if (vma->start >= vma->end || (vma->start | vma->end) & 4095)
		abort();
	if (strlen(name) >= 4096)
		abort();
	*sum = *sum * 31 + vma->start + vma->end + vma->flags + vma->anonymous_pages + vma->ino + strlen(name);
	return *sum == 0;
}

/* The first byte chooses the kind of text and the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct smaps_parser whole, pieces;
	uint64_t whole_sum = 1, pieces_sum = 1;
	size_t step, at;

	if (!size)
		return 0;
	step = (data[0] >> 1) + 1;
	smaps_parser_init(&whole, data[0] & 1, check, &whole_sum);
	smaps_parser_init(&pieces, data[0] & 1, check, &pieces_sum);
	data++;
	size--;
	smaps_parser_feed(&whole, (const char *)data, size);
	for (at = 0; at < size; at += step)
		smaps_parser_feed(&pieces, (const char *)data + at, size - at < step ? size - at : step);
	if (smaps_parser_end(&whole) != smaps_parser_end(&pieces) || whole_sum != pieces_sum)
		abort();
	return 0;
}
