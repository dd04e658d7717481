/* A filter that makes metrics and logs of events: their number and a word, when the stream ends. */
#include <evpipe.h>

struct filter {
  const struct evp_series *total;
  uint64_t events, newest;
};

static enum evp_status filter_create(void *self, struct evp_ctx *ctx)
{
  struct filter *filter = self;
  struct evp_label kind = {"kind", "all"};
  struct evp_series wanted = {.name = "frozen_events_total",
    .help = "Events.",
    .kind = EVP_COUNTER,
    .type = EVP_INT64,
    .n_labels = 1,
    .labels = &kind};
  filter->total = evp_series_get(ctx, &wanted);
  return filter->total ? EVP_OK : EVP_ERROR;
}

static enum evp_status filter_map(void *self, const struct evp_batch *batch, struct evp_out *out)
{
  struct filter *filter = self;
  (void)out;
  filter->events += batch->n;
  for (uint32_t i = 0; i < batch->n; i++) {
    const struct evp_event *event = &batch->events[batch->sel[i]];
    if (event->time > filter->newest) filter->newest = event->time;
  }
  return EVP_OK;
}

static enum evp_status filter_end(void *self, struct evp_out *out)
{
  struct filter *filter = self;
  struct evp_log log = {.name = "frozen", .body = "the end", .body_size = 7, .severity = EVP_INFO, .cap = EVP_NO_CAP};
  if (evp_emit_int(out, filter->total, filter->newest, (int64_t)filter->events) != EVP_OK) return EVP_ERROR;
  evp_emit_group_end(out);
  return evp_emit_log(out, filter->newest, &log);
}

EVP_PLUGIN(.kind = EVP_FILTER, .name = "frozen", .summary = "Counts events.", .accepts = EVP_EVENTS,
  .emits = EVP_METRICS | EVP_LOGS, .instance_size = sizeof(struct filter), .create = filter_create, .map = filter_map,
  .end = filter_end);
