/* SPDX-License-Identifier: MIT
 *
 * stack_frame: maps 1 GiB with the bare instruction from a function whose frame
 * has no fixed size, so that its caller is found through the frame pointer.
 * Says whether it got the memory.
 */
#include <alloca.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define NOT_LAST() __asm__ volatile("" ::: "memory")

static inline __attribute__((always_inline)) long map_directly(size_t size)
{
#ifdef __x86_64__
	long ret;
	register long flags __asm__("r10") = MAP_PRIVATE | MAP_ANONYMOUS;
	register long fd __asm__("r8") = -1;
	register long offset __asm__("r9") = 0;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"((long)SYS_mmap), "D"(0l), "S"(size), "d"((long)(PROT_READ | PROT_WRITE)), "r"(flags),
			   "r"(fd), "r"(offset)
			 : "rcx", "r11", "memory");
	return ret;
#else
#error "the bare instruction is x86-64's"
#endif
}

static __attribute__((noinline)) long varying(size_t room)
{
	char *buf = alloca(room);
	long ret;

	memset(buf, 1, room);
	__asm__ volatile("" : : "r"(buf) : "memory");
	ret = map_directly(1ul << 30); /* at: varying */
	NOT_LAST();
	return ret;
}

static __attribute__((noinline)) long between(size_t room)
{
	long ret = varying(room * 2); /* at: between */

	NOT_LAST();
	return ret;
}

int main(int argc, char **argv)
{
	long ret = between(1000 + (size_t)argc); /* at: main */

	(void)argv;
	NOT_LAST();
	return ret > 0;
}
