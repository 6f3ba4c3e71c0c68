/* SPDX-License-Identifier: MIT
 *
 * script_words: the words that stand for a kernel constant, for who reads and
 * who writes them.
 */
#ifndef SURETY_MODEL_SCRIPT_WORDS_H
#define SURETY_MODEL_SCRIPT_WORDS_H

#include "model/script.h"

struct script_word {
	const char *word; /* NULL ends a list */
	int value;
};

extern const struct script_word script_map_flags[]; /* MAP_* beside the type */
extern const struct script_word script_map_types[]; /* MAP_TYPE */
extern const struct script_word script_prots[];     /* PROT_* */
extern const struct script_word script_segment_flags[];

#endif
