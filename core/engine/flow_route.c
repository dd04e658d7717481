#include "engine/flow_state.h"
#include "engine/sink.h"
#include "engine/time.h"
#include <stdlib.h>
#include <string.h>

static void offer(struct flow *flow, struct node *consumer, struct view *view);

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

void flow_route(struct flow *flow, struct node *producer, struct view *view)
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

static const struct hold_settings *hold_of(const struct flow *flow)
{
  return flow->stream->instance ? &flow->stream->instance->source.hold : &flow->source->config->source.hold;
}

/* Those of a census have one time. */
static void stamp_metrics(struct clock *clock, struct evp_metric *metrics, uint32_t n, uint32_t flags)
{
  int64_t time = metrics[0].time, stamped = clock_stamp(clock, (uint64_t)time);
  for (uint32_t i = 0; i < n; i++) {
    if (metrics[i].time != time) {
      time = metrics[i].time;
      stamped = clock_stamp(clock, (uint64_t)time);
    }
    metrics[i].time = stamped;
  }
  for (uint32_t i = 0; flags && i < n; i++) metrics[i].flags |= flags;
}

static void stamp_logs(struct clock *clock, struct evp_log *logs, uint32_t n, uint32_t flags)
{
  for (uint32_t i = 0; i < n; i++) {
    logs[i].time = clock_stamp(clock, (uint64_t)logs[i].time);
    logs[i].flags |= flags;
  }
}

/* Event times become Unix times. The view is not published yet, so its items may still be written. */
static void stamp(struct flow *flow, struct view *view)
{
  const struct evp_batch *batch = &view->batch;
  struct clock clock = flow->clock; /* a copy that stays in registers: this is done for every item */
  uint32_t flags = clock.exact ? 0 : EVP_METRIC_ESTIMATED;
  if (batch->signal == EVP_METRICS)
    stamp_metrics(&clock, (struct evp_metric *)(uintptr_t)batch->items, batch->n, flags);
  else
    stamp_logs(&clock, (struct evp_log *)(uintptr_t)batch->items, batch->n, flags);
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
    flow_route(flow, held.from, held.view);
    block_unref(held.view->block);
  }
}

void flow_settle_for_estimate(struct flow *flow)
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
      flow_settle_for_estimate(flow);
      stamp(flow, view);
      flow_route(flow, from, view);
      block_unref(view->block);
      return;
    }
    flow->held = held;
    flow->held_room = room;
  }
  if (!flow->n_held) flow->held_since = time_monotonic();
  flow->held[flow->n_held++] = (struct held){from, view};
  flow->held_bytes += view->charge;
  if (flow->held_bytes > hold_of(flow)->max_size) flow_settle_for_estimate(flow);
}

uint64_t flow_hold_deadline(const struct flow *flow)
{
  uint64_t delay = hold_of(flow)->max_delay;
  if (!flow->n_held || !flow->stream->live || delay > UINT64_MAX / 2) return UINT64_MAX;
  return flow->held_since + delay;
}

void flow_drop_held(struct flow *flow)
{
  for (size_t i = 0; i < flow->n_held; i++) {
    struct node *from = flow->held[i].from;
    statistics_drop(
      &from->statistics, from->config->name, from->config->place, flow->held[i].view->batch.n, "shutdown");
    block_unref(flow->held[i].view->block);
  }
}

void flow_take_out(struct flow *flow, struct node *from, struct evp_out *out)
{
  out_finish(out);
  size_t n = out->n_ready;
  out->n_ready = 0;
  for (size_t i = 0; i < n; i++) {
    struct view *view = out->ready[i];
    if (view->batch.signal == EVP_EVENTS) {
      view->batch.epoch = clock_guess(&flow->clock, time_unix(), flow->newest_time);
      flow_route(flow, from, view);
      block_unref(view->block);
    } else if (flow->clock.known) {
      stamp(flow, view);
      flow_route(flow, from, view);
      block_unref(view->block);
    } else {
      hold(flow, from, view);
    }
  }
}

/* ------------------------------------------------------------------------------------------------------ filters */

void flow_fail_stage(struct stage *stage, const char *what)
{
  stage->usable = false;
  stage->holds_more = false;
  node_log_of(
    stage->node, stage->out.stream, LOG_LEVEL_ERROR, "failed in %s; it gets nothing more of this stream", what);
  statistics_add(&stage->node->statistics.errors, 1);
  engine_status(stage->node->engine, STATUS_NODE_FAILED);
}

void flow_after_call(struct flow *flow, struct stage *stage, enum evp_status status, const char *what)
{
  stage->holds_more = status == EVP_AGAIN && stage->node->plugin->more;
  if (status != EVP_OK && !stage->holds_more) flow_fail_stage(stage, what);
  flow_take_out(flow, stage->node, &stage->out);
}

static void select_in_stage(struct flow *flow, struct stage *stage, struct view *view)
{
  const struct evp_batch *batch = &view->batch;
  struct view *kept = block_view(view->block, batch->signal, stage->node->config->name);
  uint16_t *sel = kept ? arena_alloc(&view->block->arena, batch->n * sizeof *sel) : NULL;
  if (!sel) {
    flow_fail_stage(stage, "select (no memory)");
    return;
  }
  memcpy(sel, batch->sel, batch->n * sizeof *sel);
  uint32_t n = stage->node->plugin->select(stage->ctx.self, batch, sel, batch->n);
  kept->batch = *batch;
  kept->batch.origin = stage->node->config->name;
  kept->batch.sel = sel;
  kept->batch.n = n <= batch->n ? n : batch->n;
  kept->charge = view->charge;
  if (n) flow_route(flow, stage->node, kept);
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
    flow_after_call(flow, stage, plugin->map(stage->ctx.self, &view->batch, &stage->out), "map");
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
