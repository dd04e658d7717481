/* core_options.h: the keys that the core gives to every node, as option tables like a plugin's own. */
#ifndef EVPIPE_CONFIG_CORE_OPTIONS_H
#define EVPIPE_CONFIG_CORE_OPTIONS_H

#include "config/pipeline.h"

/* Keys that a node has before anything else. */
struct node_keys {
  const char *plugin;
  struct evp_strings from, signals;
};

struct control_keys {
  const char *unix_path;
};

struct top_keys {
  int64_t lanes;
  uint64_t shutdown_timeout;
  struct control_keys control;
};

extern const struct evp_option top_options[]; /* struct top_keys */
extern const struct evp_option source_node_options[], consumer_node_options[]; /* struct node_keys */
extern const struct evp_option source_options[]; /* struct source_settings: of every source */
extern const struct evp_option reading_options[]; /* struct source_settings: of one that reads eventlogs, besides */
extern const struct evp_option sink_options[]; /* struct sink_settings: of every sink */
extern const struct evp_option delivering_options[]; /* struct sink_settings: of one that delivers, besides */

enum { MAX_CORE_TABLES = 3 };

/* Does it read eventlogs, does it deliver messages? Of a plugin that is not known (NULL) it may be so. */
bool core_reads(const struct evp_plugin *);
bool core_delivers(const struct evp_plugin *);

/* The tables that hold for nodes of a plugin, in the order of the pages; how many. NULL: all that may hold for the kind. */
size_t core_tables(enum evp_kind, const struct evp_plugin *, const struct evp_option *tables[MAX_CORE_TABLES]);

#endif
