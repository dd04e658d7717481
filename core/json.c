#include "json.h"
#include "text.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

static void put_text(struct json *json, const char *text)
{
  size_t size = 0;
  while (text[size]) size++;
  char *clean = text_make_utf8(text, size, NULL);
  fputc('"', json->file);
  for (const unsigned char *at = (const unsigned char *)(clean ? clean : ""); *at; at++) {
    if (*at == '"' || *at == '\\')
      fprintf(json->file, "\\%c", *at);
    else if (*at < 0x20 || *at == 0x7f)
      fprintf(json->file, "\\u%04x", *at);
    else
      fputc(*at, json->file);
  }
  fputc('"', json->file);
  free(clean);
}

static void indent(struct json *json)
{
  if (!json->compact) fprintf(json->file, "\n%*s", (int)json->depth * 2, "");
}

/* What stands in front of every value. */
static void begin_value(struct json *json, const char *key)
{
  if (json->depth) {
    if (json->begun[json->depth]) fputc(',', json->file);
    indent(json);
  }
  json->begun[json->depth] = true;
  if (!key) return;
  put_text(json, key);
  fputs(": ", json->file);
}

static void open_bracket(struct json *json, const char *key, char opening, char closing)
{
  assert(json->depth + 1 < JSON_MAX_DEPTH);
  begin_value(json, key);
  fputc(opening, json->file);
  json->depth++;
  json->begun[json->depth] = false;
  json->closing[json->depth] = closing;
}

void json_object(struct json *json, const char *key)
{
  open_bracket(json, key, '{', '}');
}

void json_array(struct json *json, const char *key)
{
  open_bracket(json, key, '[', ']');
}

void json_end(struct json *json)
{
  bool empty = !json->begun[json->depth];
  char closing = json->closing[json->depth--];
  if (!empty) indent(json);
  fputc(closing, json->file);
  if (!json->depth) fputc('\n', json->file);
}

void json_string(struct json *json, const char *key, const char *value)
{
  begin_value(json, key);
  if (value)
    put_text(json, value);
  else
    fputs("null", json->file);
}

void json_bool(struct json *json, const char *key, bool value)
{
  begin_value(json, key);
  fputs(value ? "true" : "false", json->file);
}

void json_int(struct json *json, const char *key, int64_t value)
{
  begin_value(json, key);
  fprintf(json->file, "%" PRId64, value);
}

void json_number(struct json *json, const char *key, const char *value)
{
  begin_value(json, key);
  fputs(value, json->file);
}

void json_strings(struct json *json, const char *key, const char *const *values)
{
  json_array(json, key);
  for (; *values; values++) json_string(json, NULL, *values);
  json_end(json);
}
