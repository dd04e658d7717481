#include "config/options.h"
#include "config/units.h"
#include "config/words.h"
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_SECRET = 64 * 1024, MAX_KEYS = 128 };

const char option_broken_item[] = "";

const char *option_type_name(uint32_t type)
{
  static const char *const names[] = {
    "", "bool", "int", "number", "size", "duration", "string", "secret", "choice", "list", "map", "group"};
  return type < sizeof names / sizeof *names ? names[type] : "";
}

static const char *expected(uint32_t type)
{
  switch (type) {
  case EVP_T_BOOL:
    return "true or false";
  case EVP_T_INT:
    return "a whole number";
  case EVP_T_DOUBLE:
    return "a number";
  case EVP_T_SIZE:
    return "a size: 65536, 64KiB, 2MiB, 1GiB";
  case EVP_T_DURATION:
    return "a duration: 250ms, 30s, 2m, 1h, never";
  case EVP_T_SECRET:
    return "a text or {file: PATH}";
  case EVP_T_STRINGS:
    return "one value, or a list of them in [ ]";
  default:
    return "one value";
  }
}

/* {name} without quotes is a map to YAML. */
static const char *quote_hint(const struct config_node *value)
{
  bool placeholder = value->kind == CONFIG_MAPPING && value->n == 1 && value->pairs[0].value.kind == CONFIG_NULL;
  return placeholder ? "; to YAML this is a map: put it in quotes" : "";
}

/* ------------------------------------------------------------------------------------------------------- scalars */

static bool set_choice(const struct evp_option *option, int *member, const char *text)
{
  for (int i = 0; option->choices && option->choices[i]; i++)
    if (!strcmp(option->choices[i], text)) {
      *member = i;
      return true;
    }
  return false;
}

static bool set_list(
  struct config_memory *memory, const struct evp_option *option, struct evp_strings *member, const char *text)
{
  if (option->flags & EVP_SPLIT) return !split_words(memory, text, member);
  const char **items = config_alloc(memory, sizeof *items);
  items[0] = config_string(memory, text, strlen(text));
  *member = (struct evp_strings){items, 1};
  return true;
}

static bool set_scalar(struct config_memory *memory, const struct evp_option *option, void *member, const char *text)
{
  switch (option->type) {
  case EVP_T_BOOL:
    return parse_bool(text, member);
  case EVP_T_INT:
    return parse_int(text, member);
  case EVP_T_DOUBLE:
    return parse_double(text, member);
  case EVP_T_SIZE:
    return parse_size(text, member);
  case EVP_T_DURATION:
    return parse_duration(text, member);
  case EVP_T_STRING:
  case EVP_T_SECRET:
    *(const char **)member = config_string(memory, text, strlen(text));
    return true;
  case EVP_T_CHOICE:
    return set_choice(option, member, text);
  case EVP_T_STRINGS:
    return set_list(memory, option, member, text);
  default:
    return false;
  }
}

bool options_set_defaults(
  struct config_memory *memory, const struct evp_option *table, void *base, const char **problem)
{
  for (const struct evp_option *option = table; option && option->key; option++) {
    void *member = (char *)base + option->offset;
    if (option->type == EVP_T_GROUP && !options_set_defaults(memory, option->group, member, problem)) return false;
    if (!option->value || option->type == EVP_T_GROUP) continue;
    if (set_scalar(memory, option, member, option->value)) continue;
    *problem = config_format(
      memory, "the default '%s' of its option '%s' is not %s", option->value, option->key, expected(option->type));
    return false;
  }
  return true;
}

/* --------------------------------------------------------------------------------------------------------- values */

static bool bind_group(const struct binding *, const struct evp_option *, void *, const struct config_node *);

static bool wrong(const struct binding *binding, const struct evp_option *option, const struct config_node *value)
{
  struct place place = value->place;
  if (option->type == EVP_T_CHOICE) {
    char list[256] = "";
    for (size_t i = 0; option->choices[i]; i++) {
      strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
      strncat(list, option->choices[i], sizeof list - strlen(list) - 1);
    }
    const char *near = value->kind == CONFIG_SCALAR ? nearest_word(value->text, option->choices) : NULL;
    diagnostics_error(binding->diagnostics, place, "%s: '%s' must be one of: %s%s%s%s", binding->who, option->key, list,
      near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
  } else {
    diagnostics_error(binding->diagnostics, place, "%s: '%s' must be %s%s", binding->who, option->key,
      expected(option->type), quote_hint(value));
  }
  return false;
}

static bool bind_strings(const struct binding *binding, const struct evp_option *option, struct evp_strings *member,
  const struct config_node *value)
{
  if (value->kind != CONFIG_SEQUENCE) return wrong(binding, option, value);
  const char **items = config_alloc(binding->memory, (value->n + 1) * sizeof *items);
  bool ok = true;
  for (size_t i = 0; i < value->n; i++) {
    items[i] = value->items[i].text;
    if (value->items[i].kind == CONFIG_SCALAR) continue;
    ok = false;
    items[i] = option_broken_item;
    diagnostics_error(
      binding->diagnostics, value->items[i].place, "%s: an item of '%s' must be one value", binding->who, option->key);
  }
  *member = (struct evp_strings){items, value->n};
  return ok;
}

/* A scalar that is to be split into words. */
static bool bind_words(const struct binding *binding, const struct evp_option *option, struct evp_strings *member,
  const struct config_node *value)
{
  const char *problem = split_words(binding->memory, value->text, member);
  if (!problem) return true;
  diagnostics_error(binding->diagnostics, value->place, "%s: '%s' %s", binding->who, option->key, problem);
  return false;
}

static bool bind_map(const struct binding *binding, const struct evp_option *option, struct evp_map *member,
  const struct config_node *value)
{
  if (value->kind != CONFIG_MAPPING) {
    diagnostics_error(
      binding->diagnostics, value->place, "%s: '%s' must be a map, as in {key: value}", binding->who, option->key);
    return false;
  }
  struct evp_label *items = config_alloc(binding->memory, (value->n + 1) * sizeof *items);
  bool ok = true;
  for (size_t i = 0; i < value->n; i++) {
    const struct config_pair *pair = &value->pairs[i];
    items[i] =
      (struct evp_label){pair->key.text, pair->value.kind == CONFIG_SCALAR ? pair->value.text : option_broken_item};
    if (pair->value.kind == CONFIG_SCALAR) continue;
    ok = false;
    diagnostics_error(binding->diagnostics, pair->value.place, "%s: '%s' in '%s' must be one value", binding->who,
      pair->key.text, option->key);
  }
  *member = (struct evp_map){items, value->n};
  return ok;
}

/* Bytes read into `text`, which has room for one more than MAX_SECRET; -1 with errno. `open_to_all`: others than its owner
   and group may read or write the file. */
static ssize_t read_secret(const char *path, char *text, bool *open_to_all)
{
  struct stat status;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return -1;
  ssize_t size = read(fd, text, MAX_SECRET + 1);
  int error = errno;
  *open_to_all = !fstat(fd, &status) && S_ISREG(status.st_mode) && status.st_mode & (S_IROTH | S_IWOTH);
  close(fd);
  errno = error;
  return size;
}

/* {file: PATH}: the file's text without the line feed at its end. */
static bool bind_secret_file(
  const struct binding *binding, const struct evp_option *option, const char **member, const struct config_node *value)
{
  const struct config_pair *pair = tree_find(value, "file");
  if (!pair || value->n != 1 || pair->value.kind != CONFIG_SCALAR) return wrong(binding, option, value);
  bool open_to_all = false;
  char *text = config_alloc(binding->memory, MAX_SECRET + 2);
  ssize_t size = read_secret(pair->value.text, text, &open_to_all);
  const char *problem = size < 0 ? strerror(errno) : size > MAX_SECRET ? "it is larger than 64 KiB" : NULL;
  if (problem) {
    diagnostics_error(binding->diagnostics, pair->value.place, "%s: the file of '%s' can not be read: %s", binding->who,
      option->key, problem);
    return false;
  }
  if (open_to_all)
    diagnostics_warning(binding->diagnostics, pair->value.place,
      "%s: everybody may read the file of '%s'; chmod 600 it", binding->who, option->key);
  while (size > 0 && strchr("\r\n", text[size - 1])) size--;
  text[size] = '\0';
  *member = text;
  return true;
}

static bool bind_value(
  const struct binding *binding, const struct evp_option *option, void *base, const struct config_node *value)
{
  void *member = (char *)base + option->offset;
  if (value->kind == CONFIG_BROKEN) return false;
  if (option->type == EVP_T_SECRET && value->kind == CONFIG_SCALAR)
    diagnostics_hide(binding->diagnostics, value->place);
  switch (option->type) {
  case EVP_T_GROUP:
    return bind_group(binding, option, member, value);
  case EVP_T_MAP:
    return bind_map(binding, option, member, value);
  case EVP_T_STRINGS:
    if (value->kind != CONFIG_SCALAR) return bind_strings(binding, option, member, value);
    if (option->flags & EVP_SPLIT) return bind_words(binding, option, member, value);
    break;
  case EVP_T_SECRET:
    if (value->kind == CONFIG_MAPPING) return bind_secret_file(binding, option, member, value);
    break;
  default:
    break;
  }
  if (value->kind == CONFIG_SCALAR && set_scalar(binding->memory, option, member, value->text)) return true;
  return wrong(binding, option, value);
}

/* ----------------------------------------------------------------------------------------------------------- keys */

/* The option that a key names, and where its struct begins; NULL: there is none. */
static const struct evp_option *find_option(
  const struct option_target *targets, size_t n_targets, const char *key, void **base)
{
  for (size_t i = 0; i < n_targets; i++)
    for (const struct evp_option *option = targets[i].table; option && option->key; option++) {
      if (strcmp(option->key, key)) continue;
      *base = targets[i].base;
      return option;
    }
  return NULL;
}

/* max of max_size, size of max_size */
static bool is_part_of(const char *part, const char *key)
{
  size_t n = strlen(part), m = strlen(key);
  if (!n || m <= n) return false;
  return (key[n] == '_' && !strncmp(key, part, n)) || (key[m - n - 1] == '_' && !strcmp(key + m - n, part));
}

/* The one key that this is a part of; NULL: none, or several. */
static const char *whole_key(const char *part, const char *const *words)
{
  const char *whole = NULL;
  for (; *words; words++) {
    if (!is_part_of(part, *words)) continue;
    if (whole) return NULL;
    whole = *words;
  }
  return whole;
}

static const char *nearest_option(const struct option_target *targets, size_t n_targets, const char *key)
{
  const char *words[MAX_KEYS + 1];
  size_t n = 0;
  for (size_t i = 0; i < n_targets; i++)
    for (const struct evp_option *option = targets[i].table; option && option->key && n < MAX_KEYS; option++)
      words[n++] = option->key;
  words[n] = NULL;
  const char *nearest = nearest_word(key, words);
  return nearest ? nearest : whole_key(key, words);
}

enum { KEYS_TEXT = 200 };

/* "; there are unix, tcp, labels": where no key is near. A plugin's own, which come last in the targets, are named first. */
static void list_keys(char text[KEYS_TEXT], const struct option_target *targets, size_t n_targets)
{
  size_t used = (size_t)snprintf(text, KEYS_TEXT, "; there are");
  for (size_t i = n_targets; i-- > 0;)
    for (const struct evp_option *option = targets[i].table; option && option->key; option++) {
      if (used + strlen(option->key) + sizeof ", ..." >= KEYS_TEXT) {
        snprintf(text + used, KEYS_TEXT - used, " ...");
        return;
      }
      used += (size_t)snprintf(text + used, KEYS_TEXT - used, " %s,", option->key);
    }
  text[used - 1] = 0; /* the last comma */
}

static void unknown_far_key(
  const struct binding *binding, const struct option_target *targets, size_t n_targets, const struct config_node *key)
{
  char keys[KEYS_TEXT];
  list_keys(keys, targets, n_targets);
  diagnostics_error(binding->diagnostics, key->place, "%s: unknown option '%s'%s", binding->who, key->text, keys);
}

static bool unknown_key(
  const struct binding *binding, const struct option_target *targets, size_t n_targets, const struct config_pair *pair)
{
  const struct config_node *key = &pair->key;
  void *base;
  if (binding->lenient) return true;
  const char *near = nearest_option(targets, n_targets, key->text);
  if (near && find_option(targets, n_targets, near, &base)->type == EVP_T_SECRET)
    diagnostics_hide(binding->diagnostics, pair->value.place);
  struct option_target elsewhere = {binding->elsewhere, NULL};
  if (find_option(&elsewhere, 1, key->text, &base))
    diagnostics_error(
      binding->diagnostics, key->place, "%s: '%s' is for %s", binding->who, key->text, binding->elsewhere_who);
  else if (near)
    diagnostics_error(
      binding->diagnostics, key->place, "%s: unknown option '%s'; did you mean '%s'?", binding->who, key->text, near);
  else
    unknown_far_key(binding, targets, n_targets, key);
  return false;
}

static bool bind_pair(
  const struct binding *binding, const struct option_target *targets, size_t n_targets, const struct config_pair *pair)
{
  void *base;
  if (!strncmp(pair->key.text, "x-", 2)) return true;
  const struct evp_option *option = find_option(targets, n_targets, pair->key.text, &base);
  if (option) return bind_value(binding, option, base, &pair->value);
  return unknown_key(binding, targets, n_targets, pair);
}

static bool required_are_there(
  const struct binding *binding, const struct evp_option *table, const struct config_node *mapping, struct place whole)
{
  bool ok = true;
  for (const struct evp_option *option = table; option && option->key; option++) {
    if (!(option->flags & EVP_REQUIRED) || tree_find(mapping, option->key)) continue;
    diagnostics_error(binding->diagnostics, whole, "%s: '%s' is missing: %s", binding->who, option->key, option->help);
    ok = false;
  }
  return ok;
}

bool options_bind(const struct binding *binding, const struct option_target *targets, size_t n_targets,
  const struct config_node *mapping, struct place whole)
{
  bool ok = true;
  if (mapping && mapping->kind == CONFIG_BROKEN) return false;
  if (mapping && mapping->kind != CONFIG_MAPPING && mapping->kind != CONFIG_NULL) {
    diagnostics_error(binding->diagnostics, mapping->place, "%s: here must stand keys and values", binding->who);
    return false;
  }
  for (size_t i = 0; mapping && i < mapping->n; i++)
    ok = bind_pair(binding, targets, n_targets, &mapping->pairs[i]) && ok;
  for (size_t i = 0; i < n_targets; i++) ok = required_are_there(binding, targets[i].table, mapping, whole) && ok;
  return ok;
}

static bool bind_group(
  const struct binding *binding, const struct evp_option *option, void *member, const struct config_node *value)
{
  struct binding inner = *binding;
  struct option_target target = {option->group, member};
  inner.who = config_format(binding->memory, "%s, '%s'", binding->who, option->key);
  inner.lenient = false;
  inner.elsewhere = NULL;
  if (value->kind == CONFIG_SCALAR || value->kind == CONFIG_SEQUENCE) {
    diagnostics_error(binding->diagnostics, value->place, "%s: '%s' must be a map, as in {%s: ...}", binding->who,
      option->key, option->group->key);
    return false;
  }
  return options_bind(&inner, &target, 1, value, value->place);
}
