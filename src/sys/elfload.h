/* SPDX-License-Identifier: MIT
 *
 * elfload: what execve will charge before the new program makes a call
 * (fs/exec.c, fs/binfmt_elf.c, fs/binfmt_script.c).
 *
 * The figure is an upper bound: stack with arguments, the fixed extra stack,
 * private writable segments and bss of the program and of its interpreter.
 * What the program then maps for itself is asked for in the ordinary way.
 */
#ifndef SURETY_SYS_ELFLOAD_H
#define SURETY_SYS_ELFLOAD_H

#include <stdint.h>

struct elfload {
	uint64_t image_pages; /* private writable segments and bss, interpreter's too */
	uint64_t stack_pages; /* min(128 KiB, RLIMIT_STACK) / page; the arguments come on top */
	int dynamic;          /* has an interpreter */
	int script;           /* found through #! */
	int compat;           /* ELFCLASS32 */
};

/* Reads the program open at EXE_FD, following #! lines and PT_INTERP with
 * openat(ROOT_FD, path relative to the root); a relative #! path is resolved
 * at CWD_FD.  STACK_RLIMIT in bytes.  Returns 0 or -errno: -ENOEXEC for what
 * is neither ELF nor script (the kernel will say so itself, or binfmt_misc
 * knows it), -ELOOP for a chain of scripts longer than the kernel's. */
int elfload_estimate(int exe_fd, int root_fd, int cwd_fd, uint64_t stack_rlimit, struct elfload *ret);

#endif
