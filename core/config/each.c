#include "config/each.h"
#include <string.h>

static const char *const placeholders[] = {"each", "name", NULL};

/* -------------------------------------------------------------------------------------------------- placeholders */

/* The next word in braces: where it begins, behind the brace; NULL: there is none. Letters and _ only. */
static const char *next_word(const char *text, size_t *length)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
  for (const char *brace = strchr(text, '{'); brace; brace = strchr(brace + 1, '{')) {
    *length = strspn(brace + 1, letters);
    if (*length && brace[1 + *length] == '}') return brace + 1;
  }
  return NULL;
}

static bool is_word(const char *at, size_t length, const char *word)
{
  return strlen(word) == length && !memcmp(at, word, length);
}

static bool is_left_alone(const char *key)
{
  return !strcmp(key, "plugin") || !strcmp(key, "each") || !strncmp(key, "x-", 2);
}

/* ---------------------------------------------------------------------------------------------------- replacing */

struct replacement {
  struct config_memory *memory;
  const char *path, *name;
};

/* /run/apps/web.1.sock: web.1 */
static const char *name_of(struct config_memory *memory, const char *path)
{
  const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
  return config_string(memory, base, dot && dot != base ? (size_t)(dot - base) : strlen(base));
}

static const char *replace_text(const struct replacement *replacement, const char *text)
{
  size_t length;
  const char *word = next_word(text, &length);
  if (!word) return text;
  const char *rest = replace_text(replacement, word + length + 1), *value = NULL;
  if (is_word(word, length, "each")) value = replacement->path;
  if (is_word(word, length, "name")) value = replacement->name;
  int before = (int)(word - 1 - text), whole = (int)(word + length + 1 - text);
  return value ? config_format(replacement->memory, "%.*s%s%s", before, text, value, rest)
               : config_format(replacement->memory, "%.*s%s", whole, text, rest);
}

static struct config_node replace(const struct replacement *replacement, const struct config_node *node)
{
  struct config_node replaced = *node;
  if (node->kind == CONFIG_SCALAR) replaced.text = replace_text(replacement, node->text);
  if (node->kind == CONFIG_SEQUENCE) replaced.items = config_alloc(replacement->memory, node->n * sizeof *node->items);
  if (node->kind == CONFIG_MAPPING) replaced.pairs = config_alloc(replacement->memory, node->n * sizeof *node->pairs);
  for (size_t i = 0; node->kind == CONFIG_SEQUENCE && i < node->n; i++)
    replaced.items[i] = replace(replacement, &node->items[i]);
  for (size_t i = 0; node->kind == CONFIG_MAPPING && i < node->n; i++) {
    replaced.pairs[i] = node->pairs[i];
    if (!is_left_alone(node->pairs[i].key.text)) replaced.pairs[i].value = replace(replacement, &node->pairs[i].value);
  }
  return replaced;
}

const struct config_node *each_replace(
  struct config_memory *memory, const struct config_node *mapping, const char *path)
{
  struct replacement replacement = {.memory = memory, .path = path, .name = name_of(memory, path)};
  struct config_node *replaced = config_alloc(memory, sizeof *replaced);
  *replaced = replace(&replacement, mapping);
  return replaced;
}

/* ---------------------------------------------------------------------------------------------------- the sample */

/* [!a-z] and [^a-z] match whatever is none of these; [] and []] as in a shell. */
static const char *behind_brackets(const char *open)
{
  const char *at = open + 1;
  if (*at == '!' || *at == '^') at++;
  if (*at == ']') at++;
  at = strchr(at, ']');
  return at ? at + 1 : NULL;
}

/* Wildcards become a 1, which is as good a name as a number. */
const char *each_sample(struct config_memory *memory, const char *glob)
{
  char *sample = config_alloc(memory, strlen(glob) + 1);
  size_t n = 0;
  while (*glob) {
    const char *behind = *glob == '[' ? behind_brackets(glob) : NULL;
    bool escaped = *glob == '\\' && glob[1], wild = behind || *glob == '*' || *glob == '?';
    glob += escaped;
    sample[n++] = wild ? '1' : *glob;
    glob = behind ? behind : glob + 1;
  }
  return sample;
}

/* ----------------------------------------------------------------------------------------------------- checking */

struct check {
  struct config_memory *memory;
  struct diagnostics *diagnostics;
  const char *who;
  bool found, ok;
};

static void check_text(struct check *check, const struct config_node *scalar)
{
  size_t length;
  for (const char *at = scalar->text; (at = next_word(at, &length)); at += length + 1) {
    bool known = is_word(at, length, "each") || is_word(at, length, "name");
    check->found = check->found || known;
    const char *word = config_string(check->memory, at, length),
               *near = known ? NULL : nearest_word(word, placeholders);
    if (!near) continue; /* the plugin may know it */
    diagnostics_error(check->diagnostics, scalar->place, "%s: '{%s}' is not replaced by anything; did you mean '{%s}'?",
      check->who, word, near);
    check->ok = false;
  }
}

/* A node without `each`. {name} may be the plugin's word, {each} would be a path of that name. */
static void check_plain_text(struct check *check, const struct config_node *scalar)
{
  size_t length;
  for (const char *at = scalar->text; (at = next_word(at, &length)); at += length + 1) {
    if (!is_word(at, length, "each")) continue;
    diagnostics_error(check->diagnostics, scalar->place,
      "%s: '{each}' is not replaced by anything, for there is no 'each'; add it, as in each: \"/run/apps/*.sock\"",
      check->who);
    check->ok = false;
    return;
  }
}

static void check_values(
  struct check *check, const struct config_node *node, void (*check_scalar)(struct check *, const struct config_node *))
{
  if (node->kind == CONFIG_SCALAR) check_scalar(check, node);
  for (size_t i = 0; node->kind == CONFIG_SEQUENCE && i < node->n; i++)
    check_values(check, &node->items[i], check_scalar);
  for (size_t i = 0; node->kind == CONFIG_MAPPING && i < node->n; i++)
    if (!is_left_alone(node->pairs[i].key.text)) check_values(check, &node->pairs[i].value, check_scalar);
}

bool each_check_plain(
  struct config_memory *memory, const struct config_node *mapping, const char *who, struct diagnostics *diagnostics)
{
  struct check check = {.memory = memory, .diagnostics = diagnostics, .who = who, .ok = true};
  check_values(&check, mapping, check_plain_text);
  return check.ok;
}

bool each_check(
  struct config_memory *memory, const struct config_node *mapping, const char *who, struct diagnostics *diagnostics)
{
  const struct config_node *each = &tree_find(mapping, "each")->value;
  struct check check = {.memory = memory, .diagnostics = diagnostics, .who = who, .ok = true};
  size_t length = strlen(each->text);
  check_values(&check, mapping, check_text);
  if (!length || each->text[length - 1] == '/') {
    diagnostics_error(diagnostics, each->place,
      "%s: 'each' must name paths by a glob, as in /run/apps/*.sock; it may not be empty or end with a slash", who);
    check.ok = false;
  } else if (!check.found && check.ok) {
    diagnostics_error(diagnostics, each->place,
      "%s: no option has {each} (the path) or {name} in it: all paths would be one and the same source", who);
    check.ok = false;
  }
  return check.ok;
}
