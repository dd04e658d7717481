/* node.h: a node of the running pipeline, and the host's side of an instance of its plugin (struct evp_ctx).
 *
 * Owner    the engine owns nodes; a source and a sink node own one instance, a filter node one for each stream (flow.h), a
 *          source node with `each` one for each path (each.h).
 * Threads  a node is made before and freed after all threads; its statistics are atomic. An instance belongs to one
 *          thread; what plugins may call from any thread takes the node's lock.
 */
#ifndef EVPIPE_NODE_H
#define EVPIPE_NODE_H

#include "config/pipeline.h"
#include "engine/statistics.h"
#include "eventlog/eventlog.h"
#include "log.h"

struct each;
struct engine;
struct series_table;
struct sink;
struct source;
struct diagnostics;
struct command_queue;

/* How many lines of one level a node may log at once, and how many a second after that. */
enum { LINES_BURST = 20, LINES_PER_SECOND = 1 };

struct line_budget {
  double tokens;
  uint64_t filled; /* monotonic */
  uint64_t left_out;
};

/* Consumers of a node's events that want exactly the same types: they share one selection. */
struct event_group {
  struct event_set wanted;
  bool everything; /* all that the producer makes is wanted: no selection is needed */
  struct node **consumers;
  unsigned n_consumers;
};

struct node {
  const struct pipeline_node *config;
  const struct evp_plugin *plugin;
  struct engine *engine;
  struct statistics statistics;
  atomic_bool failed; /* told nothing more but stream_end, stop, destroy */
  atomic_bool ended; /* a sink that wants no more: quietly */
  atomic_bool stays; /* a sink for whose sake evpipe goes on when its sources have ended */
  atomic_bool source_done; /* a source that will give nothing more */

  /* What its instances said in create. */
  bool named_events, wants_everything, wants_prologue, wants_secrets;
  struct event_set named;
  bool limits_events; /* a filter: only `passing` types go through it */
  struct event_set passing;

  /* Who takes what from it. */
  struct event_set
    demand; /* sources and filters: event types that somebody behind wants; sinks, filters: to be given */
  bool demands_events;
  struct event_group *groups; /* of consumers of events */
  unsigned n_groups;
  struct {
    struct node **nodes;
    unsigned n;
  } bytes, metrics, logs; /* consumers by signal */

  struct sink *sink; /* EVP_SINK */
  struct source *source; /* EVP_SOURCE without `each` */
  struct each *each; /* EVP_SOURCE with it: its sources */

  pthread_mutex_t commands_lock; /* of the list of them */
  struct command_queue *commands; /* EVP_SOURCE: of its open streams that can be controlled */

  pthread_mutex_t lock; /* of the line budgets */
  struct line_budget budgets[LOG_LEVEL_DEBUG + 1];
};

struct evp_ctx {
  struct node *node;
  void *self;
  bool creating, checking;
  bool option_error; /* evp_option_error() was called */
  bool created, started;
  struct diagnostics *diagnostics; /* in create, at start-up; else NULL */
  const struct evp_stream *stream; /* of a filter's instance; NULL: a trial instance, or not a filter */
  struct pipeline_instance *instance; /* of a source of `each`, referenced; else NULL */
  uint64_t tick_every, tick_next; /* 0: no ticks */
  int watched; /* -1: none */
  _Atomic uint64_t dropped; /* items that evp_drop() was told of */
  struct evp_out *out; /* where the instance emits; NULL: a sink, or a trial instance */
  struct held_series *held; /* series that the instance got and did not end: a hash set of pointers */
  /* of a source, as said in connect */
  bool can_wait, recorded;
  int64_t modified;
};

bool node_init(struct node *, struct engine *, const struct pipeline_node *);
void node_free(struct node *);
/* Marks it as failed, says so, and makes the exit status 1. */
void node_fail(struct node *, const char *what);
void node_log(struct node *, enum log_level, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same of a stream, or of an instance: where the source is one of many, the line names its path, too. */
void node_log_of(struct node *, const struct evp_stream *, enum log_level, const char *format, ...)
  __attribute__((format(printf, 4, 5)));
void instance_log(const struct evp_ctx *, enum log_level, const char *format, ...)
  __attribute__((format(printf, 3, 4)));

bool node_reads(const struct node *); /* a source of bytes, one or many */
bool node_emits(const struct node *); /* a source of items: it tells what became of the others' data, and ends last */

/* What others may know of what it did. `size` of the statistics stays; all else is written. [any] */
void node_read(struct node *, struct evp_node_statistics *);

/* A new instance: zeroed, options set, create() called. On failure it is destroyed again. `stream` is for filters,
   `instance` for sources of `each`. */
bool instance_create(struct evp_ctx *, struct node *, const struct evp_stream *stream,
  struct pipeline_instance *instance, bool checking, struct diagnostics *);
void instance_destroy(struct evp_ctx *);
const struct source_settings *instance_settings(const struct evp_ctx *); /* of a source's instance */

#endif
