#include "key_list.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

/* Decoding alone would take characters that z85 does not have for others. */
bool key_is_good(const char *text)
{
  static const char characters[] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
  uint8_t key[KEY_SIZE];
  return strlen(text) == KEY_TEXT_SIZE && strspn(text, characters) == KEY_TEXT_SIZE && zmq_z85_decode(key, text);
}

bool key_list_add(struct key_list *list, const char *text)
{
  if (list->n == list->capacity) {
    size_t capacity = list->capacity ? 2 * list->capacity : 8;
    void *larger = realloc(list->keys, capacity * sizeof *list->keys);
    if (!larger) return false;
    list->keys = larger;
    list->capacity = capacity;
  }
  return zmq_z85_decode(list->keys[list->n++], text) != NULL;
}

/* z85 has the character # in it: only at the begin of a line, or behind a blank, it begins a comment. */
static char *trim(char *line)
{
  line += strspn(line, " \t\r\n");
  if (*line == '#' && strcspn(line, " \t\r\n") != KEY_TEXT_SIZE) *line = 0;
  line[strcspn(line, " \t\r\n")] = 0;
  return line;
}

static bool read_lines(struct key_list *list, FILE *file, const char *path, struct evp_ctx *ctx)
{
  char line[512];
  for (unsigned number = 1; fgets(line, sizeof line, file); number++) {
    const char *text = trim(line);
    if (!*text) continue;
    if (list->n >= KEYS_MAX || !key_is_good(text)) {
      evp_error(ctx, "%s:%u: %s", path, number,
        list->n >= KEYS_MAX ? "more keys than can be" : "is no public key (z85, 40 characters)");
      return false;
    }
    if (!key_list_add(list, text)) {
      evp_error(ctx, "no memory");
      return false;
    }
  }
  if (!ferror(file)) return true;
  evp_error(ctx, "%s can not be read: %s", path, strerror(errno));
  return false;
}

bool key_list_read(struct key_list *list, const char *path, struct evp_ctx *ctx)
{
  FILE *file = fopen(path, "re");
  if (!file) {
    evp_error(ctx, "curve: allowed_keys_file: %s: %s", path, strerror(errno));
    return false;
  }
  bool good = read_lines(list, file, path, ctx);
  fclose(file);
  if (good && !list->n) evp_warn(ctx, "%s has no keys in it: nobody can connect", path);
  return good;
}

bool key_list_has(const struct key_list *list, const uint8_t key[KEY_SIZE])
{
  for (size_t i = 0; i < list->n; i++)
    if (!memcmp(list->keys[i], key, KEY_SIZE)) return true;
  return false;
}

void key_list_free(struct key_list *list)
{
  free(list->keys);
  *list = (struct key_list){0};
}
