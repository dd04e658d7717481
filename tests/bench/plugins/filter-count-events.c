/* The same as a filter: what a plugin on the lane costs, without a queue and another thread. Emits the total at the end. */
#include <evpipe.h>

struct count {
  const struct evp_series *total;
  uint64_t events, bytes, newest;
};

static enum evp_status count_create(void *self, struct evp_ctx *ctx)
{
  struct count *count = self;
  struct evp_series wanted = {.name = "bench_events_total", .kind = EVP_COUNTER, .type = EVP_INT64};
  count->total = evp_series_get(ctx, &wanted);
  return count->total ? EVP_OK : EVP_ERROR;
}

static enum evp_status count_map(void *self, const struct evp_batch *batch, struct evp_out *out)
{
  struct count *count = self;
  uint64_t bytes = 0;
  (void)out;
  for (uint32_t i = 0; i < batch->n; i++) bytes += batch->events[batch->sel[i]].size;
  count->events += batch->n;
  count->bytes += bytes;
  if (batch->n) count->newest = batch->events[batch->sel[batch->n - 1]].time;
  return EVP_OK;
}

static enum evp_status count_end(void *self, struct evp_out *out)
{
  struct count *count = self;
  return evp_emit_int(out, count->total, count->newest, (int64_t)count->events);
}

EVP_PLUGIN(.kind = EVP_FILTER, .name = "count-events", .summary = "Counts every event.", .accepts = EVP_EVENTS,
  .emits = EVP_METRICS, .instance_size = sizeof(struct count), .create = count_create, .map = count_map,
  .end = count_end);
