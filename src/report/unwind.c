/* SPDX-License-Identifier: MIT
 *
 * unwind: libdwfl over a copied stack.
 *
 * libdwfl follows call frame information (.eh_frame, .debug_frame), and frame
 * pointers where a function has none.  It sees the registers of the capture,
 * the copied stack and read-only parts of mapped files, and nothing of the
 * process, which may have run on or ended.
 *
 * An i386 task calls the kernel through __kernel_vsyscall in the vdso, whose
 * text is not ours to read any more; all its forms have pushed ecx, edx and ebp
 * when the kernel is entered (arch/x86/entry/vdso/vdso32/system_call.S), so its
 * caller is found without it.
 */
#include "report/unwind.h"

#include <string.h>

enum {
	X86_64_RSP = 7,
	X86_64_RIP = 16,
	I386_ECX = 1,
	I386_EDX = 2,
	I386_ESP = 4,
	I386_EBP = 5,
	I386_EIP = 8,
	I386_REGS = 9,
};

/* The word of the thread's size at ADDR of the copied stack. */
static bool read_stack(const struct capture *c, uint64_t addr, uint64_t *ret)
{
	size_t size = c->compat ? 4 : 8;
	uint64_t offset = addr - c->sp;
	uint32_t half;

	if (addr < c->sp || c->stack_len < size || offset > c->stack_len - size)
		return false;
	if (c->compat) {
		memcpy(&half, (const char *)c->stack + offset, size);
		*ret = half;
	} else {
		memcpy(ret, (const char *)c->stack + offset, size);
	}
	return true;
}

/* Read-only data of a mapped file, for frame information that refers to it. */
static bool read_module(Dwfl *dwfl, const struct capture *c, uint64_t addr, uint64_t *ret)
{
	Dwfl_Module *mod = dwfl_addrmodule(dwfl, addr);
	size_t size = c->compat ? 4 : 8;
	Dwarf_Addr offset = addr, bias;
	GElf_Shdr shdr;
	Elf_Scn *scn = mod ? dwfl_module_address_section(mod, &offset, &bias) : NULL;
	Elf_Data *data;

	if (!scn || !gelf_getshdr(scn, &shdr) || shdr.sh_type == SHT_NOBITS || shdr.sh_flags & SHF_WRITE)
		return false;
	data = elf_rawdata(scn, NULL);
	if (!data || !data->d_buf || data->d_size < size || offset > data->d_size - size)
		return false;
	*ret = 0;
	memcpy(ret, (const char *)data->d_buf + offset, size); /* little-endian like us */
	return true;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr addr, Dwarf_Word *result, void *arg)
{
	struct image *image = arg;
	const struct capture *c = image->capture;
	const struct mapping *m;
	uint64_t word;

	if (read_stack(c, addr, &word) || read_module(dwfl, c, addr, &word)) {
		*result = word;
		return true;
	}
	m = mappings_find(&image->maps, c->sp);
	if (m && addr >= c->sp && addr < m->vma.end)
		image->read_beyond = true;
	return false;
}

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	(void)dwfl;
	if (*thread_arg)
		return 0;
	*thread_arg = arg;
	return 1; /* one thread, whatever its number */
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg)
{
	(void)dwfl;
	*thread_arg = arg;
	return tid == 1;
}

/* The registers of the caller of __kernel_vsyscall, when C stands in it. */
static bool leave_vsyscall(const struct image *image, const struct capture *c, Dwarf_Word regs[I386_REGS])
{
	const struct mapping *m = mappings_find(&image->maps, c->pc);
	uint64_t ebp, edx, ecx, eip;

	if (!c->compat || !m || strcmp(m->name, "[vdso]"))
		return false;
	if (!read_stack(c, c->sp, &ebp) || !read_stack(c, c->sp + 4, &edx) || !read_stack(c, c->sp + 8, &ecx) ||
	    !read_stack(c, c->sp + 12, &eip))
		return false;
	m = mappings_find(&image->maps, eip);
	if (!m || !(m->vma.flags & VMA_EXEC))
		return false;
	for (int i = 0; i < I386_REGS; i++)
		regs[i] = c->regs[i];
	regs[I386_EBP] = ebp;
	regs[I386_EDX] = edx;
	regs[I386_ECX] = ecx;
	regs[I386_ESP] = c->sp + 16;
	regs[I386_EIP] = eip;
	return true;
}

static bool set_compat_registers(Dwfl_Thread *thread, const struct image *image)
{
	const struct capture *c = image->capture;
	Dwarf_Word regs[I386_REGS];

	if (leave_vsyscall(image, c, regs)) {
		if (c->full_regs)
			return dwfl_thread_state_registers(thread, 0, I386_REGS, regs);
		return dwfl_thread_state_registers(thread, I386_ESP, 2, &regs[I386_ESP]) &&
		       dwfl_thread_state_registers(thread, I386_EIP, 1, &regs[I386_EIP]);
	}
	for (int i = 0; i < I386_REGS; i++)
		regs[i] = c->regs[i];
	if (c->full_regs)
		return dwfl_thread_state_registers(thread, 0, I386_REGS, regs);
	regs[I386_ESP] = c->sp;
	regs[I386_EIP] = c->pc;
	return dwfl_thread_state_registers(thread, I386_ESP, 1, &regs[I386_ESP]) &&
	       dwfl_thread_state_registers(thread, I386_EIP, 1, &regs[I386_EIP]);
}

static bool set_initial_registers(Dwfl_Thread *thread, void *arg)
{
	const struct image *image = arg;
	const struct capture *c = image->capture;
	Dwarf_Word regs[CAPTURE_REGS];

	if (c->compat)
		return set_compat_registers(thread, image);
	for (int i = 0; i < CAPTURE_REGS; i++)
		regs[i] = c->regs[i];
	if (c->full_regs)
		return dwfl_thread_state_registers(thread, 0, CAPTURE_REGS, regs);
	regs[X86_64_RSP] = c->sp;
	regs[X86_64_RIP] = c->pc;
	return dwfl_thread_state_registers(thread, X86_64_RSP, 1, &regs[X86_64_RSP]) &&
	       dwfl_thread_state_registers(thread, X86_64_RIP, 1, &regs[X86_64_RIP]);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
	.next_thread = next_thread,
	.get_thread = get_thread,
	.memory_read = memory_read,
	.set_initial_registers = set_initial_registers,
};

struct walk {
	const struct image *image;
	struct unwind *ret;
	bool started; /* the frame of the capture itself was delivered */
};

static bool executable(const struct image *image, uint64_t addr)
{
	const struct mapping *m = mappings_find(&image->maps, addr);

	return m && m->vma.flags & VMA_EXEC;
}

static void add_frame(struct unwind *u, uint64_t pc, uint64_t call)
{
	u->frame[u->nr].pc = pc;
	u->frame[u->nr].call = call;
	u->nr++;
}

static int take_frame(Dwfl_Frame *state, void *arg)
{
	struct walk *w = arg;
	struct unwind *u = w->ret;
	Dwarf_Addr pc;
	bool exact = false, first = !w->started;

	if (!dwfl_frame_pc(state, &pc, &exact))
		return DWARF_CB_ABORT;
	w->started = true;
	if (first && pc == w->image->capture->pc)
		return DWARF_CB_OK; /* frame 0 is already there */
	if (first)
		exact = false; /* the caller of __kernel_vsyscall: libdwfl takes it for the innermost */
	if (u->nr == UNWIND_FRAMES) {
		u->end = UNWIND_LIMIT;
		return DWARF_CB_ABORT;
	}
	if (!executable(w->image, exact ? pc : pc - 1))
		return DWARF_CB_ABORT; /* a guess went wrong: what follows is noise */
	add_frame(u, pc, exact ? pc : pc - 1);
	return DWARF_CB_OK;
}

void unwind_capture(struct image *image, const struct capture *capture, struct unwind *ret)
{
	struct walk walk = { .image = image, .ret = ret };
	int r = -1;

	image->capture = capture;
	image->read_beyond = false;
	ret->nr = 0;
	ret->end = UNWIND_LOST;
	add_frame(ret, capture->pc, capture->pc - 1); /* in its system call, like every caller in its call */

	if (image->fresh)
		image->fresh = !dwfl_attach_state(image->dwfl, image->machine, 1, &thread_callbacks, image);
	if (!image->fresh)
		r = dwfl_getthread_frames(image->dwfl, 1, take_frame, &walk);
	if (r == 0)
		ret->end = UNWIND_OUTERMOST;
	else if (ret->end != UNWIND_LIMIT && image->read_beyond)
		ret->end = UNWIND_CUT;
	image->capture = NULL;
}
