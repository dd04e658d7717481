/* pipeline.h: a checked configuration: nodes in order, their settings bound, their edges resolved. What the engine
 * runs, and what --check, --graph and --schema show.
 *
 * Owner    main; made once by pipeline_load(), freed after the engine. Immutable, so any thread may read it.
 * Strings  and option values (the prototypes) live as long as the pipeline.
 */
#ifndef EVPIPE_PIPELINE_H
#define EVPIPE_PIPELINE_H

#include <evpipe.h>
#include <stdatomic.h>
#include <stdio.h>

/* What an unwritten choice means for a queue is decided per stream. */
enum when_full { WHEN_FULL_AUTO, WHEN_FULL_DROP_OLDEST, WHEN_FULL_DROP_NEWEST, WHEN_FULL_WAIT };
enum clock_mode { CLOCK_RECORDED, CLOCK_NOW };

/* The core's keys, bound by option tables of the core (core_options.h) as a plugin's own are. Durations are ns, sizes
   bytes. */
struct reconnect_settings {
  uint64_t initial, max;
};

struct hold_settings {
  uint64_t max_size, max_delay;
};

struct prologue_settings {
  uint64_t max_memory, max_size;
};

struct source_settings {
  const char *each; /* a glob: one instance for each path that it matches; NULL: one instance */
  struct evp_map labels; /* `service` is always there */
  struct reconnect_settings reconnect;
  uint64_t silence; /* after which it explains itself; EVP_NEVER: it does not */
  struct hold_settings hold;
  struct prologue_settings prologue;
  const char *pace_text; /* as written: `max`, `realtime`, `2x` */
  double pace; /* 0: as fast as it goes; 1: as recorded; N: N times as fast */
  int clock; /* enum clock_mode */
  bool controllable; /* commands may be sent to its program */
};

struct queue_settings {
  uint64_t max_size;
  int when_full; /* enum when_full */
};

struct batch_settings {
  int64_t max_items;
  uint64_t max_size, max_delay;
};

struct retry_settings {
  uint64_t initial, max, give_up; /* give_up: EVP_NEVER, or ns since the first try */
  double jitter;
};

struct spool_settings {
  const char *path; /* NULL: none */
  uint64_t max_size;
};

struct sink_settings {
  struct queue_settings queue;
  struct batch_settings batch;
  struct retry_settings retry;
  uint64_t timeout;
  struct spool_settings spool;
  const char *dead_letter; /* NULL: none */
};

struct pipeline_edge {
  uint32_t from; /* index of the node it comes from */
  uint32_t signals; /* set of evp_signal that travels on it, never empty */
};

struct pipeline_node {
  enum evp_kind kind;
  const char *name;
  const struct evp_plugin *plugin; /* stays loaded as long as the pipeline */
  const char *place; /* "pipeline.yaml:12", where the node is written, for logs */
  const void *prototype; /* plugin->instance_size bytes: zero, with the options set; copied into each new instance */
  const struct pipeline_edge *edges; /* where it takes from; none for a source */
  uint32_t n_edges;
  uint32_t input; /* union of the edges' signals */
  uint32_t output; /* union of what others take from it */
  struct source_settings source;
  struct sink_settings sink;
  const struct config_node *yaml, *yaml_name; /* where to point errors at: pipeline_option_error() */
  bool sound; /* the plugin is there, its options are good, and what it takes is known: create() may be called, also if
                 the pipeline is broken elsewhere */
};

/* Of a source with `each`: its settings for one path. Counted: what it made, and every stream of that, point into it. */
struct pipeline_instance {
  const char *path;
  const void *prototype; /* as a node's */
  struct source_settings source;
  struct config_memory *memory; /* all of it */
  atomic_uint refs;
};

struct pipeline {
  struct pipeline_node *nodes; /* in an order in which each comes after all that it takes from */
  uint32_t n_nodes;
  int64_t lanes; /* 0: choose */
  uint64_t shutdown_timeout; /* ns */
  const char *control_unix; /* path of the control socket; NULL: none */
  const char *path; /* of the YAML */
  bool broken; /* there were errors */
  struct config_memory *memory; /* everything above */
};

struct diagnostics; /* diagnostics.h */
struct plugin_finder; /* plugin/loader.h */
struct config_memory; /* memory.h */

/* Reads, substitutes, binds and checks a configuration. All errors go to `diagnostics`; `broken` if there was one: then
   it may not be run, only checked by the engine and freed, after the diagnostics were printed. Does not call create(): the
   engine does, reporting option errors through pipeline_option_error(). */
struct pipeline *pipeline_load(const char *path, struct plugin_finder *finder, struct diagnostics *diagnostics);
void pipeline_free(struct pipeline *);

/* Binds the node's options anew with {each} and {name} in them replaced. The caller's is the first reference. What is
   wrong goes to `diagnostics`; NULL then. For nodes with `each`, whose own prototype and settings are those of a made-up
   path: as good as any to check the options with. */
struct pipeline_instance *pipeline_instance_new(
  const struct pipeline_node *, const char *path, struct diagnostics *diagnostics);
struct pipeline_instance *pipeline_instance_ref(struct pipeline_instance *); /* [any] */
void pipeline_instance_unref(struct pipeline_instance *); /* [any] NULL: nothing */

/* An error at the value of `key` ("tls.ca_file" within groups) of a node, or at the node's name if it is not written. */
void pipeline_option_error(struct diagnostics *, const struct pipeline_node *, const char *key, const char *text);
/* An error at the node's name. */
void pipeline_node_error(struct diagnostics *, const struct pipeline_node *, const char *text);

void pipeline_print_graph(const struct pipeline *, FILE *); /* Graphviz DOT */

#endif
