/* internal: evpipe's own metrics: what each node did, and what the process takes. */
#include "emission.h"
#include "process.h"
#include "wall_clock.h"
#include <evpipe.h>

#define NS_PER_S UINT64_C(1000000000)

struct internal_source {
  uint64_t interval;
  struct evp_ctx *ctx;
};

static enum evp_status internal_create(void *self, struct evp_ctx *ctx)
{
  struct internal_source *source = self;
  source->ctx = ctx;
  if (source->interval >= NS_PER_S / 100 && source->interval <= 86400 * NS_PER_S) return EVP_OK;
  evp_option_error(ctx, "interval", "must be at least 10ms and at most 1d");
  return EVP_ERROR;
}

static enum evp_status internal_start(void *self)
{
  struct internal_source *source = self;
  evp_tick_every(source->ctx, source->interval);
  return EVP_OK;
}

/* ------------------------------------------------------------------------------------------------------------ emission */

static const struct evp_series *series_of(struct emission *emission, enum metric metric, const char *const *labels)
{
  enum { MAX_LABELS = 3 };
  struct evp_label own[MAX_LABELS];
  uint32_t n = 0;
  for (; labels && labels[0] && n < MAX_LABELS; labels += 2) own[n++] = (struct evp_label){labels[0], labels[1]};
  if (emission->status != EVP_OK) return NULL;
  const struct evp_series *series = metric_series(emission->ctx, metric, own, n);
  if (!series) emission->status = EVP_ERROR;
  return series;
}

void emission_add_int(struct emission *emission, enum metric metric, const char *const *labels, int64_t value)
{
  const struct evp_series *series = series_of(emission, metric, labels);
  if (series) emission->status = evp_emit_int(emission->out, series, emission->time, value);
}

void emission_add_double(struct emission *emission, enum metric metric, const char *const *labels, double value)
{
  const struct evp_series *series = series_of(emission, metric, labels);
  if (series) emission->status = evp_emit_double(emission->out, series, emission->time, value);
}

static void add_process(struct emission *emission)
{
  double seconds;
  int64_t n;
  if (process_cpu_seconds(&seconds)) emission_add_double(emission, METRIC_PROCESS_CPU, NULL, seconds);
  if (process_resident_bytes(&n)) emission_add_int(emission, METRIC_PROCESS_RESIDENT, NULL, n);
  if (process_start_time(&seconds)) emission_add_double(emission, METRIC_PROCESS_START, NULL, seconds);
  if (process_open_fds(&n)) emission_add_int(emission, METRIC_PROCESS_OPEN_FDS, NULL, n);
  if (process_max_fds(&n)) emission_add_int(emission, METRIC_PROCESS_MAX_FDS, NULL, n);
}

/* One round is one group: a sink gets it whole or not at all. */
static enum evp_status internal_emit(void *self, struct evp_out *out)
{
  struct internal_source *source = self;
  struct emission emission = {.ctx = source->ctx, .out = out, .time = (uint64_t)wall_clock()};
  emission_add_int(&emission, METRIC_BUILD_INFO, (const char *const[]){"version", evp_version(), NULL}, 1);
  add_process(&emission);
  emission_add_nodes(&emission);
  evp_emit_group_end(out);
  return emission.status;
}

static const struct evp_option options[] = {
  EVP_DURATION(struct internal_source, interval, "10s", "How often; once more when evpipe ends."), EVP_OPTIONS_END};

EVP_PLUGIN(.kind = EVP_SOURCE, .name = "internal", .summary = "Metrics of evpipe itself.", .emits = EVP_METRICS,
  .options = options, .instance_size = sizeof(struct internal_source), .create = internal_create,
  .start = internal_start, .emit = internal_emit);
