/* SPDX-License-Identifier: MIT
 *
 * raw: system calls without libc between, for helpers.
 *
 * A libc wrapper hides what these tests look at: brk() turns the returned
 * break into an errno, fork() runs handlers, malloc() moves the break.  Nothing
 * here touches errno, so threads made by a bare clone may use it too.
 */
#ifndef TESTS_RAW_H
#define TESTS_RAW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE 4096UL
#define KIB 1024UL
#define MIB (1024UL * 1024)
#define GIB (1024UL * 1024 * 1024)

/* Returns what the kernel returned: the result, or -errno. */
static inline long raw6(long nr, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
			unsigned long e, unsigned long f)
{
	long ret;
#ifdef __x86_64__
	register unsigned long r10 __asm__("r10") = d;
	register unsigned long r8 __asm__("r8") = e;
	register unsigned long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
#else
	unsigned long stack[2] = { a, f };

	/* ebx and ebp are taken by position-independent code: by hand. */
	__asm__ volatile("push %%ebp\n\tpush %%ebx\n\t"
			 "mov (%%ebx), %%ebp\n\tpush %%ebp\n\t"
			 "mov 4(%%ebx), %%ebp\n\tpop %%ebx\n\t"
			 "int $0x80\n\t"
			 "pop %%ebx\n\tpop %%ebp"
			 : "=a"(ret)
			 : "a"(nr), "b"(stack), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory");
#endif
	return ret;
}

#define U(x) ((unsigned long)(x))
#define raw0(nr) raw6(nr, 0, 0, 0, 0, 0, 0)
#define raw1(nr, a) raw6(nr, U(a), 0, 0, 0, 0, 0)
#define raw2(nr, a, b) raw6(nr, U(a), U(b), 0, 0, 0, 0)
#define raw3(nr, a, b, c) raw6(nr, U(a), U(b), U(c), 0, 0, 0)
#define raw4(nr, a, b, c, d) raw6(nr, U(a), U(b), U(c), U(d), 0, 0)
#define raw5(nr, a, b, c, d, e) raw6(nr, U(a), U(b), U(c), U(d), U(e), 0)

#ifdef __x86_64__
/* The i386 entry of a 64-bit process.  Pointers must be below 4 GiB.  The
 * kernel clears r8 to r11. */
static inline long int80(long nr, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
			 unsigned long e, unsigned long f)
{
	long ret;

	__asm__ volatile("push %%rbp\n\tpush %%rbx\n\t"
			 "mov %[b0], %%rbx\n\tmov %[f0], %%rbp\n\t"
			 "int $0x80\n\t"
			 "pop %%rbx\n\tpop %%rbp"
			 : "=a"(ret)
			 : "a"(nr), "c"(b), "d"(c), "S"(d), "D"(e), [b0] "r"(a), [f0] "r"(f)
			 : "memory", "r8", "r9", "r10", "r11");
	return (long)(int32_t)ret;
}
#else
#define int80(nr, a, b, c, d, e, f) raw6(nr, U(a), U(b), U(c), U(d), U(e), U(f))
#endif

static inline int raw_failed(long ret)
{
	return U(ret) >= U(-4095L);
}

/* LEN bytes, private and writable. */
static inline long raw_map(unsigned long len)
{
	return raw6(SYS_mmap, 0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static inline void raw_exit(int code)
{
	for (;;)
		raw1(SYS_exit_group, code);
}

#endif
