/* Makes small ELF files, as far as elf_read() looks at them. */
#ifndef CAPSULE_UNIT_ELFMAKE_H
#define CAPSULE_UNIT_ELFMAKE_H

#include <elf.h>
#include <stddef.h>

struct elfmake {
	Elf64_Ehdr header;
	Elf64_Phdr segments[3]; /* PT_LOAD of all of it, PT_DYNAMIC, PT_INTERP */
	Elf64_Dyn dynamic[16];
	char strings[512];
};

/* Addresses of the made file begin here, so that they are no offsets. */
#define ELFMAKE_BASE 0x400000U

/* needed: names, up to 8, then NULL. The others may be NULL. */
void elfmake(struct elfmake *ret, const char *interpreter, const char *const needed[],
	     const char *rpath, const char *runpath);

#endif
