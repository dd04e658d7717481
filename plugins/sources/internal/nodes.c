/* What the statistics of each node become. What does not apply to a kind of node is not there at all; what has not
   happened yet is 0. */
#include "emission.h"

static double seconds(uint64_t nanoseconds)
{
  return (double)nanoseconds / 1e9;
}

static void add_items(
  struct emission *emission, const char *node, const char *signal, const char *direction, uint64_t items)
{
  const char *const labels[] = {"node", node, "direction", direction, signal ? "signal" : NULL, signal, NULL};
  emission_add_int(emission, METRIC_NODE_ITEMS, labels, (int64_t)items);
}

static void add_signals(
  struct emission *emission, const char *node, uint32_t signals, const char *direction, const uint64_t *items)
{
  for (unsigned i = 0; i < EVP_SIGNALS; i++)
    if (signals & 1u << i) add_items(emission, node, evp_signal_name(1u << i), direction, items[i]);
}

/* The signal's name if there is but one. */
static const char *only_signal(uint32_t signals)
{
  bool one = signals && !(signals & (signals - 1));
  return one ? evp_signal_name(signals) : NULL;
}

static void add_bytes(struct emission *emission, const struct evp_node_statistics *node)
{
  const char *const in[] = {"node", node->name, "direction", "in", NULL};
  const char *const out[] = {"node", node->name, "direction", "out", NULL};
  if (node->inputs & EVP_BYTES) emission_add_int(emission, METRIC_NODE_BYTES, in, (int64_t)node->bytes_in);
  bool gives = node->kind == EVP_SINK ? node->inputs & EVP_BYTES : node->outputs & EVP_BYTES;
  if (gives || node->bytes_out) emission_add_int(emission, METRIC_NODE_BYTES, out, (int64_t)node->bytes_out);
}

static void add_silence(struct emission *emission, const struct evp_node_statistics *node)
{
  for (unsigned i = 0; i < EVP_SILENCES; i++) {
    const char *const labels[] = {"node", node->name, "reason", evp_silence_name(i), NULL};
    emission_add_int(emission, METRIC_SOURCE_SILENT, labels, (int64_t)node->silent[i]);
  }
}

static void add_source(struct emission *emission, const struct evp_node_statistics *node, const char *const *labels)
{
  emission_add_int(emission, METRIC_SOURCE_CONNECTED, labels, (int64_t)node->connected);
  emission_add_int(emission, METRIC_SOURCE_CONNECTS, labels, (int64_t)node->connects);
  add_silence(emission, node);
  if (node->last_event) emission_add_double(emission, METRIC_SOURCE_LAST_EVENT, labels, (double)node->last_event / 1e9);
  if (node->clock != EVP_CLOCK_NONE)
    emission_add_int(emission, METRIC_CLOCK_EXACT, labels, node->clock == EVP_CLOCK_EXACT);
  emission_add_int(emission, METRIC_DECODE_ERRORS, labels, (int64_t)node->decode_errors);
  emission_add_int(emission, METRIC_SKIPPED_BYTES, labels, (int64_t)node->skipped_bytes);
}

static void add_sink(struct emission *emission, const struct evp_node_statistics *node, const char *const *labels)
{
  add_items(emission, node->name, only_signal(node->inputs), "out", node->delivered);
  emission_add_int(emission, METRIC_NODE_REJECTED, labels, (int64_t)node->rejected);
  emission_add_int(emission, METRIC_NODE_RETRIES, labels, (int64_t)node->retries);
  emission_add_int(emission, METRIC_NODE_QUEUE, labels, (int64_t)node->queue_bytes);
  emission_add_int(emission, METRIC_NODE_QUEUE_LIMIT, labels, (int64_t)node->queue_limit);
  emission_add_int(emission, METRIC_NODE_RECOVERED, labels, (int64_t)node->recovered);
  emission_add_int(emission, METRIC_NODE_SPOOL_ITEMS, labels, (int64_t)node->spool_items);
  emission_add_int(emission, METRIC_NODE_SPOOL, labels, (int64_t)node->spool_bytes);
  emission_add_double(emission, METRIC_NODE_LAG, labels, seconds(node->lag));
}

static void add_node(struct emission *emission, const struct evp_node_statistics *node)
{
  const char *const labels[] = {"node", node->name, NULL};
  bool reads = node->kind == EVP_SOURCE && node->inputs & EVP_BYTES;
  add_signals(emission, node->name, node->inputs, "in", node->in);
  if (node->kind != EVP_SINK) add_signals(emission, node->name, node->outputs, "out", node->out);
  add_bytes(emission, node);
  for (uint32_t i = 0; i < node->n_drops; i++) {
    const char *const reason[] = {"node", node->name, "reason", node->drops[i].reason, NULL};
    emission_add_int(emission, METRIC_NODE_DROPPED, reason, (int64_t)node->drops[i].items);
  }
  emission_add_int(emission, METRIC_NODE_ERRORS, labels, (int64_t)node->errors);
  if (node->kind != EVP_SOURCE || reads) emission_add_double(emission, METRIC_NODE_BUSY, labels, seconds(node->busy));
  if (reads) add_source(emission, node, labels);
  if (node->kind == EVP_FILTER) emission_add_int(emission, METRIC_LATE_EVENTS, labels, (int64_t)node->late);
  if (node->kind == EVP_SINK) add_sink(emission, node, labels);
}

void emission_add_nodes(struct emission *emission)
{
  struct evp_node_statistics node = {.size = sizeof node};
  for (size_t i = 0; evp_statistics(emission->ctx, i, &node); i++) add_node(emission, &node);
}
