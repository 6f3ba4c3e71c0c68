/* SPDX-License-Identifier: MIT
 *
 * elfload: upper bound of what execve charges for an image.
 *
 * Decides nothing about the limit, and never opens what is not a regular file:
 * the paths come from the program being started, and opening a device or a
 * fifo can act or wait.  The image may change while it is read; the kernel
 * reads it again for itself.
 *
 * Rests on fs/binfmt_elf.c (load_elf_binary, load_elf_interp, elf_load,
 * elf_map, total_mapping_size), fs/binfmt_script.c (load_script) and fs/exec.c
 * (exec_binprm, setup_arg_pages).  For each PT_LOAD the kernel makes
 *
 *	[PAGESTART(vaddr), PAGEALIGN(vaddr + filesz))   private map of the file,
 *	                                                charged when PF_W
 *	[.. up to PAGEALIGN(vaddr + memsz))             vm_brk_flags: charged
 *	                                                whatever the flags say
 *
 * and of the first one of a position-independent image it maps the span of all
 * segments with that first one's protection before it trims it, so a writable
 * first segment is charged for the whole span for a moment.
 *
 * The kernel tells 32-bit from 64-bit layout by e_machine and e_phentsize, and
 * never looks at EI_CLASS: so does this file, or an image could lie to it.
 */
#include "sys/elfload.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arith.h"
#include "base/bytes.h"
#include "base/cleanup.h"

enum {
	HEAD_BYTES = 256,	       /* BINPRM_BUF_SIZE */
	SCRIPTS_MAX = 5,	       /* exec_binprm: six handlers, the last one is not a script's */
	PHDRS_BYTES_MAX = 65536,       /* load_elf_phdrs; newer kernels take one page only */
	STACK_EXTRA_BYTES = 128 << 10, /* setup_arg_pages: stack_expand */
	E_MACHINE_AT = 18,
};

struct image {
	bool compat; /* 32-bit layout */
	bool dyn;    /* ET_DYN */
	uint64_t phoff;
	unsigned int phnum;
};

struct segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, filesz, memsz;
};

/* What the program headers add up to. */
struct layout {
	uint64_t pages;
	uint64_t lowest, highest; /* of all PT_LOAD, in bytes */
	bool any, first_writable;
	bool has_interp;
	uint64_t interp_at, interp_len;
};

/* Reads up to LEN bytes; returns how many there are, or -errno. */
static ssize_t read_at(int fd, void *buf, size_t len, uint64_t at)
{
	size_t got = 0;

	if (at > INT64_MAX - len)
		return 0; /* no file has anything there */
	while (got < len) {
		ssize_t n = pread(fd, (char *)buf + got, len - got, (off_t)(at + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* As kernel_read() into bprm->buf: what the file does not have is zero. */
static int read_head(int fd, unsigned char head[HEAD_BYTES])
{
	ssize_t n;

	memset(head, 0, HEAD_BYTES);
	n = read_at(fd, head, HEAD_BYTES, 0);
	return n < 0 ? (int)n : 0;
}

static bool is_ender(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\0';
}

/* Path of the interpreter in a #! line, as load_script() finds it. */
static int script_interpreter(const unsigned char head[HEAD_BYTES], char ret[HEAD_BYTES])
{
	const unsigned char *end = memchr(head, '\n', HEAD_BYTES);
	size_t len = end ? (size_t)(end - head) : HEAD_BYTES;
	size_t at = 2, last;

	while (at < len && (head[at] == ' ' || head[at] == '\t'))
		at++;
	for (last = at; last < len && !is_ender(head[last]); last++)
		;
	/* a name that runs into the end of the buffer may be cut */
	if (last == at || (!end && last == HEAD_BYTES))
		return -ENOEXEC;
	memcpy(ret, head + at, last - at);
	ret[last - at] = '\0';
	return 0;
}

/* WANT: 0 for a 64-bit layout, 1 for a 32-bit one, -1 for either. */
static int parse_ehdr(const unsigned char head[HEAD_BYTES], int want, struct image *ret)
{
	struct image image = { 0 };
	Elf64_Half machine, type;
	Elf64_Ehdr eh;
	Elf32_Ehdr eh32;

	if (memcmp(head, ELFMAG, SELFMAG))
		return -ENOEXEC;
	memcpy(&machine, head + E_MACHINE_AT, sizeof(machine));
	memcpy(&eh, head, sizeof(eh));
	memcpy(&eh32, head, sizeof(eh32));
	type = eh.e_type; /* at the same place in both */

	if (want != 1 && machine == EM_X86_64 && eh.e_phentsize == sizeof(Elf64_Phdr)) {
		image.phoff = eh.e_phoff;
		image.phnum = eh.e_phnum;
	} else if (want != 0 && (machine == EM_X86_64 || machine == EM_386 || machine == EM_IAMCU) &&
		   eh32.e_phentsize == sizeof(Elf32_Phdr)) {
		image.compat = true;
		image.phoff = eh32.e_phoff;
		image.phnum = eh32.e_phnum;
	} else {
		return -ENOEXEC;
	}
	if (type != ET_EXEC && type != ET_DYN)
		return -ENOEXEC;
	image.dyn = type == ET_DYN;
	*ret = image;
	return 0;
}

static void decode_segment(const unsigned char *at, bool compat, struct segment *ret)
{
	if (compat) {
		Elf32_Phdr ph;

		memcpy(&ph, at, sizeof(ph));
		*ret = (struct segment){ ph.p_type, ph.p_flags, ph.p_offset, ph.p_vaddr, ph.p_filesz, ph.p_memsz };
	} else {
		Elf64_Phdr ph;

		memcpy(&ph, at, sizeof(ph));
		*ret = (struct segment){ ph.p_type, ph.p_flags, ph.p_offset, ph.p_vaddr, ph.p_filesz, ph.p_memsz };
	}
}

static uint64_t segment_pages(const struct segment *seg)
{
	uint64_t in_page = seg->vaddr & (PAGE_BYTES - 1);
	uint64_t file = seg->filesz ? bytes_to_pages(add_saturating(in_page, seg->filesz)) : 0;
	uint64_t all = bytes_to_pages(add_saturating(in_page, larger(seg->filesz, seg->memsz)));

	if (!seg->filesz && !seg->memsz)
		return 0;
	return seg->flags & PF_W ? all : all - file;
}

static void layout_add(struct layout *layout, const struct segment *seg)
{
	uint64_t end;

	if (seg->type == PT_INTERP && !layout->has_interp) {
		layout->has_interp = true;
		layout->interp_at = seg->offset;
		layout->interp_len = seg->filesz;
	}
	if (seg->type != PT_LOAD)
		return;
	end = add_saturating(seg->vaddr, larger(seg->filesz, seg->memsz));
	if (!layout->any) {
		layout->any = true;
		layout->first_writable = seg->flags & PF_W;
		layout->lowest = seg->vaddr;
		layout->highest = end;
	}
	if (seg->vaddr < layout->lowest)
		layout->lowest = seg->vaddr;
	layout->highest = larger(layout->highest, end);
	layout->pages = add_saturating(layout->pages, segment_pages(seg));
}

static int read_layout(int fd, const struct image *image, struct layout *ret)
{
	/* a whole number of headers of either size */
	unsigned char buf[sizeof(Elf64_Phdr) * sizeof(Elf32_Phdr)];
	size_t entry = image->compat ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr);
	size_t left = entry * image->phnum;
	uint64_t at = image->phoff;
	struct layout layout = { 0 };

	if (!left || left > PHDRS_BYTES_MAX)
		return -ENOEXEC;
	while (left) {
		size_t want = left < sizeof(buf) ? left : sizeof(buf);
		ssize_t got = read_at(fd, buf, want, at);
		size_t i;

		if (got < 0)
			return (int)got;
		if ((size_t)got < want)
			return -ENOEXEC;
		for (i = 0; i < want; i += entry) {
			struct segment seg;

			decode_segment(buf + i, image->compat, &seg);
			layout_add(&layout, &seg);
		}
		at = add_saturating(at, want);
		left -= want;
	}
	*ret = layout;
	return 0;
}

/* SPANNED: the kernel maps the span of this image in one piece first. */
static uint64_t layout_pages(const struct layout *layout, bool spanned)
{
	uint64_t first = layout->lowest & ~(PAGE_BYTES - 1);

	if (!spanned || !layout->any || !layout->first_writable)
		return layout->pages;
	return larger(layout->pages, bytes_to_pages(layout->highest - first));
}

static int open_path(int root_fd, int cwd_fd, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	int fd;

	if (path[0] != '/') {
		fd = openat(cwd_fd, path, O_PATH | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	do {
		fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	if (fd >= 0)
		return fd;
	if (errno != ENOSYS && errno != EPERM)
		return -errno;

	/* KERNEL < 5.6, or a container that hides openat2: absolute symbolic
	 * links are then followed from our root, not from ROOT_FD. */
	while (*path == '/')
		path++;
	fd = openat(root_fd, *path ? path : ".", O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Opens a program for reading, or -errno: -EACCES, as the kernel has it, for
 * what is not a regular file. */
static int open_program(int root_fd, int cwd_fd, const char *path)
{
	char link[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	autoclose int fd = open_path(root_fd, cwd_fd, path);
	struct stat st;
	int program;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd); /* sized for it */
	/* O_NONBLOCK: not to wait for the holder of a lease */
	program = open(link, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return program < 0 ? -errno : program;
}

/* Pages of the interpreter that LAYOUT names in the program at FD. */
static int interpreter_pages(int fd, const struct image *image, const struct layout *layout, int root_fd, int cwd_fd,
			     uint64_t *ret_pages)
{
	unsigned char head[HEAD_BYTES];
	struct image interp_image;
	struct layout interp;
	autoclose int interp_fd = -1;
	char path[PATH_MAX];
	ssize_t n;
	int r;

	if (layout->interp_len < 2 || layout->interp_len > sizeof(path))
		return -ENOEXEC;
	n = read_at(fd, path, (size_t)layout->interp_len, layout->interp_at);
	if (n < 0)
		return (int)n;
	if ((uint64_t)n < layout->interp_len || path[layout->interp_len - 1] != '\0')
		return -ENOEXEC;

	interp_fd = open_program(root_fd, cwd_fd, path);
	if (interp_fd < 0)
		return interp_fd;
	r = read_head(interp_fd, head);
	if (r)
		return r;
	r = parse_ehdr(head, image->compat, &interp_image);
	if (!r)
		r = read_layout(interp_fd, &interp_image, &interp);
	if (r)
		return r == -ENOEXEC ? -ELIBBAD : r;
	/* its own PT_INTERP is not looked at: no chain, no loop */
	*ret_pages = layout_pages(&interp, true);
	return 0;
}

static int image_estimate(int fd, const unsigned char head[HEAD_BYTES], int root_fd, int cwd_fd, struct elfload *ret)
{
	uint64_t interp_pages = 0;
	struct layout layout;
	struct image image;
	int r;

	r = parse_ehdr(head, -1, &image);
	if (r)
		return r;
	r = read_layout(fd, &image, &layout);
	if (r)
		return r;
	if (layout.has_interp) {
		r = interpreter_pages(fd, &image, &layout, root_fd, cwd_fd, &interp_pages);
		if (r)
			return r;
	}
	ret->image_pages = add_saturating(layout_pages(&layout, image.dyn), interp_pages);
	ret->dynamic = layout.has_interp;
	ret->compat = image.compat;
	return 0;
}

int elfload_estimate(int exe_fd, int root_fd, int cwd_fd, uint64_t stack_rlimit, struct elfload *ret)
{
	uint64_t stack = stack_rlimit < STACK_EXTRA_BYTES ? stack_rlimit : STACK_EXTRA_BYTES;
	struct elfload load = { .stack_pages = stack >> PAGE_SHIFT };
	unsigned char head[HEAD_BYTES];
	autoclose int script_fd = -1;
	int scripts = 0;
	int fd = exe_fd;
	int r;

	for (;;) {
		char path[HEAD_BYTES];

		r = read_head(fd, head);
		if (r)
			return r;
		if (head[0] != '#' || head[1] != '!')
			break;
		if (scripts++ == SCRIPTS_MAX)
			return -ELOOP;
		r = script_interpreter(head, path);
		if (r)
			return r;
		r = open_program(root_fd, cwd_fd, path);
		if (r < 0)
			return r;
		close_fd(&script_fd);
		fd = script_fd = r;
	}
	load.script = scripts > 0;
	r = image_estimate(fd, head, root_fd, cwd_fd, &load);
	if (r)
		return r;
	*ret = load;
	return 0;
}
