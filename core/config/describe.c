#include "config/describe.h"
#include "config/core_options.h"
#include "config/edges.h"
#include "config/options.h"
#include "plugin/loader.h"
#include <stdlib.h>
#include <string.h>

const struct config_node *plugin_defaults(
  struct config_memory *memory, const struct evp_plugin *plugin, struct diagnostics *diagnostics)
{
  return plugin->defaults ? tree_parse(memory, plugin->defaults, strlen(plugin->defaults), diagnostics) : NULL;
}

const char *option_default(const struct evp_option *option, const struct config_node *defaults)
{
  const struct config_pair *own = tree_find(defaults, option->key);
  return own && own->value.kind == CONFIG_SCALAR ? own->value.text : option->value;
}

static const struct config_node *inner_defaults(const struct evp_option *option, const struct config_node *defaults)
{
  const struct config_pair *own = tree_find(defaults, option->key);
  return own ? &own->value : NULL;
}

/* "metrics and logs" is for sentences; tables have "metrics,logs". */
static void print_signals(uint32_t signals, char *text, size_t size)
{
  size_t used = 0;
  snprintf(text, size, "-");
  for (uint32_t bit = 1; bit <= EVP_LOGS; bit <<= 1)
    if (signals & bit)
      used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "," : "", evp_signal_name(bit));
}

/* ---------------------------------------------------------------------------------------------------------- text */

static void print_type(const struct evp_option *option, FILE *file)
{
  fputs(option->type == EVP_T_CHOICE ? "" : option_type_name(option->type), file);
  for (size_t i = 0; option->type == EVP_T_CHOICE && option->choices[i]; i++)
    fprintf(file, "%s%s", i ? " | " : "", option->choices[i]);
}

static void print_table(const struct evp_option *table, const struct config_node *defaults, int indent, FILE *file)
{
  for (const struct evp_option *option = table; option && option->key; option++) {
    const char *value = option_default(option, defaults);
    fprintf(file, "%*s%s: ", indent, "", option->key);
    print_type(option, file);
    if (option->flags & EVP_REQUIRED) fputs(", required", file);
    if (value) fprintf(file, ", default %s", value);
    fprintf(file, "\n%*s%s\n", indent + 4, "", option->help);
    if (option->type == EVP_T_GROUP) print_table(option->group, inner_defaults(option, defaults), indent + 2, file);
  }
}

static void print_text(
  const struct evp_plugin *plugin, const char *path, const struct config_node *defaults, FILE *file)
{
  char accepts[64], emits[64];
  const struct evp_option *tables[MAX_CORE_TABLES];
  const char *kind = evp_kind_name(plugin->kind);
  print_signals(plugin->accepts, accepts, sizeof accepts);
  print_signals(plugin->emits, emits, sizeof emits);
  fprintf(file, "%s %s: %s\n", kind, plugin->name, plugin->summary);
  if (plugin->accepts) fprintf(file, "takes %s\n", accepts);
  if (plugin->emits) fprintf(file, "gives %s\n", emits);
  fprintf(file, "from %s\n\nOptions:\n", path);
  print_table(plugin->options, NULL, 2, file);
  if (!plugin->options || !plugin->options->key) fputs("  none\n", file);
  fprintf(file, "\nKeys of the core that this %s has:\n", kind);
  size_t n = core_tables((enum evp_kind)plugin->kind, plugin, tables);
  for (size_t i = 0; i < n; i++) print_table(tables[i], defaults, 2, file);
}

/* ------------------------------------------------------------------------------------------------------ markdown */

static void print_cell(const char *text, FILE *file)
{
  for (; *text; text++) fprintf(file, *text == '|' ? "\\%c" : "%c", *text);
}

static void print_markdown_type(const struct evp_option *option, FILE *file)
{
  if (option->type != EVP_T_CHOICE) fputs(option_type_name(option->type), file);
  for (size_t i = 0; option->type == EVP_T_CHOICE && option->choices[i]; i++)
    fprintf(file, "%s`%s`", i ? ", " : "", option->choices[i]);
}

static void print_rows(
  const struct evp_option *table, const struct config_node *defaults, const char *group, FILE *file)
{
  for (const struct evp_option *option = table; option && option->key; option++) {
    char key[256];
    snprintf(key, sizeof key, "%s%s", group, option->key);
    if (option->type == EVP_T_GROUP) {
      size_t used = strlen(key);
      snprintf(key + used, sizeof key - used, ".");
      print_rows(option->group, inner_defaults(option, defaults), key, file);
      continue;
    }
    const char *value = option_default(option, defaults);
    const char *mark = value ? "`" : "";
    fprintf(file, "| `%s` | ", key);
    print_markdown_type(option, file);
    fprintf(file, " | %s%s%s | ", mark, value ? value : option->flags & EVP_REQUIRED ? "required" : "", mark);
    print_cell(option->help, file);
    fputs(" |\n", file);
  }
}

void describe_markdown(const struct evp_option *table, const struct config_node *defaults, FILE *file)
{
  fputs("| option | value | default | |\n|---|---|---|---|\n", file);
  print_rows(table, defaults, "", file);
}

/* -------------------------------------------------------------------------------------------------------- plugins */

void describe_plugin(const struct evp_plugin *plugin, const char *path, enum describe_format format, FILE *file)
{
  struct config_memory *memory = config_memory_new();
  struct diagnostics *ignored = diagnostics_new(path); /* a node of it says what is wrong with them */
  const struct config_node *defaults = ignored ? plugin_defaults(memory, plugin, ignored) : NULL;
  if (format == DESCRIBE_TEXT) print_text(plugin, path, defaults, file);
  if (format == DESCRIBE_JSON) describe_json(plugin, path, defaults, file);
  if (format == DESCRIBE_MARKDOWN) describe_markdown(plugin->options, NULL, file);
  diagnostics_free(ignored);
  config_memory_free(memory);
}

#define ROW "%-6s  %-14s  %-25s  %-13s  %s\n"

struct listing {
  struct plugin_finder *finder;
  FILE *file, *failures;
};

static void list_plugin(void *context, const char *path, const char *name)
{
  struct listing *listing = context;
  const char *error;
  char accepts[64], emits[64];
  (void)name;
  const struct evp_plugin *plugin = plugin_load(listing->finder, path, &error);
  if (!plugin) {
    fprintf(listing->failures, "  %s\n", error);
    return;
  }
  print_signals(plugin->accepts, accepts, sizeof accepts);
  print_signals(plugin->emits, emits, sizeof emits);
  fprintf(listing->file, ROW, evp_kind_name(plugin->kind), plugin->name, accepts, emits, plugin->summary);
}

void describe_all(struct plugin_finder *finder, FILE *file)
{
  char *failures = NULL;
  size_t size = 0;
  struct listing listing = {.finder = finder, .file = file, .failures = open_memstream(&failures, &size)};
  if (!listing.failures) return;
  fprintf(file, ROW, "kind", "name", "takes", "gives", "");
  plugin_visit_all(finder, list_plugin, &listing);
  fclose(listing.failures);
  if (size) fprintf(file, "\nnot loaded:\n%s", failures);
  free(failures);
}
