/* SPDX-License-Identifier: MIT
 *
 * decode: see decode.h.  The table lists the calls that can raise a charge,
 * with what each argument is; numbers are the kernel's tables
 * arch/x86/entry/syscalls/syscall_64.tbl and syscall_32.tbl.
 */
#include "report/decode.h"

#include <inttypes.h>
#include <linux/audit.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "report/flags.h"

enum kind {
	KIND_NONE, /* ends the list */
	KIND_ADDR,
	KIND_SIZE,
	KIND_NUMBER,
	KIND_INT, /* signed */
	KIND_FD,
	KIND_MAP_FD,       /* without meaning for anonymous memory */
	KIND_MAP_OFFSET,   /* likewise */
	KIND_MAP_PGOFFSET, /* likewise; in pages */
	KIND_PROT,
	KIND_MAP_FLAGS,
	KIND_MREMAP_FLAGS,
	KIND_NEW_ADDRESS, /* without meaning unless MREMAP_FIXED or MREMAP_DONTUNMAP */
	KIND_CLONE_FLAGS,
	KIND_KEY,
	KIND_SHM_FLAGS,
	KIND_FALLOC_MODE,
	KIND_AT_FLAGS,
	KIND_REQUEST,
	KIND_IPC,
	KIND_LOW, /* low half of a size, the high half is the next argument */
};

struct call {
	const char *name;
	int nr64, nr32; /* -1: not in this table */
	struct {
		const char *name;
		enum kind kind;
	} arg[DECODE_ARGS];
};

static const struct call calls[] = {
	{ "mmap", 9, -1,
	  { { "addr", KIND_ADDR }, { "length", KIND_SIZE }, { "prot", KIND_PROT }, { "flags", KIND_MAP_FLAGS },
	    { "fd", KIND_MAP_FD }, { "offset", KIND_MAP_OFFSET } } },
	{ "mmap2", -1, 192,
	  { { "addr", KIND_ADDR }, { "length", KIND_SIZE }, { "prot", KIND_PROT }, { "flags", KIND_MAP_FLAGS },
	    { "fd", KIND_MAP_FD }, { "pgoffset", KIND_MAP_PGOFFSET } } },
	{ "mmap", -1, 90, { { "args", KIND_ADDR } } }, /* the old call: all in memory */
	{ "mprotect", 10, 125, { { "addr", KIND_ADDR }, { "len", KIND_SIZE }, { "prot", KIND_PROT } } },
	{ "pkey_mprotect", 329, 380,
	  { { "addr", KIND_ADDR }, { "len", KIND_SIZE }, { "prot", KIND_PROT }, { "pkey", KIND_INT } } },
	{ "brk", 12, 45, { { "addr", KIND_ADDR } } },
	{ "mremap", 25, 163,
	  { { "old_address", KIND_ADDR }, { "old_size", KIND_SIZE }, { "new_size", KIND_SIZE },
	    { "flags", KIND_MREMAP_FLAGS }, { "new_address", KIND_NEW_ADDRESS } } },
	{ "map_shadow_stack", 453, -1,
	  { { "addr", KIND_ADDR }, { "size", KIND_SIZE }, { "flags", KIND_NUMBER } } },
	{ "fork", 57, 2, { { NULL, KIND_NONE } } },
	{ "vfork", 58, 190, { { NULL, KIND_NONE } } },
	{ "clone", 56, -1,
	  { { "flags", KIND_CLONE_FLAGS }, { "stack", KIND_ADDR }, { "parent_tid", KIND_ADDR },
	    { "child_tid", KIND_ADDR }, { "tls", KIND_ADDR } } },
	{ "clone", -1, 120,
	  { { "flags", KIND_CLONE_FLAGS }, { "stack", KIND_ADDR }, { "parent_tid", KIND_ADDR },
	    { "tls", KIND_ADDR }, { "child_tid", KIND_ADDR } } },
	{ "clone3", 435, 435, { { "cl_args", KIND_ADDR }, { "size", KIND_NUMBER } } },
	{ "execve", 59, 11, { { "pathname", KIND_ADDR }, { "argv", KIND_ADDR }, { "envp", KIND_ADDR } } },
	{ "execveat", 322, 358,
	  { { "dirfd", KIND_FD }, { "pathname", KIND_ADDR }, { "argv", KIND_ADDR }, { "envp", KIND_ADDR },
	    { "flags", KIND_AT_FLAGS } } },
	{ "shmget", 29, 395, { { "key", KIND_KEY }, { "size", KIND_SIZE }, { "shmflg", KIND_SHM_FLAGS } } },
	{ "shmat", 30, 397, { { "shmid", KIND_INT }, { "shmaddr", KIND_ADDR }, { "shmflg", KIND_NUMBER } } },
	{ "ipc", -1, 117,
	  { { "call", KIND_IPC }, { "key", KIND_KEY }, { "size", KIND_SIZE }, { "shmflg", KIND_SHM_FLAGS } } },
	{ "memfd_create", 319, 356, { { "name", KIND_ADDR }, { "flags", KIND_NUMBER } } },
	{ "truncate", 76, 92, { { "path", KIND_ADDR }, { "length", KIND_SIZE } } },
	{ "truncate64", -1, 193, { { "path", KIND_ADDR }, { "length", KIND_LOW } } },
	{ "ftruncate", 77, 93, { { "fd", KIND_FD }, { "length", KIND_SIZE } } },
	{ "ftruncate64", -1, 194, { { "fd", KIND_FD }, { "length", KIND_LOW } } },
	{ "fallocate", 285, -1,
	  { { "fd", KIND_FD }, { "mode", KIND_FALLOC_MODE }, { "offset", KIND_SIZE }, { "len", KIND_SIZE } } },
	{ "fallocate", -1, 324,
	  { { "fd", KIND_FD }, { "mode", KIND_FALLOC_MODE }, { "offset", KIND_LOW }, { NULL, KIND_NONE },
	    { "len", KIND_LOW } } },
	{ "write", 1, 4, { { "fd", KIND_FD }, { "buf", KIND_ADDR }, { "count", KIND_SIZE } } },
	{ "pwrite64", 18, -1,
	  { { "fd", KIND_FD }, { "buf", KIND_ADDR }, { "count", KIND_SIZE }, { "offset", KIND_SIZE } } },
	{ "pwrite64", -1, 181,
	  { { "fd", KIND_FD }, { "buf", KIND_ADDR }, { "count", KIND_SIZE }, { "offset", KIND_LOW } } },
	{ "writev", 20, 146, { { "fd", KIND_FD }, { "iov", KIND_ADDR }, { "iovcnt", KIND_INT } } },
	{ "pwritev", 296, 334, { { "fd", KIND_FD }, { "iov", KIND_ADDR }, { "iovcnt", KIND_INT } } },
	{ "sendfile", 40, 187,
	  { { "out_fd", KIND_FD }, { "in_fd", KIND_FD }, { "offset", KIND_ADDR }, { "count", KIND_SIZE } } },
	{ "copy_file_range", 326, 377,
	  { { "fd_in", KIND_FD }, { "off_in", KIND_ADDR }, { "fd_out", KIND_FD }, { "off_out", KIND_ADDR },
	    { "len", KIND_SIZE }, { "flags", KIND_NUMBER } } },
	{ "ptrace", 101, 26,
	  { { "request", KIND_REQUEST }, { "pid", KIND_INT }, { "addr", KIND_ADDR }, { "data", KIND_NUMBER } } },
};

enum { X32_BIT = 0x40000000, IPCOP_SHMGET = 23 };

/* x32 numbers its own entry of these calls from 512 on (syscall_64.tbl). */
static int native_number(int nr)
{
	switch (nr) {
	case 516:
		return 20; /* writev */
	case 520:
		return 59; /* execve */
	case 521:
		return 101; /* ptrace */
	case 535:
		return 296; /* pwritev */
	case 545:
		return 322; /* execveat */
	}
	return nr;
}

static const struct call *find_call(const char *abi, int nr)
{
	int i386 = !strcmp(abi, "i386");

	if (!strcmp(abi, "unknown") || nr < 0)
		return NULL;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if ((i386 ? calls[i].nr32 : calls[i].nr64) == nr)
			return &calls[i];
	return NULL;
}

char *decode_size(uint64_t bytes, char *buf, size_t size)
{
	static const char unit[] = "KMGTP";
	int u = -1;

	while (bytes && bytes % 1024 == 0 && u < 4) {
		bytes /= 1024;
		u++;
	}
	if (u < 0)
		(void)snprintf(buf, size, "%" PRIu64, bytes);
	else
		(void)snprintf(buf, size, "%" PRIu64 "%c", bytes, unit[u]);
	return buf;
}

char *decode_errno(int error, char *buf, size_t size)
{
	const char *name = strerrorname_np(error);

	if (name)
		(void)snprintf(buf, size, "%s", name);
	else
		(void)snprintf(buf, size, "%d", error);
	return buf;
}

char *decode_signal(int sig, char *buf, size_t size)
{
	const char *name = sigabbrev_np(sig);

	if (name)
		(void)snprintf(buf, size, "SIG%s", name);
	else
		(void)snprintf(buf, size, "signal %d", sig);
	return buf;
}

static void decode_number(struct decoded_arg *arg, enum kind kind)
{
	int32_t number = (int32_t)arg->raw; /* fd, key, pid: the low 32 bits count */

	if (kind == KIND_ADDR || kind == KIND_NEW_ADDRESS)
		(void)snprintf(arg->value, sizeof(arg->value), arg->raw ? "0x%" PRIx64 : "NULL", arg->raw);
	else if (kind == KIND_NUMBER || kind == KIND_NONE)
		(void)snprintf(arg->value, sizeof(arg->value), arg->raw ? "0x%" PRIx64 : "0", arg->raw);
	else if (kind == KIND_FD && number == -100)
		(void)snprintf(arg->value, sizeof(arg->value), "AT_FDCWD");
	else if (kind == KIND_KEY && number == IPC_PRIVATE)
		(void)snprintf(arg->value, sizeof(arg->value), "IPC_PRIVATE");
	else if (kind == KIND_KEY)
		(void)snprintf(arg->value, sizeof(arg->value), "0x%x", (uint32_t)number);
	else if (kind == KIND_IPC && number == IPCOP_SHMGET)
		(void)snprintf(arg->value, sizeof(arg->value), "SHMGET");
	else
		(void)snprintf(arg->value, sizeof(arg->value), "%d", number);
}

/* A size that the caller passed in two halves was put together before. */
static void decode_value(struct decoded_arg *arg, enum kind kind)
{
	switch (kind) {
	case KIND_SIZE:
	case KIND_LOW:
	case KIND_MAP_OFFSET:
		(void)decode_size(arg->raw, arg->value, sizeof(arg->value));
		break;
	case KIND_MAP_PGOFFSET:
		(void)decode_size(pages_to_bytes(arg->raw), arg->value, sizeof(arg->value));
		break;
	case KIND_PROT:
		(void)flags_prot(arg->raw, arg->value, sizeof(arg->value));
		break;
	case KIND_MAP_FLAGS:
		(void)flags_mmap(arg->raw, arg->value, sizeof(arg->value));
		break;
	case KIND_MREMAP_FLAGS:
		(void)flags_mremap(arg->raw, arg->value, sizeof(arg->value));
		break;
	case KIND_CLONE_FLAGS:
		(void)flags_clone(arg->raw, arg->value, sizeof(arg->value));
		break;
	case KIND_SHM_FLAGS:
		(void)flags_shmget(arg->raw, arg->value, sizeof(arg->value));
		break;
	case KIND_FALLOC_MODE:
		(void)flags_fallocate(arg->raw, arg->value, sizeof(arg->value));
		break;
	case KIND_AT_FLAGS:
		(void)flags_at(arg->raw, arg->value, sizeof(arg->value));
		break;
	case KIND_REQUEST:
		(void)flags_ptrace_request(arg->raw, arg->value, sizeof(arg->value));
		break;
	default:
		decode_number(arg, kind);
	}
}

/* The fd and offset of anonymous memory, and the target of a mremap that may
 * go anywhere, are noise to people. */
static bool meaningful(const struct call *call, enum kind kind, const uint64_t args[6])
{
	if (kind == KIND_MAP_FD || kind == KIND_MAP_OFFSET || kind == KIND_MAP_PGOFFSET)
		return !(args[3] & MAP_ANONYMOUS);
	if (kind == KIND_NEW_ADDRESS)
		return args[3] & (MREMAP_FIXED | MREMAP_DONTUNMAP);
	if (!strcmp(call->name, "ipc") && kind != KIND_IPC)
		return (uint32_t)args[0] == IPCOP_SHMGET;
	return true;
}

static void decode_known(const struct call *call, const uint64_t args[6], struct decoded *ret)
{
	for (int i = 0; i < DECODE_ARGS; i++) {
		struct decoded_arg *arg = &ret->arg[ret->nr];
		enum kind kind = call->arg[i].kind;

		if (kind == KIND_NONE)
			continue;
		arg->name = call->arg[i].name;
		arg->raw = args[i];
		if (kind == KIND_LOW && i + 1 < DECODE_ARGS)
			arg->raw = (uint32_t)args[i] | args[i + 1] << 32;
		arg->shown = meaningful(call, kind, args);
		decode_value(arg, kind);
		ret->nr++;
	}
}

static void decode_unknown(const uint64_t args[6], struct decoded *ret)
{
	static const char *const names[DECODE_ARGS] = { "arg0", "arg1", "arg2", "arg3", "arg4", "arg5" };

	for (ret->nr = 0; ret->nr < DECODE_ARGS; ret->nr++) {
		struct decoded_arg *arg = &ret->arg[ret->nr];

		arg->name = names[ret->nr];
		arg->raw = args[ret->nr];
		arg->shown = true;
		decode_number(arg, KIND_NONE);
	}
}

/* No call: what parent and child copied by writing. */
static const struct call copying = {
	"copy-on-write", -1, -1,
	{ { "parent", KIND_INT }, { "copied", KIND_SIZE }, { "reserve", KIND_SIZE } },
};

void decode_call(const struct refusal *refusal, struct decoded *ret)
{
	const struct call *call;
	int nr = refusal->syscall_nr;
	uint64_t args[DECODE_ARGS];

	memset(ret, 0, sizeof(*ret));
	memcpy(args, refusal->args, sizeof(args));
	ret->abi = "unknown";
	if (refusal->op == OP_COPY) {
		(void)snprintf(ret->call, sizeof(ret->call), "%s", copying.name);
		decode_known(&copying, args, ret);
		return;
	}
	if (refusal->arch == AUDIT_ARCH_I386) {
		ret->abi = "i386";
		for (int i = 0; i < DECODE_ARGS; i++)
			args[i] = (uint32_t)args[i];
	} else if (refusal->arch == AUDIT_ARCH_X86_64 && nr >= X32_BIT) {
		ret->abi = "x32";
		nr = native_number(nr - X32_BIT);
	} else if (refusal->arch == AUDIT_ARCH_X86_64) {
		ret->abi = "x86_64";
	}

	call = find_call(ret->abi, nr);
	if (call) {
		(void)snprintf(ret->call, sizeof(ret->call), "%s", call->name);
		decode_known(call, args, ret);
	} else {
		(void)snprintf(ret->call, sizeof(ret->call), "syscall_%d", refusal->syscall_nr);
		decode_unknown(args, ret);
	}
}

char *decode_text(const struct decoded *decoded, char *buf, size_t size)
{
	const char *sep = "";
	size_t used;

	(void)snprintf(buf, size, "%s(", decoded->call);
	for (int i = 0; i < decoded->nr; i++) {
		if (!decoded->arg[i].shown)
			continue;
		used = strlen(buf);
		(void)snprintf(buf + used, size - used, "%s%s", sep, decoded->arg[i].value);
		sep = ", ";
	}
	used = strlen(buf);
	(void)snprintf(buf + used, size - used, ")");
	return buf;
}
