#include "figures.h"

#include <stdio.h>
#include <stdlib.h>

static const enum metric gauges[GC_GAUGES] = {METRIC_GC_SLOP, METRIC_GC_FRAGMENTATION, METRIC_GC_PAR_THREADS};

void figures_free(struct figures *figures)
{
  free(figures->generations);
}

static struct generation *generation_of(struct figures *figures, uint16_t number)
{
  if (number >= figures->n) {
    uint32_t n = number + 1u;
    struct generation *generations = realloc(figures->generations, n * sizeof *generations);
    if (!generations) {
      evp_error(figures->ctx, "no memory for generation %u", number);
      return NULL;
    }
    for (uint32_t i = figures->n; i < n; i++) generations[i] = (struct generation){0};
    figures->generations = generations;
    figures->n = n;
  }
  return &figures->generations[number];
}

static const struct evp_series *series_of(struct figures *figures, enum metric metric, uint16_t generation, bool known)
{
  char number[8];
  snprintf(number, sizeof number, "%u", generation);
  return metric_series(figures->ctx, metric, &(struct evp_label){"generation", number}, known ? 1 : 0);
}

/* A damaged number must not make a counter fall. */
static uint64_t add(uint64_t sum, uint64_t more)
{
  return more < INT64_MAX - sum ? sum + more : INT64_MAX;
}

static enum evp_status emit_count(struct count *count, uint64_t more, uint64_t time, struct evp_out *out)
{
  if (!count->series) return EVP_ERROR;
  count->value = add(count->value, more);
  if (time > count->time) count->time = time;
  return evp_emit_int(out, count->series, count->time, (int64_t)count->value);
}

enum evp_status figures_collection(
  struct figures *figures, uint16_t number, bool known, uint64_t time, struct evp_out *out)
{
  struct generation *generation = generation_of(figures, number);
  if (!generation) return EVP_ERROR;
  struct count *count = &generation->collections;
  if (!count->series) count->series = series_of(figures, METRIC_GC_COLLECTIONS, number, known);
  return emit_count(count, 1, time, out);
}

static size_t bucket_of(const struct evp_series *series, double seconds)
{
  size_t bucket = 0;
  while (bucket < series->n_bounds && seconds > series->bounds[bucket]) bucket++;
  return bucket;
}

enum evp_status figures_pause(struct figures *figures, const struct pause *pause, bool known, struct evp_out *out)
{
  struct generation *generation = generation_of(figures, pause->generation);
  if (!generation) return EVP_ERROR;
  struct pauses *pauses = &generation->pauses;
  if (!pauses->series) pauses->series = series_of(figures, METRIC_GC_PAUSE, pause->generation, known);
  if (!pauses->series) return EVP_ERROR;
  uint64_t nanoseconds = pause->end - pause->begin;
  pauses->count++;
  pauses->nanoseconds = add(pauses->nanoseconds, nanoseconds);
  pauses->counts[bucket_of(pauses->series, (double)nanoseconds / 1e9)]++;
  if (pause->end > pauses->time) pauses->time = pause->end;
  const struct evp_buckets buckets = {pauses->count, (double)pauses->nanoseconds / 1e9, pauses->counts};
  return evp_emit_buckets(out, pauses->series, pauses->time, &buckets);
}

/* Signed: with the non-moving collector what GHC says of slop can be less than 0. */
static enum evp_status emit_gauge(struct figures *figures, size_t i, uint64_t value, uint64_t time, struct evp_out *out)
{
  const struct evp_series **series = &figures->gauges[i];
  if (!*series) *series = metric_series(figures->ctx, gauges[i], NULL, 0);
  return *series ? evp_emit_int(out, *series, time, (int64_t)value) : EVP_ERROR;
}

enum evp_status figures_statistics(
  struct figures *figures, const struct evp_gc_stats_ghc *statistics, uint64_t time, struct evp_out *out)
{
  const uint64_t values[GC_GAUGES] = {statistics->slop, statistics->fragmentation, statistics->par_threads};
  struct count *copied = &figures->copied;
  if (!copied->series) copied->series = metric_series(figures->ctx, METRIC_GC_COPIED, NULL, 0);
  enum evp_status status = emit_count(copied, statistics->copied, time, out);
  for (size_t i = 0; i < GC_GAUGES && status == EVP_OK; i++) status = emit_gauge(figures, i, values[i], time, out);
  return status;
}

enum evp_status figures_end(struct figures *figures, uint64_t time, struct evp_out *out)
{
  enum evp_status status = EVP_OK;
  for (size_t i = 0; i < GC_GAUGES; i++) {
    if (!figures->gauges[i]) continue;
    if (status == EVP_OK) status = evp_emit_int(out, figures->gauges[i], time, 0);
    evp_series_end(figures->ctx, figures->gauges[i]);
    figures->gauges[i] = NULL;
  }
  return status;
}
