#include "harness.h"
#include "engine/series.h"
#include "engine/slab.h"
#include <check.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const struct evp_label service[] = {{"service", "test"}};

void harness_init(struct harness *harness)
{
  *harness = (struct harness){.labels = {service, 1}};
  log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
  harness->engine.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  harness->engine.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  harness->engine.slabs = slab_pool_new();
  harness->engine.series = series_table_new();
  harness->config = (struct pipeline_node){.kind = EVP_SINK,
    .name = "sink",
    .place = "test.yaml:1",
    .plugin = &harness->plugin,
    .source.labels = harness->labels};
  harness->config.sink.queue.max_size = 1000;
  harness->config.sink.retry.initial = 1000000;
  harness->config.sink.retry.max = 4000000;
  harness->config.sink.retry.give_up = EVP_NEVER;
  ck_assert(node_init(&harness->node, &harness->engine, &harness->config));
}

void harness_free(struct harness *harness)
{
  node_free(&harness->node);
  series_table_free(harness->engine.series);
  slab_pool_free(harness->engine.slabs);
  close(harness->engine.wake_fd);
  close(harness->engine.stop_fd);
}

struct evp_stream *harness_stream(struct harness *harness, bool can_wait)
{
  struct evp_stream *stream = stream_new("source", &harness->labels, !can_wait, can_wait);
  ck_assert_ptr_nonnull(stream);
  return stream;
}

struct view *harness_metrics(
  struct harness *harness, const struct evp_stream *stream, uint32_t n, uint32_t flags, size_t charge)
{
  struct evp_series wanted = {.name = "test_metric", .kind = EVP_GAUGE, .type = EVP_INT64};
  struct block *block = block_new(stream);
  struct view *view = block_view(block, EVP_METRICS, "filter");
  struct evp_metric *metrics = arena_alloc(&block->arena, (n ? n : 1) * sizeof *metrics);
  ck_assert(view && metrics);
  block->series = harness->engine.series;
  block->era = series_enter(block->series);
  for (uint32_t i = 0; i < n; i++) {
    metrics[i] =
      (struct evp_metric){.series = series_get(harness->engine.series, &wanted, &harness->labels), .value.i = i};
    series_unref(harness->engine.series, metrics[i].series); /* the block's era keeps it */
  }
  view->batch.metrics = metrics;
  view->batch.sel = selection_all();
  view->batch.n = n;
  view->batch.flags = flags;
  view->charge = charge;
  return view;
}

struct view *harness_bytes(struct harness *harness, const struct evp_stream *stream, uint32_t n, uint32_t sync)
{
  struct block *block = block_new(stream);
  struct view *view = block_view(block, EVP_BYTES, "source");
  (void)harness;
  view->batch.bytes = arena_alloc(&block->arena, n);
  view->batch.n = n;
  view->batch.sync = sync;
  view->charge = n;
  return view;
}
