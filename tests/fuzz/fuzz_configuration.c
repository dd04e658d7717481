/* The YAML reader, the binder and the printer of errors, for libFuzzer: whatever the bytes are, there is a tree or an error,
   what is printed is UTF-8 without control characters, and nothing is read or kept that should not be. */
#include "config/options.h"
#include "text.h"
#include <stdlib.h>
#include <string.h>

struct inner {
  int64_t depth;
};

struct all {
  bool truth;
  int64_t number;
  uint64_t size, wait;
  const char *text;
  int choice;
  struct evp_strings list;
  struct evp_map map;
  struct inner group;
};

static const char *const choices[] = {"first", "second", NULL};
static const struct evp_option inner_options[] = {EVP_INT(struct inner, depth, "7", "How deep."), EVP_OPTIONS_END};
static const struct evp_option options[] = {EVP_BOOL(struct all, truth, "true", "A truth."),
  EVP_INT(struct all, number, "-5", "A number."), EVP_SIZE(struct all, size, "2KiB", "A size."),
  EVP_DURATION(struct all, wait, "never", "A duration."), EVP_STRING_REQUIRED(struct all, text, "A text."),
  EVP_CHOICE(struct all, choice, "second", "A choice.", choices), EVP_STRINGS(struct all, list, "A list."),
  EVP_MAP(struct all, map, "A map."), EVP_GROUP(struct all, group, inner_options, "A group."), EVP_OPTIONS_END};

static void must(bool holds)
{
  if (!holds) abort();
}

static void look_at(const char *said, size_t size)
{
  must(text_is_utf8(said, size));
  for (size_t i = 0; i < size; i++) must((unsigned char)said[i] >= 0x20 || said[i] == '\n' || said[i] == '\t');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (!text_is_utf8((const char *)data, size) || memchr(data, '\0', size)) return 0; /* file.c keeps these out */
  struct config_memory *memory = config_memory_new();
  struct diagnostics *diagnostics = diagnostics_new("c.yaml");
  const char *text = config_string(memory, (const char *)data, size), *problem;
  diagnostics_set_text(diagnostics, text, size);
  const struct config_node *root = tree_parse(memory, text, size, diagnostics);
  must(root || diagnostics_errors(diagnostics));
  struct all all = {0};
  struct binding binding = {.memory = memory, .diagnostics = diagnostics, .who = "it"};
  must(options_set_defaults(memory, options, &all, &problem));
  if (root) options_bind(&binding, &(struct option_target){options, &all}, 1, root, root->place);
  char *said = NULL;
  size_t said_size = 0;
  FILE *file = open_memstream(&said, &said_size);
  must(file);
  diagnostics_print(diagnostics, file);
  fclose(file);
  look_at(said, said_size);
  free(said);
  diagnostics_free(diagnostics);
  config_memory_free(memory);
  return 0;
}
