#include "engine/out.h"
#include "engine/engine_state.h"
#include "engine/series.h"
#include "text.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_BODY = 32 * 1024 * 1024 };
/* Groups that end in one call share a block until it has so many items: a block for each small census would cost more
   than its items. */
enum { GROUPS_ITEMS = 1024 };

void out_init(struct evp_out *out, struct node *node, const struct evp_stream *stream)
{
  *out = (struct evp_out){.node = node, .stream = stream};
}

static enum evp_status no_memory(struct evp_out *out)
{
  if (!out->failed) node_log(out->node, LOG_LEVEL_ERROR, "no memory for what it emits");
  out->failed = true;
  return EVP_ERROR;
}

static struct block *staging_block(struct evp_out *out)
{
  if (out->block) return out->block;
  out->block = block_new(out->stream);
  if (!out->block) {
    no_memory(out);
    return NULL;
  }
  out->block->series = out->node->engine->series;
  out->block->era = series_enter(out->block->series);
  return out->block;
}

/* Room for more than n elements in a growing array; doubles. */
static bool more_room(void **array, size_t n, size_t *room, size_t size)
{
  if (n < *room) return true;
  size_t larger = *room ? *room * 2 : 64;
  while (larger <= n) larger *= 2;
  void *moved = realloc(*array, larger * size);
  if (!moved) return false;
  *array = moved;
  *room = larger;
  return true;
}

/* -------------------------------------------------------------------------------------------------- views */

static void add_ready(struct evp_out *out, struct view *view)
{
  if (!view || !more_room((void **)&out->ready, out->n_ready, &out->ready_room, sizeof *out->ready)) {
    no_memory(out);
    return;
  }
  block_ref(view->block);
  out->ready[out->n_ready++] = view;
}

/* What a queue answers for with one of `parts` views: its share of the block and of the batches kept alive by it. */
static size_t charge_of(const struct block *block, size_t item_bytes, size_t parts)
{
  size_t bytes = block->arena.allocated;
  for (size_t i = 0; i < block->n_kept; i++) bytes += view_of(block->kept[i])->charge;
  bytes /= parts;
  return bytes > item_bytes ? bytes : item_bytes;
}

/* Items of one signal as views of at most VIEW_ITEMS each; those of a group but the last say that more is to come. */
static void add_views(
  struct evp_out *out, uint32_t signal, const void *items, size_t n, size_t item_size, bool group, bool last_of_group)
{
  for (size_t at = 0; at < n; at += VIEW_ITEMS) {
    size_t here = n - at < VIEW_ITEMS ? n - at : VIEW_ITEMS;
    struct view *view = block_view(out->block, signal, out->node->config->name);
    if (view) {
      view->batch.items = (const char *)items + at * item_size;
      view->batch.sel = selection_all();
      view->batch.n = (uint32_t)here;
      view->batch.prologue = out->prologue;
      if (group && !(last_of_group && at + here == n)) view->batch.flags = EVP_BATCH_MORE;
      view->charge = charge_of(out->block, here * item_size, (n + VIEW_ITEMS - 1) / VIEW_ITEMS);
    }
    add_ready(out, view);
  }
}

static void stage_metrics(struct evp_out *out, bool group)
{
  add_views(out, EVP_METRICS, out->metrics, out->n_metrics, sizeof *out->metrics, group, true);
  out->staged += out->n_metrics;
  out->metrics_earlier = out->metrics_before;
  out->metrics_before = out->n_metrics;
}

static void stage_logs(struct evp_out *out)
{
  struct evp_log *logs = arena_copy(&out->block->arena, out->logs, out->n_logs * sizeof *logs);
  if (logs)
    add_views(out, EVP_LOGS, logs, out->n_logs, sizeof *logs, false, true);
  else
    no_memory(out);
}

/* Everything staged becomes one block and its views. */
static void finish_block(struct evp_out *out)
{
  if (!out->block) return;
  for (size_t i = 0; i < out->n_events; i++)
    add_views(out, EVP_EVENTS, out->events[i].events, out->events[i].n, sizeof(struct evp_event), false, true);
  if (out->n_metrics) stage_metrics(out, out->grouped);
  if (out->n_logs) stage_logs(out);
  out->n_events = out->n_metrics = out->n_logs = 0;
  out->metrics = NULL;
  out->metrics_room = 0;
  out->grouped = false;
  block_unref(out->block); /* the views hold it now */
  out->block = NULL;
}

/* Mostly it ends with what was emitted just now. What comes after the end, which may well have the same series, is not meant. */
void out_end_series(struct evp_out *out, const struct evp_series *series)
{
  if (!out->n_ready && !out->n_metrics) return;
  if (out->n_metrics && out->metrics[out->n_metrics - 1].series == series) {
    out->metrics[out->n_metrics - 1].flags |= EVP_METRIC_LAST;
    return;
  }
  if (!more_room((void **)&out->ending, out->n_ending, &out->ending_room, sizeof *out->ending)) return;
  out->ending[out->n_ending++] = (struct ending){series, out->staged + out->n_metrics, false};
}

static int by_series_and_place(const void *left, const void *right)
{
  const struct ending *a = left, *b = right;
  if (a->series != b->series) return a->series < b->series ? -1 : 1;
  return a->before < b->before ? -1 : a->before > b->before;
}

/* The item at this place is the last one of those ends of its series that come behind it and have none yet. How many these
   are. */
static size_t mark_item(struct evp_out *out, struct evp_metric *metric, uint64_t place)
{
  const struct ending here = {metric->series, place, false};
  size_t low = 0, high = out->n_ending, n = 0;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (by_series_and_place(&out->ending[middle], &here) <= 0)
      low = middle + 1;
    else
      high = middle;
  }
  for (struct ending *ending = out->ending + low; low < out->n_ending; low++, ending++) {
    if (ending->series != metric->series || ending->marked) break;
    ending->marked = true;
    n++;
  }
  if (n) metric->flags |= EVP_METRIC_LAST;
  return n;
}

/* From the newest item backwards. The views are not published yet, so their items may still be written; the series may be those
   of other streams, too, which have the same labels. */
static void mark_last_items(struct evp_out *out)
{
  size_t left = out->n_ending;
  uint64_t place = out->staged;
  qsort(out->ending, left, sizeof *out->ending, by_series_and_place);
  for (size_t i = out->n_ready; left && i-- > 0;) {
    const struct evp_batch *batch = &out->ready[i]->batch;
    struct evp_metric *metrics = (struct evp_metric *)(uintptr_t)batch->items;
    for (uint32_t k = batch->signal == EVP_METRICS ? batch->n : 0; left && k-- > 0;)
      left -= mark_item(out, &metrics[k], --place);
  }
  out->n_ending = 0;
}

void out_finish(struct evp_out *out)
{
  finish_block(out);
  if (out->n_ending) mark_last_items(out);
  out->staged = 0;
  out->failed = false;
}

void out_free(struct evp_out *out)
{
  for (size_t i = 0; i < out->n_ready; i++) block_unref(out->ready[i]->block);
  block_unref(out->block);
  free(out->logs);
  free(out->events);
  free(out->ending);
  free(out->ready);
}

/* ------------------------------------------------------------------------------------------------- emitting */

/* They lie in the block from the first on, in one piece. A block that is like the two before needs no other; else it doubles,
   and after many at once it has some room for those that go with them: what is not used is charged to the queues. */
static bool metrics_room(struct evp_out *out, size_t n)
{
  size_t wanted = out->n_metrics + n;
  if (out->metrics && wanted <= out->metrics_room) return true;
  size_t before = out->metrics_before < out->metrics_earlier ? out->metrics_before : out->metrics_earlier;
  size_t room = out->metrics ? 2 * out->metrics_room : before + before / 8;
  if (room < wanted) room = wanted + wanted / 8;
  struct evp_metric *metrics = arena_alloc(&out->block->arena, room * sizeof *metrics);
  if (!metrics) return false;
  if (out->n_metrics) memcpy(metrics, out->metrics, out->n_metrics * sizeof *metrics);
  out->metrics = metrics;
  out->metrics_room = room;
  return true;
}

struct evp_metric *evp_emit_metrics(struct evp_out *out, uint32_t n)
{
  if (out->failed || !staging_block(out)) return NULL;
  if (!metrics_room(out, n)) {
    no_memory(out);
    return NULL;
  }
  struct evp_metric *metrics = &out->metrics[out->n_metrics];
  out->n_metrics += n;
  return metrics;
}

static struct evp_metric *new_metric(struct evp_out *out, const struct evp_series *series, uint64_t time)
{
  struct evp_metric *metric = evp_emit_metrics(out, 1);
  if (metric) *metric = (struct evp_metric){.time = (int64_t)time, .series = series};
  return metric;
}

enum evp_status evp_emit_int(struct evp_out *out, const struct evp_series *series, uint64_t time, int64_t value)
{
  struct evp_metric *metric = new_metric(out, series, time);
  if (!metric) return EVP_ERROR;
  metric->value.i = value;
  return EVP_OK;
}

enum evp_status evp_emit_double(struct evp_out *out, const struct evp_series *series, uint64_t time, double value)
{
  struct evp_metric *metric = new_metric(out, series, time);
  if (!metric) return EVP_ERROR;
  metric->value.d = value;
  return EVP_OK;
}

enum evp_status evp_emit_buckets(
  struct evp_out *out, const struct evp_series *series, uint64_t time, const struct evp_buckets *buckets)
{
  if (out->failed || !staging_block(out)) return EVP_ERROR;
  struct evp_buckets *copy = arena_copy(&out->block->arena, buckets, sizeof *copy);
  uint64_t *counts = arena_copy(&out->block->arena, buckets->counts, (series->n_bounds + 1) * sizeof *counts);
  struct evp_metric *metric = copy && counts ? new_metric(out, series, time) : NULL;
  if (!metric) return no_memory(out);
  copy->counts = counts;
  metric->value.buckets = copy;
  return EVP_OK;
}

/* Text of a log, made valid UTF-8, in the block's memory. */
static const char *keep_text(struct evp_out *out, const char *text, size_t size, uint32_t *kept)
{
  char *clean = NULL;
  if (!text_is_utf8(text, size)) {
    clean = text_make_utf8(text, size, &size);
    if (!clean) return NULL;
  }
  const char *copy = arena_string(&out->block->arena, clean ? clean : text, size);
  free(clean);
  if (kept) *kept = (uint32_t)size;
  return copy;
}

static bool keep_attributes(struct evp_out *out, struct evp_log *log)
{
  struct evp_label *attributes = arena_alloc(&out->block->arena, log->n_attributes * sizeof *attributes);
  if (!attributes) return false;
  for (uint32_t i = 0; i < log->n_attributes; i++) {
    const struct evp_label *from = &log->attributes[i];
    attributes[i].key = keep_text(out, from->key, strlen(from->key), NULL);
    attributes[i].value = keep_text(out, from->value, strlen(from->value), NULL);
    if (!attributes[i].key || !attributes[i].value) return false;
  }
  log->attributes = attributes;
  return true;
}

enum evp_status evp_emit_log(struct evp_out *out, uint64_t time, const struct evp_log *log)
{
  if (out->failed || !staging_block(out)) return EVP_ERROR;
  if (!more_room((void **)&out->logs, out->n_logs, &out->logs_room, sizeof *out->logs)) return no_memory(out);
  struct evp_log *copy = &out->logs[out->n_logs];
  *copy = *log;
  copy->time = (int64_t)time;
  size_t size = log->body_size < MAX_BODY ? log->body_size : MAX_BODY;
  copy->body = keep_text(out, log->body ? log->body : "", log->body ? size : 0, &copy->body_size);
  copy->name = keep_text(out, log->name, strlen(log->name), NULL);
  if (!copy->body || !copy->name || (log->n_attributes && !keep_attributes(out, copy))) return no_memory(out);
  out->n_logs++;
  return EVP_OK;
}

struct evp_event *evp_emit_events(struct evp_out *out, uint32_t n)
{
  if (out->failed || !staging_block(out)) return NULL;
  if (!more_room((void **)&out->events, out->n_events, &out->events_room, sizeof *out->events)) {
    no_memory(out);
    return NULL;
  }
  struct evp_event *events = arena_alloc(&out->block->arena, n * sizeof *events);
  if (!events) {
    no_memory(out);
    return NULL;
  }
  out->events[out->n_events++] = (struct out_events){events, n};
  return events;
}

void *evp_emit_room(struct evp_out *out, size_t size)
{
  if (out->failed || !staging_block(out)) return NULL;
  void *room = arena_alloc(&out->block->arena, size);
  if (!room) no_memory(out);
  return room;
}

void evp_emit_keep(struct evp_out *out, const struct evp_batch *batch)
{
  if (out->failed || !staging_block(out)) return;
  const struct evp_batch *kept = evp_batch_ref(batch);
  if (!kept || !block_keep(out->block, kept)) {
    evp_batch_unref(kept);
    no_memory(out);
  }
}

void evp_emit_group_end(struct evp_out *out)
{
  if (out->failed) return;
  out->groups++;
  out->grouped = out->block != NULL;
  if (out->n_metrics >= GROUPS_ITEMS) finish_block(out);
}
