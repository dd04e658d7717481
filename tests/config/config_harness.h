/* config_harness.h: a text as configuration, and what was said of it as one string. */
#ifndef EVPIPE_TEST_CONFIG_HARNESS_H
#define EVPIPE_TEST_CONFIG_HARNESS_H

#include "config/tree.h"

struct config_harness {
  struct config_memory *memory;
  struct diagnostics *diagnostics;
  const char *text;
};

void config_harness_init(struct config_harness *);
void config_harness_free(struct config_harness *);
/* The tree of a text, which must outlive the harness; NULL as tree_parse() has it. */
struct config_node *config_harness_parse(struct config_harness *, const char *text);
/* Everything printed: "c.yaml:1:2: error: ..." and the excerpts. It lives as long as the harness. */
const char *config_harness_said(struct config_harness *);
/* What is at "a.b.0.c", NULL if there is nothing. */
const struct config_node *config_harness_at(const struct config_node *, const char *path);

#endif
