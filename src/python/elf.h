/*
 * What the dynamic linker reads of an ELF file: which libraries it needs and where to look for
 * them. The file is taken for hostile: bounded reads, never mapped, nothing executed.
 */
#ifndef CAPSULE_PYTHON_ELF_H
#define CAPSULE_PYTHON_ELF_H

#include "base/strlist.h"

struct elf_info {
	char *interpreter; /* PT_INTERP, or NULL; owned */
	char *rpath;	   /* DT_RPATH and DT_RUNPATH as they stand, or NULL; owned */
	char *runpath;
	struct strlist needed; /* DT_NEEDED, in order */
};

/*
 * Reads a regular file. 0; -ENOEXEC when it is no dynamic 64-bit ELF file of this machine's kind or
 * contradicts itself, or -errno. *ret must be released with elf_fini() when 0 was returned.
 */
ATTR_CHECKED int elf_read(int fd, struct elf_info *ret);

void elf_fini(struct elf_info *info);

#endif
