/* SPDX-License-Identifier: MIT
 *
 * journal_format: what writer and reader of a record have to agree on; the
 * words are in docs/RECORD.md.
 */
#ifndef SURETY_REPORT_JOURNAL_FORMAT_H
#define SURETY_REPORT_JOURNAL_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define JOURNAL_MAGIC "surety-record 1\n"

enum {
	JOURNAL_MAGIC_LEN = 16,
	JOURNAL_BLOCK_HEAD = 8,            /* length, then checksum; 32 bits each, little-endian */
	JOURNAL_BLOCK_MAX = 1024 * 1024,   /* payload of a block */
	JOURNAL_BLOCK_USUAL = 32 * 1024,   /* at which it is written */
	JOURNAL_HEAD = 0,                  /* kind of the first event of a file */
};

/* CRC-32C's elder, as in gzip and PNG (reflected 0xedb88320). */
uint32_t journal_checksum(const void *data, size_t len);

#endif
