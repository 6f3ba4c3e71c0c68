/* SPDX-License-Identifier: MIT
 *
 * script_reader: one script that is being read; for script_read.c (lines, names)
 * and script_args.c (the words of one operation) alone.
 *
 * All that return int return -1 with the reader's error set.
 */
#ifndef SURETY_MODEL_SCRIPT_READER_H
#define SURETY_MODEL_SCRIPT_READER_H

#include "model/script.h"

enum { READER_WORDS = 20, READER_QUOTE = 40 };

struct reader {
	struct script *script;
	const char *name; /* of the script */
	struct err *err;
	unsigned int line;
	char *word[READER_WORDS + 1]; /* of the line */
	int nr, next;                 /* words, and the one to be read */
	unsigned int settings_seen;   /* bits */
	uint64_t *segment_bytes;      /* by object: what attach needs to know */
};

/* Sets the error to a line with the number of the script's; returns -1. */
int reader_bad(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same for a word too many or too few: shows what VERB takes. */
int reader_bad_arguments(struct reader *r, enum script_verb verb);

char *reader_next(struct reader *r);                 /* NULL at the end of the line */
bool reader_next_is(struct reader *r, const char *word); /* and is then taken */
int reader_size(struct reader *r, const char *word, uint64_t *ret);

/* Index by name, or SCRIPT_NONE. */
int reader_find_process(const struct script *script, const char *name);
int reader_find_region(const struct script *script, const char *name);
int reader_find_object(const struct script *script, const char *name);

/* Index of a new one; a region may be there already. */
int reader_add_process(struct reader *r, const char *name, int parent);
int reader_take_region(struct reader *r, const char *name);
int reader_add_object(struct reader *r, const char *name, enum script_object_kind kind, uint64_t bytes);

/* Reads what stands behind the word of OP's verb. */
int reader_arguments(struct reader *r, struct script_op *op);

#endif
