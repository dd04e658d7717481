/* describe.h: plugins and their options in words: what --plugins and --plugin print, and the tables of the pages.
 *
 * All of it comes from the option tables (options.h), the plugin's and the core's, so that it can not be wrong.
 */
#ifndef EVPIPE_CONFIG_DESCRIBE_H
#define EVPIPE_CONFIG_DESCRIBE_H

#include "config/tree.h"
#include <evpipe.h>

struct plugin_finder;

enum describe_format { DESCRIBE_TEXT, DESCRIBE_JSON, DESCRIBE_MARKDOWN };

/* One plugin: its options, defaults and help; as markdown only the table of its page. */
void describe_plugin(const struct evp_plugin *, const char *path, enum describe_format, FILE *);
/* Every plugin in the finder's folders, then those that did not load, and why. */
void describe_all(struct plugin_finder *, FILE *);

/* A table of a page. `defaults` is what a plugin says of the core's defaults; NULL: nothing. */
void describe_markdown(const struct evp_option *table, const struct config_node *defaults, FILE *);
/* What describe_plugin() writes as JSON. */
void describe_json(const struct evp_plugin *, const char *path, const struct config_node *defaults, FILE *);

/* The plugin's word on the core's defaults as a tree; NULL: it has none, or it is wrong, which goes to `diagnostics`. */
const struct config_node *plugin_defaults(
  struct config_memory *, const struct evp_plugin *, struct diagnostics *diagnostics);
/* The default that holds, as text; NULL: none. */
const char *option_default(const struct evp_option *, const struct config_node *defaults);

#endif
