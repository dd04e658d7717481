#include "engine/flow.h"
#include "engine/command.h"
#include "engine/graph.h"
#include "engine/out.h"
#include "engine/sink.h"
#include "engine/slab.h"
#include "engine/time.h"
#include <stdlib.h>
#include <string.h>

/* A filter's instance for this stream. */
struct stage {
  struct evp_ctx ctx;
  struct node *node;
  struct evp_out out;
  bool usable; /* created and not failed */
  bool holds_more; /* its last call said AGAIN */
  bool ended; /* end() was called */
};

/* An item that waits for the clock. */
struct held {
  struct node *from;
  struct view *view; /* holds a reference to its block */
};

struct flow {
  struct engine *engine;
  struct node *source;
  struct evp_stream *stream;
  struct stage *stages; /* in the pipeline's order: each after all that it takes from */
  unsigned n_stages;
  struct stage **stage_of; /* by index of the node; NULL: not on this stream's way */
  struct node **sinks; /* that it reaches */
  unsigned n_sinks;
  struct clock clock;
  struct block *decoding; /* used again as long as nobody keeps a batch of it */
  const struct evp_event *decoded; /* its events */
  struct evp_out source_out;
  struct held *held;
  size_t n_held, held_room, held_bytes;
  uint64_t held_since; /* monotonic */
  uint64_t newest_time;
  uint64_t clock_now, looked; /* the filters' clock when it was last looked at, and that moment (monotonic) */
};

static void offer(struct flow *flow, struct node *consumer, struct view *view);

static const struct pipeline_node *config_of(const struct flow *flow)
{
  return flow->source->config;
}

static const struct hold_settings *hold_of(const struct flow *flow)
{
  return flow->stream->instance ? &flow->stream->instance->source.hold : &config_of(flow)->source.hold;
}

/* ------------------------------------------------------------------------------------------------ to consumers */

static void count_out(struct node *producer, const struct evp_batch *batch)
{
  statistics_add(&producer->statistics.out[signal_index(batch->signal)], batch->n);
}

static void offer_all(struct flow *flow, struct node *const *consumers, unsigned n, struct view *view)
{
  for (unsigned i = 0; i < n; i++) offer(flow, consumers[i], view);
}

/* A view on the items of `base` that the group wants; NULL: none (or no memory, which drops them, counted). */
static struct view *select_wanted(struct node *producer, struct view *base, const struct event_group *group)
{
  const struct evp_batch *batch = &base->batch;
  struct view *view = block_view(base->block, EVP_EVENTS, producer->config->name);
  uint16_t *selected = view ? arena_alloc(&base->block->arena, batch->n * sizeof *selected) : NULL;
  if (!selected) {
    for (unsigned i = 0; i < group->n_consumers; i++) {
      struct node *consumer = group->consumers[i];
      statistics_drop(&consumer->statistics, consumer->config->name, consumer->config->place, batch->n, "no_memory");
    }
    return NULL;
  }
  uint32_t n = 0;
  for (uint32_t i = 0; i < batch->n; i++) {
    uint16_t index = batch->sel[i];
    selected[n] = index;
    n += event_set_has(&group->wanted, batch->events[index].type);
  }
  view->batch = *batch;
  view->batch.origin = producer->config->name;
  view->batch.sel = selected;
  view->batch.n = n;
  view->charge = base->charge;
  return n ? view : NULL;
}

static void route_events(struct flow *flow, struct node *producer, struct view *view)
{
  for (unsigned i = 0; i < producer->n_groups; i++) {
    struct event_group *group = &producer->groups[i];
    struct view *wanted = group->everything ? view : select_wanted(producer, view, group);
    if (wanted) offer_all(flow, group->consumers, group->n_consumers, wanted);
  }
}

static void route(struct flow *flow, struct node *producer, struct view *view)
{
  count_out(producer, &view->batch);
  switch (view->batch.signal) {
  case EVP_BYTES:
    offer_all(flow, producer->bytes.nodes, producer->bytes.n, view);
    break;
  case EVP_EVENTS:
    route_events(flow, producer, view);
    break;
  case EVP_METRICS:
    offer_all(flow, producer->metrics.nodes, producer->metrics.n, view);
    break;
  case EVP_LOGS:
    offer_all(flow, producer->logs.nodes, producer->logs.n, view);
    break;
  default:
    break;
  }
}

/* -------------------------------------------------------------------------------------------- the clock, holding */

/* Event times become Unix times. The view is not published yet, so its items may still be written. */
static void stamp(struct flow *flow, struct view *view)
{
  const struct evp_batch *batch = &view->batch;
  struct clock clock = flow->clock; /* a copy that stays in registers: this is done for every item */
  uint32_t estimated = clock.exact ? 0 : EVP_METRIC_ESTIMATED;
  if (batch->signal == EVP_METRICS) {
    struct evp_metric *metrics = (struct evp_metric *)(uintptr_t)batch->items;
    int64_t time = metrics[0].time, stamped = clock_stamp(&clock, (uint64_t)time);
    for (uint32_t i = 0; i < batch->n; i++) {
      if (metrics[i].time != time) { /* those of a census have one time */
        time = metrics[i].time;
        stamped = clock_stamp(&clock, (uint64_t)time);
      }
      metrics[i].time = stamped;
      metrics[i].flags |= estimated;
    }
  } else {
    struct evp_log *logs = (struct evp_log *)(uintptr_t)batch->items;
    for (uint32_t i = 0; i < batch->n; i++) {
      logs[i].time = clock_stamp(&clock, (uint64_t)logs[i].time);
      logs[i].flags |= estimated;
    }
  }
  flow->clock = clock;
  view->batch.epoch = clock.epoch;
}

static void release_held(struct flow *flow)
{
  size_t n = flow->n_held;
  flow->n_held = flow->held_bytes = 0;
  for (size_t i = 0; i < n; i++) {
    struct held held = flow->held[i];
    stamp(flow, held.view);
    route(flow, held.from, held.view);
    block_unref(held.view->block);
  }
}

static void settle_for_estimate(struct flow *flow)
{
  if (!flow->clock.known) {
    clock_estimate(&flow->clock, time_unix(), flow->newest_time);
    node_log_of(flow->source, flow->stream, LOG_LEVEL_INFO,
      "no wall clock in the stream so far (GHC before 9.2 writes it last or not at all): times are estimated from %s",
      flow->stream->live ? "when blocks arrive" : "when the file was last written");
  }
  release_held(flow);
}

void flow_exact_clock(struct flow *flow, int64_t epoch)
{
  clock_set_exact(&flow->clock, epoch);
  release_held(flow);
}

/* Takes over the reference that the view came with. */
static void hold(struct flow *flow, struct node *from, struct view *view)
{
  if (flow->n_held == flow->held_room) {
    size_t room = flow->held_room ? flow->held_room * 2 : 64;
    struct held *held = realloc(flow->held, room * sizeof *held);
    if (!held) {
      settle_for_estimate(flow);
      stamp(flow, view);
      route(flow, from, view);
      block_unref(view->block);
      return;
    }
    flow->held = held;
    flow->held_room = room;
  }
  if (!flow->n_held) flow->held_since = time_monotonic();
  flow->held[flow->n_held++] = (struct held){from, view};
  flow->held_bytes += view->charge;
  if (flow->held_bytes > hold_of(flow)->max_size) settle_for_estimate(flow);
}

/* What an instance emitted goes on its way. */
static void take_out(struct flow *flow, struct node *from, struct evp_out *out)
{
  out_finish(out);
  size_t n = out->n_ready;
  out->n_ready = 0;
  for (size_t i = 0; i < n; i++) {
    struct view *view = out->ready[i];
    if (view->batch.signal == EVP_EVENTS) {
      view->batch.epoch = clock_guess(&flow->clock, time_unix(), flow->newest_time);
      route(flow, from, view);
      block_unref(view->block);
    } else if (flow->clock.known) {
      stamp(flow, view);
      route(flow, from, view);
      block_unref(view->block);
    } else {
      hold(flow, from, view);
    }
  }
}

/* ------------------------------------------------------------------------------------------------------ filters */

static void fail_stage(struct stage *stage, const char *what)
{
  stage->usable = false;
  stage->holds_more = false;
  node_log_of(
    stage->node, stage->out.stream, LOG_LEVEL_ERROR, "failed in %s; it gets nothing more of this stream", what);
  statistics_add(&stage->node->statistics.errors, 1);
  engine_status(stage->node->engine, STATUS_NODE_FAILED);
}

static void after_call(struct flow *flow, struct stage *stage, enum evp_status status, const char *what)
{
  stage->holds_more = status == EVP_AGAIN && stage->node->plugin->more;
  if (status != EVP_OK && !stage->holds_more) fail_stage(stage, what);
  take_out(flow, stage->node, &stage->out);
}

static void select_in_stage(struct flow *flow, struct stage *stage, struct view *view)
{
  const struct evp_batch *batch = &view->batch;
  struct view *kept = block_view(view->block, batch->signal, stage->node->config->name);
  uint16_t *sel = kept ? arena_alloc(&view->block->arena, batch->n * sizeof *sel) : NULL;
  if (!sel) {
    fail_stage(stage, "select (no memory)");
    return;
  }
  memcpy(sel, batch->sel, batch->n * sizeof *sel);
  uint32_t n = stage->node->plugin->select(stage->ctx.self, batch, sel, batch->n);
  kept->batch = *batch;
  kept->batch.origin = stage->node->config->name;
  kept->batch.sel = sel;
  kept->batch.n = n <= batch->n ? n : batch->n;
  kept->charge = view->charge;
  if (n) route(flow, stage->node, kept);
}

static void run_stage(struct flow *flow, struct stage *stage, struct view *view)
{
  const struct evp_plugin *plugin = stage->node->plugin;
  statistics_add(&stage->node->statistics.in[signal_index(view->batch.signal)], view->batch.n);
  if (!stage->usable) {
    const struct pipeline_node *config = stage->node->config;
    statistics_drop(&stage->node->statistics, config->name, config->place, view->batch.n, "node_failed");
    return;
  }
  if (view->batch.prologue > stage->out.prologue) stage->out.prologue = view->batch.prologue;
  uint64_t begin = time_monotonic();
  if (plugin->select)
    select_in_stage(flow, stage, view);
  else
    after_call(flow, stage, plugin->map(stage->ctx.self, &view->batch, &stage->out), "map");
  statistics_add(&stage->node->statistics.busy_ns, time_monotonic() - begin);
}

static void offer(struct flow *flow, struct node *consumer, struct view *view)
{
  if (consumer->config->kind == EVP_FILTER) {
    struct stage *stage = flow->stage_of[consumer - flow->engine->nodes];
    if (stage) run_stage(flow, stage, view);
  } else {
    statistics_add(&consumer->statistics.in[signal_index(view->batch.signal)], view->batch.n);
    queue_push(sink_queue(consumer->sink), view);
  }
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
  route(flow, flow->source, view);
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
  route(flow, flow->source, view);
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
  take_out(flow, flow->source, &flow->source_out);
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
    after_call(flow, stage, stage->node->plugin->more(stage->ctx.self, &stage->out), "more");
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
      after_call(flow, stage, stage->node->plugin->end(stage->ctx.self, &stage->out), "end");
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
    settle_for_estimate(flow);
    if (!flow_ready(flow)) return false;
  }
  for (unsigned i = 0; i < flow->n_sinks; i++)
    if (!queue_push_end(sink_queue(flow->sinks[i]->sink), flow->stream))
      node_log(flow->sinks[i], LOG_LEVEL_ERROR, "no memory to tell it the end of a stream");
  return true;
}

static uint64_t hold_deadline(const struct flow *flow)
{
  uint64_t delay = hold_of(flow)->max_delay;
  if (!flow->n_held || !flow->stream->live || delay > UINT64_MAX / 2) return UINT64_MAX;
  return flow->held_since + delay;
}

/* Filters' clock is the stream's event time. Live, it goes on while nothing comes; in a recording only the data move
   it, so that a replay is deterministic. */
static void tick_stage(struct flow *flow, struct stage *stage, uint64_t now)
{
  struct evp_ctx *ctx = &stage->ctx;
  if (!stage->usable || !ctx->tick_every || !stage->node->plugin->tick || now < ctx->tick_next) return;
  ctx->tick_next = now + ctx->tick_every;
  after_call(flow, stage, stage->node->plugin->tick(ctx->self, now, &stage->out), "tick");
}

void flow_look(struct flow *flow, uint64_t monotonic, uint64_t newest, uint64_t seen)
{
  flow->newest_time = newest;
  if (monotonic >= hold_deadline(flow)) settle_for_estimate(flow);
  uint64_t now = newest;
  if (flow->stream->live && monotonic > seen && now < INT64_MAX) now += monotonic - seen;
  flow->clock_now = now;
  flow->looked = monotonic;
  for (unsigned i = 0; i < flow->n_stages; i++) tick_stage(flow, &flow->stages[i], now);
}

uint64_t flow_deadline(const struct flow *flow)
{
  uint64_t deadline = hold_deadline(flow);
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
    fail_stage(stage, "create");
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

/* Held items whose time never came: the engine was told to end at once. */
static void drop_held(struct flow *flow)
{
  for (size_t i = 0; i < flow->n_held; i++) {
    struct node *from = flow->held[i].from;
    statistics_drop(
      &from->statistics, from->config->name, from->config->place, flow->held[i].view->batch.n, "shutdown");
    block_unref(flow->held[i].view->block);
  }
}

void flow_free(struct flow *flow)
{
  if (!flow) return;
  drop_held(flow);
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
