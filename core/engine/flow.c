#include "engine/command.h"
#include "engine/flow_state.h"
#include "engine/graph.h"
#include "engine/sink.h"
#include "engine/slab.h"
#include "engine/time.h"
#include <stdlib.h>
#include <string.h>

static const struct pipeline_node *config_of(const struct flow *flow)
{
  return flow->source->config;
}

/* -------------------------------------------------------------------------------------------------- from the source */

struct block *flow_decode_block(struct flow *flow, struct evp_event **events)
{
  if (flow->decoding && !block_reuse(flow->decoding)) {
    block_unref(flow->decoding);
    flow->decoding = NULL;
  }
  if (!flow->decoding) flow->decoding = block_new(flow->stream);
  *events = flow->decoding ? arena_alloc(&flow->decoding->arena, DECODE_EVENTS * sizeof **events) : NULL;
  flow->decoded = *events;
  if (*events) return flow->decoding;
  node_log_of(flow->source, flow->stream, LOG_LEVEL_ERROR, "no memory to decode into");
  return NULL;
}

void flow_events(struct flow *flow, struct slab *slab, uint32_t first, uint32_t n, size_t span, uint64_t prologue)
{
  struct block *block = flow->decoding;
  struct view *view = block_view(block, EVP_EVENTS, config_of(flow)->name);
  if (!view) return;
  if (!block->slab) { /* else others look at the block already: an earlier part of the same step */
    slab_ref(slab);
    block->slab = slab;
    block->span = span;
  }
  view->batch.events = flow->decoded + first;
  view->batch.sel = selection_all();
  view->batch.n = n;
  view->batch.prologue = prologue;
  view->batch.epoch = clock_guess(&flow->clock, time_unix(), flow->newest_time);
  view->charge = span + DECODE_EVENTS * sizeof(struct evp_event);
  flow_route(flow, flow->source, view);
}

void flow_bytes(struct flow *flow, struct slab *slab, const struct evp_batch *bytes)
{
  struct block *block = block_new(flow->stream);
  struct view *view = block ? block_view(block, EVP_BYTES, config_of(flow)->name) : NULL;
  size_t secrets_size = bytes->n_secrets * sizeof *bytes->secrets;
  struct evp_secret *secrets = view && secrets_size ? arena_alloc(&block->arena, secrets_size) : NULL;
  if (!view || (secrets_size && !secrets)) {
    block_unref(block);
    node_log_of(flow->source, flow->stream, LOG_LEVEL_ERROR, "no memory for %u bytes of the stream", bytes->n);
    return;
  }
  slab_ref(slab);
  block->slab = slab;
  if (secrets) memcpy(secrets, bytes->secrets, secrets_size);
  struct evp_batch batch = *bytes;
  batch.signal = EVP_BYTES;
  batch.stream = view->batch.stream;
  batch.origin = view->batch.origin;
  batch.secrets = secrets;
  batch.epoch = clock_guess(&flow->clock, time_unix(), flow->newest_time);
  view->batch = batch;
  view->charge = batch.n + sizeof *block + sizeof *view + secrets_size;
  flow_route(flow, flow->source, view);
  block_unref(block);
}

void flow_forget_decoded(struct flow *flow)
{
  if (flow->decoding) block_reuse(flow->decoding);
}

void flow_rest(struct flow *flow)
{
  block_unref(flow->decoding);
  flow->decoding = NULL;
}

void flow_wake_sinks(struct flow *flow, bool more_at_once)
{
  for (unsigned i = 0; i < flow->n_sinks; i++) queue_wake(sink_queue(flow->sinks[i]->sink), more_at_once);
}

struct evp_out *flow_source_out(struct flow *flow)
{
  return &flow->source_out;
}

void flow_source_items(struct flow *flow)
{
  flow_take_out(flow, flow->source, &flow->source_out);
}

/* ------------------------------------------------------------------------------------------------------- waiting */

static bool has_room(struct flow *flow)
{
  for (unsigned i = 0; i < flow->n_sinks; i++) {
    struct queue *queue = sink_queue(flow->sinks[i]->sink);
    if (queue_waits(queue, flow->stream) && !queue_has_room(queue)) return false;
  }
  return true;
}

/* One more part of what the first such filter held back. True: nobody holds anything back now. */
static bool emit_more(struct flow *flow)
{
  for (unsigned i = 0; i < flow->n_stages; i++) {
    struct stage *stage = &flow->stages[i];
    if (!stage->holds_more) continue;
    flow_after_call(flow, stage, stage->node->plugin->more(stage->ctx.self, &stage->out), "more");
    return false;
  }
  return true;
}

bool flow_ready(struct flow *flow)
{
  while (has_room(flow))
    if (emit_more(flow)) return true;
  return false;
}

static bool end_next_stage(struct flow *flow)
{
  for (unsigned i = 0; i < flow->n_stages; i++) {
    struct stage *stage = &flow->stages[i];
    if (stage->ended) continue;
    stage->ended = true;
    if (stage->usable && stage->node->plugin->end)
      flow_after_call(flow, stage, stage->node->plugin->end(stage->ctx.self, &stage->out), "end");
    return true;
  }
  return false;
}

/* Filters end in order, each with all that came before it and with what those before it emitted at their end. */
bool flow_end(struct flow *flow)
{
  do
    if (!flow_ready(flow)) return false;
  while (end_next_stage(flow));
  if (flow->n_held) {
    flow_settle_for_estimate(flow);
    if (!flow_ready(flow)) return false;
  }
  for (unsigned i = 0; i < flow->n_sinks; i++)
    if (!queue_push_end(sink_queue(flow->sinks[i]->sink), flow->stream))
      node_log(flow->sinks[i], LOG_LEVEL_ERROR, "no memory to tell it the end of a stream");
  return true;
}

/* Filters' clock is the stream's event time. Live, it goes on while nothing comes; in a recording only the data move
   it, so that a replay is deterministic. */
static void tick_stage(struct flow *flow, struct stage *stage, uint64_t now)
{
  struct evp_ctx *ctx = &stage->ctx;
  if (!stage->usable || !ctx->tick_every || !stage->node->plugin->tick || now < ctx->tick_next) return;
  ctx->tick_next = now + ctx->tick_every;
  flow_after_call(flow, stage, stage->node->plugin->tick(ctx->self, now, &stage->out), "tick");
}

void flow_look(struct flow *flow, uint64_t monotonic, uint64_t newest, uint64_t seen)
{
  flow->newest_time = newest;
  if (monotonic >= flow_hold_deadline(flow)) flow_settle_for_estimate(flow);
  uint64_t now = newest;
  if (flow->stream->live && monotonic > seen && now < INT64_MAX) now += monotonic - seen;
  flow->clock_now = now;
  flow->looked = monotonic;
  for (unsigned i = 0; i < flow->n_stages; i++) tick_stage(flow, &flow->stages[i], now);
}

uint64_t flow_deadline(const struct flow *flow)
{
  uint64_t deadline = flow_hold_deadline(flow);
  if (!flow->stream->live) return deadline;
  for (unsigned i = 0; i < flow->n_stages; i++) {
    const struct stage *stage = &flow->stages[i];
    if (!stage->usable || !stage->ctx.tick_every || !stage->node->plugin->tick) continue;
    uint64_t now = flow->clock_now, left = stage->ctx.tick_next > now ? stage->ctx.tick_next - now : 0;
    uint64_t next = left < UINT64_MAX / 2 ? flow->looked + left : UINT64_MAX;
    if (next < deadline) deadline = next;
  }
  return deadline;
}

/* --------------------------------------------------------------------------------------------------------- life */

struct evp_stream *flow_stream(struct flow *flow)
{
  return flow->stream;
}

struct clock *flow_clock(struct flow *flow)
{
  return &flow->clock;
}

uint64_t flow_groups(const struct flow *flow)
{
  uint64_t groups = 0;
  for (unsigned i = 0; i < flow->n_stages; i++) groups += flow->stages[i].out.groups;
  return groups;
}

static bool make_stage(struct flow *flow, struct node *node)
{
  struct stage *stage = &flow->stages[flow->n_stages];
  stage->node = node;
  out_init(&stage->out, node, flow->stream);
  if (!instance_create(&stage->ctx, node, flow->stream, NULL, false, NULL)) {
    flow_fail_stage(stage, "create");
    return false;
  }
  stage->ctx.out = &stage->out;
  stage->usable = true;
  flow->stage_of[node - flow->engine->nodes] = stage;
  flow->n_stages++;
  return true;
}

static bool begin_sink(struct flow *flow, struct node *node)
{
  if (!queue_push_begin(sink_queue(node->sink), flow->stream)) return false;
  flow->sinks[flow->n_sinks++] = node;
  return true;
}

static bool make_nodes(struct flow *flow)
{
  struct engine *engine = flow->engine;
  bool *reached = calloc(engine->n_nodes, sizeof *reached);
  if (!reached) return false;
  graph_mark_reached(engine, flow->source, reached);
  bool ok = true;
  for (unsigned i = 0; ok && i < engine->n_nodes; i++) {
    struct node *node = &engine->nodes[i];
    if (node == flow->source || !reached[i]) continue;
    ok = node->config->kind == EVP_SINK ? begin_sink(flow, node) : make_stage(flow, node);
  }
  free(reached);
  return ok;
}

struct flow *flow_new(struct engine *engine, struct node *source, struct evp_stream *stream, int64_t modified)
{
  struct flow *flow = calloc(1, sizeof *flow);
  if (!flow) {
    evp_stream_unref(stream);
    return NULL;
  }
  flow->engine = engine;
  flow->source = source;
  flow->stream = stream;
  flow->stages = calloc(engine->n_nodes, sizeof *flow->stages);
  flow->stage_of = calloc(engine->n_nodes, sizeof(struct stage *));
  flow->sinks = calloc(engine->n_nodes, sizeof(struct node *));
  clock_init(&flow->clock, stream->live, modified);
  out_init(&flow->source_out, source, stream);
  if (flow->stages && flow->stage_of && flow->sinks && make_nodes(flow)) return flow;
  for (unsigned i = 0; i < flow->n_sinks; i++) queue_push_end(sink_queue(flow->sinks[i]->sink), stream);
  flow_free(flow);
  return NULL;
}

void flow_free(struct flow *flow)
{
  if (!flow) return;
  flow_drop_held(flow);
  for (unsigned i = 0; i < flow->n_stages; i++) {
    out_free(&flow->stages[i].out);
    instance_destroy(&flow->stages[i].ctx);
  }
  out_free(&flow->source_out);
  block_unref(flow->decoding);
  free(flow->held);
  free(flow->stages);
  free(flow->stage_of);
  free(flow->sinks);
  command_queue_close(flow->stream->commands); /* who keeps the stream can not reach the program any more */
  evp_stream_unref(flow->stream);
  free(flow);
}
