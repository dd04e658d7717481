#include "engine/node.h"
#include "engine/engine_state.h"
#include "engine/out.h"
#include "engine/series.h"
#include "engine/stream.h"
#include "engine/time.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool node_init(struct node *node, struct engine *engine, const struct pipeline_node *config)
{
  node->config = config;
  node->plugin = config->plugin;
  node->engine = engine;
  statistics_init(&node->statistics);
  pthread_mutex_init(&node->lock, NULL);
  pthread_mutex_init(&node->commands_lock, NULL);
  for (int level = 0; level <= LOG_LEVEL_DEBUG; level++)
    node->budgets[level] = (struct line_budget){.tokens = LINES_BURST, .filled = time_monotonic()};
  return true;
}

void node_free(struct node *node)
{
  for (unsigned i = 0; i < node->n_groups; i++) free(node->groups[i].consumers);
  free(node->groups);
  free(node->bytes.nodes);
  free(node->metrics.nodes);
  free(node->logs.nodes);
  statistics_free(&node->statistics);
  pthread_mutex_destroy(&node->lock);
  pthread_mutex_destroy(&node->commands_lock);
}

/* ------------------------------------------------------------------------------------------------------- log */

/* True if a line may be written now; `left_out` gets how many were not since the last one. */
static bool may_write(struct node *node, enum log_level level, uint64_t *left_out)
{
  struct line_budget *budget = &node->budgets[level];
  pthread_mutex_lock(&node->lock);
  uint64_t now = time_monotonic();
  budget->tokens += (double)(now - budget->filled) / (double)NS_PER_S * LINES_PER_SECOND;
  if (budget->tokens > LINES_BURST) budget->tokens = LINES_BURST;
  budget->filled = now;
  bool may = budget->tokens >= 1;
  if (may) {
    budget->tokens -= 1;
    *left_out = budget->left_out;
    budget->left_out = 0;
  } else {
    budget->left_out++;
  }
  pthread_mutex_unlock(&node->lock);
  return may;
}

/* `instance`: which of many it is about; NULL: there is one. */
static void node_log_v(struct node *node, const struct pipeline_instance *instance, enum log_level level,
  const char *format, va_list arguments)
{
  uint64_t left_out = 0;
  if (!log_enabled(level) || !may_write(node, level, &left_out)) return;
  const char *name = node->config->name, *place = node->config->place;
  if (left_out) log_line(level, name, place, "(%" PRIu64 " lines were left out)", left_out);
  char which[512];
  if (instance) snprintf(which, sizeof which, "%s[%s]", name, instance->path);
  log_line_v(level, instance ? which : name, place, format, arguments);
}

void node_log(struct node *node, enum log_level level, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  node_log_v(node, NULL, level, format, arguments);
  va_end(arguments);
}

void node_log_of(struct node *node, const struct evp_stream *stream, enum log_level level, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  node_log_v(node, stream->instance, level, format, arguments);
  va_end(arguments);
}

static void instance_log_v(const struct evp_ctx *ctx, enum log_level level, const char *format, va_list arguments)
{
  node_log_v(ctx->node, ctx->stream ? ctx->stream->instance : ctx->instance, level, format, arguments);
}

void instance_log(const struct evp_ctx *ctx, enum log_level level, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  instance_log_v(ctx, level, format, arguments);
  va_end(arguments);
}

void node_fail(struct node *node, const char *what)
{
  statistics_add(&node->statistics.errors, 1);
  if (atomic_exchange(&node->failed, true)) return;
  log_line(LOG_LEVEL_ERROR, node->config->name, node->config->place, "failed in %s; it gets nothing more", what);
  engine_status(node->engine, STATUS_NODE_FAILED);
  engine_wake(node->engine);
  engine_wake_lanes(node->engine); /* a lane may wait for room in its queue */
}

void evp_error(struct evp_ctx *ctx, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  instance_log_v(ctx, LOG_LEVEL_ERROR, format, arguments);
  va_end(arguments);
}

void evp_warn(struct evp_ctx *ctx, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  instance_log_v(ctx, LOG_LEVEL_WARNING, format, arguments);
  va_end(arguments);
}

void evp_info(struct evp_ctx *ctx, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  instance_log_v(ctx, LOG_LEVEL_INFO, format, arguments);
  va_end(arguments);
}

void evp_debug(struct evp_ctx *ctx, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  instance_log_v(ctx, LOG_LEVEL_DEBUG, format, arguments);
  va_end(arguments);
}

void evp_option_error(struct evp_ctx *ctx, const char *key, const char *format, ...)
{
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  ctx->option_error = true;
  if (ctx->diagnostics)
    pipeline_option_error(ctx->diagnostics, ctx->node->config, key, text);
  else
    instance_log(ctx, LOG_LEVEL_ERROR, "option '%s': %s", key, text);
}

/* ------------------------------------------------------------------------------------------------ small facts */

void evp_drop(struct evp_ctx *ctx, uint64_t items, const char *reason)
{
  struct node *node = ctx->node;
  statistics_add(&ctx->dropped, items);
  statistics_drop(&node->statistics, node->config->name, node->config->place, items, reason);
}

void evp_incomplete(struct evp_ctx *ctx)
{
  engine_status(ctx->node->engine, STATUS_NODE_FAILED);
}

void evp_stay(struct evp_ctx *ctx)
{
  atomic_store(&ctx->node->stays, true);
}

void evp_late(struct evp_ctx *ctx, uint64_t events)
{
  statistics_add(&ctx->node->statistics.late, events);
}

const char *evp_node_name(struct evp_ctx *ctx)
{
  return ctx->node->config->name;
}

bool evp_checking(struct evp_ctx *ctx)
{
  return ctx->checking;
}

uint32_t evp_input_signals(struct evp_ctx *ctx)
{
  return ctx->node->config->input;
}

uint64_t evp_timeout(struct evp_ctx *ctx)
{
  return ctx->node->config->sink.timeout;
}

uint64_t evp_silence_after(struct evp_ctx *ctx)
{
  return instance_settings(ctx)->silence;
}

uint64_t evp_file_limit(struct evp_ctx *ctx)
{
  return ctx->node->engine->file_limit;
}

int evp_stop_fd(struct evp_ctx *ctx)
{
  return engine_stop_fd(ctx->node->engine);
}

void evp_want_event(struct evp_ctx *ctx, uint16_t type)
{
  if (!ctx->creating || ctx->stream) return; /* the trial instance spoke for all of its kind */
  if (type == EVP_EVERY_EVENT)
    ctx->node->wants_everything = true;
  else
    event_set_add(&ctx->node->named, type);
  ctx->node->named_events = true;
}

void evp_pass_event(struct evp_ctx *ctx, uint16_t type)
{
  if (!ctx->creating || ctx->stream) return;
  event_set_add(&ctx->node->passing, type);
  ctx->node->limits_events = true;
}

void evp_want_prologue(struct evp_ctx *ctx)
{
  if (ctx->creating) ctx->node->wants_prologue = true;
}

void evp_want_secrets(struct evp_ctx *ctx)
{
  if (ctx->creating) ctx->node->wants_secrets = true;
}

void evp_tick_every(struct evp_ctx *ctx, uint64_t nanoseconds)
{
  ctx->tick_every = nanoseconds;
  ctx->tick_next = 0; /* due at the next look; the clock is that of whoever drives the instance */
}

void evp_watch(struct evp_ctx *ctx, int fd)
{
  ctx->watched = fd;
}

void evp_source_can_wait(struct evp_ctx *ctx, bool can_wait)
{
  ctx->can_wait = can_wait;
}

void evp_source_recorded(struct evp_ctx *ctx, int64_t modified)
{
  ctx->recorded = true;
  ctx->modified = modified;
}

void evp_exit_status(struct evp_ctx *ctx, int status)
{
  int none = 0;
  atomic_compare_exchange_strong(&ctx->node->engine->program_status, &none, status & 0xff);
}

/* ---------------------------------------------------------------------------------------------------- series */

/* Open addressing, deletion by shifting back; a power of two, at most two thirds full. */
struct held_series {
  size_t room, n;
  const struct evp_series *slots[];
};

static size_t slot_of(const struct held_series *held, const struct evp_series *series)
{
  return (size_t)(series->id * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (held->room - 1);
}

static bool holds(const struct held_series *held, const struct evp_series *series)
{
  if (!held) return false;
  for (size_t i = slot_of(held, series); held->slots[i]; i = (i + 1) & (held->room - 1))
    if (held->slots[i] == series) return true;
  return false;
}

static void insert(struct held_series *held, const struct evp_series *series)
{
  size_t i = slot_of(held, series);
  while (held->slots[i]) i = (i + 1) & (held->room - 1);
  held->slots[i] = series;
  held->n++;
}

static struct held_series *grow_held(struct held_series *held)
{
  size_t room = held ? held->room * 2 : 16;
  struct held_series *larger = calloc(1, sizeof *larger + room * sizeof *larger->slots);
  if (!larger) return NULL;
  larger->room = room;
  for (size_t i = 0; held && i < held->room; i++)
    if (held->slots[i]) insert(larger, held->slots[i]);
  free(held);
  return larger;
}

static bool release(struct held_series *held, const struct evp_series *series)
{
  size_t mask = held->room - 1, i = slot_of(held, series);
  while (held->slots[i] != series) {
    if (!held->slots[i]) return false;
    i = (i + 1) & mask;
  }
  held->n--;
  for (size_t next = (i + 1) & mask; held->slots[next]; next = (next + 1) & mask) {
    size_t home = slot_of(held, held->slots[next]);
    if (((next - home) & mask) < ((next - i) & mask)) continue;
    held->slots[i] = held->slots[next];
    i = next;
  }
  held->slots[i] = NULL;
  return true;
}

const struct evp_series *evp_series_get(struct evp_ctx *ctx, const struct evp_series *wanted)
{
  const struct evp_map *labels = ctx->stream ? ctx->stream->labels : &instance_settings(ctx)->labels;
  struct evp_series whole = *wanted;
  whole.start = 0;
  if (whole.kind != EVP_GAUGE) whole.start = ctx->stream ? ctx->stream->begin_time : ctx->node->engine->begin_time;
  const struct evp_series *series = series_get(ctx->node->engine->series, &whole, labels);
  if (series && holds(ctx->held, series)) {
    series_unref(ctx->node->engine->series, series);
    return series;
  }
  if (series && (!ctx->held || ctx->held->n * 3 >= ctx->held->room * 2)) {
    struct held_series *larger = grow_held(ctx->held);
    if (larger)
      ctx->held = larger;
    else {
      series_unref(ctx->node->engine->series, series);
      series = NULL;
    }
  }
  if (series)
    insert(ctx->held, series);
  else
    node_log(ctx->node, LOG_LEVEL_ERROR, "no memory for the series %s", wanted->name);
  return series;
}

void evp_series_end(struct evp_ctx *ctx, const struct evp_series *series)
{
  if (!ctx->held || !release(ctx->held, series)) return;
  if (ctx->out) out_end_series(ctx->out, series);
  series_unref(ctx->node->engine->series, series);
}

static void release_all(struct evp_ctx *ctx)
{
  for (size_t i = 0; ctx->held && i < ctx->held->room; i++)
    if (ctx->held->slots[i]) series_unref(ctx->node->engine->series, ctx->held->slots[i]);
  free(ctx->held);
  ctx->held = NULL;
}

/* -------------------------------------------------------------------------------------------------- instances */

static bool call_create(struct evp_ctx *ctx)
{
  if (!ctx->node->plugin->create) return true;
  ctx->creating = true;
  enum evp_status status = ctx->node->plugin->create(ctx->self, ctx);
  ctx->creating = false;
  if (status == EVP_OK && !ctx->option_error) return true;
  if (!ctx->option_error && ctx->diagnostics)
    pipeline_node_error(ctx->diagnostics, ctx->node->config, "its create() failed");
  return false;
}

const struct source_settings *instance_settings(const struct evp_ctx *ctx)
{
  return ctx->instance ? &ctx->instance->source : &ctx->node->config->source;
}

bool instance_create(struct evp_ctx *ctx, struct node *node, const struct evp_stream *stream,
  struct pipeline_instance *instance, bool checking, struct diagnostics *diagnostics)
{
  *ctx =
    (struct evp_ctx){.node = node, .stream = stream, .checking = checking, .diagnostics = diagnostics, .watched = -1};
  if (instance) ctx->instance = pipeline_instance_ref(instance);
  size_t size = node->plugin->instance_size ? node->plugin->instance_size : 1;
  ctx->self = calloc(1, size);
  if (!ctx->self) {
    instance_log(ctx, LOG_LEVEL_ERROR, "no memory for an instance of %zu bytes", size);
    instance_destroy(ctx);
    return false;
  }
  const void *prototype = instance ? instance->prototype : node->config->prototype;
  if (prototype) memcpy(ctx->self, prototype, node->plugin->instance_size);
  ctx->created = true;
  bool ok = call_create(ctx);
  ctx->diagnostics = NULL;
  if (!ok) instance_destroy(ctx);
  return ok;
}

void instance_destroy(struct evp_ctx *ctx)
{
  if (ctx->created && ctx->node->plugin->destroy) ctx->node->plugin->destroy(ctx->self);
  ctx->created = false;
  release_all(ctx);
  free(ctx->self);
  ctx->self = NULL;
  pipeline_instance_unref(ctx->instance); /* after destroy(): option values live until then */
  ctx->instance = NULL;
}
