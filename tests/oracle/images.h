/* SPDX-License-Identifier: MIT
 *
 * images: what `exec SIZE` executes: this program with SIZE more of bss.
 *
 * A copy of the file whose last PT_LOAD has a greater p_memsz; the kernel makes
 * the rest by vm_brk_flags (fs/binfmt_elf.c).  Made before the script starts, in
 * ordinary files, which hold no commitment.
 */
#ifndef TESTS_ORACLE_IMAGES_H
#define TESTS_ORACLE_IMAGES_H

#include "model/script.h"

/* Makes one for each SIZE of SCRIPT in FOLDER. */
void images_make(const struct script *script, const char *folder);
/* The program with BSS more bytes; 0 is the program itself. */
const char *image_path(uint64_t bss);
void images_remove(void);

#endif
