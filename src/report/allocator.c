/* SPDX-License-Identifier: MIT
 *
 * allocator: see allocator.h.  A name that is missing here costs a report too
 * many, one too many here merges failures of the same 100 ms; neither loses one.
 */
#include "report/allocator.h"

#include <string.h>

static const char *const modules[] = {
	"libc.so", "libc-2.", "libc.musl", "ld-linux", "ld-2.", "ld-musl", "libpthread", "libjemalloc",
	"libtcmalloc", "libmimalloc", "[vdso]",
};

/* Compared up to the first dot: compilers append .constprop.0, .part.0. */
static const char *const symbols[] = {
	"malloc", "calloc", "realloc", "reallocarray", "memalign", "aligned_alloc", "posix_memalign", "valloc",
	"pvalloc", "_int_malloc", "_int_realloc", "_int_memalign", "_mid_memalign", "sysmalloc",
	"sysmalloc_mmap", "sysmalloc_mmap_fallback", "arena_get2", "arena_get_retry", "new_heap", "grow_heap",
	"alloc_new_heap", "mremap_chunk", "tcache_init", "ptmalloc_init", "brk", "sbrk", "mmap", "mmap64",
	"mprotect", "mremap", "syscall", "expand_heap", "alloc_slot", "alloc_group", "mi_malloc", "mallocx",
	"je_malloc", "tc_malloc", "g_malloc", "g_malloc0", "g_realloc", "g_try_malloc", "xmalloc", "xcalloc",
	"xrealloc", "PyObject_Malloc", "PyObject_Calloc", "PyObject_Realloc", "_PyObject_Malloc",
	"_PyObject_Calloc", "_PyObject_Realloc",
};

static const char *const symbol_prefixes[] = {
	"__libc_", "__brk", "__sbrk", "__mmap", "__mprotect", "__mremap", "__malloc", "__default_morecore",
	"__glibc_morecore", "__morecore", "_Znw", "_Zna",
	"_ZNSt15__new_allocator", "_ZN9__gnu_cxx13new_allocator", "_ZNSt16allocator_traits", "_ZNSt9allocator",
	"__rust_alloc", "__rust_realloc", "__rdl_", "PyMem_", "_PyMem_",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool begins(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static bool allocator_module(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < COUNT(modules); i++)
		if (begins(name, modules[i]))
			return true;
	return false;
}

static bool allocator_symbol(const char *symbol)
{
	size_t len = strcspn(symbol, ".");

	/* Programs start from here; what it calls is no allocator. */
	if (begins(symbol, "__libc_start") || begins(symbol, "__libc_csu"))
		return false;
	for (size_t i = 0; i < COUNT(symbols); i++)
		if (strlen(symbols[i]) == len && !memcmp(symbols[i], symbol, len))
			return true;
	for (size_t i = 0; i < COUNT(symbol_prefixes); i++)
		if (begins(symbol, symbol_prefixes[i]))
			return true;
	return false;
}

bool allocator_frame(const struct frame *frame)
{
	return (frame->module && allocator_module(frame->module)) ||
	       (frame->symbol && allocator_symbol(frame->symbol));
}

int allocator_outer(const struct stack *stack)
{
	int i = 0;

	while (i < stack->nr && allocator_frame(&stack->frame[i]))
		i++;
	return i;
}
