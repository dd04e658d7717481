#include "config/file.h"
#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE = 1024 * 1024 };

static struct place nowhere(void)
{
  return (struct place){0};
}

static char *read_all(struct config_memory *memory, int fd, size_t limit, size_t *size)
{
  char *text = config_alloc(memory, limit + 2);
  *size = 0;
  for (;;) {
    ssize_t n = read(fd, text + *size, limit + 1 - *size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return NULL;
    if (!n) return text;
    *size += (size_t)n;
    if (*size > limit) return text;
  }
}

struct place config_place(const char *text, size_t offset)
{
  struct place place = {.line = 1, .column = 1, .length = 1};
  for (size_t i = 0; i < offset; i++) {
    if (text[i] == '\n') {
      place.line++;
      place.column = 1;
    } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
      place.column++;
    }
  }
  return place;
}

static bool is_clean(const char *text, size_t size, struct diagnostics *diagnostics)
{
  const char *nul = memchr(text, '\0', size);
  if (nul) {
    diagnostics_error(diagnostics, nowhere(), "is no text: there is a NUL byte at offset %zu", (size_t)(nul - text));
    return false;
  }
  size_t good = text_valid_prefix(text, size);
  if (good == size) return true;
  diagnostics_error(diagnostics, config_place(text, good), "is not UTF-8");
  return false;
}

char *config_read_file(struct config_memory *memory, const char *path, size_t *size, struct diagnostics *diagnostics)
{
  struct stat status;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status)) {
    diagnostics_error(diagnostics, nowhere(), "can not be read: %s", strerror(errno));
    if (fd >= 0) close(fd);
    return NULL;
  }
  char *text = NULL;
  if (S_ISDIR(status.st_mode))
    diagnostics_error(diagnostics, nowhere(), "is a directory; name a YAML file in it");
  else if (!(text = read_all(memory, fd, MAX_FILE, size)))
    diagnostics_error(diagnostics, nowhere(), "can not be read: %s", strerror(errno));
  close(fd);
  if (text && *size > MAX_FILE) {
    diagnostics_error(diagnostics, nowhere(), "is larger than 1 MiB: this is no configuration of evpipe");
    return NULL;
  }
  if (!text || !is_clean(text, *size, diagnostics)) return NULL;
  if (*size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) { /* a byte order mark says nothing that we do not know */
    text += 3;
    *size -= 3;
  }
  diagnostics_set_text(diagnostics, text, *size);
  return text;
}
