#include "config_harness.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

void config_harness_init(struct config_harness *harness)
{
  *harness = (struct config_harness){.memory = config_memory_new(), .diagnostics = diagnostics_new("c.yaml")};
}

void config_harness_free(struct config_harness *harness)
{
  diagnostics_free(harness->diagnostics);
  config_memory_free(harness->memory);
}

struct config_node *config_harness_parse(struct config_harness *harness, const char *text)
{
  diagnostics_set_text(harness->diagnostics, text, strlen(text));
  return tree_parse(harness->memory, text, strlen(text), harness->diagnostics);
}

const char *config_harness_said(struct config_harness *harness)
{
  char *text = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&text, &size);
  ck_assert_ptr_nonnull(file);
  diagnostics_print(harness->diagnostics, file);
  fclose(file);
  const char *kept = config_string(harness->memory, text, size);
  free(text);
  return kept;
}

const struct config_node *config_harness_at(const struct config_node *node, const char *path)
{
  char word[64];
  while (node && *path) {
    size_t length = strcspn(path, ".");
    ck_assert_uint_lt(length, sizeof word);
    memcpy(word, path, length);
    word[length] = '\0';
    path += length + (path[length] == '.');
    if (node->kind == CONFIG_SEQUENCE) {
      size_t index = strtoul(word, NULL, 10);
      node = index < node->n ? &node->items[index] : NULL;
    } else {
      const struct config_pair *pair = tree_find(node, word);
      node = pair ? &pair->value : NULL;
    }
  }
  return node;
}
