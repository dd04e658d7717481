#include "engine/engine_state.h"
#include "engine/sink_state.h"
#include "engine/time.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define AGAIN_DELAY (100 * (uint64_t)NS_PER_MS)
#define FLUSH_INTERVAL NS_PER_S
#define WATCH_INTERVAL (10 * (uint64_t)NS_PER_MS) /* how often the watched fd is looked at while there is always work */

struct sink *sink_new(struct node *node, struct evp_ctx *ctx)
{
  struct sink *sink = calloc(1, sizeof *sink);
  if (!sink) return NULL;
  sink->node = node;
  sink->plugin = node->plugin;
  sink->ctx = ctx;
  sink->flush_due = sink->seal_due = UINT64_MAX;
  worker_init(&sink->worker);
  sink->queue = queue_new(node);
  if (sink->plugin->deliver) sink->outbox = outbox_new(node, ctx->self);
  if (sink->queue && (sink->outbox || !sink->plugin->deliver)) return sink;
  queue_free(sink->queue);
  worker_free(&sink->worker);
  free(sink);
  return NULL;
}

bool sink_spools(const struct sink *sink)
{
  return sink->outbox && outbox_spools(sink->outbox);
}

struct queue *sink_queue(struct sink *sink)
{
  return sink->queue;
}

/* ------------------------------------------------------------------------------------------------------ streams */

void *evp_stream_local(struct evp_ctx *ctx, const struct evp_stream *stream)
{
  struct sink *sink = ctx->node->sink;
  for (struct local **link = &sink->locals; *link; link = &(*link)->next) {
    struct local *local = *link;
    if (local->stream != stream) continue;
    *link = local->next; /* to the front: the next call most likely asks for the same */
    local->next = sink->locals;
    sink->locals = local;
    return local->memory;
  }
  return NULL;
}

/* It wants no more: quietly, and what it does not get from now on is no loss. */
static void end_quietly(struct sink *sink)
{
  atomic_store(&sink->node->ended, true);
  engine_wake(sink->node->engine);
  engine_wake_lanes(sink->node->engine);
}

/* What the status of a call means that nothing else is to be done for. */
static void after_call(struct sink *sink, enum evp_status status, const char *what)
{
  if (status == EVP_END)
    end_quietly(sink);
  else if (status != EVP_OK)
    node_fail(sink->node, what);
}

static void begin_stream(struct sink *sink, const struct evp_stream *stream)
{
  struct local *local = calloc(1, sizeof *local + sink->plugin->stream_size);
  if (!local) {
    node_fail(sink->node, "stream_begin (no memory)");
    evp_stream_unref(stream);
    return;
  }
  local->stream = stream;
  local->next = sink->locals;
  sink->locals = local;
  local->begun = sink_usable(sink);
  if (local->begun && sink->plugin->stream_begin && sink->plugin->stream_begin(sink->ctx->self, stream) != EVP_OK)
    node_fail(sink->node, "stream_begin");
}

static void end_stream(struct sink *sink, const struct evp_stream *stream)
{
  if (evp_stream_local(sink->ctx, stream)) {
    struct local *local = sink->locals; /* it was moved to the front */
    if (local->begun && sink->plugin->stream_end && sink->plugin->stream_end(sink->ctx->self, stream) != EVP_OK)
      node_fail(sink->node, "stream_end");
    sink->locals = local->next;
    evp_stream_unref(local->stream);
    free(local);
  }
  evp_stream_unref(stream);
}

/* ------------------------------------------------------------------------------------------------------ entries */

void sink_drop_items(struct sink *sink, uint64_t items, const char *reason)
{
  const struct pipeline_node *config = sink->node->config;
  statistics_drop(&sink->node->statistics, config->name, config->place, items, reason);
}

/* A sink that writes took `items`. What it dropped of these is not delivered; nor is what it dropped, in any call, after it
   had taken it: that is taken off what comes, so that the count never falls. */
static void count_delivered(struct sink *sink, uint64_t items, uint32_t signal)
{
  uint64_t dropped = atomic_load(&sink->ctx->dropped);
  sink->overdrawn += dropped - sink->drops_seen;
  sink->drops_seen = dropped;
  uint64_t off = sink->overdrawn < items ? sink->overdrawn : items;
  sink->overdrawn -= off;
  statistics_add(&sink->node->statistics.delivered, items - off);
  if (signal == EVP_BYTES) statistics_add(&sink->node->statistics.delivered_bytes, items - off);
}

/* At the end nothing comes that it could be taken off. */
static void settle_delivered(struct sink *sink)
{
  count_delivered(sink, 0, sink->node->config->input);
  statistics_add(&sink->node->statistics.delivered, -sink->overdrawn);
  if (sink->node->config->input == EVP_BYTES) statistics_add(&sink->node->statistics.delivered_bytes, -sink->overdrawn);
  sink->overdrawn = 0;
}

static enum evp_status write_batch(struct sink *sink, const struct evp_batch *batch)
{
  uint64_t begin = sink->now;
  enum evp_status status = sink->outbox ? sink_encode_batch(sink, batch) : sink->plugin->write(sink->ctx->self, batch);
  sink->now = time_monotonic();
  if (sink->outbox) return status;
  statistics_add(&sink->node->statistics.busy_ns, sink->now - begin);
  if (status == EVP_OK) count_delivered(sink, batch->n, batch->signal);
  if (sink->flush_due == UINT64_MAX) sink->flush_due = sink->now + FLUSH_INTERVAL;
  return status;
}

/* A sink with a spool may still fill it. */
static bool time_is_up(const struct sink *sink)
{
  const struct engine *engine = sink->node->engine;
  if (!atomic_load(&engine->abandoned)) return false;
  return !sink_spools(sink) || sink->now >= atomic_load(&engine->spool_until);
}

/* A sink that ended did so on purpose: what it does not get is no loss. */
static void take_batch(struct sink *sink, struct queue_entry entry)
{
  const struct evp_batch *batch = &entry.view->batch;
  enum evp_status status = EVP_OK;
  if (time_is_up(sink)) {
    sink_drop_items(sink, batch->n, "shutdown");
    engine_status(sink->node->engine, STATUS_NODE_FAILED);
  } else if (sink_usable(sink)) {
    status = write_batch(sink, batch);
  } else if (atomic_load(&sink->node->failed)) {
    sink_drop_items(sink, batch->n, "node_failed");
  }
  if (status == EVP_AGAIN) {
    sink->refused = entry;
    sink->offer_again = sink->now + AGAIN_DELAY;
    return;
  }
  if (status == EVP_REJECT) {
    sink_drop_items(sink, batch->n, "rejected");
  } else {
    if (status != EVP_OK && status != EVP_END) sink_drop_items(sink, batch->n, "node_failed");
    after_call(sink, status, "write");
  }
  block_unref(entry.view->block);
}

static void tell_gap(struct sink *sink, const struct queue_entry *entry)
{
  struct evp_gap gap = {.stream = entry->stream, .signal = entry->signal, .items = entry->items};
  if (sink_usable(sink) && sink->plugin->gap && sink->plugin->gap(sink->ctx->self, &gap) != EVP_OK)
    node_fail(sink->node, "gap");
}

static void take_entry(struct sink *sink, struct queue_entry entry)
{
  switch (entry.type) {
  case ENTRY_BEGIN:
    begin_stream(sink, entry.stream);
    break;
  case ENTRY_BATCH:
    atomic_store_explicit(&sink->working_since, entry.since, memory_order_relaxed);
    take_batch(sink, entry);
    if (!sink->refused.view) atomic_store_explicit(&sink->working_since, 0, memory_order_relaxed);
    break;
  case ENTRY_GAP:
    tell_gap(sink, &entry);
    break;
  case ENTRY_END:
    end_stream(sink, entry.stream);
    break;
  case ENTRY_NONE:
    break;
  }
}

/* ------------------------------------------------------------------------------------------------------- thread */

static void flush(struct sink *sink)
{
  sink->flush_due = UINT64_MAX;
  if (!sink->plugin->flush || !sink_usable(sink)) return;
  after_call(sink, sink->plugin->flush(sink->ctx->self), "flush");
}

static void tick(struct sink *sink, uint64_t now)
{
  struct evp_ctx *ctx = sink->ctx;
  if (!sink->plugin->tick || !ctx->tick_every || now < ctx->tick_next || !sink_usable(sink)) return;
  ctx->tick_next = now + ctx->tick_every;
  sink->offer_again = 0;
  after_call(sink, sink->plugin->tick(ctx->self, now, NULL), "tick");
}

static uint64_t next_deadline(const struct sink *sink)
{
  uint64_t deadline = sink->flush_due < sink->seal_due ? sink->flush_due : sink->seal_due;
  if (sink->refused.view && sink->offer_again < deadline) deadline = sink->offer_again;
  if (sink->plugin->tick && sink->ctx->tick_every && sink->ctx->tick_next < deadline && sink_usable(sink))
    deadline = sink->ctx->tick_next;
  return deadline;
}

/* What it wants to have watched, in the form of poll(). */
static struct pollfd watched(const struct sink *sink)
{
  return (struct pollfd){.fd = sink->plugin->ready && sink_usable(sink) ? sink->ctx->watched : -1, .events = POLLIN};
}

/* While there is always work, at most half of the time goes to who calls on its socket. */
static void tell_ready(struct sink *sink, const struct pollfd *polled)
{
  sink->watch_due = sink->now + WATCH_INTERVAL;
  if (!(polled->revents & (POLLIN | POLLHUP | POLLERR))) return;
  uint64_t begin = time_monotonic();
  sink->offer_again = 0;
  after_call(sink, sink->plugin->ready(sink->ctx->self), "ready");
  sink->now = time_monotonic();
  uint64_t spent = sink->now - begin;
  sink->watch_due = sink->now + (spent > WATCH_INTERVAL ? spent : WATCH_INTERVAL);
}

/* A sink that always has work waits for nothing: who calls on its socket is to be answered all the same. */
static void look_at_watched(struct sink *sink)
{
  if (sink->now < sink->watch_due) return;
  struct pollfd polled = watched(sink);
  if (polled.fd >= 0) poll(&polled, 1, 0);
  tell_ready(sink, &polled);
}

static void wait_for_work(struct sink *sink)
{
  struct pollfd polled[] = {{.fd = queue_wake_fd(sink->queue), .events = POLLIN}, watched(sink)};
  atomic_store(&sink->idle, !sink->refused.view && !sink->message_items);
  if (atomic_load(&sink->resting)) engine_wake(sink->node->engine);
  int ready = poll(polled, 2, time_poll_timeout(next_deadline(sink)));
  atomic_store(&sink->idle, false);
  if (ready <= 0) return;
  eventfd_t ignored;
  if (polled[0].revents) eventfd_read(polled[0].fd, &ignored);
  tell_ready(sink, &polled[1]);
}

static void look_at_clock(struct sink *sink)
{
  tick(sink, sink->now);
  if (sink->now >= sink->seal_due) sink_seal(sink);
  if (sink->now >= sink->flush_due) flush(sink);
}

/* One entry, if there is one: a batch that was refused before anything newer. */
static bool work(struct sink *sink)
{
  struct queue_entry entry = sink->refused;
  if (entry.view) {
    bool waits = sink_usable(sink) && sink->now < sink->offer_again;
    if (waits && !atomic_load(&sink->node->engine->abandoned)) return false;
    sink->refused = (struct queue_entry){0};
  } else {
    entry = queue_pop(sink->queue, true);
  }
  take_entry(sink, entry);
  return entry.type != ENTRY_NONE && !sink->refused.view;
}

static void sink_main(void *argument)
{
  struct sink *sink = argument;
  sink->now = time_monotonic();
  for (;;) {
    bool worked = work(sink);
    look_at_clock(sink);
    if (worked) {
      look_at_watched(sink);
      continue;
    }
    if (sink->flush_due != UINT64_MAX && !sink->refused.view) flush(sink);
    if (atomic_load(&sink->closed) && !sink->refused.view && queue_is_empty(sink->queue)) break;
    if (atomic_load(&sink->resting)) sink_seal(sink);
    wait_for_work(sink);
    sink->now = time_monotonic();
  }
  if (sink->outbox) {
    sink_seal(sink);
    outbox_close(sink->outbox);
  }
  flush(sink);
  engine_wake(sink->node->engine);
}

bool sink_start(struct sink *sink)
{
  if (sink->plugin->start && sink->plugin->start(sink->ctx->self) != EVP_OK) {
    node_fail(sink->node, "start");
    return false;
  }
  sink->started = true;
  if (sink->outbox && !outbox_start(sink->outbox)) return false;
  if (worker_start(&sink->worker, sink_main, sink)) return true;
  node_fail(sink->node, "start (no thread)");
  return false;
}

void sink_close(struct sink *sink)
{
  atomic_store(&sink->closed, true);
  eventfd_write(queue_wake_fd(sink->queue), 1);
}

void sink_come_to_rest(struct sink *sink)
{
  if (!atomic_exchange(&sink->resting, true)) eventfd_write(queue_wake_fd(sink->queue), 1);
}

/* In this order: what has left the queue is still with a thread that is not idle, or has got to the outbox. A sink that
   failed or ended takes its queue apart, too, but delivers nothing any more. */
bool sink_is_at_rest(struct sink *sink)
{
  if (!queue_is_empty(sink->queue) || !atomic_load(&sink->idle)) return false;
  return !sink_usable(sink) || !atomic_load(&sink->node->statistics.messages);
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
  return !one || (other && other < one) ? other : one;
}

static uint64_t lag_of(struct sink *sink)
{
  const struct statistics *statistics = &sink->node->statistics;
  uint64_t since = earlier(statistics_get(&sink->message_since), statistics_get(&sink->working_since));
  since = earlier(since, queue_since(sink->queue));
  int64_t now = (int64_t)time_monotonic(), oldest = since ? (int64_t)since : now;
  int64_t sealed = statistics_get(&statistics->messages) ? atomic_load(&statistics->messages_since) : now;
  if (sealed < oldest) oldest = sealed;
  return oldest < now ? (uint64_t)(now - oldest) : 0;
}

void sink_read(struct sink *sink, struct evp_node_statistics *read)
{
  const struct statistics *statistics = &sink->node->statistics;
  uint64_t max_size = sink->node->config->sink.queue.max_size;
  read->lag = lag_of(sink);
  read->queue_bytes = statistics_get(&statistics->queue_bytes) + statistics_get(&statistics->message_bytes);
  read->queue_limit = sink->outbox && max_size <= UINT64_MAX / 2 ? 2 * max_size : max_size;
}

bool sink_join(struct sink *sink, uint64_t deadline)
{
  return worker_join(&sink->worker, deadline) && (!sink->outbox || outbox_join(sink->outbox, deadline));
}

void sink_abandon(struct sink *sink)
{
  if (sink->outbox) outbox_abandon(sink->outbox);
}

uint64_t sink_progress(struct sink *sink)
{
  uint64_t progress = sink->outbox ? outbox_progress(sink->outbox) : 0;
  return progress + statistics_get(&sink->node->statistics.delivered);
}

void sink_settle(struct sink *sink)
{
  if (sink->outbox) { /* it may run although the sink's own thread could not be started */
    outbox_close(sink->outbox);
    outbox_join(sink->outbox, UINT64_MAX);
  }
  queue_free(sink->queue);
  sink->queue = NULL;
  if (sink->started && sink->plugin->stop) sink->plugin->stop(sink->ctx->self);
  if (!sink->plugin->deliver) settle_delivered(sink);
  sink->started = false;
  outbox_free(sink->outbox);
  sink->outbox = NULL;
}

void sink_free(struct sink *sink)
{
  if (!sink) return;
  sink_settle(sink);
  for (struct local *local = sink->locals, *next; local; local = next) {
    next = local->next;
    evp_stream_unref(local->stream);
    free(local);
  }
  free(sink->message.data);
  instance_destroy(sink->ctx);
  free(sink->ctx);
  worker_free(&sink->worker);
  free(sink);
}
