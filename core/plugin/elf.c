#include "plugin/elf.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_SEGMENTS = 1024 };

static bool read_at(int fd, void *to, size_t size, ElfW(Off) offset)
{
  return pread(fd, to, size, (off_t)offset) == (ssize_t)size;
}

static bool ends_within(ElfW(Off) offset, ElfW(Off) size, off_t file_size)
{
  return offset <= (ElfW(Off))file_size && size <= (ElfW(Off))file_size - offset;
}

/* Is it of the same machine as this program, whose own header is in memory? */
static bool is_ours(const ElfW(Ehdr) * header)
{
  extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden"))); /* set by the linker */
  return header->e_ident[EI_CLASS] == __ehdr_start.e_ident[EI_CLASS] &&
         header->e_ident[EI_DATA] == __ehdr_start.e_ident[EI_DATA] && header->e_machine == __ehdr_start.e_machine;
}

static const char *check_segments(int fd, const ElfW(Ehdr) * header, off_t file_size)
{
  static const char cut[] = "is cut short: parts that its header names are not there";
  if (header->e_phentsize != sizeof(ElfW(Phdr)) || !header->e_phnum || header->e_phnum > MAX_SEGMENTS)
    return "is damaged: its program header makes no sense";
  for (unsigned i = 0; i < header->e_phnum; i++) {
    ElfW(Phdr) segment;
    if (!read_at(fd, &segment, sizeof segment, header->e_phoff + i * sizeof segment)) return cut;
    if (segment.p_type == PT_LOAD && !ends_within(segment.p_offset, segment.p_filesz, file_size)) return cut;
  }
  return NULL;
}

static const char *check_file(int fd)
{
  ElfW(Ehdr) header;
  struct stat status;
  if (fstat(fd, &status)) return strerror(errno);
  if (S_ISDIR(status.st_mode)) return "is a directory";
  if (!S_ISREG(status.st_mode)) return "is no regular file";
  if (!read_at(fd, &header, sizeof header, 0) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return "is no shared library (not ELF)";
  if (!is_ours(&header)) return "is built for another machine";
  if (header.e_type != ET_DYN) return "is no shared library: link it with -shared";
  return check_segments(fd, &header, status.st_size);
}

const char *elf_check(const char *path)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return strerror(errno);
  const char *wrong = check_file(fd);
  close(fd);
  return wrong;
}
