/* tree.h: YAML as a tree in which every node knows its place, made of libyaml's events.
 *
 * Refused, with the place: what is not YAML or not UTF-8, more than one document, duplicate keys, merge keys, keys that
 * are no scalars, aliases that contain themselves, trees that are too deep or, with their aliases, too large.
 * ${NAME}, ${NAME:-default}, ${NAME:?message} and $$ are replaced in values, after parsing: a value can not change the
 * structure. What stands under a key that begins with `x-` is left alone.
 */
#ifndef EVPIPE_CONFIG_TREE_H
#define EVPIPE_CONFIG_TREE_H

#include "config/diagnostics.h"
#include "config/memory.h"

/* BROKEN: an error in it was told; whoever meets it says nothing more. */
enum config_kind { CONFIG_NULL, CONFIG_SCALAR, CONFIG_SEQUENCE, CONFIG_MAPPING, CONFIG_BROKEN };

struct config_node {
  enum config_kind kind;
  struct place place;
  const char *text; /* SCALAR: after substitution */
  struct config_node *items; /* SEQUENCE */
  struct config_pair *pairs; /* MAPPING */
  size_t n;
  bool replaced; /* its variables are */
};

struct config_pair {
  struct config_node key, value; /* the key is a scalar */
};

/* The document in text[0..size). NULL: it is not YAML, which is told. Errors within it are told too, and leave BROKEN
   nodes. An empty document is a CONFIG_NULL. */
struct config_node *tree_parse(struct config_memory *, const char *text, size_t size, struct diagnostics *);

const struct config_pair *tree_find(const struct config_node *mapping, const char *key); /* NULL: not there */

#endif
