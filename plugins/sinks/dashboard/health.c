#include "health.h"

#include "describe.h"
#include "json_writer.h"
#include "process.h"
#include "wall_clock.h"

static void write_signals(struct json *json, const char *key, uint32_t there, const uint64_t *counts)
{
  json_object(json, key);
  for (unsigned i = 0; i < EVP_SIGNALS; i++)
    if (there >> i & 1) json_unsigned(json, evp_signal_name(1u << i), counts[i]);
  json_end(json, '}');
}

static void write_drops(struct json *json, const struct evp_node_statistics *node)
{
  json_object(json, "drops");
  for (uint32_t i = 0; i < node->n_drops; i++) {
    json_name(json, node->drops[i].reason);
    json_unsigned(json, NULL, node->drops[i].items);
  }
  json_end(json, '}');
}

static void write_node(struct json *json, const struct evp_node_statistics *node)
{
  json_object(json, NULL);
  json_string(json, "name", node->name);
  json_string(json, "kind", evp_kind_name(node->kind));
  write_signals(json, "in", node->inputs, node->in);
  write_signals(json, "out", node->outputs, node->out);
  json_unsigned(json, "delivered", node->delivered);
  json_unsigned(json, "rejected", node->rejected);
  write_drops(json, node);
  json_unsigned(json, "errors", node->errors);
  json_unsigned(json, "retries", node->retries);
  json_unsigned(json, "queue", node->queue_bytes);
  json_unsigned(json, "queue_limit", node->queue_limit);
  json_unsigned(json, "spool", node->spool_bytes);
  json_double(json, "lag", (double)node->lag / 1e9);
  json_double(json, "busy", (double)node->busy / 1e9);
  json_unsigned(json, "connected", node->connected);
  json_unsigned(json, "connects", node->connects);
  if (node->last_event)
    json_seconds(json, "last_event", node->last_event);
  else
    json_null(json, "last_event");
  json_string(json, "clock", evp_clock_name(node->clock));
  json_unsigned(json, "decode_errors", node->decode_errors);
  json_unsigned(json, "skipped_bytes", node->skipped_bytes);
  json_unsigned(json, "late", node->late);
  json_end(json, '}');
}

static void write_process(struct json *json)
{
  double seconds;
  int64_t bytes;
  json_object(json, "process");
  if (process_cpu_seconds(&seconds)) json_double(json, "cpu", seconds);
  if (process_resident_bytes(&bytes)) json_integer(json, "resident", bytes);
  json_end(json, '}');
}

bool health_write(struct dashboard *dashboard, unsigned visitors, struct evp_buf *text)
{
  struct evp_node_statistics node = {.size = sizeof node};
  struct json json = {.text = text};
  json_object(&json, NULL);
  json_seconds(&json, "time", wall_clock());
  json_array(&json, "nodes");
  for (size_t i = 0; evp_statistics(dashboard->ctx, i, &node); i++) write_node(&json, &node);
  json_end(&json, ']');
  write_process(&json);
  json_unsigned(&json, "visitors", visitors);
  json_object(&json, "history");
  json_unsigned(&json, "size", dashboard->programs.budget.used);
  json_unsigned(&json, "limit", dashboard->programs.budget.limit);
  json_unsigned(&json, "thinned", dashboard->programs.thinned);
  json_end(&json, '}');
  json_end(&json, '}');
  return !json.failed;
}
