/* SPDX-License-Identifier: MIT
 *
 * driver: runs a fuzz target without a fuzzing compiler.
 *
 *     fuzz_NAME [-n RUNS] [-s SEED] [FILE...]
 *
 * Without files: RUNS pseudo-random inputs (FUZZ_RUNS, else 50000) from SEED
 * (FUZZ_SEED, else the clock), which is printed; the same seed gives the same
 * inputs.  With files: each file is one input.
 */
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

enum { INPUT_MAX = 512 };

static unsigned long long seed, run;

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Bytes of any value, bytes with many equal, or text made of what sizes are made of. */
static size_t input_make(uint64_t *state, uint8_t *buf)
{
	static const char text[] = "0123456789012345678901234567899999KMGTPkmgtpiBb.+- QE";
	uint64_t style = next(state) % 4;
	size_t size = next(state) % (next(state) % 4 ? 24 : INPUT_MAX);

	for (size_t i = 0; i < size; i++) {
		uint64_t r = next(state);

		if (style == 0)
			buf[i] = (uint8_t)text[r % (sizeof(text) - 1)];
		else if (style == 1 && i > 0 && r >> 8 & 1)
			buf[i] = buf[i - 1];
		else
			buf[i] = (uint8_t)r;
	}
	return size;
}

static void tell_where(int sig)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "failed: seed %llu, input %llu\n", seed, run);

	(void)!write(STDERR_FILENO, line, (size_t)len); /* about to die of SIG anyway */
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

static int run_file(const char *path)
{
	static uint8_t buf[1 << 20];
	FILE *f = fopen(path, "rb");
	size_t size;

	if (!f) {
		perror(path);
		return 1;
	}
	size = fread(buf, 1, sizeof(buf), f);
	(void)fclose(f);
	return LLVMFuzzerTestOneInput(buf, size);
}

static unsigned long long env_number(const char *name, unsigned long long fallback)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : fallback;
}

int main(int argc, char **argv)
{
	unsigned long long runs = env_number("FUZZ_RUNS", 50000);
	uint8_t buf[INPUT_MAX];
	uint64_t state;
	int c, r = 0;

	seed = env_number("FUZZ_SEED", (unsigned long long)time(NULL) * 1000003 + getpid());
	while ((c = getopt(argc, argv, "n:s:")) != -1) {
		if (c == 'n')
			runs = strtoull(optarg, NULL, 0);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	if (optind < argc) {
		for (; optind < argc; optind++)
			r |= run_file(argv[optind]);
		return r;
	}
	(void)signal(SIGABRT, tell_where);
	(void)signal(SIGSEGV, tell_where);
	(void)signal(SIGFPE, tell_where);
	state = seed;
	printf("seed %llu\n", seed);
	(void)fflush(stdout);
	for (run = 0; run < runs; run++)
		(void)LLVMFuzzerTestOneInput(buf, input_make(&state, buf));
	printf("%llu inputs, no difference\n", runs);
	return 0;
}
