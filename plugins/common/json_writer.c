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

static void begin(struct json *json, const char *key)
{
  if (json->comma) put_char(json, ',');
  json->comma = true;
  if (!key) return;
  put_char(json, '"');
  put(json, key, strlen(key));
  put(json, "\":", 2);
}

void json_object(struct json *json, const char *key)
{
  begin(json, key);
  put_char(json, '{');
  json->comma = false;
}

void json_array(struct json *json, const char *key)
{
  begin(json, key);
  put_char(json, '[');
  json->comma = false;
}

void json_end(struct json *json, char bracket)
{
  put_char(json, bracket);
  json->comma = true;
}

void json_name(struct json *json, const char *name)
{
  begin(json, NULL);
  if (!json->failed) json->failed = !text_put_json_string(json->text, name);
  put_char(json, ':');
  json->comma = false;
}

void json_integer(struct json *json, const char *key, int64_t value)
{
  char digits[TEXT_INTEGER_MAX];
  begin(json, key);
  put(json, digits, text_format_integer(digits, value));
}

void json_unsigned(struct json *json, const char *key, uint64_t value)
{
  char digits[TEXT_INTEGER_MAX];
  begin(json, key);
  put(json, digits, text_format_unsigned(digits, value));
}

void json_double(struct json *json, const char *key, double value)
{
  char digits[TEXT_DOUBLE_MAX];
  if (!isfinite(value)) {
    json_null(json, key);
    return;
  }
  begin(json, key);
  put(json, digits, text_format_double(digits, value));
}

void json_bool(struct json *json, const char *key, bool value)
{
  begin(json, key);
  if (value)
    put(json, "true", 4);
  else
    put(json, "false", 5);
}

void json_null(struct json *json, const char *key)
{
  begin(json, key);
  put(json, "null", 4);
}

void json_seconds(struct json *json, const char *key, int64_t nanoseconds)
{
  char text[TEXT_INTEGER_MAX + 7];
  bool negative = nanoseconds < 0;
  uint64_t micros = (negative ? -(uint64_t)nanoseconds : (uint64_t)nanoseconds) / 1000;
  uint64_t fraction = micros % 1000000;
  size_t size = text_format_unsigned(text, micros / 1000000);
  if (fraction) {
    text[size++] = '.';
    for (uint64_t digit = 100000; fraction; digit /= 10) {
      text[size++] = (char)('0' + fraction / digit);
      fraction %= digit;
    }
  }
  begin(json, key);
  if (negative && micros) put_char(json, '-');
  put(json, text, size);
}

void json_bytes(struct json *json, const char *key, const char *string, size_t size)
{
  begin(json, key);
  if (!json->failed) json->failed = !text_put_json(json->text, string, size);
}

void json_string(struct json *json, const char *key, const char *string)
{
  if (string)
    json_bytes(json, key, string, strlen(string));
  else
    json_null(json, key);
}

void json_raw(struct json *json, const char *key, const void *data, size_t size)
{
  if (!size) return;
  begin(json, key);
  put(json, data, size);
}
