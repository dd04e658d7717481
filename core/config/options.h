/* options.h: option tables: what a node's keys mean. One table, five printers: this binder and its errors, --plugin,
 * the JSON Schema, the plugin's page (describe.h, schema.h). */
#ifndef EVPIPE_CONFIG_OPTIONS_H
#define EVPIPE_CONFIG_OPTIONS_H

#include "config/tree.h"
#include <evpipe.h>

/* A table and the struct that it fills. */
struct option_target {
  const struct evp_option *table; /* NULL: empty */
  void *base;
};

struct binding {
  struct config_memory *memory;
  struct diagnostics *diagnostics;
  const char *who; /* "sink 'influx'", for messages */
  bool lenient; /* the plugin did not load: what is not known may be its option */
  const struct evp_option *elsewhere; /* keys that only other nodes have; NULL: none */
  const char *elsewhere_who; /* which these are, "sinks that ..." */
};

/* Sets every default of a table. False: the table itself is wrong, said in *problem. */
bool options_set_defaults(struct config_memory *, const struct evp_option *table, void *base, const char **problem);
/* Sets what the mapping says; every key must be in one of the tables, and what is required must be there. False: errors
   were told. `mapping` may be a CONFIG_NULL: nothing is said. */
bool options_bind(const struct binding *, const struct option_target *targets, size_t n_targets,
  const struct config_node *mapping, struct place whole);

/* Stands in a list for an item that was wrong, and was told. */
extern const char option_broken_item[];

const char *option_type_name(uint32_t type); /* "size", "duration", ... */

#endif
