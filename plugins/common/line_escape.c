#include "line_escape.h"
#include "text.h"
#include "utf8.h"

static const char WIDE_BACKSLASH[] = "\xef\xbc\xbc"; /* U+FF3C */
static const char REPLACEMENT[] = "\xef\xbf\xbd"; /* U+FFFD */

/* Control characters would end the line or be refused: they become blanks, which are escaped. */
static char without_control(char character)
{
  return (unsigned char)character < 0x20 || character == 0x7f ? ' ' : character;
}

static bool is_separator(char character, const char *separators)
{
  return character && strchr(separators, character);
}

static bool put_escaped(struct evp_buf *out, const char *text, const char *separators)
{
  size_t size = strlen(text);
  if (out->capacity - out->size < 3 * size && !evp_buf_grow(out, 3 * size)) return false;
  uint8_t *to = out->data + out->size;
  for (size_t i = 0; i < size; i++) {
    char character = without_control(text[i]);
    char next = i + 1 < size ? without_control(text[i + 1]) : 0;
    if (character == '\\' && (!next || is_separator(next, separators))) {
      memcpy(to, WIDE_BACKSLASH, 3);
      to += 3;
      continue;
    }
    if (is_separator(character, separators)) *to++ = '\\';
    *to++ = (uint8_t)character;
  }
  out->size = (size_t)(to - out->data);
  return true;
}

/* A line that begins with # is a comment. */
bool line_escape_measurement(struct evp_buf *out, const char *name)
{
  if (*name == '#') return text_put_char(out, '_') && put_escaped(out, name + 1, ", ");
  return put_escaped(out, name, ", ");
}

bool line_escape_tag(struct evp_buf *out, const char *text)
{
  return put_escaped(out, text, ",= ");
}

/* Newlines may stay: a string ends at its quote only. NUL may not. */
bool line_escape_string(struct evp_buf *out, const char *text, size_t size)
{
  size = utf8_cut(text, size, LINE_STRING_MAX);
  if (!text_put_char(out, '"')) return false;
  for (size_t i = 0; i < size;) {
    size_t run = i;
    while (run < size && text[run] != '"' && text[run] != '\\' && text[run]) run++;
    if (!text_put(out, text + i, run - i)) return false;
    if (run < size) {
      const char escaped[2] = {'\\', text[run]};
      if (!(text[run] ? text_put(out, escaped, 2) : text_put(out, REPLACEMENT, 3))) return false;
      run++;
    }
    i = run;
  }
  return text_put_char(out, '"');
}
