/* SPDX-License-Identifier: MIT
 *
 * suggest: the word that was probably meant.
 */
#ifndef SURETY_CLI_SUGGEST_H
#define SURETY_CLI_SUGGEST_H

struct suggestion {
	const char *best; /* NULL: none so far */
	unsigned int distance;
	int tied; /* another word is as near: no suggestion */
};

/* Weighs CANDIDATE, a name from the table, against WORD. */
void suggestion_weigh(struct suggestion *s, const char *word, const char *candidate);

/* The one that is clearly nearest, or NULL. */
const char *suggestion_word(const struct suggestion *s);

#endif
