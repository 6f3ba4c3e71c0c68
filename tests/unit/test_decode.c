/* SPDX-License-Identifier: MIT
 *
 * report/decode, report/flags: calls of the three ABIs as people read them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/audit.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "report/decode.h"
#include "report/flags.h"

#define X86_64 AUDIT_ARCH_X86_64
#define I386 AUDIT_ARCH_I386
#define X32 0x40000000

static struct decoded decoded;

static const char *text(uint32_t arch, int nr, const uint64_t args[6])
{
	static char buf[512];
	struct refusal r = { .arch = arch, .syscall_nr = nr };

	memcpy(r.args, args, sizeof(r.args));
	decode_call(&r, &decoded);
	return decode_text(&decoded, buf, sizeof(buf));
}

#define TEXT(arch, nr, ...) text(arch, nr, (const uint64_t[6]){ __VA_ARGS__ })

static void test_mmap(void **state)
{
	(void)state;
	assert_string_equal(
		TEXT(X86_64, SYS_mmap, 0, 512 << 20, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, (uint64_t)-1, 0),
		"mmap(NULL, 512M, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE)");
	assert_string_equal(decoded.abi, "x86_64");
	assert_int_equal(decoded.nr, 6);
	assert_string_equal(decoded.arg[4].value, "-1"); /* not shown, but there */
	assert_false(decoded.arg[4].shown);
	assert_string_equal(TEXT(X86_64, SYS_mmap, 0x10000, 4097, PROT_NONE, MAP_PRIVATE | MAP_FIXED, 3, 8192),
			    "mmap(0x10000, 4097, PROT_NONE, MAP_PRIVATE|MAP_FIXED, 3, 8K)");
	assert_string_equal(TEXT(X86_64, SYS_mmap, 0, 0, 0x10 | PROT_EXEC, MAP_SHARED_VALIDATE | MAP_ANONYMOUS | 21 << 26),
			    "mmap(NULL, 0, PROT_EXEC|0x10, MAP_SHARED_VALIDATE|MAP_ANONYMOUS|0x54000000)");
	assert_string_equal(TEXT(X86_64, SYS_mmap, 0, 4096, PROT_WRITE, 0x08 | MAP_ANONYMOUS),
			    "mmap(NULL, 4K, PROT_WRITE, MAP_DROPPABLE|MAP_ANONYMOUS)");
	assert_string_equal(TEXT(X86_64, SYS_mmap, 0, 4096, PROT_WRITE, 0x05), "mmap(NULL, 4K, PROT_WRITE, 0x5, 0, 0)");
	assert_string_equal(TEXT(X86_64, SYS_brk, 0x555500000000), "brk(0x555500000000)");
	assert_string_equal(TEXT(X86_64, SYS_mprotect, 0x1000, 8192, PROT_WRITE),
			    "mprotect(0x1000, 8K, PROT_WRITE)");
	assert_string_equal(TEXT(X86_64, SYS_pkey_mprotect, 0x1000, 8192, PROT_WRITE, (uint64_t)-1),
			    "pkey_mprotect(0x1000, 8K, PROT_WRITE, -1)");
}

static void test_mremap(void **state)
{
	(void)state;
	assert_string_equal(TEXT(X86_64, SYS_mremap, 0x1000, 4096, 1 << 30, MREMAP_MAYMOVE, 0xdead),
			    "mremap(0x1000, 4K, 1G, MREMAP_MAYMOVE)");
	assert_string_equal(TEXT(X86_64, SYS_mremap, 0x1000, 0, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, 0x7000),
			    "mremap(0x1000, 0, 4K, MREMAP_MAYMOVE|MREMAP_FIXED, 0x7000)");
}

static void test_processes(void **state)
{
	(void)state;
	assert_string_equal(TEXT(X86_64, SYS_fork, 1, 2, 3), "fork()");
	assert_string_equal(TEXT(X86_64, SYS_clone, CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, 0, 0, 0x10, 0x20),
			    "clone(CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, NULL, NULL, 0x10, 0x20)");
	assert_string_equal(decoded.arg[3].name, "child_tid");
	TEXT(I386, 120, 0);
	assert_string_equal(decoded.arg[3].name, "tls"); /* the other order */
	assert_string_equal(TEXT(X86_64, SYS_clone3, 0x1000, 88), "clone3(0x1000, 0x58)");
	assert_string_equal(TEXT(X86_64, SYS_execve, 1, 2, 3), "execve(0x1, 0x2, 0x3)");
	assert_string_equal(TEXT(X86_64, SYS_execveat, (uint32_t)-100, 2, 3, 4, 0x1000),
			    "execveat(AT_FDCWD, 0x2, 0x3, 0x4, AT_EMPTY_PATH)");
	assert_string_equal(TEXT(X86_64, SYS_ptrace, PTRACE_POKEDATA, 77, 0x1000, 0x41),
			    "ptrace(PTRACE_POKEDATA, 77, 0x1000, 0x41)");
	assert_string_equal(TEXT(X86_64, SYS_ptrace, 0x4206, 77), "ptrace(0x4206, 77, NULL, 0)");
}

static void test_objects(void **state)
{
	(void)state;
	assert_string_equal(TEXT(X86_64, SYS_shmget, IPC_PRIVATE, 3 << 20, IPC_CREAT | SHM_NORESERVE | 0600),
			    "shmget(IPC_PRIVATE, 3M, IPC_CREAT|SHM_NORESERVE|0600)");
	assert_string_equal(TEXT(X86_64, SYS_shmget, 0xffffffff, 1, 0), "shmget(0xffffffff, 1, 0)");
	assert_string_equal(TEXT(X86_64, SYS_ftruncate, 3, UINT64_C(5) << 40), "ftruncate(3, 5T)");
	assert_string_equal(TEXT(X86_64, SYS_fallocate, 3, 1, 4096, 1 << 20),
			    "fallocate(3, FALLOC_FL_KEEP_SIZE, 4K, 1M)");
}

static void test_i386(void **state)
{
	(void)state;
	assert_string_equal(TEXT(I386, 192, 0, 65536, 3, MAP_PRIVATE | MAP_ANONYMOUS, UINT64_MAX, 0),
			    "mmap2(NULL, 64K, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)");
	assert_string_equal(decoded.abi, "i386");
	assert_string_equal(TEXT(I386, 192, 0, 65536, 3, MAP_PRIVATE, 5, 2),
			    "mmap2(NULL, 64K, PROT_READ|PROT_WRITE, MAP_PRIVATE, 5, 8K)"); /* pages */
	assert_string_equal(TEXT(I386, 90, UINT64_C(0xffffffff00001000)), "mmap(0x1000)");
	assert_string_equal(TEXT(I386, 45, 0x8000), "brk(0x8000)");
	assert_string_equal(TEXT(I386, 194, 7, 0x80000000, 1), "ftruncate64(7, 6G)"); /* two halves */
	assert_string_equal(TEXT(I386, 324, 7, 0, 0, 1, 4096, 0), "fallocate(7, 0, 4G, 4K)");
	assert_string_equal(TEXT(I386, 117, 23, 0, 1 << 20, IPC_CREAT | 0600),
			    "ipc(SHMGET, IPC_PRIVATE, 1M, IPC_CREAT|0600)");
	assert_string_equal(TEXT(I386, 117, 1, 2, 3, 4), "ipc(1)");
	/* the same number is another call there */
	assert_string_equal(TEXT(I386, SYS_mmap, 1, 2, 3, 4, 5, 6), "syscall_9(0x1, 0x2, 0x3, 0x4, 0x5, 0x6)");
}

static void test_x32(void **state)
{
	(void)state;
	assert_string_equal(TEXT(X86_64, X32 | SYS_brk, 0x1000), "brk(0x1000)");
	assert_string_equal(decoded.abi, "x32");
	assert_string_equal(TEXT(X86_64, X32 | 520, 1, 2, 3), "execve(0x1, 0x2, 0x3)");
}

static void test_unknown(void **state)
{
	(void)state;
	assert_string_equal(TEXT(X86_64, 9999, 1, 0, UINT64_MAX),
			    "syscall_9999(0x1, 0, 0xffffffffffffffff, 0, 0, 0)");
	assert_string_equal(TEXT(AUDIT_ARCH_AARCH64, SYS_brk, 1), "syscall_12(0x1, 0, 0, 0, 0, 0)");
	assert_string_equal(decoded.abi, "unknown");
	/* a number that no table may match by its marks of absence */
	assert_string_equal(TEXT(X86_64, -1, 1), "syscall_-1(0x1, 0, 0, 0, 0, 0)");
	assert_string_equal(TEXT(I386, -1, 1), "syscall_-1(0x1, 0, 0, 0, 0, 0)");
}

/* No call: what was copied. */
static void test_copies(void **state)
{
	struct refusal r = { .op = OP_COPY, .syscall_nr = -1, .args = { 42, 3 << 20, 4096, 7, 7, 7 } };
	char buf[DECODE_VALUE];

	(void)state;
	decode_call(&r, &decoded);
	assert_string_equal(decode_text(&decoded, buf, sizeof(buf)), "copy-on-write(42, 3M, 4K)");
	assert_string_equal(decoded.call, "copy-on-write");
	assert_int_equal(decoded.nr, 3);
	assert_string_equal(decode_signal(15, buf, sizeof(buf)), "SIGTERM");
	assert_string_equal(decode_signal(9, buf, sizeof(buf)), "SIGKILL");
	assert_string_equal(decode_signal(-7, buf, sizeof(buf)), "signal -7");
}

/* Nothing is written past the end, however many flags are set. */
static void test_bounds(void **state)
{
	char small[8], buf[DECODE_VALUE];
	struct refusal r = { .arch = X86_64, .syscall_nr = SYS_mmap };

	(void)state;
	memset(r.args, 0xff, sizeof(r.args));
	decode_call(&r, &decoded);
	memset(small, '!', sizeof(small));
	decode_text(&decoded, small, sizeof(small) - 1);
	assert_string_equal(small, "mmap(0");
	assert_int_equal(small[7], '!');
	assert_true(strlen(flags_clone(UINT64_MAX, buf, sizeof(buf))) < sizeof(buf));
	assert_true(strlen(flags_mmap(UINT64_MAX, buf, 4)) < 4);
}

static void test_numbers(void **state)
{
	char buf[32];

	(void)state;
	assert_string_equal(decode_size(0, buf, sizeof(buf)), "0");
	assert_string_equal(decode_size(1025, buf, sizeof(buf)), "1025");
	assert_string_equal(decode_size(1536, buf, sizeof(buf)), "1536");
	assert_string_equal(decode_size(1028 * 1024, buf, sizeof(buf)), "1028K");
	assert_string_equal(decode_size(UINT64_C(1) << 60, buf, sizeof(buf)), "1024P");
	assert_string_equal(decode_size(UINT64_MAX, buf, sizeof(buf)), "18446744073709551615");
	assert_string_equal(decode_errno(ENOMEM, buf, sizeof(buf)), "ENOMEM");
	assert_string_equal(decode_errno(ENOSPC, buf, sizeof(buf)), "ENOSPC");
	assert_string_equal(decode_errno(4096, buf, sizeof(buf)), "4096");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mmap),    cmocka_unit_test(test_mremap), cmocka_unit_test(test_processes),
		cmocka_unit_test(test_objects), cmocka_unit_test(test_i386),   cmocka_unit_test(test_x32),
		cmocka_unit_test(test_copies), cmocka_unit_test(test_unknown), cmocka_unit_test(test_bounds), cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
