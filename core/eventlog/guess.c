#include "eventlog/eventlog.h"

#include <string.h>

struct signature {
  const char *bytes;
  size_t size;
  const char *what;
};

#define SIGNATURE(bytes, what) \
  { \
    bytes, sizeof(bytes) - 1, what \
  }

static const struct signature signatures[] = {
  SIGNATURE("\x1f\x8b", "gzip data"),
  SIGNATURE("\x28\xb5\x2f\xfd", "zstd data"),
  SIGNATURE("\xfd"
            "7zXZ\0",
    "xz data"),
  SIGNATURE("BZh", "bzip2 data"),
  SIGNATURE("PK\3\4", "a zip archive"),
  SIGNATURE("version https://git-lfs", "a git-LFS pointer, not the file itself"),
  SIGNATURE("\x7f"
            "ELF",
    "a program, not its eventlog"),
  SIGNATURE("HTTP/", "an HTTP response"),
  SIGNATURE("<!DOCTYPE", "HTML"),
  SIGNATURE("<html", "HTML"),
};

static const char header_begin[] = "hdrbhetbetb";

/* The first description's length, four bytes, is followed by a text. A transfer in text mode puts a CR or an LF beside
   each LF or CR: lengths of 10 and 13 are frequent, and the text then does not begin where it should. */
static bool went_through_text_mode(const uint8_t *data, size_t size)
{
  enum { SCANNED = 4096 };
  if (size > SCANNED) size = SCANNED;
  for (size_t i = 0; i + 5 <= size; i++)
    if (!memcmp(data + i, "\0\0\0\r\n", 5) || !memcmp(data + i, "\0\0\0\n\r", 5)) return true;
  return false;
}

/* Text has no NUL and hardly any control characters; 256 bytes tell. */
static bool looks_like_text(const uint8_t *data, size_t size)
{
  if (size > 256) size = 256;
  for (size_t i = 0; i < size; i++)
    if (data[i] < ' ' && !memchr("\t\n\r\f\033", data[i], 5)) return false;
  return size > 0;
}

const char *eventlog_guess(const uint8_t *data, size_t size)
{
  for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++)
    if (size >= signatures[i].size && !memcmp(data, signatures[i].bytes, signatures[i].size)) return signatures[i].what;
  if (size >= sizeof header_begin - 1 && !memcmp(data, header_begin, sizeof header_begin - 1))
    return went_through_text_mode(data, size) ? "an eventlog that went through a text-mode transfer" : NULL;
  return looks_like_text(data, size) ? "text" : NULL;
}

bool eventlog_begins_with_stray_marker(const uint8_t *data, size_t size)
{
  size_t magic = sizeof header_begin - 1;
  return size >= EVENTLOG_STRAY_MARKER + magic && !memcmp(data, "\0\x12", 2) &&
         !memcmp(data + EVENTLOG_STRAY_MARKER - 2, "\xff\xff", 2) &&
         !memcmp(data + EVENTLOG_STRAY_MARKER, header_begin, magic);
}
