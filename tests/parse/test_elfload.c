/* SPDX-License-Identifier: MIT
 *
 * sys/elfload: images and scripts made here byte by byte, honest and hostile,
 * in a root directory of their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/elfload.h"

#define MIB (UINT64_C(1) << 20)
#define STACK_RLIMIT (8 * MIB)

enum { PHDRS_AT = 64, IMAGE_MAX = 131072 };

static char root[] = "/tmp/test_elfload.XXXXXX";
static int root_fd = -1;

struct build {
	unsigned char bytes[IMAGE_MAX];
	size_t len;
	int compat;
	unsigned int phnum;
};

static struct build image;

static void begin(int compat, int type, int machine)
{
	memset(&image, 0, sizeof(image));
	image.compat = compat;
	image.len = PHDRS_AT;
	if (compat) {
		Elf32_Ehdr eh = { .e_type = type,
				  .e_machine = machine,
				  .e_version = EV_CURRENT,
				  .e_phoff = PHDRS_AT,
				  .e_ehsize = sizeof(eh),
				  .e_phentsize = sizeof(Elf32_Phdr) };

		memcpy(eh.e_ident, ELFMAG "\1\1\1", 7);
		memcpy(image.bytes, &eh, sizeof(eh));
	} else {
		Elf64_Ehdr eh = { .e_type = type,
				  .e_machine = machine,
				  .e_version = EV_CURRENT,
				  .e_phoff = PHDRS_AT,
				  .e_ehsize = sizeof(eh),
				  .e_phentsize = sizeof(Elf64_Phdr) };

		memcpy(eh.e_ident, ELFMAG "\2\1\1", 7);
		memcpy(image.bytes, &eh, sizeof(eh));
	}
}

static void set_phnum(unsigned int phnum)
{
	if (image.compat)
		((Elf32_Ehdr *)image.bytes)->e_phnum = phnum;
	else
		((Elf64_Ehdr *)image.bytes)->e_phnum = phnum;
}

static void segment(uint32_t type, uint32_t flags, uint64_t offset, uint64_t vaddr, uint64_t filesz, uint64_t memsz)
{
	if (image.compat) {
		Elf32_Phdr ph = { .p_type = type,
				  .p_flags = flags,
				  .p_offset = offset,
				  .p_vaddr = vaddr,
				  .p_filesz = filesz,
				  .p_memsz = memsz };

		memcpy(image.bytes + image.len, &ph, sizeof(ph));
		image.len += sizeof(ph);
	} else {
		Elf64_Phdr ph = { .p_type = type,
				  .p_flags = flags,
				  .p_offset = offset,
				  .p_vaddr = vaddr,
				  .p_filesz = filesz,
				  .p_memsz = memsz };

		memcpy(image.bytes + image.len, &ph, sizeof(ph));
		image.len += sizeof(ph);
	}
	set_phnum(++image.phnum);
}

static void load(uint32_t flags, uint64_t vaddr, uint64_t filesz, uint64_t memsz)
{
	segment(PT_LOAD, flags, 0, vaddr, filesz, memsz);
}

/* A PT_INTERP whose path lies at a fixed place behind all headers. */
static void interp(const char *path)
{
	size_t len = strlen(path) + 1;

	segment(PT_INTERP, PF_R, 8192, 0, len, len);
	memcpy(image.bytes + 8192, path, len);
}

static void put(const char *name, const void *bytes, size_t len)
{
	int fd = openat(root_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static void put_image(const char *name)
{
	put(name, image.bytes, sizeof(image.bytes));
}

static int count_fds(void)
{
	int nr = 0;

	for (int fd = 0; fd < 256; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

static int estimate_limit(const char *name, uint64_t stack_rlimit, struct elfload *ret)
{
	int fd = openat(root_fd, name, O_RDONLY | O_CLOEXEC);
	int before = count_fds();
	int r;

	assert_true(fd >= 0);
	memset(ret, 0xa5, sizeof(*ret));
	r = elfload_estimate(fd, root_fd, root_fd, stack_rlimit, ret);
	assert_int_equal(count_fds(), before); /* every descriptor is given back */
	close(fd);
	return r;
}

static int estimate(const char *name, struct elfload *ret)
{
	return estimate_limit(name, STACK_RLIMIT, ret);
}

static uint64_t pages_of(void)
{
	struct elfload got;

	put_image("prog");
	assert_int_equal(estimate("prog", &got), 0);
	return got.image_pages;
}

static void test_segments(void **state)
{
	static const struct {
		uint32_t flags;
		uint64_t vaddr, filesz, memsz, want;
	} rows[] = {
		{ PF_R | PF_X, 0x400000, 0x5000, 0x5000, 0 },
		{ PF_R | PF_W, 0x400000, 0x1000, 0x1000, 1 },
		{ PF_R | PF_W, 0x400000, 0x1001, 0x1001, 2 },
		{ PF_R | PF_W, 0x400fff, 1, 1, 1 },
		{ PF_R | PF_W, 0x400fff, 2, 2, 2 },
		{ PF_W, 0x400000, 0x1000, 0x1000, 1 },
		{ PF_R | PF_W | PF_X, 0x400010, 0x10, 0x20, 1 }, /* bss within the file's last page */
		{ PF_R | PF_W, 0x400ff0, 0x10, 0x1000, 2 },
		{ PF_R | PF_W, 0x400000, 0, 64 * MIB, 16384 }, /* bss alone */
		{ PF_R | PF_W, 0x400800, 0, 64 * MIB, 16385 },
		{ PF_R | PF_W, 0x400000, 64 * MIB, 64 * MIB, 16384 }, /* data alone */
		{ PF_R, 0x400000, 0x1000, 0x3000, 2 },		      /* bss is charged without PF_W too */
		{ PF_R, 0x400000, 0x10, 0x20, 0 },
		{ PF_R, 0x400000, 0, 0x2000, 2 },
		{ 0, 0x400000, 0, 0x2000, 2 },
		{ PF_R | PF_W, 0x400000, 0x3000, 0x1000, 3 }, /* memsz < filesz: the kernel maps, then fails */
		{ PF_R | PF_W, 0x400abc, 0, 0, 0 },
		{ PF_R | PF_W, 0, 1, UINT64_MAX, UINT64_MAX / 4096 + 1 },
		{ PF_R | PF_W, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX / 4096 + 1 },
		{ PF_R, UINT64_MAX, 0, UINT64_MAX, UINT64_MAX / 4096 + 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(0, ET_EXEC, EM_X86_64);
		load(rows[i].flags, rows[i].vaddr, rows[i].filesz, rows[i].memsz);
		assert_int_equal(pages_of(), rows[i].want);
	}
}

static void test_sum(void **state)
{
	struct elfload got;

	(void)state;
	begin(0, ET_EXEC, EM_X86_64);
	load(PF_R | PF_X, 0x400000, 0x5000, 0x5000);
	segment(PT_NOTE, PF_R | PF_W, 0, 0x600000, 0x10000, 0x10000); /* not mapped for itself */
	load(PF_R | PF_W, 0x600000, 0x2000, 0x4000);
	load(PF_R | PF_W, 0x700000, 0x1000, 0x1000);
	put_image("prog");
	assert_int_equal(estimate("prog", &got), 0);
	assert_int_equal(got.image_pages, 5);
	assert_int_equal(got.stack_pages, 32);
	assert_int_equal(got.dynamic, 0);
	assert_int_equal(got.script, 0);
	assert_int_equal(got.compat, 0);

	assert_int_equal(estimate_limit("prog", UINT64_MAX, &got), 0); /* RLIM_INFINITY */
	assert_int_equal(got.stack_pages, 32);
	assert_int_equal(estimate_limit("prog", 0, &got), 0);
	assert_int_equal(got.stack_pages, 0);
	assert_int_equal(estimate_limit("prog", 3 * 4096 + 4095, &got), 0);
	assert_int_equal(got.stack_pages, 3);

	/* saturates rather than wraps */
	begin(0, ET_EXEC, EM_X86_64);
	for (int i = 0; i < 1000; i++)
		load(PF_R | PF_W, 0, 0, UINT64_MAX);
	assert_int_equal(pages_of(), 1000 * (UINT64_MAX / 4096 + 1));
}

static void test_span(void **state)
{
	(void)state;
	/* a first segment that is writable: its whole span, in a PIE */
	begin(0, ET_DYN, EM_X86_64);
	load(PF_R | PF_W, 0x0, 0x1000, 0x1000);
	load(PF_R | PF_X, 0x100800, 0x1000, 0x1000);
	assert_int_equal(pages_of(), 0x102);
	begin(0, ET_EXEC, EM_X86_64);
	load(PF_R | PF_W, 0x0, 0x1000, 0x1000);
	load(PF_R | PF_X, 0x100800, 0x1000, 0x1000);
	assert_int_equal(pages_of(), 1);
	/* not where the first one is read-only */
	begin(0, ET_DYN, EM_X86_64);
	load(PF_R | PF_X, 0x0, 0x1000, 0x1000);
	load(PF_R | PF_W, 0x100800, 0x1000, 0x1000);
	assert_int_equal(pages_of(), 2);
	/* the lowest need not come first */
	begin(0, ET_DYN, EM_X86_64);
	load(PF_R | PF_W, 0x100800, 0x1000, 0x1000);
	load(PF_R | PF_X, 0x10, 0x1000, 0x1000);
	assert_int_equal(pages_of(), 0x102);
	begin(0, ET_DYN, EM_X86_64);
	load(PF_R | PF_W, UINT64_MAX - 4096, 1, 1);
	load(PF_R | PF_X, 0, UINT64_MAX, UINT64_MAX);
	assert_int_equal(pages_of(), UINT64_MAX / 4096 + 1);
}

static void test_interpreter(void **state)
{
	struct elfload got;

	(void)state;
	begin(0, ET_DYN, EM_X86_64);
	load(PF_R | PF_W, 0, 0x3000, 0x3000);
	load(PF_R, 0x9000, 0x1000, 0x1000);
	interp("/prog"); /* its own PT_INTERP leads back: not followed */
	put_image("ld.so");
	begin(0, ET_EXEC, EM_X86_64);
	load(PF_R | PF_W, 0x400000, 0x1000, 0x1000);
	interp("/ld.so");
	put_image("prog");
	assert_int_equal(estimate("prog", &got), 0);
	assert_int_equal(got.image_pages, 1 + 10);
	assert_int_equal(got.dynamic, 1);

	/* of an interpreter the span counts also for ET_EXEC */
	begin(0, ET_EXEC, EM_X86_64);
	load(PF_R | PF_W, 0x400000, 0x3000, 0x3000);
	load(PF_R, 0x409000, 0x1000, 0x1000);
	put_image("ld.so");
	assert_int_equal(estimate("prog", &got), 0);
	assert_int_equal(got.image_pages, 1 + 10);

	/* itself; the first of two; a relative one; an absolute link inside the root */
	begin(0, ET_EXEC, EM_X86_64);
	load(PF_R | PF_W, 0x400000, 0x1000, 0x1000);
	interp("/self");
	put_image("self");
	assert_int_equal(estimate("self", &got), 0);
	assert_int_equal(got.image_pages, 2);
	segment(PT_INTERP, PF_R, UINT64_MAX, 0, UINT64_MAX, 0);
	put_image("self");
	assert_int_equal(estimate("self", &got), 0);
	memcpy(image.bytes + 8192, "/selfx", 6);
	put_image("self");
	assert_int_equal(estimate("self", &got), -ENOEXEC); /* no NUL at the end of what it says */
	memcpy(image.bytes + 8192, "self\0", 6);
	put_image("self");
	assert_int_equal(estimate("self", &got), 0);
	assert_int_equal(symlinkat("/self", root_fd, "lnk"), 0);
	memcpy(image.bytes + 8192, "/lnk\0", 6);
	put_image("self");
	assert_int_equal(estimate("self", &got), 0);
	assert_int_equal(got.image_pages, 2);
	/* not out of the root */
	memcpy(image.bytes + 8192, "/../", 4);
	put_image("self");
	assert_int_equal(estimate("self", &got), -EACCES);
}

static void interp_is(const char *path, int want)
{
	struct elfload got;

	begin(0, ET_EXEC, EM_X86_64);
	load(PF_R | PF_W, 0x400000, 0x1000, 0x1000);
	interp(path);
	put_image("prog");
	assert_int_equal(estimate("prog", &got), want);
}

static void test_interpreter_bad(void **state)
{
	static const struct {
		uint64_t at, len;
	} places[] = {
		{ 8192, 0 },	  { 8192, 1 },		{ 8192, 2 },	  { 8192, PATH_MAX + 1 }, { UINT64_MAX, 8 },
		{ INT64_MAX, 8 }, { IMAGE_MAX - 4, 8 }, { IMAGE_MAX, 8 }, { 8192, UINT64_MAX },
	};
	struct elfload got;

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		begin(0, ET_EXEC, EM_X86_64);
		segment(PT_INTERP, PF_R, places[i].at, 0, places[i].len, 0);
		memset(image.bytes + 8192, 'x', PATH_MAX + 2);
		put_image("prog");
		assert_int_equal(estimate("prog", &got), -ENOEXEC);
	}
	interp_is("/nothing", -ENOENT);
	put("script", "#!/prog\n", 8);
	interp_is("/script", -ELIBBAD);
	put("empty", "", 0);
	interp_is("/empty", -ELIBBAD);
	begin(1, ET_DYN, EM_386);
	load(PF_R | PF_W, 0, 0x1000, 0x1000);
	put_image("ld32.so");
	interp_is("/ld32.so", -ELIBBAD); /* of the other layout */
	assert_int_equal(mkfifoat(root_fd, "fifo", 0700), 0);
	interp_is("/fifo", -EACCES); /* and does not wait for a writer */
	interp_is("/", -EACCES);
	assert_int_equal(symlinkat("loop", root_fd, "loop"), 0);
	interp_is("/loop", -ELOOP);
}

static void test_layouts(void **state)
{
	struct elfload got;

	(void)state;
	begin(1, ET_DYN, EM_386);
	load(PF_R | PF_W, 0, 0x1000, 0x1000);
	put_image("ld32.so");
	begin(1, ET_EXEC, EM_386);
	load(PF_R | PF_W, 0x08048ff0, 0x20, 0x2000);
	interp("/ld32.so");
	put_image("prog");
	assert_int_equal(estimate("prog", &got), 0);
	assert_int_equal(got.image_pages, 3 + 1);
	assert_int_equal(got.compat, 1);
	begin(1, ET_EXEC, EM_X86_64); /* x32 */
	load(PF_R | PF_W, 0xfffffff0, 0xffffffff, 0xffffffff);
	put_image("prog");
	assert_int_equal(estimate("prog", &got), 0);
	assert_int_equal(got.image_pages, 0x100001);
	assert_int_equal(got.compat, 1);

	/* EI_CLASS and EI_DATA are not what the kernel goes by */
	begin(0, ET_EXEC, EM_X86_64);
	load(PF_R | PF_W, 0x400000, 0x3000, 0x3000);
	image.bytes[EI_CLASS] = ELFCLASS32;
	image.bytes[EI_DATA] = ELFDATA2MSB;
	put_image("prog");
	assert_int_equal(estimate("prog", &got), 0);
	assert_int_equal(got.image_pages, 3);
	assert_int_equal(got.compat, 0);
}

static void test_not_ours(void **state)
{
	static const unsigned int phnums[] = { 0, 65536 / sizeof(Elf64_Phdr) + 1, 65535 };
	struct elfload got;

	(void)state;
	put("prog", "", 0);
	assert_int_equal(estimate("prog", &got), -ENOEXEC);
	put("prog", "echo hello\n", 11);
	assert_int_equal(estimate("prog", &got), -ENOEXEC);
	begin(0, ET_REL, EM_X86_64);
	load(PF_R | PF_W, 0, 1, 1);
	put_image("prog");
	assert_int_equal(estimate("prog", &got), -ENOEXEC);
	begin(0, ET_EXEC, EM_AARCH64);
	load(PF_R | PF_W, 0, 1, 1);
	put_image("prog");
	assert_int_equal(estimate("prog", &got), -ENOEXEC);
	begin(0, ET_EXEC, EM_386); /* 64-bit headers of a 32-bit machine */
	load(PF_R | PF_W, 0, 1, 1);
	put_image("prog");
	assert_int_equal(estimate("prog", &got), -ENOEXEC);
	for (size_t i = 0; i < sizeof(phnums) / sizeof(phnums[0]); i++) {
		begin(0, ET_EXEC, EM_X86_64);
		load(PF_R | PF_W, 0, 1, 1);
		set_phnum(phnums[i]);
		put_image("prog");
		assert_int_equal(estimate("prog", &got), -ENOEXEC);
	}
	/* RET is left alone */
	assert_int_equal(got.image_pages, 0xa5a5a5a5a5a5a5a5);
}

/* Every shorter file, and headers anywhere in the numbers. */
static void test_truncated(void **state)
{
	static const uint64_t offsets[] = { 1,	       IMAGE_MAX - 1, IMAGE_MAX,       INT64_MAX - 1,
					    INT64_MAX, UINT64_MAX,    UINT64_MAX - 55, UINT64_C(1) << 63 };
	struct elfload got;

	(void)state;
	begin(0, ET_EXEC, EM_X86_64);
	load(PF_R | PF_W, 0x400000, 0x1000, 0x1000);
	load(PF_R | PF_W, 0x500000, 0x1000, 0x1000);
	for (size_t len = 0; len < image.len; len++) {
		put("prog", image.bytes, len);
		assert_int_equal(estimate("prog", &got), -ENOEXEC);
	}
	put("prog", image.bytes, image.len);
	assert_int_equal(estimate("prog", &got), 0);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		((Elf64_Ehdr *)image.bytes)->e_phoff = offsets[i];
		put("prog", image.bytes, sizeof(image.bytes));
		if (i == 0)
			assert_int_equal(estimate("prog", &got), 0); /* nonsense, but in the file */
		else
			assert_int_equal(estimate("prog", &got), -ENOEXEC);
	}
}

static void script_is(const char *text, size_t len, int want)
{
	struct elfload got;

	put("script", text, len);
	assert_int_equal(estimate("script", &got), want);
	if (want)
		return;
	assert_int_equal(got.script, 1);
	assert_int_equal(got.image_pages, 7);
}

static void test_scripts(void **state)
{
	char text[600];

	(void)state;
	begin(0, ET_EXEC, EM_X86_64);
	load(PF_R | PF_W, 0x400000, 0x7000, 0x7000);
	put_image("prog");
	script_is("#!/prog\n", 8, 0);
	script_is("#!/prog", 7, 0);
	script_is("#!prog\n", 7, 0); /* relative */
	script_is("#! \t/prog \t -x y\nrest", 21, 0);
	script_is("#!/prog\0\n", 9, 0);
	script_is("#!", 2, -ENOEXEC);
	script_is("#!\n/prog\n", 9, -ENOEXEC);
	script_is("#!  \t \n", 7, -ENOEXEC);
	script_is("#!/nothing\n", 11, -ENOENT);
	script_is("#!/prog\r\n", 9, -ENOENT);

	/* a name up to the end of the 256 bytes that are looked at */
	memset(text, 0, sizeof(text));
	memset(text, ' ', 256);
	memcpy(text, "#!", 2);
	script_is(text, 256, -ENOEXEC);
	memcpy(text + 250, "/prog\n", 6);
	script_is(text, 256, 0);
	memcpy(text + 250, "/prog ", 6);
	script_is(text, 600, 0);
	memcpy(text + 250, " /prog", 6);
	memset(text + 256, 'x', 300);
	script_is(text, 600, -ENOEXEC); /* may go on */
}

static void test_script_chain(void **state)
{
	struct elfload got;
	char name[16], text[32];

	(void)state;
	begin(0, ET_EXEC, EM_X86_64);
	load(PF_R | PF_W, 0x400000, 0x7000, 0x7000);
	put_image("s0");
	for (int i = 1; i <= 7; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		snprintf(text, sizeof(text), "#!/s%d\n", i - 1);
		put(name, text, strlen(text));
		assert_int_equal(estimate(name, &got), i <= 5 ? 0 : -ELOOP);
	}
	put("me", "#!/me\n", 6);
	assert_int_equal(estimate("me", &got), -ELOOP);
	assert_int_equal(estimate_limit("s5", 4096, &got), 0);
	assert_int_equal(got.stack_pages, 1);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(root))
		return -1;
	root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root_fd < 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "prog",  "ld.so", "ld32.so", "self", "lnk", "script",
					     "empty", "fifo",  "loop",	  "me",	  "s0",	 "s1",
					     "s2",    "s3",    "s4",	  "s5",	  "s6",	 "s7" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(root_fd, names[i], 0);
	close(root_fd);
	return rmdir(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_sum),
		cmocka_unit_test(test_span),
		cmocka_unit_test(test_interpreter),
		cmocka_unit_test(test_interpreter_bad),
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_script_chain),
	};

	return cmocka_run_group_tests_name("elfload", tests, set_up, tear_down);
}
