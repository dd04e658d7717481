#include "engine/engine_state.h"
#include "engine/sink_state.h"
#include "engine/time.h"
#include <stdlib.h>

/* encode() gets batches in slices of at most so many items: a message is sealed between two slices. */
enum { SLICE_ITEMS = 256 };

/* Time in the plugin, without that in which a full outbox is waited for. */
static void count_busy(struct sink *sink, uint64_t begin)
{
  statistics_add(&sink->node->statistics.busy_ns, time_monotonic() - begin);
}

static enum evp_status finish_message(struct sink *sink)
{
  if (!sink->plugin->seal) return EVP_OK;
  uint64_t begin = time_monotonic();
  enum evp_status status = sink->plugin->seal(sink->ctx->self, &sink->message);
  count_busy(sink, begin);
  return status;
}

void sink_seal(struct sink *sink)
{
  sink->seal_due = UINT64_MAX;
  if (!sink->message_items) return;
  atomic_store_explicit(&sink->message_since, 0, memory_order_relaxed);
  uint64_t items = sink->message_items;
  sink->message_items = 0;
  if (finish_message(sink) != EVP_OK) {
    sink_drop_items(sink, items, "not_sealed");
    node_fail(sink->node, "seal");
  } else {
    outbox_put(sink->outbox, &sink->message, items, sink->first_time, sink->last_time);
  }
  sink->message.size = 0;
}

static int64_t item_time(const struct evp_batch *batch, uint32_t i)
{
  switch (batch->signal) {
  case EVP_METRICS:
    return batch->metrics[batch->sel[i]].time;
  case EVP_LOGS:
    return batch->logs[batch->sel[i]].time;
  case EVP_EVENTS:
    return evp_unix_time(batch, batch->events[batch->sel[i]].time);
  default:
    return batch->stream->begin_time;
  }
}

static void note_times(struct sink *sink, const struct evp_batch *slice)
{
  for (uint32_t i = 0; i < slice->n; i++) {
    int64_t time = item_time(slice, i);
    if (!sink->message_items && !i) sink->first_time = sink->last_time = time;
    if (time < sink->first_time) sink->first_time = time;
    if (time > sink->last_time) sink->last_time = time;
    if (slice->signal == EVP_BYTES) return;
  }
}

static void encode_slice(struct sink *sink, const struct evp_batch *slice)
{
  const struct sink_settings *settings = &sink->node->config->sink;
  size_t before = sink->message.size;
  uint64_t items = slice->n, dropped = atomic_load(&sink->ctx->dropped), begin = time_monotonic();
  enum evp_status status = sink->plugin->encode(sink->ctx->self, slice, &sink->message);
  count_busy(sink, begin);
  if (status != EVP_OK) {
    sink->message.size = before;
    bool rejected = status == EVP_REJECT;
    items -= atomic_load(&sink->ctx->dropped) - dropped; /* it counted these itself */
    sink_drop_items(sink, items, rejected ? "rejected" : "node_failed");
    if (!rejected) node_fail(sink->node, "encode");
    return;
  }
  items -= atomic_load(&sink->ctx->dropped) - dropped; /* it counted these itself */
  note_times(sink, slice);
  if (!sink->message_items) {
    sink->seal_due = time_after(sink->now, settings->batch.max_delay);
    atomic_store_explicit(&sink->message_since, statistics_get(&sink->working_since), memory_order_relaxed);
  }
  sink->message_items += items;
  if (sink->message_items >= (uint64_t)settings->batch.max_items || sink->message.size >= settings->batch.max_size)
    sink_seal(sink);
}

enum evp_status sink_encode_batch(struct sink *sink, const struct evp_batch *batch)
{
  struct evp_batch slice = *batch;
  uint64_t max_items = (uint64_t)sink->node->config->sink.batch.max_items;
  if (batch->signal == EVP_BYTES) {
    encode_slice(sink, &slice);
    return EVP_OK;
  }
  uint32_t at = 0;
  for (; at < batch->n && sink_usable(sink); at += slice.n) {
    uint64_t n = batch->n - at;
    if (n > SLICE_ITEMS) n = SLICE_ITEMS;
    if (n > max_items - sink->message_items) n = max_items - sink->message_items;
    slice.sel = batch->sel + at;
    slice.n = (uint32_t)n;
    encode_slice(sink, &slice);
  }
  if (at < batch->n) sink_drop_items(sink, batch->n - at, "node_failed");
  return EVP_OK;
}

bool evp_buf_grow(struct evp_buf *buf, size_t more)
{
  if (more > SIZE_MAX / 2 - buf->size) return false;
  size_t capacity = buf->capacity ? buf->capacity : 4096;
  while (capacity - buf->size < more) capacity *= 2;
  uint8_t *data = realloc(buf->data, capacity);
  if (!data) return false;
  buf->data = data;
  buf->capacity = capacity;
  return true;
}
