/* Prints a configuration as an editor with a JSON Schema sees it: numbers and truth values are such, variables are text. */
#include "config/file.h"
#include "config/tree.h"
#include "config/units.h"
#include "json.h"
#include <stdlib.h>
#include <string.h>

static void put(struct json *json, const char *key, const struct config_node *node)
{
  double number;
  if (node->kind == CONFIG_MAPPING) {
    json_object(json, key);
    for (size_t i = 0; i < node->n; i++) put(json, node->pairs[i].key.text, &node->pairs[i].value);
    json_end(json);
  } else if (node->kind == CONFIG_SEQUENCE) {
    json_array(json, key);
    for (size_t i = 0; i < node->n; i++) put(json, NULL, &node->items[i]);
    json_end(json);
  } else if (node->kind != CONFIG_SCALAR) {
    json_string(json, key, NULL);
  } else if (!strcmp(node->text, "true") || !strcmp(node->text, "false")) {
    json_bool(json, key, *node->text == 't');
  } else if (parse_double(node->text, &number)) {
    json_number(json, key, node->text);
  } else {
    json_string(json, key, node->text);
  }
}

int main(int argc, char **argv)
{
  struct config_memory *memory = config_memory_new();
  struct diagnostics *diagnostics = diagnostics_new(argc > 1 ? argv[1] : "");
  size_t size;
  const char *text = argc == 2 ? config_read_file(memory, argv[1], &size, diagnostics) : NULL;
  const struct config_node *root = text ? tree_parse(memory, text, size, diagnostics) : NULL;
  struct json json = {.file = stdout};
  if (root) put(&json, NULL, root);
  diagnostics_print(diagnostics, stderr);
  int status = !root || diagnostics_errors(diagnostics) ? EXIT_FAILURE : EXIT_SUCCESS;
  diagnostics_free(diagnostics);
  config_memory_free(memory);
  return status;
}
