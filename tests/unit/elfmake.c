#include "elfmake.h"

#include <stddef.h>
#include <string.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#else
#define MACHINE EM_AARCH64
#endif

static size_t add_string(struct elfmake *file, size_t *end, const char *text)
{
	size_t at = *end;

	memcpy(file->strings + at, text, strlen(text) + 1);
	*end += strlen(text) + 1;
	return at;
}

void elfmake(struct elfmake *ret, const char *interpreter, const char *const needed[],
	     const char *rpath, const char *runpath)
{
	size_t end = 1;
	size_t n = 0;

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->header.e_ident, ELFMAG, SELFMAG);
	ret->header.e_ident[EI_CLASS] = ELFCLASS64;
	ret->header.e_ident[EI_DATA] = ELFDATA2LSB;
	ret->header.e_type = ET_DYN;
	ret->header.e_machine = MACHINE;
	ret->header.e_phoff = offsetof(struct elfmake, segments);
	ret->header.e_phentsize = sizeof(Elf64_Phdr);
	ret->header.e_phnum = interpreter != NULL ? 3 : 2;
	ret->segments[0] =
	    (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = ELFMAKE_BASE, .p_filesz = sizeof(*ret)};
	ret->segments[1] = (Elf64_Phdr){.p_type = PT_DYNAMIC,
					.p_offset = offsetof(struct elfmake, dynamic),
					.p_filesz = sizeof(ret->dynamic)};
	for (size_t i = 0; needed != NULL && needed[i] != NULL; i++)
		ret->dynamic[n++] =
		    (Elf64_Dyn){.d_tag = DT_NEEDED, .d_un.d_val = add_string(ret, &end, needed[i])};
	if (rpath != NULL)
		ret->dynamic[n++] =
		    (Elf64_Dyn){.d_tag = DT_RPATH, .d_un.d_val = add_string(ret, &end, rpath)};
	if (runpath != NULL)
		ret->dynamic[n++] =
		    (Elf64_Dyn){.d_tag = DT_RUNPATH, .d_un.d_val = add_string(ret, &end, runpath)};
	ret->dynamic[n++] = (Elf64_Dyn){
	    .d_tag = DT_STRTAB, .d_un.d_ptr = ELFMAKE_BASE + offsetof(struct elfmake, strings)};
	ret->dynamic[n++] = (Elf64_Dyn){.d_tag = DT_STRSZ, .d_un.d_val = sizeof(ret->strings)};
	if (interpreter != NULL) {
		size_t at = add_string(ret, &end, interpreter);

		ret->segments[2] = (Elf64_Phdr){.p_type = PT_INTERP,
						.p_offset = offsetof(struct elfmake, strings) + at,
						.p_filesz = strlen(interpreter) + 1};
	}
}
