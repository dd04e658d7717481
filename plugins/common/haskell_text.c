#include "haskell_text.h"

#include "event_format.h"
#include "text.h"
#include "utf8.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

static bool is_plain_ascii(uint8_t byte)
{
  return byte >= 0x20 && byte < 0x7f;
}

static size_t plain_run(const uint8_t *string, size_t size)
{
  size_t n = 0;
  while (n < size && is_plain_ascii(string[n])) n++;
  return n;
}

/* Of a character that utf8_length() found good. */
static uint32_t code_point(const uint8_t *character, size_t length)
{
  static const uint8_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  uint32_t code = character[0] & first_bits[length];
  for (size_t i = 1; i < length; i++) code = code << 6 | (character[i] & 0x3f);
  return code;
}

bool haskell_put_text(struct evp_buf *text, const uint8_t *string, size_t size)
{
  size_t begin = 0;
  for (size_t i = 0; i < size;) {
    size_t length = string[i] < 0x80 ? 1 : utf8_length(string + i, size - i);
    if (length) {
      i += length;
      continue;
    }
    if (!text_put(text, string + begin, i - begin) || !text_put(text, replacement, 3)) return false;
    begin = ++i;
  }
  return text_put(text, string + begin, size - begin);
}

bool haskell_put_latin1(struct evp_buf *text, const uint8_t *string, size_t size)
{
  for (size_t i = 0; i < size; i++) {
    uint8_t two[2] = {(uint8_t)(0xc0 | string[i] >> 6), (uint8_t)(0x80 | (string[i] & 0x3f))};
    if (!(string[i] < 0x80 ? text_put(text, string + i, 1) : text_put(text, two, 2))) return false;
  }
  return true;
}

/* Haskell 2010 report, 2.6 and showLitChar of base: what a character is within quotes, and what may not follow it. */
static size_t escape(char to[16], uint32_t code)
{
  static const char names[][4] = {"NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "a", "b", "t", "n", "v", "f", "r",
    "SO", "SI", "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS",
    "US"};
  to[0] = '\\';
  const char *name = code < 0x20 ? names[code] : code == 0x7f ? "DEL" : code == '"' ? "\"" : "\\";
  if (code > 0x7f) return 1 + text_format_unsigned(to + 1, code);
  size_t size = strnlen(name, 3);
  memcpy(to + 1, name, size);
  return 1 + size;
}

static bool put_separator_if_needed(struct evp_buf *text, uint32_t before, uint8_t next)
{
  bool digits_run_on = before > 0x7f && next >= '0' && next <= '9';
  bool would_be_soh = before == 0x0e && next == 'H';
  return !(digits_run_on || would_be_soh) || text_put(text, "\\&", 2);
}

static bool put_quoted(struct evp_buf *text, const uint8_t *string, size_t size)
{
  if (!text_put(text, "\"", 1)) return false;
  uint32_t before = 0;
  for (size_t i = 0; i < size;) {
    if (!put_separator_if_needed(text, before, string[i])) return false;
    size_t length = utf8_length(string + i, size - i);
    uint32_t code = length ? code_point(string + i, length) : 0xfffd;
    i += length ? length : 1;
    before = code;
    char escaped[16] = {(char)code};
    bool plain = code < 0x80 && is_plain_ascii((uint8_t)code) && code != '"' && code != '\\';
    if (!text_put(text, escaped, plain ? 1 : escape(escaped, code))) return false;
  }
  return text_put(text, "\"", 1);
}

bool haskell_put_list(struct evp_buf *text, const uint8_t *strings, size_t size)
{
  while (size && !strings[size - 1]) size--;
  if (!text_put(text, "[", 1)) return false;
  for (size_t i = 0;;) {
    const uint8_t *nul = size > i ? memchr(strings + i, 0, size - i) : NULL;
    size_t length = nul ? (size_t)(nul - strings) - i : size - i;
    if (!put_quoted(text, strings + i, length)) return false;
    if (!nul) return text_put(text, "]", 1);
    if (!text_put(text, ",", 1)) return false;
    i += length + 1;
  }
}

static bool is_printable(uint32_t code)
{
  size_t low = 0, high = unicode_n_printable;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (code > unicode_printable[middle].last)
      low = middle + 1;
    else if (code < unicode_printable[middle].first)
      high = middle;
    else
      return true;
  }
  return false;
}

bool haskell_put_printable(struct evp_buf *text, const uint8_t *bytes, size_t size)
{
  for (size_t i = 0; i < size;) {
    size_t run = plain_run(bytes + i, size - i);
    if (run) {
      if (!text_put(text, bytes + i, run)) return false;
      i += run;
      continue;
    }
    size_t length = utf8_length(bytes + i, size - i);
    bool shown = length && is_printable(code_point(bytes + i, length));
    if (!(shown ? text_put(text, bytes + i, length) : text_put(text, ".", 1))) return false;
    i += length ? length : 1;
  }
  return true;
}
