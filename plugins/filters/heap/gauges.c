#include "gauges.h"

#include <evpipe/events.h>

#include <stdio.h>
#include <stdlib.h>

void gauges_init(struct gauges *gauges, struct evp_ctx *ctx)
{
  static const uint16_t wanted[] = {EVP_HEAP_ALLOCATED, EVP_HEAP_SIZE, EVP_HEAP_LIVE, EVP_MEM_RETURN, EVP_BLOCKS_SIZE};
  *gauges = (struct gauges){.ctx = ctx};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) evp_want_event(ctx, wanted[i]);
}

void gauges_free(struct gauges *gauges)
{
  free(gauges->allocated);
}

static enum evp_status emit(
  struct gauges *gauges, enum metric metric, uint64_t time, uint64_t value, struct evp_out *out)
{
  const struct evp_series **series = &gauges->series[metric];
  if (!*series) *series = metric_series(gauges->ctx, metric, NULL, 0);
  return *series ? evp_emit_int(out, *series, time, (int64_t)(value & INT64_MAX)) : EVP_ERROR;
}

static bool reserve(struct gauges *gauges, uint32_t n)
{
  if (n <= gauges->n_allocated) return true;
  const struct evp_series **series = realloc(gauges->allocated, n * sizeof *series);
  if (!series) return false;
  for (uint32_t i = gauges->n_allocated; i < n; i++) series[i] = NULL;
  gauges->allocated = series;
  gauges->n_allocated = n;
  return true;
}

static enum evp_status emit_allocated(
  struct gauges *gauges, const struct evp_event *event, uint64_t bytes, struct evp_out *out)
{
  if (event->cap == EVP_NO_CAP) return emit(gauges, METRIC_HEAP_ALLOCATED, event->time, bytes, out);
  if (event->cap >= CAPABILITIES_MAX) {
    evp_drop(gauges->ctx, 1, "capability");
    return EVP_OK;
  }
  if (!reserve(gauges, event->cap + 1u)) {
    evp_error(gauges->ctx, "no memory for capability %u", event->cap);
    return EVP_ERROR;
  }
  const struct evp_series **series = &gauges->allocated[event->cap];
  if (!*series) {
    char number[8];
    snprintf(number, sizeof number, "%u", event->cap);
    *series = metric_series(gauges->ctx, METRIC_HEAP_ALLOCATED, &(struct evp_label){"capability", number}, 1);
  }
  return *series ? evp_emit_int(out, *series, event->time, (int64_t)(bytes & INT64_MAX)) : EVP_ERROR;
}

/* Megablocks held, needed, given back: one record, three metrics. */
static enum evp_status emit_memory(
  struct gauges *gauges, uint64_t time, const struct evp_mem_return *memory, struct evp_out *out)
{
  if (emit(gauges, METRIC_MEMORY_CURRENT, time, memory->current, out) != EVP_OK) return EVP_ERROR;
  if (emit(gauges, METRIC_MEMORY_NEEDED, time, memory->needed, out) != EVP_OK) return EVP_ERROR;
  return emit(gauges, METRIC_MEMORY_RETURNED, time, memory->returned, out);
}

/* The capset in these records is not looked at: GHC has one heap. */
enum evp_status gauges_event(
  struct gauges *gauges, const struct evp_event *event, uint32_t dialect, struct evp_out *out)
{
  struct evp_heap_allocated allocated;
  struct evp_heap_size size;
  struct evp_heap_live live;
  struct evp_blocks_size blocks;
  struct evp_mem_return memory;
  switch (event->type) {
  case EVP_HEAP_ALLOCATED:
    if (!evp_read_heap_allocated(event, dialect, &allocated)) break;
    return emit_allocated(gauges, event, allocated.bytes, out);
  case EVP_HEAP_SIZE:
    if (!evp_read_heap_size(event, dialect, &size)) break;
    return emit(gauges, METRIC_HEAP_SIZE, event->time, size.bytes, out);
  case EVP_HEAP_LIVE:
    if (!evp_read_heap_live(event, dialect, &live)) break;
    return emit(gauges, METRIC_HEAP_LIVE, event->time, live.bytes, out);
  case EVP_BLOCKS_SIZE:
    if (!evp_read_blocks_size(event, dialect, &blocks)) break;
    return emit(gauges, METRIC_HEAP_BLOCKS, event->time, blocks.bytes, out);
  case EVP_MEM_RETURN:
    if (!evp_read_mem_return(event, dialect, &memory)) break;
    return emit_memory(gauges, event->time, &memory, out);
  default:
    return EVP_OK;
  }
  evp_drop(gauges->ctx, 1, "malformed");
  return EVP_OK;
}
