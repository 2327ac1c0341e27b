/*
 * A reader of our own and not libelf: of a file we need a few hundred bytes (headers, the dynamic
 * section, some names), which is less than libelf's own interface takes to say, and each start
 * reads up to hundreds of files. elf(5).
 */
#include "python/elf.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#else
#define MACHINE EM_AARCH64
#endif

#define SEGMENTS_MAX 64U
#define DYNAMIC_MAX  1024U
#define NEEDED_MAX   256U

struct reader {
	int fd;
	Elf64_Phdr segments[SEGMENTS_MAX];
	size_t segment_count;
	uint64_t strings; /* offset of the string table in the file, and its size */
	uint64_t strings_size;
	uint64_t window; /* offset in the file of what is in text */
	size_t window_size;
	char text[PATH_MAX];
};

/* All of it, or -ENOEXEC: the file is shorter than it says. */
static int read_at(int fd, void *buf, size_t size, uint64_t offset)
{
	size_t done = 0;

	if (offset > INT64_MAX - size)
		return -ENOEXEC;
	while (done < size) {
		ssize_t n = pread(fd, (char *)buf + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOEXEC;
		done += (size_t)n;
	}
	return 0;
}

static int read_header(struct reader *in)
{
	Elf64_Ehdr header;
	/* Mostly the program headers follow at once. */
	ssize_t n = pread(in->fd, in->text, 1024, 0);
	size_t size;

	if (n < (ssize_t)sizeof(header))
		return n < 0 ? -errno : -ENOEXEC;
	memcpy(&header, in->text, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_machine != MACHINE || header.e_phentsize != sizeof(Elf64_Phdr) ||
	    header.e_phnum == 0 || header.e_phnum > SEGMENTS_MAX)
		return -ENOEXEC;
	in->segment_count = header.e_phnum;
	size = in->segment_count * sizeof(Elf64_Phdr);
	if (header.e_phoff > (uint64_t)n || size > (uint64_t)n - header.e_phoff)
		return read_at(in->fd, in->segments, size, header.e_phoff);
	memcpy(in->segments, in->text + header.e_phoff, size);
	return 0;
}

static const Elf64_Phdr *find_segment(const struct reader *in, Elf64_Word type)
{
	for (size_t i = 0; i < in->segment_count; i++)
		if (in->segments[i].p_type == type)
			return &in->segments[i];
	return NULL;
}

/* Where in the file an address lies; what follows it there is at most *ret_size long. */
static bool find_offset(const struct reader *in, uint64_t address, uint64_t *ret,
			uint64_t *ret_size)
{
	for (size_t i = 0; i < in->segment_count; i++) {
		const Elf64_Phdr *segment = &in->segments[i];

		if (segment->p_type != PT_LOAD || address < segment->p_vaddr ||
		    address - segment->p_vaddr >= segment->p_filesz ||
		    segment->p_offset > INT64_MAX - segment->p_filesz ||
		    segment->p_filesz > INT64_MAX)
			continue;
		*ret = segment->p_offset + (address - segment->p_vaddr);
		*ret_size = segment->p_filesz - (address - segment->p_vaddr);
		return true;
	}
	return false;
}

/* A name of the string table, valid until the next one is asked for. Names stand together, so most
 * are read once. NULL: the table has no such name. */
static const char *find_name(struct reader *in, uint64_t name)
{
	uint64_t offset;
	ssize_t n;

	if (name >= in->strings_size)
		return NULL;
	offset = in->strings + name;
	if (in->window_size > 0 && offset >= in->window && offset - in->window < in->window_size) {
		const char *text = in->text + (offset - in->window);

		if (memchr(text, '\0', in->window_size - (offset - in->window)) != NULL)
			return text;
	}
	n = pread(in->fd, in->text,
		  in->strings_size - name < sizeof(in->text) ? in->strings_size - name
							     : sizeof(in->text),
		  (off_t)offset);
	in->window = offset;
	in->window_size = n > 0 ? (size_t)n : 0;
	return memchr(in->text, '\0', in->window_size) != NULL ? in->text : NULL;
}

static int copy_name(struct reader *in, uint64_t name, char **ret)
{
	const char *text = find_name(in, name);

	if (text == NULL)
		return -ENOEXEC;
	free(*ret);
	*ret = strdup(text);
	return *ret == NULL ? -ENOMEM : 0;
}

static int read_names(struct reader *in, const Elf64_Dyn *dynamic, size_t count,
		      struct elf_info *ret)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0 && dynamic[i].d_tag != DT_NULL; i++) {
		const char *text;

		switch (dynamic[i].d_tag) {
		case DT_NEEDED:
			text = find_name(in, dynamic[i].d_un.d_val);
			r = text == NULL || ret->needed.count == NEEDED_MAX
				? -ENOEXEC
				: strlist_add(&ret->needed, text);
			break;
		case DT_RPATH:
			r = copy_name(in, dynamic[i].d_un.d_val, &ret->rpath);
			break;
		case DT_RUNPATH:
			r = copy_name(in, dynamic[i].d_un.d_val, &ret->runpath);
			break;
		default:
			break;
		}
	}
	return r;
}

static int read_dynamic(struct reader *in, struct elf_info *ret)
{
	const Elf64_Phdr *segment = find_segment(in, PT_DYNAMIC);
	Elf64_Dyn dynamic[DYNAMIC_MAX];
	uint64_t address = 0;
	uint64_t size = 0;
	uint64_t rest;
	size_t count;
	int r;

	if (segment == NULL)
		return -ENOEXEC;
	count = segment->p_filesz / sizeof(*dynamic);
	if (count > DYNAMIC_MAX)
		return -ENOEXEC;
	r = read_at(in->fd, dynamic, count * sizeof(*dynamic), segment->p_offset);
	for (size_t i = 0; i < count && r == 0 && dynamic[i].d_tag != DT_NULL; i++) {
		if (dynamic[i].d_tag == DT_STRTAB)
			address = dynamic[i].d_un.d_ptr;
		else if (dynamic[i].d_tag == DT_STRSZ)
			size = dynamic[i].d_un.d_val;
	}
	if (r < 0)
		return r;
	if (!find_offset(in, address, &in->strings, &rest))
		return -ENOEXEC;
	in->strings_size = size < rest ? size : rest;
	return read_names(in, dynamic, count, ret);
}

static int read_interpreter(struct reader *in, struct elf_info *ret)
{
	const Elf64_Phdr *segment = find_segment(in, PT_INTERP);
	int r;

	if (segment == NULL)
		return 0;
	if (segment->p_filesz < 2 || segment->p_filesz > sizeof(in->text))
		return -ENOEXEC;
	in->window_size = 0;
	r = read_at(in->fd, in->text, segment->p_filesz, segment->p_offset);
	if (r < 0 || in->text[segment->p_filesz - 1] != '\0')
		return r < 0 ? r : -ENOEXEC;
	ret->interpreter = strdup(in->text);
	return ret->interpreter == NULL ? -ENOMEM : 0;
}

int elf_read(int fd, struct elf_info *ret)
{
	struct reader in = {.fd = fd};
	struct elf_info info = {.interpreter = NULL};
	int r = read_header(&in);

	if (r == 0)
		r = read_dynamic(&in, &info);
	if (r == 0)
		r = read_interpreter(&in, &info);
	if (r < 0)
		elf_fini(&info);
	else
		*ret = info;
	return r;
}

void elf_fini(struct elf_info *info)
{
	free(info->interpreter);
	free(info->rpath);
	free(info->runpath);
	strlist_fini(&info->needed);
	memset(info, 0, sizeof(*info));
}
