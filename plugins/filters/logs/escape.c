#include "escape.h"

#include "utf8.h"

#include <stdbool.h>
#include <string.h>

static const char digits[] = "0123456789abcdef";

size_t escape_hex(char *to, size_t room, const uint8_t *bytes, size_t size)
{
  if (size > room / 2) size = room / 2;
  for (size_t i = 0; i < size; i++) {
    to[2 * i] = digits[bytes[i] >> 4];
    to[2 * i + 1] = digits[bytes[i] & 15];
  }
  return 2 * size;
}

/* C0, DEL, and C1, which are controls too, though of two bytes. */
static bool is_control(const uint8_t *character, size_t length)
{
  return character[0] < 0x20 || character[0] == 0x7f || (length == 2 && character[0] == 0xc2 && character[1] < 0xa0);
}

size_t escape_bytes(char *to, size_t room, const uint8_t *bytes, size_t size)
{
  size_t written = 0;
  for (size_t i = 0; i < size;) {
    size_t length = utf8_length(bytes + i, size - i);
    char escaped[4] = {'\\', 'x', digits[bytes[i] >> 4], digits[bytes[i] & 15]};
    const void *piece = bytes + i;
    size_t taken = length ? length : 1;
    size_t piece_size = length;
    if (length == 0 || is_control(bytes + i, length)) {
      piece = escaped;
      piece_size = sizeof escaped;
      taken = 1;
    } else if (bytes[i] == '\\') {
      piece = "\\\\";
      piece_size = 2;
    }
    if (piece_size > room - written) break;
    memcpy(to + written, piece, piece_size);
    written += piece_size;
    i += taken;
  }
  return written;
}
