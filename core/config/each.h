/* each.h: one node for many paths: {each} and {name} in its values, replaced for one path. */
#ifndef EVPIPE_CONFIG_EACH_H
#define EVPIPE_CONFIG_EACH_H

#include "config/tree.h"

/* The node's mapping with {each} (the path) and {name} (its base name without the suffix) replaced in all values but
   those of `plugin`, `each` and keys that begin with x-. Other words in braces stay: they may be the plugin's. */
const struct config_node *each_replace(struct config_memory *, const struct config_node *mapping, const char *path);
/* A path that the glob would match, to try the node's values with. */
const char *each_sample(struct config_memory *, const char *glob);
/* What is wrong with a node that has `each`, told with `who` in front: a glob that can match nothing, a placeholder that
   is misspelt, none at all. */
bool each_check(
  struct config_memory *, const struct config_node *mapping, const char *who, struct diagnostics *diagnostics);
/* The same of a source that has no `each`: {each} in a value means that it was forgotten. */
bool each_check_plain(
  struct config_memory *, const struct config_node *mapping, const char *who, struct diagnostics *diagnostics);

#endif
