#include "text.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the character that begins here: 1 to 4, or 0 if none does (overlong forms, surrogates and what lies beyond
   U+10FFFF included). */
static size_t character(const uint8_t *text, size_t size)
{
  uint8_t first = text[0];
  if (first < 0x80) return 1;
  size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || length > size) return 0;
  for (size_t i = 1; i < length; i++)
    if ((text[i] & 0xc0) != 0x80) return 0;
  if (first == 0xe0 && text[1] < 0xa0) return 0;
  if (first == 0xed && text[1] > 0x9f) return 0;
  if (first == 0xf0 && text[1] < 0x90) return 0;
  if (first == 0xf4 && text[1] > 0x8f) return 0;
  return length;
}

size_t text_valid_prefix(const char *text, size_t size)
{
  const uint8_t *bytes = (const uint8_t *)text;
  size_t at = 0;
  for (size_t length; at < size && (length = character(bytes + at, size - at)); at += length) {}
  return at;
}

bool text_is_utf8(const char *text, size_t size)
{
  return text_valid_prefix(text, size) == size;
}

char *text_make_utf8(const char *text, size_t size, size_t *made)
{
  static const char replacement[] = "\xef\xbf\xbd";
  const uint8_t *bytes = (const uint8_t *)text;
  if (size > SIZE_MAX / 4) return NULL;
  char *clean = malloc(size * 3 + 1);
  if (!clean) return NULL;
  size_t used = 0;
  for (size_t at = 0; at < size;) {
    size_t length = character(bytes + at, size - at);
    memcpy(clean + used, length ? text + at : replacement, length ? length : 3);
    used += length ? length : 3;
    at += length ? length : 1;
  }
  clean[used] = '\0';
  if (made) *made = used;
  return clean;
}
