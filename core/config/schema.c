#include "config/schema.h"
#include "config/core_options.h"
#include "config/describe.h"
#include "config/options.h"
#include "config/units.h"
#include "json.h"
#include "plugin/loader.h"
#include <stdlib.h>
#include <string.h>

#define NODE_NAME "^[a-z][a-z0-9_-]*$"
#define VARIABLE "\\$\\{"

enum { MAX_PLUGINS = 256 };

struct schema {
  struct json json;
  struct plugin_finder *finder;
  FILE *failures;
  const struct evp_plugin *plugins[MAX_PLUGINS];
  size_t n;
};

/* --------------------------------------------------------------------------------------------------------- values */

/* Of text, or of a YAML type that means the same; `pattern` is for the text. */
static void put_value_type(struct json *json, const char *key, const char *other, const char *pattern)
{
  const char *const types[] = {"string", other, NULL};
  json_object(json, key);
  json_strings(json, "type", types);
  json_string(json, "pattern", pattern);
  json_end(json);
}

static void put_unit_type(
  struct json *json, const char *key, const char *words, const char *(*unit)(size_t), int64_t largest_bare)
{
  static const char *const types[] = {"string", "integer", NULL};
  char pattern[512];
  size_t used = (size_t)snprintf(pattern, sizeof pattern, "^[0-9.]+ *(");
  for (size_t i = 0; unit(i); i++)
    used += (size_t)snprintf(pattern + used, sizeof pattern - used, "%s%s", i ? "|" : "", unit(i));
  snprintf(pattern + used, sizeof pattern - used, ")$|%s" VARIABLE, words);
  json_object(json, key);
  json_strings(json, "type", types);
  json_int(json, "minimum", 0);
  json_int(json, "maximum", largest_bare);
  json_string(json, "pattern", pattern);
  json_end(json);
}

static void put_ref(struct json *json, const char *key, const char *name)
{
  char target[256];
  snprintf(target, sizeof target, "#/$defs/%s", name);
  json_object(json, key);
  json_string(json, "$ref", target);
  json_end(json);
}

/* What a scalar of YAML may be where text is wanted: evpipe takes it as it is written. */
static void put_text_type(struct json *json)
{
  static const char *const types[] = {"string", "number", "boolean", NULL};
  json_object(json, "string");
  json_strings(json, "type", types);
  json_end(json);
}

static void put_list_type(struct json *json)
{
  json_object(json, "list");
  json_array(json, "anyOf");
  put_ref(json, NULL, "string");
  json_object(json, NULL);
  json_string(json, "type", "array");
  put_ref(json, "items", "string");
  json_end(json);
  json_end(json);
  json_end(json);
}

static void put_map_type(struct json *json)
{
  json_object(json, "map");
  json_string(json, "type", "object");
  put_ref(json, "additionalProperties", "string");
  json_end(json);
}

static void put_secret_type(struct json *json)
{
  static const char *const required[] = {"file", NULL};
  json_object(json, "secret");
  json_array(json, "anyOf");
  put_ref(json, NULL, "string");
  json_object(json, NULL);
  json_string(json, "type", "object");
  json_object(json, "properties");
  put_ref(json, "file", "string");
  json_end(json);
  json_strings(json, "required", required);
  json_bool(json, "additionalProperties", false);
  json_end(json);
  json_end(json);
  json_end(json);
}

static void put_value_types(struct json *json)
{
  put_value_type(json, "bool", "boolean", "^(true|false|yes|no|on|off)$|" VARIABLE);
  put_value_type(json, "int", "integer", "^-?[0-9]+$|" VARIABLE);
  put_value_type(json, "number", "number", "^-?[0-9.]+([eE][-+]?[0-9]+)?$|" VARIABLE);
  put_unit_type(json, "size", "", size_unit, INT64_MAX);
  put_unit_type(json, "duration", "^(none|never)$|", duration_unit, 0);
  put_text_type(json);
  put_list_type(json);
  put_map_type(json);
  put_secret_type(json);
}

/* -------------------------------------------------------------------------------------------------------- options */

/* A word of YAML that is a number or a truth value there may be written without quotes. */
static void put_choices(struct json *json, const struct evp_option *option)
{
  json_array(json, "anyOf");
  json_object(json, NULL);
  json_array(json, "enum");
  for (size_t i = 0; option->choices[i]; i++) {
    const char *word = option->choices[i];
    int64_t number;
    json_string(json, NULL, word);
    if (parse_int(word, &number)) json_int(json, NULL, number);
    if (!strcmp(word, "true") || !strcmp(word, "false")) json_bool(json, NULL, *word == 't');
  }
  json_end(json);
  json_end(json);
  json_object(json, NULL);
  json_string(json, "type", "string");
  json_string(json, "pattern", VARIABLE);
  json_end(json);
  json_end(json);
}

static void put_default(struct json *json, const struct evp_option *option, const char *value)
{
  int64_t number;
  bool truth;
  if (option->type == EVP_T_BOOL && parse_bool(value, &truth))
    json_bool(json, "default", truth);
  else if (option->type == EVP_T_INT && parse_int(value, &number))
    json_int(json, "default", number);
  else
    json_string(json, "default", value);
}

static void put_properties(struct json *, const struct evp_option *, const struct config_node *defaults);

/* What else may stand in a map of keys: nothing but keys to be ignored. */
static void put_rest(struct json *json, const struct evp_option *const *tables, size_t n_tables)
{
  json_object(json, "patternProperties");
  json_bool(json, "^x-", true);
  json_end(json);
  json_bool(json, "additionalProperties", false);
  json_array(json, "required");
  for (size_t i = 0; i < n_tables; i++)
    for (const struct evp_option *option = tables[i]; option && option->key; option++)
      if (option->flags & EVP_REQUIRED) json_string(json, NULL, option->key);
  json_end(json);
}

static bool wants_a_key(const struct evp_option *table)
{
  for (; table && table->key; table++)
    if (table->flags & EVP_REQUIRED) return true;
  return false;
}

/* A group of which nothing must be given may be left empty. */
static void put_group(struct json *json, const struct evp_option *table, const struct config_node *defaults)
{
  static const char *const types[] = {"object", "null", NULL}, *const filled[] = {"object", NULL};
  json_strings(json, "type", wants_a_key(table) ? filled : types);
  json_object(json, "properties");
  put_properties(json, table, defaults);
  json_end(json);
  put_rest(json, &table, 1);
}

static void put_properties(struct json *json, const struct evp_option *table, const struct config_node *defaults)
{
  for (const struct evp_option *option = table; option && option->key; option++) {
    const struct config_pair *own = tree_find(defaults, option->key);
    const char *value = option_default(option, defaults);
    char target[64];
    json_object(json, option->key);
    json_string(json, "description", option->help);
    if (value) put_default(json, option, value);
    if (option->type == EVP_T_GROUP) {
      put_group(json, option->group, own ? &own->value : NULL);
    } else if (option->type == EVP_T_CHOICE) {
      put_choices(json, option);
    } else {
      snprintf(target, sizeof target, "#/$defs/%s", option_type_name(option->type));
      json_string(json, "$ref", target);
    }
    json_end(json);
  }
}

/* ---------------------------------------------------------------------------------------------------------- nodes */

static void definition_name(enum evp_kind kind, const char *name, char *text, size_t size)
{
  snprintf(text, size, "%s-%s", evp_kind_name(kind), name);
}

static void put_plugin(struct json *json, const struct evp_plugin *plugin)
{
  char name[128];
  const struct evp_option *tables[MAX_CORE_TABLES + 1];
  struct config_memory *memory = config_memory_new();
  struct diagnostics *ignored = diagnostics_new(plugin->name); /* a node of it says what is wrong with them */
  const struct config_node *defaults = ignored ? plugin_defaults(memory, plugin, ignored) : NULL;
  size_t n = core_tables((enum evp_kind)plugin->kind, plugin, tables);
  definition_name((enum evp_kind)plugin->kind, plugin->name, name, sizeof name);
  json_object(json, name);
  json_string(json, "description", plugin->summary);
  json_object(json, "properties");
  for (size_t i = 0; i < n; i++) put_properties(json, tables[i], defaults);
  put_properties(json, plugin->options, NULL);
  json_end(json);
  tables[n++] = plugin->options;
  put_rest(json, tables, n);
  json_end(json);
  diagnostics_free(ignored);
  config_memory_free(memory);
}

/* A plugin given by its path may be any: only the core's keys are known. */
static void put_any_plugin(struct json *json, enum evp_kind kind)
{
  char name[128];
  const struct evp_option *tables[MAX_CORE_TABLES];
  size_t n = core_tables(kind, NULL, tables);
  definition_name(kind, "of-a-path", name, sizeof name);
  json_object(json, name);
  json_object(json, "properties");
  for (size_t i = 0; i < n; i++) put_properties(json, tables[i], NULL);
  json_end(json);
  json_end(json);
}

/* "If the plugin is this, then the node is like that." */
static void put_case(struct json *json, enum evp_kind kind, const char *test, const char *value, const char *then)
{
  static const char *const required[] = {"plugin", NULL};
  char name[128];
  definition_name(kind, then, name, sizeof name);
  json_object(json, NULL);
  json_object(json, "if");
  json_strings(json, "required", required);
  json_object(json, "properties");
  json_object(json, "plugin");
  json_string(json, test, value);
  json_end(json);
  json_end(json);
  json_end(json);
  put_ref(json, "then", name);
  json_end(json);
}

static void put_plugin_names(const struct schema *schema, struct json *json, enum evp_kind kind)
{
  json_object(json, "plugin");
  json_array(json, "anyOf");
  json_object(json, NULL);
  json_array(json, "enum");
  for (size_t i = 0; i < schema->n; i++)
    if (schema->plugins[i]->kind == kind) json_string(json, NULL, schema->plugins[i]->name);
  json_end(json);
  json_end(json);
  json_object(json, NULL);
  json_string(json, "type", "string");
  json_string(json, "pattern", "/|" VARIABLE);
  json_end(json);
  json_end(json);
  json_end(json);
}

static void put_node(const struct schema *schema, struct json *json, enum evp_kind kind)
{
  static const char *const required[] = {"plugin", NULL};
  json_object(json, evp_kind_name(kind));
  json_string(json, "type", "object");
  json_strings(json, "required", required);
  json_object(json, "properties");
  put_plugin_names(schema, json, kind);
  json_end(json);
  json_array(json, "allOf");
  for (size_t i = 0; i < schema->n; i++)
    if (schema->plugins[i]->kind == kind)
      put_case(json, kind, "const", schema->plugins[i]->name, schema->plugins[i]->name);
  put_case(json, kind, "pattern", "/", "of-a-path");
  json_end(json);
  json_end(json);
}

static void put_section(struct json *json, enum evp_kind kind)
{
  char key[32];
  snprintf(key, sizeof key, "%ss", evp_kind_name(kind));
  json_object(json, key);
  json_string(json, "type", "object");
  json_object(json, "patternProperties");
  put_ref(json, NODE_NAME, evp_kind_name(kind));
  json_bool(json, "^x-", true);
  json_end(json);
  json_bool(json, "additionalProperties", false);
  json_end(json);
}

static void put_definitions(const struct schema *schema, struct json *json)
{
  json_object(json, "$defs");
  put_value_types(json);
  for (int kind = EVP_SOURCE; kind <= EVP_SINK; kind++) {
    put_node(schema, json, (enum evp_kind)kind);
    put_any_plugin(json, (enum evp_kind)kind);
  }
  for (size_t i = 0; i < schema->n; i++) put_plugin(json, schema->plugins[i]);
  json_end(json);
}

static void take_plugin(void *context, const char *path, const char *file)
{
  struct schema *schema = context;
  const char *error;
  const struct evp_plugin *plugin = plugin_load(schema->finder, path, &error);
  (void)file;
  if (!plugin)
    fprintf(schema->failures, "evpipe: left out: %s\n", error);
  else if (schema->n < MAX_PLUGINS)
    schema->plugins[schema->n++] = plugin;
}

void schema_print(struct plugin_finder *finder, FILE *file, FILE *failures)
{
  static const char *const required[] = {"sources", "sinks", NULL};
  struct schema schema = {.json.file = file, .finder = finder, .failures = failures};
  struct json *json = &schema.json;
  plugin_visit_all(finder, take_plugin, &schema);
  json_object(json, NULL);
  json_string(json, "$schema", "https://json-schema.org/draft/2020-12/schema");
  json_string(json, "title", "A pipeline of evpipe");
  json_string(json, "type", "object");
  json_strings(json, "required", required);
  json_object(json, "properties");
  put_properties(json, top_options, NULL);
  for (int kind = EVP_SOURCE; kind <= EVP_SINK; kind++) put_section(json, (enum evp_kind)kind);
  json_end(json);
  json_object(json, "patternProperties");
  json_bool(json, "^x-", true);
  json_end(json);
  json_bool(json, "additionalProperties", false);
  put_definitions(&schema, json);
  json_end(json);
}
