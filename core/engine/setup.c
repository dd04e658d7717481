#include "engine/setup.h"
#include "engine/each.h"
#include "engine/lane.h"
#include "engine/series.h"
#include "engine/sink.h"
#include "engine/slab.h"
#include "engine/source.h"
#include "engine/time.h"
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct evp_ctx *create_instance(struct node *node, bool checking, struct diagnostics *diagnostics)
{
  struct evp_ctx *ctx = calloc(1, sizeof *ctx);
  if (ctx && instance_create(ctx, node, NULL, NULL, checking, diagnostics)) return ctx;
  free(ctx);
  return NULL;
}

void setup_discard(struct evp_ctx *ctx)
{
  instance_destroy(ctx);
  free(ctx);
}

bool setup_create(struct engine *engine, struct evp_ctx **instances, bool checking, struct diagnostics *diagnostics)
{
  bool ok = true;
  for (unsigned i = 0; i < engine->n_nodes; i++) {
    struct node *node = &engine->nodes[i];
    instances[i] = node->config->sound ? create_instance(node, checking, diagnostics) : NULL;
    ok = ok && instances[i];
  }
  return ok;
}

static void free_nodes(struct engine *engine)
{
  for (unsigned i = 0; i < engine->n_nodes; i++) {
    source_free(engine->nodes[i].source);
    each_free(engine->nodes[i].each);
    sink_free(engine->nodes[i].sink);
  }
  for (unsigned i = 0; i < engine->n_nodes; i++) node_free(&engine->nodes[i]);
  free(engine->nodes);
}

void setup_free(struct engine *engine)
{
  free_nodes(engine);
  for (unsigned i = 0; engine->lanes && i < engine->n_lanes; i++) lane_free(&engine->lanes[i]);
  free(engine->lanes);
  free(engine->polled);
  series_table_free(engine->series);
  slab_pool_free(engine->slabs);
  if (engine->wake_fd >= 0) close(engine->wake_fd);
  if (engine->abandon_fd >= 0) close(engine->abandon_fd);
  if (engine->timeout_fd >= 0) close(engine->timeout_fd);
  if (engine->stop_fd >= 0) close(engine->stop_fd);
  free(engine);
}

static uint64_t file_limit(void)
{
  struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

struct engine *setup_new(const struct pipeline *pipeline)
{
  struct engine *engine = calloc(1, sizeof *engine);
  if (!engine) return NULL;
  engine->pipeline = pipeline;
  engine->begin_time = time_unix();
  engine->file_limit = file_limit();
  engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  engine->abandon_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  engine->timeout_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  engine->stop_fd = epoll_create1(EPOLL_CLOEXEC);
  engine->slabs = slab_pool_new();
  engine->series = series_table_new();
  engine->nodes = calloc(pipeline->n_nodes ? pipeline->n_nodes : 1, sizeof *engine->nodes);
  engine->polled = calloc(3 + pipeline->n_nodes, sizeof *engine->polled);
  bool ok = engine->wake_fd >= 0 && engine_stops_by(engine, engine->abandon_fd) &&
            engine_stops_by(engine, engine->timeout_fd) && engine->slabs && engine->series && engine->nodes &&
            engine->polled;
  for (unsigned i = 0; ok && i < pipeline->n_nodes; i++) {
    ok = node_init(&engine->nodes[i], engine, &pipeline->nodes[i]);
    engine->n_nodes++;
  }
  if (ok) return engine;
  log_line(LOG_LEVEL_ERROR, NULL, NULL, "no memory or file descriptors to set up the pipeline");
  setup_free(engine);
  return NULL;
}

static bool has_each(const struct node *node)
{
  return node->config->kind == EVP_SOURCE && node->config->source.each;
}

bool setup_adopt(struct engine *engine, struct evp_ctx **instances)
{
  bool ok = true;
  for (unsigned i = 0; i < engine->n_nodes; i++) {
    struct node *node = &engine->nodes[i];
    struct evp_ctx *ctx = instances[i];
    if (has_each(node)) node->each = each_new(node);
    if (node->config->kind == EVP_SOURCE && ctx && !has_each(node)) node->source = source_new(node, ctx);
    if (node->config->kind == EVP_SINK && ctx) node->sink = sink_new(node, ctx);
    bool owned = node->source || node->sink;
    if (ctx && !owned) setup_discard(ctx);
    ok = ok && (owned || node->each || node->config->kind == EVP_FILTER);
    engine->sources_come = engine->sources_come || node->each;
  }
  return ok;
}

static unsigned count_sources(const struct engine *engine)
{
  unsigned n = 0;
  for (unsigned i = 0; i < engine->n_nodes; i++) n += engine->nodes[i].config->kind == EVP_SOURCE;
  return n;
}

bool setup_lanes(struct engine *engine)
{
  unsigned sources = count_sources(engine);
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  int64_t wanted = engine->pipeline->lanes ? engine->pipeline->lanes : cores;
  if (wanted < 1) wanted = 1;
  unsigned n = wanted < (int64_t)sources || engine->sources_come ? (unsigned)wanted : sources;
  engine->lanes = calloc(n ? n : 1, sizeof *engine->lanes);
  if (!engine->lanes) return false;
  while (engine->n_lanes < n)
    if (!lane_init(&engine->lanes[engine->n_lanes++], engine)) return false;
  unsigned next = 0;
  for (unsigned i = 0; i < engine->n_nodes; i++)
    if (engine->nodes[i].source) lane_add(&engine->lanes[next++ % n], engine->nodes[i].source);
  return true;
}
