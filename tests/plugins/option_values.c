#include "option_values.h"
#include <stdlib.h>
#include <string.h>

static uint64_t parse_size(const char *value)
{
  char *unit;
  uint64_t size = strtoull(value, &unit, 10);
  if (strcmp(unit, "KiB") == 0) return size << 10;
  return strcmp(unit, "MiB") == 0 ? size << 20 : size;
}

static uint64_t parse_duration(const char *value)
{
  char *unit;
  uint64_t duration = strtoull(value, &unit, 10);
  if (strcmp(unit, "us") == 0) return duration * 1000;
  if (strcmp(unit, "s") == 0) return duration * 1000000000;
  return strcmp(unit, "ms") == 0 ? duration * 1000000 : duration;
}

/* Of one word; the few that a test has at once. */
static struct evp_strings list_of(const char *value)
{
  static const char *words[16];
  static size_t n;
  const char **word = &words[n++ % (sizeof words / sizeof *words)];
  *word = value;
  return (struct evp_strings){word, 1};
}

static int parse_choice(const struct evp_option *option, const char *value)
{
  for (int i = 0; option->choices[i]; i++)
    if (strcmp(option->choices[i], value) == 0) return i;
  abort();
}

static void set_option(const struct evp_option *option, uint8_t *members, const char *value)
{
  void *member = members + option->offset;
  switch (option->type) {
  case EVP_T_BOOL:
    *(bool *)member = strcmp(value, "true") == 0;
    break;
  case EVP_T_INT:
    *(int64_t *)member = strtoll(value, NULL, 10);
    break;
  case EVP_T_SIZE:
    *(uint64_t *)member = parse_size(value);
    break;
  case EVP_T_DURATION:
    *(uint64_t *)member = parse_duration(value);
    break;
  case EVP_T_STRINGS:
    *(struct evp_strings *)member = list_of(value);
    break;
  case EVP_T_STRING:
  case EVP_T_SECRET:
    *(const char **)member = value;
    break;
  case EVP_T_CHOICE:
    *(int *)member = parse_choice(option, value);
    break;
  default:
    abort();
  }
}

static void set_defaults(const struct evp_option *table, uint8_t *members)
{
  for (; table && table->key; table++) {
    if (table->type == EVP_T_GROUP)
      set_defaults(table->group, members + table->offset);
    else if (table->value)
      set_option(table, members, table->value);
  }
}

static void set_by_name(const struct evp_option *table, uint8_t *members, const char *key, const char *value)
{
  size_t size = strcspn(key, ".=");
  for (; table->key; table++) {
    if (strlen(table->key) != size || strncmp(table->key, key, size) != 0) continue;
    if (table->type == EVP_T_GROUP)
      set_by_name(table->group, members + table->offset, key + size + 1, value);
    else
      set_option(table, members, value);
    return;
  }
  abort();
}

char *option_values_set(const struct evp_option *table, void *members, const char *options)
{
  char *copy = strdup(options);
  char *rest = NULL;
  if (!copy) abort();
  set_defaults(table, members);
  for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
    set_by_name(table, members, word, strchr(word, '=') + 1);
  return copy;
}

void option_values_free(char *values)
{
  free(values);
}
