#include "text.h"
#include "utf8.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static const char REPLACEMENT[] = "\xef\xbf\xbd"; /* U+FFFD */

/* Two digits a step: half the divisions, which are what the time goes into. */
static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                  "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";

size_t text_format_unsigned(char *to, uint64_t value)
{
  char digits[TEXT_INTEGER_MAX];
  char *first = digits + sizeof digits;
  while (value >= 100) {
    first -= 2;
    memcpy(first, digit_pairs + value % 100 * 2, 2);
    value /= 100;
  }
  if (value >= 10) {
    first -= 2;
    memcpy(first, digit_pairs + value * 2, 2);
  } else {
    *--first = (char)('0' + value);
  }
  size_t size = (size_t)(digits + sizeof digits - first);
  memcpy(to, first, size);
  return size;
}

size_t text_format_integer(char *to, int64_t value)
{
  if (value >= 0) return text_format_unsigned(to, (uint64_t)value);
  *to = '-';
  return 1 + text_format_unsigned(to + 1, -(uint64_t)value);
}

static size_t copy(char *to, const char *word)
{
  size_t size = strlen(word);
  memcpy(to, word, size);
  return size;
}

size_t text_format_double(char *to, double value)
{
  if (isnan(value)) return copy(to, "NaN");
  if (isinf(value)) return copy(to, value > 0 ? "+Inf" : "-Inf");
  if (fabs(value) < 1e15 && value == (double)(int64_t)value && !(value == 0 && signbit(value)))
    return text_format_integer(to, (int64_t)value);
  char digits[TEXT_DOUBLE_MAX];
  int size = 0;
  for (int precision = 15; precision <= 17; precision++) {
    size = snprintf(digits, sizeof digits, "%.*g", precision, value);
    if (precision == 17 || strtod(digits, NULL) == value) break;
  }
  memcpy(to, digits, (size_t)size);
  return (size_t)size;
}

bool text_put_unsigned(struct evp_buf *text, uint64_t value)
{
  char digits[TEXT_INTEGER_MAX];
  return text_put(text, digits, text_format_unsigned(digits, value));
}

bool text_put_integer(struct evp_buf *text, int64_t value)
{
  char digits[TEXT_INTEGER_MAX];
  return text_put(text, digits, text_format_integer(digits, value));
}

bool text_put_double(struct evp_buf *text, double value)
{
  char digits[TEXT_DOUBLE_MAX];
  return text_put(text, digits, text_format_double(digits, value));
}

bool text_printf(struct evp_buf *text, const char *format, ...)
{
  for (int attempt = 0; attempt < 2; attempt++) {
    size_t room = text->capacity - text->size;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(room ? (char *)text->data + text->size : NULL, room, format, arguments);
    va_end(arguments);
    if (size < 0) return false;
    if ((size_t)size < room) {
      text->size += (size_t)size;
      return true;
    }
    if (!evp_buf_grow(text, (size_t)size + 1)) return false;
  }
  return false;
}

static bool put_json_escape(struct evp_buf *text, uint8_t character)
{
  switch (character) {
  case '"':
    return text_put(text, "\\\"", 2);
  case '\\':
    return text_put(text, "\\\\", 2);
  case '\n':
    return text_put(text, "\\n", 2);
  case '\r':
    return text_put(text, "\\r", 2);
  case '\t':
    return text_put(text, "\\t", 2);
  default:
    return text_printf(text, "\\u%04x", character);
  }
}

static bool plain_in_json(uint8_t character)
{
  return character >= 0x20 && character < 0x7f && character != '"' && character != '\\';
}

bool text_put_json(struct evp_buf *text, const char *string, size_t size)
{
  const uint8_t *bytes = (const uint8_t *)string;
  bool good = text_put_char(text, '"');
  for (size_t i = 0; good && i < size;) {
    size_t run = i;
    while (run < size && plain_in_json(bytes[run])) run++;
    if (run > i) {
      good = text_put(text, bytes + i, run - i);
      i = run;
      continue;
    }
    size_t length = utf8_length(bytes + i, size - i);
    if (length > 1)
      good = text_put(text, bytes + i, length);
    else if (length == 1)
      good = put_json_escape(text, bytes[i]);
    else
      good = text_put(text, REPLACEMENT, 3);
    i += length ? length : 1;
  }
  return good && text_put_char(text, '"');
}

bool text_put_json_string(struct evp_buf *text, const char *string)
{
  return text_put_json(text, string, strlen(string));
}

bool text_put_time(struct evp_buf *text, int64_t unix_time)
{
  int64_t nanoseconds = unix_time % 1000000000;
  if (nanoseconds < 0) nanoseconds += 1000000000;
  time_t seconds = (time_t)((unix_time - nanoseconds) / 1000000000);
  struct tm utc;
  char date[64];
  if (!gmtime_r(&seconds, &utc) || !strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc))
    return text_put_integer(text, unix_time);
  return text_printf(text, "%s.%09dZ", date, (int)nanoseconds);
}

/* U+0080 to U+009F are C1 controls: terminals obey U+009B as they do ESC [. */
static bool is_control(const uint8_t *character, size_t length)
{
  if (length == 1) return character[0] < 0x20 || character[0] == 0x7f;
  return length == 2 && character[0] == 0xc2 && character[1] < 0xa0;
}

bool text_put_visible(struct evp_buf *text, const char *string, size_t size)
{
  const uint8_t *bytes = (const uint8_t *)string;
  for (size_t i = 0; i < size;) {
    size_t length = utf8_length(bytes + i, size - i);
    bool good =
      length && !is_control(bytes + i, length) ? text_put(text, bytes + i, length) : text_put(text, REPLACEMENT, 3);
    if (!good) return false;
    i += length ? length : 1;
  }
  return true;
}
