/* SPDX-License-Identifier: MIT
 *
 * stack_jit: runs code that it wrote itself, which calls back into a function
 * that asks malloc for 1 GiB.  With "map" it names that code in
 * /tmp/perf-PID.map, as a JIT does for perf(1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOT_LAST() __asm__ volatile("" ::: "memory")

static volatile int granted;

static __attribute__((noinline)) void callback(void)
{
	granted = malloc(1ul << 30) != NULL; /* at: callback */
	NOT_LAST();
}

/* push rbp; mov rbp, rsp; call rdi; pop rbp; ret */
static const unsigned char code[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3 };

static void write_map(const void *at)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	f = fopen(path, "w");
	if (!f)
		exit(99);
	/* An old line for the same code, noise, and a name with a terminal sequence. */
	fprintf(f, "%lx %zx jit_old\nnoise\n\n0 0 nothing\n%lx zz bad\n", (unsigned long)at, sizeof(code),
		(unsigned long)at);
	fprintf(f, "%lx %zx jit\033[31m_new with blanks\n", (unsigned long)at, sizeof(code));
	fclose(f);
	printf("%d\n", (int)getpid()); /* whose map it is, for whoever removes it */
	fflush(stdout);
}

int main(int argc, char **argv)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return 99;
	memcpy(at, code, sizeof(code));
	if (mprotect(at, 4096, PROT_READ | PROT_EXEC))
		return 99;
	if (argc > 1 && !strcmp(argv[1], "map"))
		write_map(at);
	((void (*)(void (*)(void)))at)(callback); /* at: main */
	NOT_LAST();
	return granted;
}
