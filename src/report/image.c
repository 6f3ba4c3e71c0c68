/* SPDX-License-Identifier: MIT
 *
 * image: see image.h.
 *
 * The names in /proc/PID/maps are paths as the process sees them, and a file
 * may have been replaced since: a file is used only when it is the mapped one
 * (same inode).  Must not reach for the network, nor open anything that can block.
 */
#include "report/image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Where separate debug information is looked for.  Beside the file (libdw's
 * default) only where its owner could not put a fifo there for us to hang on. */
static char debug_system[] = "/usr/lib/debug";
static char *debuginfo_path;

static bool is_mapped_file(int fd, const struct vma *vma)
{
	struct stat st;
	struct statfs fs;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (st.st_ino == vma->ino && st.st_dev == makedev(vma->dev_major, vma->dev_minor))
		return true;
	/* On these maps shows other numbers than stat: the name must do. */
	return fstatfs(fd, &fs) == 0 && (fs.f_type == OVERLAYFS_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC);
}

/* The file of a mapping: in the process's mount namespace, in ours, or by the
 * links that also lead to a deleted file.  Returns a descriptor or -1. */
static int open_mapped(const struct image *image, const struct mapping *m, char **ret_path)
{
	const struct vma *v = &m->vma;
	int pid = (int)image->pid;

	for (int i = 0; i < 4; i++) {
		autofree char *path = NULL;
		autoclose int fd = -1;
		int n = -1;

		if (i == 0)
			n = asprintf(&path, "%s", m->name);
		else if (i == 1)
			n = asprintf(&path, "/proc/%d/root%s", pid, m->name);
		else if (i == 2)
			n = asprintf(&path, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, v->start, v->end);
		else
			n = asprintf(&path, "/proc/%d/exe", pid);
		if (n < 0) {
			path = NULL;
			return -1;
		}
		fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd >= 0 && is_mapped_file(fd, v)) {
			*ret_path = path;
			path = NULL;
			return steal_fd(&fd);
		}
	}
	return -1;
}

/* The kernel's own image is the same in every process of one ABI: ours serves
 * a 64-bit task, an i386 task's must come from itself while it lives. */
static Elf *open_vdso(struct image *image, const struct vma *v)
{
	size_t len = v->end - v->start;
	const void *own = (const void *)getauxval(AT_SYSINFO_EHDR);
	char path[32];

	if (image->vdso || len > (1 << 20))
		return NULL;
	image->vdso = calloc(1, len);
	if (!image->vdso)
		return NULL;
	if (image->compat) {
		autoclose int fd = -1;

		(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)image->pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || pread(fd, image->vdso, len, (off_t)v->start) != (ssize_t)len)
			return NULL;
	} else {
		const Elf64_Ehdr *h = own;

		if (!h || h->e_shoff + (size_t)h->e_shnum * h->e_shentsize > len)
			return NULL;
		memcpy(image->vdso, own, h->e_shoff + (size_t)h->e_shnum * h->e_shentsize);
	}
	return elf_memory(image->vdso, len);
}

static int find_elf(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base, char **file_name,
		    Elf **elf)
{
	struct image *image = *userdata;
	const struct mapping *m = mappings_find(&image->maps, base);

	(void)mod;
	(void)name;
	if (!m)
		return -1;
	if (m->name[0] == '/')
		return open_mapped(image, m, file_name);
	if (!strcmp(m->name, "[vdso]"))
		*elf = open_vdso(image, &m->vma);
	return -1;
}

static int find_debuginfo(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
			  const char *file_name, const char *link_file, GElf_Word link_crc, char **ret_name)
{
	struct stat st;
	bool ours = file_name && stat(file_name, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid());

	debuginfo_path = ours ? NULL : debug_system;
	return dwfl_standard_find_debuginfo(mod, userdata, name, base, file_name, link_file, link_crc, ret_name);
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = find_elf,
	.find_debuginfo = find_debuginfo,
	.debuginfo_path = &debuginfo_path,
};

static int set_userdata(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base, void *arg)
{
	(void)mod;
	(void)name;
	(void)base;
	*userdata = arg;
	return DWARF_CB_OK;
}

static int report_modules(struct image *image, const struct capture *capture)
{
	autofclose FILE *f = capture->maps_len ? fmemopen((void *)capture->maps, capture->maps_len, "r") : NULL;

	dwfl_report_begin(image->dwfl);
	if (f && dwfl_linux_proc_maps_report(image->dwfl, f) != 0)
		return -ENOEXEC;
	for (size_t i = 0; i < image->maps.nr; i++) {
		const struct mapping *m = &image->maps.at[i];

		if (!strcmp(m->name, "[vdso]") &&
		    !dwfl_report_module(image->dwfl, m->name, m->vma.start, m->vma.end))
			return -ENOEXEC;
	}
	if (dwfl_report_end(image->dwfl, NULL, NULL) != 0)
		return -ENOEXEC;
	return dwfl_getmodules(image->dwfl, set_userdata, image, 0) == 0 ? 0 : -ENOEXEC;
}

/* libdwfl takes the architecture from an ELF file; which module it would look
 * at is chance, and there may be none. */
static Elf *machine_elf(struct image *image)
{
	unsigned char ident[EI_NIDENT] = {
		ELFMAG0,    ELFMAG1,    ELFMAG2, ELFMAG3, image->compat ? ELFCLASS32 : ELFCLASS64,
		ELFDATA2LSB, EV_CURRENT,
	};
	size_t size = image->compat ? sizeof(Elf32_Ehdr) : sizeof(Elf64_Ehdr);

	if (image->compat)
		image->header.e32 = (Elf32_Ehdr){ .e_type = ET_DYN, .e_machine = EM_386, .e_version = EV_CURRENT,
						  .e_ehsize = (Elf32_Half)size };
	else
		image->header.e64 = (Elf64_Ehdr){ .e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
						  .e_ehsize = (Elf64_Half)size };
	memcpy(&image->header, ident, sizeof(ident)); /* e_ident is first in both */
	return elf_memory((char *)&image->header, size);
}

static void image_free(struct image *image)
{
	if (!image)
		return;
	if (image->dwfl)
		dwfl_end(image->dwfl);
	if (image->machine)
		(void)elf_end(image->machine); /* returns a count, not a result */
	mappings_done(&image->maps);
	free(image->vdso);
	free(image);
}

/* Takes MAPS over, on success only. */
static int image_new(pid_t pid, const struct capture *capture, struct mappings *maps, uint64_t hash,
		     struct image **ret)
{
	struct image *image = calloc(1, sizeof(*image));
	int r = -ENOMEM;

	if (!image)
		return r;
	image->pid = pid;
	image->compat = capture->compat;
	image->fresh = true;
	image->files_hash = hash;
	image->maps = *maps;
	(void)elf_version(EV_CURRENT); /* cannot fail for a version that the header knows */
	image->machine = machine_elf(image);
	image->dwfl = dwfl_begin(&callbacks);
	if (image->machine && image->dwfl)
		r = report_modules(image, capture);
	if (r < 0) {
		image->maps = (struct mappings){ 0 };
		image_free(image);
		return r;
	}
	*maps = (struct mappings){ 0 };
	*ret = image;
	return 0;
}

static struct image **pick_slot(struct image_cache *cache, bool compat, uint64_t hash)
{
	struct image **oldest = &cache->slot[0];

	for (int i = 0; i < IMAGE_CACHE; i++) {
		struct image *s = cache->slot[i];

		if (s && s->compat == compat && s->files_hash == hash)
			return &cache->slot[i];
		if (!s || (*oldest && s->used < (*oldest)->used))
			oldest = &cache->slot[i];
	}
	image_free(*oldest);
	*oldest = NULL;
	return oldest;
}

int image_get(struct image_cache *cache, pid_t pid, const struct capture *capture, struct image **ret)
{
	struct mappings maps;
	struct image **slot;
	uint64_t hash;
	int r = mappings_parse(&maps, capture->maps, capture->maps_len);

	if (r < 0)
		return r;
	hash = mappings_files_hash(&maps);
	slot = pick_slot(cache, capture->compat, hash);
	if (*slot) { /* memory without a file may have changed all the same */
		mappings_done(&(*slot)->maps);
		(*slot)->maps = maps;
	} else {
		r = image_new(pid, capture, &maps, hash, slot);
		if (r < 0) {
			mappings_done(&maps);
			return r;
		}
	}
	(*slot)->pid = pid;
	(*slot)->used = ++cache->clock;
	*ret = *slot;
	return 0;
}

void image_cache_done(struct image_cache *cache)
{
	for (int i = 0; i < IMAGE_CACHE; i++)
		image_free(cache->slot[i]);
	*cache = (struct image_cache){ 0 };
}
