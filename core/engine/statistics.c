#include "engine/statistics.h"
#include "engine/time.h"
#include "log.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DROP_LINE_INTERVAL (10 * NS_PER_S)

void statistics_init(struct statistics *statistics)
{
  pthread_mutex_init(&statistics->lock, NULL);
}

void statistics_free(struct statistics *statistics)
{
  pthread_mutex_destroy(&statistics->lock);
}

/* Under the lock. Reasons beyond the table are counted together under the last one. */
static struct drop_count *drop_of(struct statistics *statistics, const char *reason)
{
  for (unsigned i = 0; i < statistics->n_drops; i++)
    if (!strcmp(statistics->drops[i].reason, reason)) return &statistics->drops[i];
  if (statistics->n_drops == DROP_REASONS) return &statistics->drops[DROP_REASONS - 1];
  struct drop_count *drop = &statistics->drops[statistics->n_drops++];
  *drop = (struct drop_count){.reason = reason};
  return drop;
}

static void say(struct drop_count *drop, const char *node, const char *place)
{
  log_line(LOG_LEVEL_WARNING, node, place, "dropped %" PRIu64 " items: %s (%" PRIu64 " in all)",
    drop->items - drop->told, drop->reason, drop->items);
  drop->told = drop->items;
}

void statistics_drop(
  struct statistics *statistics, const char *node, const char *place, uint64_t items, const char *reason)
{
  if (!items) return;
  uint64_t now = time_monotonic();
  pthread_mutex_lock(&statistics->lock);
  struct drop_count *drop = drop_of(statistics, reason);
  drop->items += items;
  if (now >= drop->next_line) {
    drop->next_line = now + DROP_LINE_INTERVAL;
    say(drop, node, place);
  }
  pthread_mutex_unlock(&statistics->lock);
}

uint64_t statistics_dropped(struct statistics *statistics)
{
  uint64_t items = 0;
  pthread_mutex_lock(&statistics->lock);
  for (unsigned i = 0; i < statistics->n_drops; i++) items += statistics->drops[i].items;
  pthread_mutex_unlock(&statistics->lock);
  return items;
}

void statistics_read(struct statistics *statistics, struct evp_node_statistics *read)
{
  for (unsigned i = 0; i < SIGNALS; i++) {
    read->in[i] = statistics_get(&statistics->in[i]);
    read->out[i] = statistics_get(&statistics->out[i]);
  }
  read->delivered = statistics_get(&statistics->delivered);
  read->rejected = statistics_get(&statistics->rejected);
  read->bytes_in = read->in[signal_index(EVP_BYTES)];
  read->bytes_out = read->out[signal_index(EVP_BYTES)] + statistics_get(&statistics->delivered_bytes);
  read->recovered = statistics_get(&statistics->recovered);
  read->spool_items = statistics_get(&statistics->spool_items);
  read->spool_bytes = statistics_get(&statistics->spool_bytes);
  read->errors = statistics_get(&statistics->errors);
  read->retries = statistics_get(&statistics->retries);
  read->busy = statistics_get(&statistics->busy_ns);
  read->connected = statistics_get(&statistics->connected);
  read->connects = statistics_get(&statistics->connects);
  for (unsigned i = 0; i < EVP_SILENCES; i++) read->silent[i] = statistics_get(&statistics->silent[i]);
  read->last_event = atomic_load_explicit(&statistics->last_event, memory_order_relaxed);
  read->clock = atomic_load_explicit(&statistics->clock, memory_order_relaxed);
  read->decode_errors = statistics_get(&statistics->decode_errors);
  read->skipped_bytes = statistics_get(&statistics->skipped_bytes);
  read->late = statistics_get(&statistics->late);
  pthread_mutex_lock(&statistics->lock);
  read->n_drops = statistics->n_drops;
  for (unsigned i = 0; i < statistics->n_drops; i++)
    read->drops[i] = (struct evp_drop_count){statistics->drops[i].reason, statistics->drops[i].items};
  pthread_mutex_unlock(&statistics->lock);
}

static void append_counts(char *text, size_t room, const char *word, const _Atomic uint64_t *counts)
{
  for (unsigned i = 0; i < SIGNALS; i++) {
    uint64_t n = statistics_get(&counts[i]);
    size_t used = strlen(text);
    if (n)
      snprintf(text + used, room - used, "%s%s %" PRIu64 " %s", used ? ", " : "", word, n, evp_signal_name(1u << i));
  }
}

static void append_count(char *text, size_t room, const char *word, uint64_t n)
{
  size_t used = strlen(text);
  if (n) snprintf(text + used, room - used, "%s%s %" PRIu64, used ? ", " : "", word, n);
}

static bool lost_something(struct statistics *statistics)
{
  return statistics_get(&statistics->rejected) || statistics_get(&statistics->errors) ||
         statistics_get(&statistics->late) || statistics_get(&statistics->spool_items) ||
         statistics_dropped(statistics);
}

void statistics_report(struct statistics *statistics, const char *node, const char *place, enum log_level level)
{
  char text[512] = "";
  append_counts(text, sizeof text, "in", statistics->in);
  append_counts(text, sizeof text, "out", statistics->out);
  append_count(text, sizeof text, "recovered", statistics_get(&statistics->recovered));
  append_count(text, sizeof text, "delivered", statistics_get(&statistics->delivered));
  append_count(text, sizeof text, "rejected", statistics_get(&statistics->rejected));
  append_count(text, sizeof text, "retries", statistics_get(&statistics->retries));
  append_count(text, sizeof text, "errors", statistics_get(&statistics->errors));
  append_count(text, sizeof text, "late events", statistics_get(&statistics->late));
  append_count(text, sizeof text, "dropped", statistics_dropped(statistics));
  append_count(text, sizeof text, "spooled", statistics_get(&statistics->spool_items));
  pthread_mutex_lock(&statistics->lock);
  for (unsigned i = 0; i < statistics->n_drops; i++)
    if (statistics->drops[i].items > statistics->drops[i].told) say(&statistics->drops[i], node, place);
  pthread_mutex_unlock(&statistics->lock);
  if (lost_something(statistics)) level = LOG_LEVEL_INFO;
  log_line(level, node, place, "done: %s", text[0] ? text : "nothing came");
}
