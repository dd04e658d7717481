#include "config/substitute.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct growing {
  struct config_memory *memory;
  char *text;
  size_t size, room;
};

static void append(struct growing *out, const char *text, size_t size)
{
  if (out->room - out->size <= size) {
    size_t room = (out->size + size + 1) * 2;
    char *larger = config_alloc(out->memory, room);
    if (out->size) memcpy(larger, out->text, out->size);
    out->text = larger;
    out->room = room;
  }
  memcpy(out->text + out->size, text, size);
  out->size += size;
  out->text[out->size] = '\0';
}

static size_t name_length(const char *text)
{
  size_t n = 0;
  while (isalnum((unsigned char)text[n]) || text[n] == '_') n++;
  return n && !isdigit((unsigned char)text[0]) ? n : 0;
}

/* text is behind "${"; returns what is behind the "}", NULL with an error. */
static const char *variable(struct growing *out, const char *text, const char **error)
{
  const char *close = strchr(text, '}');
  size_t length = name_length(text);
  if (!close || !length || (text + length != close && text[length] != ':')) {
    *error = "'${' begins a variable: write ${NAME}, ${NAME:-default} or ${NAME:?message}, or $$ for a dollar sign";
    return NULL;
  }
  char *name = config_string(out->memory, text, length);
  const char *value = getenv(name), *option = text + length;
  bool set = value && (*option != ':' || *value); /* with a colon an empty one counts as unset, as in a shell */
  if (set) {
    append(out, value, strlen(value));
  } else if (!strncmp(option, ":-", 2)) {
    append(out, option + 2, (size_t)(close - option - 2));
  } else if (!strncmp(option, ":?", 2)) {
    *error = config_format(out->memory, "%s: %.*s", name, (int)(close - option - 2), option + 2);
  } else if (option != close) {
    *error = config_format(out->memory, "'${%s:' goes on with - and a default, or ? and a message", name);
  } else {
    *error = config_format(
      out->memory, "the environment variable %s is not set; ${%s:-default} gives it a default", name, name);
  }
  return *error ? NULL : close + 1;
}

const char *substitute(struct config_memory *memory, const char *text, const char **error)
{
  struct growing out = {.memory = memory};
  *error = NULL;
  if (!strchr(text, '$')) return text;
  append(&out, "", 0);
  while (*text) {
    const char *dollar = strchr(text, '$');
    size_t plain = dollar ? (size_t)(dollar - text) : strlen(text);
    append(&out, text, plain);
    text += plain;
    if (!dollar) break;
    if (text[1] == '{') {
      text = variable(&out, text + 2, error);
      if (!text) return NULL;
    } else {
      append(&out, "$", 1);
      text += text[1] == '$' ? 2 : 1;
    }
  }
  return out.text;
}
