/* loader.h: finds a plugin's file, loads it, and looks whether it keeps to the contract.
 *
 * Owner    main: one finder for the process. What was loaded stays loaded: instances, series and log lines point into it.
 */
#ifndef EVPIPE_PLUGIN_LOADER_H
#define EVPIPE_PLUGIN_LOADER_H

#include <evpipe.h>

struct plugin_finder;

struct plugin_finder *plugin_finder_new(
  void); /* knows EVPIPE_PLUGIN_PATH and the folders of the install or the build */
void plugin_finder_free(struct plugin_finder *);
void plugin_finder_add_dir(struct plugin_finder *, const char *dir); /* --plugin-dir: before all others, in order */

/* The plugin that `spec` names: a name ("zmq" of kind sink is sink-zmq.so in the first folder that has it) or a path
   with a slash, relative to `base` (a folder, or NULL). NULL: *error says what is wrong; it lives until the next call. */
const struct evp_plugin *plugin_find(
  struct plugin_finder *, enum evp_kind, const char *spec, const char *base, const char **error);
/* What --plugin names: "sink/zmq", a path, or a name that only one kind has. */
const struct evp_plugin *plugin_find_any(struct plugin_finder *, const char *spec, const char **error);
/* A file, of any kind. */
const struct evp_plugin *plugin_load(struct plugin_finder *, const char *path, const char **error);

const char *plugin_path(const struct plugin_finder *, const struct evp_plugin *); /* the file it came from */

/* Calls `visit` for every KIND-NAME.so in the folders; a name that an earlier folder has is not visited again. */
void plugin_visit_all(
  struct plugin_finder *, void (*visit)(void *context, const char *path, const char *file), void *context);

#endif
