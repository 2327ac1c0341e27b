#include "python/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"

#define HEAD_MAX 4096

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#else
#error "unknown architecture"
#endif

/* Both members come before what differs between 32 and 64 bits; a foreign byte order is a foreign machine. */
static const char *foreign_name(const char *head)
{
	static const struct {
		Elf64_Half machine;
		unsigned char bits;
		const char *name;
	} machines[] = {
	    {EM_386, ELFCLASS32, "32-bit x86"},	  {EM_X86_64, ELFCLASS64, "x86-64"}, {EM_X86_64, ELFCLASS32, "x32"},
	    {EM_AARCH64, ELFCLASS64, "aarch64"},  {EM_ARM, ELFCLASS32, "32-bit ARM"}, {EM_RISCV, ELFCLASS64, "RISC-V"},
	    {EM_PPC64, ELFCLASS64, "POWER"},
	};
	Elf64_Ehdr header;

	memcpy(&header, head, sizeof(header));
	if (header.e_ident[EI_DATA] == ELFDATA2LSB && header.e_ident[EI_CLASS] == ELFCLASS64 &&
	    header.e_machine == OUR_MACHINE)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (header.e_ident[EI_DATA] == ELFDATA2LSB && header.e_machine == machines[i].machine &&
		    header.e_ident[EI_CLASS] == machines[i].bits)
			return machines[i].name;
	return "another machine";
}

/* The path in the PT_INTERP segment. elf(5). */
static int read_loader(int fd, const char *head, size_t size, struct program *ret)
{
	Elf64_Ehdr header;

	memcpy(&header, head, sizeof(header));
	if (header.e_phentsize != sizeof(Elf64_Phdr))
		return header.e_phnum == 0 ? 0 : -ENOEXEC;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;
		char path[sizeof(ret->loader)];
		ssize_t n;

		/* They follow the header, so they are in the first page. */
		if (header.e_phoff > size || size - header.e_phoff < ((size_t)i + 1) * sizeof(segment))
			return -ENOEXEC;
		memcpy(&segment, head + header.e_phoff + i * sizeof(segment), sizeof(segment));
		if (segment.p_type != PT_INTERP)
			continue;
		if (segment.p_filesz < 2 || segment.p_filesz > sizeof(path) || segment.p_offset > INT64_MAX)
			return -ENOEXEC;
		n = (ssize_t)segment.p_filesz;
		if (segment.p_offset <= size && size - segment.p_offset >= segment.p_filesz)
			memcpy(path, head + segment.p_offset, segment.p_filesz);
		else
			n = pread(fd, path, segment.p_filesz, (off_t)segment.p_offset);
		if (n != (ssize_t)segment.p_filesz || path[0] != '/' || path[n - 1] != '\0')
			return -ENOEXEC;
		strcpy(ret->loader, path);
		return 0;
	}
	return 0;
}

int program_read(const char *path, struct program *ret)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char head[HEAD_MAX];
	struct stat st;
	ssize_t n;

	memset(ret, 0, sizeof(*ret));
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	/* One read: of a regular file it is short at the end only. */
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return -errno;
	ret->kind = PROGRAM_OTHER;
	if (n >= 2 && memcmp(head, "#!", 2) == 0) {
		size_t start = 2;
		size_t len = 0;

		while (start < (size_t)n && (head[start] == ' ' || head[start] == '\t'))
			start++;
		while (start + len < (size_t)n && head[start + len] != '\n' && len < sizeof(ret->line) - 1)
			len++;
		memcpy(ret->line, head + start, len);
		ret->kind = PROGRAM_SCRIPT;
		return 0;
	}
	if (n < (ssize_t)sizeof(Elf64_Ehdr) || memcmp(head, ELFMAG, SELFMAG) != 0)
		return 0;
	ret->kind = PROGRAM_ELF;
	ret->foreign = foreign_name(head);
	return ret->foreign != NULL ? 0 : read_loader(fd, head, (size_t)n, ret);
}
