#include "json_writer.h"

#include <math.h>

static void put(struct json *json, const void *data, size_t size)
{
  if (!json->failed) json->failed = !text_put(json->text, data, size);
}

static void put_char(struct json *json, char character)
{
  put(json, &character, 1);
}

/* What stands in front of every value, which `room` more bytes may be written of where this points. NULL: no memory. It
   looks for room once, as this is done for every number of every event that is printed. */
static char *begin(struct json *json, const char *key, size_t room)
{
  struct evp_buf *text = json->text;
  size_t size = key ? strlen(key) : 0;
  room += size + strlen(",\"\":");
  if (!json->failed) json->failed = text->capacity - text->size < room && !evp_buf_grow(text, room);
  if (json->failed) return NULL;
  char *first = (char *)text->data + text->size, *at = first;
  if (json->comma) *at++ = ',';
  json->comma = true;
  if (key) {
    *at++ = '"';
    memcpy(at, key, size);
    at += size;
    *at++ = '"';
    *at++ = ':';
  }
  text->size += (size_t)(at - first);
  return at;
}

/* As begin(), and the value itself, which is written as it is. */
static void write_raw(struct json *json, const char *key, const void *value, size_t size)
{
  char *to = begin(json, key, size);
  if (!to) return;
  memcpy(to, value, size);
  json->text->size += size;
}

void json_object(struct json *json, const char *key)
{
  write_raw(json, key, "{", 1);
  json->comma = false;
}

void json_array(struct json *json, const char *key)
{
  write_raw(json, key, "[", 1);
  json->comma = false;
}

void json_end(struct json *json, char bracket)
{
  put_char(json, bracket);
  json->comma = true;
}

void json_name(struct json *json, const char *name)
{
  begin(json, NULL, 0);
  if (!json->failed) json->failed = !text_put_json_string(json->text, name);
  put_char(json, ':');
  json->comma = false;
}

void json_integer(struct json *json, const char *key, int64_t value)
{
  char *to = begin(json, key, TEXT_INTEGER_MAX);
  if (to) json->text->size += text_format_integer(to, value);
}

void json_unsigned(struct json *json, const char *key, uint64_t value)
{
  char *to = begin(json, key, TEXT_INTEGER_MAX);
  if (to) json->text->size += text_format_unsigned(to, value);
}

void json_double(struct json *json, const char *key, double value)
{
  if (!isfinite(value)) {
    json_null(json, key);
    return;
  }
  char *to = begin(json, key, TEXT_DOUBLE_MAX);
  if (to) json->text->size += text_format_double(to, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
  write_raw(json, key, value ? "true" : "false", value ? 4 : 5);
}

void json_null(struct json *json, const char *key)
{
  write_raw(json, key, "null", 4);
}

void json_seconds(struct json *json, const char *key, int64_t nanoseconds)
{
  char text[TEXT_INTEGER_MAX + 8];
  bool negative = nanoseconds < 0;
  uint64_t micros = (negative ? -(uint64_t)nanoseconds : (uint64_t)nanoseconds) / 1000;
  uint64_t fraction = micros % 1000000;
  size_t size = 0;
  if (negative && micros) text[size++] = '-';
  size += text_format_unsigned(text + size, micros / 1000000);
  if (fraction) {
    text[size++] = '.';
    for (uint64_t digit = 100000; fraction; digit /= 10) {
      text[size++] = (char)('0' + fraction / digit);
      fraction %= digit;
    }
  }
  write_raw(json, key, text, size);
}

void json_bytes(struct json *json, const char *key, const char *string, size_t size)
{
  begin(json, key, 0);
  if (!json->failed) json->failed = !text_put_json(json->text, string, size);
}

void json_string(struct json *json, const char *key, const char *string)
{
  if (string)
    json_bytes(json, key, string, strlen(string));
  else
    json_null(json, key);
}

void json_word(struct json *json, const char *key, const char *word)
{
  size_t size = strlen(word);
  char *to = begin(json, key, size + 2);
  if (!to) return;
  *to++ = '"';
  memcpy(to, word, size);
  to[size] = '"';
  json->text->size += size + 2;
}

static bool is_plain(uint8_t byte)
{
  return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

void json_octets(struct json *json, const char *key, const uint8_t *octets, size_t size)
{
  write_raw(json, key, "\"", 1);
  for (size_t i = 0; i < size && !json->failed; i++) {
    const char *digits = "0123456789abcdef";
    const char escaped[] = {'\\', 'u', '0', '0', digits[octets[i] >> 4], digits[octets[i] & 15]};
    if (is_plain(octets[i]))
      put(json, octets + i, 1);
    else
      put(json, escaped, sizeof escaped);
  }
  put_char(json, '"');
}

void json_raw(struct json *json, const char *key, const void *data, size_t size)
{
  if (size) write_raw(json, key, data, size);
}
