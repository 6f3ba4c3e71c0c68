/* SPDX-License-Identifier: MIT
 *
 * mmap_loop: maps and unmaps, COUNT times, BYTES of private memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
	long count = argc > 1 ? atol(argv[1]) : 100000;
	size_t bytes = argc > 2 ? (size_t)atol(argv[2]) : 1 << 20;

	for (long i = 0; i < count; i++) {
		void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED || munmap(p, bytes) < 0) {
			perror("mmap_loop");
			return 1;
		}
	}
	return 0;
}
