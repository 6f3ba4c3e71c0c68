/* SPDX-License-Identifier: MIT
 *
 * Levenshtein distance on short words.  A beginning of the candidate is as
 * near as one typing error; more than two errors are no likeness.
 */
#include <string.h>

#include "cli/suggest.h"
#include "cli/table.h"

enum { FAR = 3 };

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int m = a < b ? a : b;

	return m < c ? m : c;
}

static unsigned int distance(const char *a, const char *b)
{
	size_t len_a = strlen(a), len_b = strlen(b);
	unsigned int row[WORD_MAX + 1];

	if (len_a >= WORD_MAX || len_b >= WORD_MAX)
		return FAR;
	if (len_a >= 3 && len_a < len_b && !strncmp(a, b, len_a))
		return 1;
	for (size_t j = 0; j <= len_b; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= len_a; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= len_b; j++) {
			unsigned int above = row[j];

			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[len_b];
}

void suggestion_weigh(struct suggestion *s, const char *word, const char *candidate)
{
	unsigned int d = distance(word, candidate);

	if (d >= FAR || d >= strlen(candidate))
		return;
	if (!s->best || d < s->distance) {
		s->best = candidate;
		s->distance = d;
		s->tied = 0;
	} else if (d == s->distance && strcmp(candidate, s->best) != 0) {
		s->tied = 1;
	}
}

const char *suggestion_word(const struct suggestion *s)
{
	return s->tied ? NULL : s->best;
}
