#include "config/settings.h"
#include "config/core_options.h"
#include "config/memory.h"
#include "config/options.h"
#include "config/units.h"
#include <ctype.h>
#include <string.h>

struct check {
  const struct pipeline *pipeline; /* as far as it is read */
  struct config_memory *memory;
  struct diagnostics *diagnostics;
};

/* A spool has room for some messages and its log, and SQLite takes no row of a GB. */
#define MIN_SPOOL_SIZE (UINT64_C(1) << 20)
#define MAX_SPOOLED_BATCH (UINT64_C(256) << 20)

/* max, realtime, 2x, 0.5x */
static bool parse_pace(const char *text, double *pace)
{
  if (!strcmp(text, "max")) return *pace = 0, true;
  if (!strcmp(text, "realtime")) return *pace = 1, true;
  size_t length = strlen(text);
  char number[32] = "";
  if (length < 2 || length > sizeof number || text[length - 1] != 'x') return false;
  memcpy(number, text, length - 1);
  return parse_double(number, pace) && *pace >= 1e-6 && *pace <= 1e9;
}

static void refuse_option(struct check *check, const struct pipeline_node *node, const char *key, const char *text)
{
  pipeline_option_error(check->diagnostics, node, key, text);
}

static void check_positive(struct check *check, const struct pipeline_node *node, const char *key, bool good)
{
  if (!good) refuse_option(check, node, key, "must be more than 0");
}

/* A delay that doubles needs a beginning and an end. */
static void check_delay(struct check *check, const struct pipeline_node *node, const char *key, uint64_t delay)
{
  const uint64_t day = UINT64_C(86400) * 1000000000;
  if (delay == 0 || delay > day) refuse_option(check, node, key, "must be more than 0 and at most 1d");
}

/* The other node, if there is one already, that keeps its messages in this file. */
static const struct pipeline_node *node_with_spool(const struct pipeline *pipeline, const char *path)
{
  for (uint32_t i = 0; i < pipeline->n_nodes; i++) {
    const char *other = pipeline->nodes[i].sink.spool.path;
    if (other && !strcmp(other, path)) return &pipeline->nodes[i];
  }
  return NULL;
}

static void check_spool(struct check *check, const struct pipeline_node *node)
{
  const struct sink_settings *sink = &node->sink;
  const char *path = sink->spool.path;
  if (sink->dead_letter && !*sink->dead_letter) refuse_option(check, node, "dead_letter", "must be the path of a file");
  if (!path) return;
  if (!*path) refuse_option(check, node, "spool.path", "must be the path of a file");
  if (sink->dead_letter && *path && !strcmp(path, sink->dead_letter))
    refuse_option(check, node, "dead_letter", "must be another file than the spool's");
  if (sink->spool.max_size < MIN_SPOOL_SIZE) refuse_option(check, node, "spool.max_size", "must be at least 1MiB");
  if (sink->batch.max_size > MAX_SPOOLED_BATCH)
    refuse_option(check, node, "batch.max_size", "must be at most 256MiB with a spool");
  const struct pipeline_node *other = node_with_spool(check->pipeline, path);
  if (*path && other)
    refuse_option(check, node, "spool.path",
      config_format(
        check->memory, "is the spool of '%s' already (%s); each sink needs its own", other->name, other->place));
}

static void check_delivery(struct check *check, const struct pipeline_node *node)
{
  const struct sink_settings *sink = &node->sink;
  check_positive(check, node, "batch.max_items", sink->batch.max_items > 0);
  check_positive(check, node, "batch.max_size", sink->batch.max_size > 0);
  check_delay(check, node, "retry.initial", sink->retry.initial);
  check_delay(check, node, "retry.max", sink->retry.max);
  check_positive(check, node, "timeout", sink->timeout > 0);
  check_spool(check, node);
  if (sink->retry.jitter < 0 || sink->retry.jitter > 1)
    refuse_option(check, node, "retry.jitter", "must lie between 0 and 1");
}

void settings_check_sink(const struct pipeline *pipeline, const struct pipeline_node *node,
  struct config_memory *memory, struct diagnostics *diagnostics)
{
  struct check *check = &(struct check){pipeline, memory, diagnostics};
  check_positive(check, node, "queue.max_size", node->sink.queue.max_size > 0);
  if (core_delivers(node->plugin)) check_delivery(check, node);
}

static bool is_label_key(const char *key)
{
  if (!isalpha((unsigned char)key[0]) && key[0] != '_') return false;
  for (; *key; key++)
    if (!isalnum((unsigned char)*key) && *key != '_') return false;
  return true;
}

static void check_label(struct check *check, const struct pipeline_node *node, const struct evp_label *label)
{
  const char *wrong = NULL;
  if (!is_label_key(label->key) || !strncmp(label->key, "__", 2))
    wrong = "a label's name has letters, digits and _, and does not begin with a digit or with __";
  else if (!*label->value && label->value != option_broken_item)
    wrong = "a label is not empty: leave it out";
  if (wrong) refuse_option(check, node, config_format(check->memory, "labels.%s", label->key), wrong);
}

/* `service` is always among the labels: the one given, else the node's name. */
static void complete_labels(struct check *check, struct pipeline_node *node)
{
  struct evp_map *labels = &node->source.labels;
  struct evp_label *items = config_alloc(check->memory, (labels->n + 1) * sizeof *items);
  bool has_service = false;
  for (size_t i = 0; i < labels->n; i++) {
    items[i] = labels->items[i];
    check_label(check, node, &items[i]);
    has_service = has_service || !strcmp(items[i].key, "service");
  }
  if (!has_service) items[labels->n++] = (struct evp_label){"service", node->name};
  labels->items = items;
}

void settings_check_source(struct pipeline_node *node, struct config_memory *memory, struct diagnostics *diagnostics)
{
  struct check *check = &(struct check){.memory = memory, .diagnostics = diagnostics};
  struct source_settings *source = &node->source;
  if (!parse_pace(source->pace_text, &source->pace))
    refuse_option(check, node, "pace", "must be max, realtime, or a factor such as 2x");
  if (source->controllable && node->plugin && !node->plugin->send)
    refuse_option(check, node, "controllable",
      config_format(check->memory,
        "the plugin '%s' can not send commands; leave this out, or read the program through a plugin that can",
        node->plugin->name));
  check_delay(check, node, "reconnect.initial", source->reconnect.initial);
  check_delay(check, node, "reconnect.max", source->reconnect.max);
  check_positive(check, node, "silence", source->silence > 0);
  complete_labels(check, node);
}
