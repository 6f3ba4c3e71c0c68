/* SPDX-License-Identifier: MIT
 *
 * symbol: module, symbol, line and inlined functions of an address, from the
 * mapped file's own tables and from debug information that is installed.
 */
#include "report/symbol.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static char *hex_text(const unsigned char *bytes, int len)
{
	static const char digit[] = "0123456789abcdef";
	char *ret = malloc((size_t)len * 2 + 1);

	if (!ret)
		return NULL;
	for (int i = 0; i < len; i++) {
		ret[2 * i] = digit[bytes[i] >> 4];
		ret[2 * i + 1] = digit[bytes[i] & 15];
	}
	ret[2 * len] = '\0';
	return ret;
}

static void describe_symbol(Dwfl_Module *mod, uint64_t pc, uint64_t call, struct frame *f)
{
	GElf_Off offset;
	GElf_Sym sym;
	const char *name = dwfl_module_addrinfo(mod, call, &offset, &sym, NULL, NULL, NULL);

	if (name) {
		f->symbol = strndup(name, strcspn(name, "@")); /* without its version */
		f->symbol_offset = offset + (pc - call);
	}
}

static void describe_line(Dwfl_Module *mod, uint64_t call, struct frame *f)
{
	Dwarf_Addr bias;
	Dwarf_Die *cu = dwfl_module_addrdie(mod, call, &bias);
	Dwfl_Line *line = NULL;
	int number = 0;

	/* libdwfl gives the unit before an address that is in none. */
	if (cu && dwarf_haspc(cu, call - bias) > 0)
		line = dwfl_module_getsrc(mod, call);
	if (line) {
		f->file = frame_text(dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL));
		f->line = f->file && number > 0 ? number : 0;
	}
}

static Dwfl_Module *describe_module(struct image *image, uint64_t call, struct frame *f)
{
	const struct mapping *m = mappings_find(&image->maps, call);
	Dwfl_Module *mod = m ? dwfl_addrmodule(image->dwfl, call) : NULL;
	const unsigned char *id;
	GElf_Addr bias, id_addr;
	int id_len;

	if (!m || (m->name[0] != '/' && !mod))
		return NULL; /* anonymous memory, or nowhere */
	f->module = frame_text(m->name);
	if (mod && dwfl_module_getelf(mod, &bias)) {
		f->offset = call - bias;
		id_len = dwfl_module_build_id(mod, &id, &id_addr);
		if (id_len > 0)
			f->build_id = hex_text(id, id_len);
		return mod;
	}
	/* Without the file: as if its addresses began with the image. */
	f->offset = call - mappings_image(&image->maps, m)->vma.start;
	return NULL;
}

static const char *file_of(Dwarf_Die *die, Dwarf_Word index)
{
	Dwarf_Die cu;
	Dwarf_Files *files;
	size_t nr;

	if (!dwarf_diecu(die, &cu, NULL, NULL) || dwarf_getsrcfiles(&cu, &files, &nr) != 0 || index >= nr)
		return NULL;
	return dwarf_filesrc(files, index, NULL, NULL);
}

static Dwarf_Word constant_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attr;
	Dwarf_Word value = 0;

	if (!dwarf_attr(die, name, &attr) || dwarf_formudata(&attr, &value) != 0)
		return 0;
	return value;
}

/* The name a linker would know, as that of the frame the code is in. */
static const char *linkage_name(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	const char *name = NULL;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attr))
		name = dwarf_formstring(&attr);
	return name ? name : dwarf_diename(die);
}

/* SCOPES, innermost first, end with the function that has the code.  Each
 * inlined function becomes a frame before LAST, and the line of its call
 * becomes the line of the one behind it.  Returns the frames in front. */
static int expand_inlined(Dwarf_Die *scopes, int nr, struct frame *ret, int room, struct frame *last)
{
	int found = 0;

	for (int i = 0; i < nr && found < room; i++) {
		Dwarf_Die *die = &scopes[i];
		struct frame *f = &ret[found];

		if (dwarf_tag(die) == DW_TAG_subprogram)
			break;
		if (dwarf_tag(die) != DW_TAG_inlined_subroutine)
			continue;
		*f = (struct frame){ .pc = last->pc, .offset = last->offset, .inlined = true };
		f->module = frame_text(last->module);
		f->build_id = frame_text(last->build_id);
		f->symbol = frame_text(linkage_name(die));
		f->file = last->file;
		f->line = last->line;
		last->file = frame_text(file_of(die, constant_of(die, DW_AT_call_file)));
		last->line = last->file ? (int)constant_of(die, DW_AT_call_line) : 0;
		found++;
	}
	return found;
}

static int inlined_frames(Dwfl_Module *mod, uint64_t call, struct frame *ret, int room, struct frame *last)
{
	Dwarf_Addr bias;
	Dwarf_Die *cu = dwfl_module_addrdie(mod, call, &bias);
	autofree Dwarf_Die *scopes = NULL, *chain = NULL;
	int nr = cu ? dwarf_getscopes(cu, call - bias, &scopes) : 0;

	/* dwarf_getscopes() leaves an inlined function for where it was
	 * defined; the chain of calls is that of the parents in the tree. */
	for (int i = 0; i < nr; i++) {
		int tag = dwarf_tag(&scopes[i]);

		if (tag == DW_TAG_subprogram)
			return 0;
		if (tag != DW_TAG_inlined_subroutine)
			continue;
		nr = dwarf_getscopes_die(&scopes[i], &chain);
		return nr > 0 ? expand_inlined(chain, nr, ret, room, last) : 0;
	}
	return 0;
}

/* Frames of the same code in another process, made this one's. */
static int known_frames(struct known *known, const struct known_place *place, const struct frame *here,
			struct frame *ret, int room)
{
	int nr = known_get(known, place, ret, room);

	for (int i = 0; i < nr; i++) {
		ret[i].pc = here->pc;
		ret[i].module = frame_text(here->module);
	}
	return nr;
}

int symbol_frames(struct image *image, struct known **known, uint64_t pc, uint64_t call, struct frame *ret,
		  int room)
{
	struct frame last = { .pc = pc };
	Dwfl_Module *mod = describe_module(image, call, &last);
	const struct mapping *m = mappings_find(&image->maps, call);
	struct known_place place = { .build_id = last.build_id, .offset = last.offset, .exact = pc == call };
	int nr = 0;

	if (m) {
		place.dev = (uint64_t)m->vma.dev_major << 32 | m->vma.dev_minor;
		place.ino = m->vma.ino;
	}
	if (mod && last.build_id)
		nr = known_frames(*known, &place, &last, ret, room);
	if (nr) {
		frame_done(&last);
		return nr;
	}
	if (mod) {
		describe_symbol(mod, pc, call, &last);
		describe_line(mod, call, &last);
		nr = inlined_frames(mod, call, ret, room - 1, &last);
	}
	ret[nr++] = last;
	if (mod && last.build_id && nr < room)
		known_put(known, &place, ret, nr);
	return nr;
}
