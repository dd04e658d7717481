#include "utf8.h"

#include <string.h>

static bool is_continuation(uint8_t byte)
{
  return (byte & 0xc0) == 0x80;
}

/* The second byte rules out overlong forms, surrogates and what is beyond U+10FFFF (RFC 3629, section 4). */
static bool is_second(uint8_t first, uint8_t second)
{
  switch (first) {
  case 0xe0:
    return second >= 0xa0 && second <= 0xbf;
  case 0xed:
    return second >= 0x80 && second <= 0x9f;
  case 0xf0:
    return second >= 0x90 && second <= 0xbf;
  case 0xf4:
    return second >= 0x80 && second <= 0x8f;
  default:
    return is_continuation(second);
  }
}

static size_t announced_length(uint8_t first)
{
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}

size_t utf8_length(const uint8_t *text, size_t size)
{
  size_t length = announced_length(text[0]);
  if (length > size) return 0;
  if (length > 1 && !is_second(text[0], text[1])) return 0;
  for (size_t i = 2; i < length; i++)
    if (!is_continuation(text[i])) return 0;
  return length;
}

static bool is_replaced(uint8_t first, enum utf8_controls controls)
{
  return controls == UTF8_REPLACE_CONTROLS && (first < 0x20 || first == 0x7f);
}

bool utf8_is_clean(const uint8_t *text, size_t size, enum utf8_controls controls)
{
  for (size_t i = 0; i < size;) {
    size_t length = utf8_length(text + i, size - i);
    if (length == 0 || is_replaced(text[i], controls)) return false;
    i += length;
  }
  return true;
}

size_t utf8_repair(char *to, size_t room, const uint8_t *text, size_t size, enum utf8_controls controls, size_t *rest)
{
  static const char replacement[] = "\xef\xbf\xbd";
  size_t written = 0;
  size_t i = 0;
  while (i < size) {
    size_t length = utf8_length(text + i, size - i);
    bool replaced = length == 0 || is_replaced(text[i], controls);
    size_t needed = replaced ? sizeof replacement - 1 : length;
    if (needed > room - written) break;
    memcpy(to + written, replaced ? (const void *)replacement : text + i, needed);
    written += needed;
    i += replaced ? 1 : length;
  }
  if (rest) *rest = size - i;
  return written;
}

size_t utf8_cut(const char *text, size_t size, size_t limit)
{
  if (size <= limit) return size;
  while (limit > 0 && is_continuation((uint8_t)text[limit])) limit--;
  return limit;
}
