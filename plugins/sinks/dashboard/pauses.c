#include "pauses.h"

#include <string.h>

/* Another filter, or another version of it, may have other bounds: the distribution is one of equal bounds. */
static bool has_bounds(struct generation *generation, const struct evp_series *series)
{
  if (series->n_bounds > PAUSE_BOUNDS_MAX) return false;
  size_t size = series->n_bounds * sizeof *series->bounds;
  if (generation->collections == 0) {
    memset(generation->counts, 0, sizeof generation->counts);
    generation->n_bounds = series->n_bounds;
    if (size) memcpy(generation->bounds, series->bounds, size);
  }
  return generation->n_bounds == series->n_bounds && (!size || memcmp(generation->bounds, series->bounds, size) == 0);
}

/* Of one collection it is known; of several it is at most the upper bound of the last bucket that has more. */
static double longest_of(
  const struct evp_series *series, const struct pause_state *last, const struct evp_buckets *now, double seconds)
{
  if (now->count - last->count == 1 || series->n_bounds > PAUSE_BOUNDS_MAX) return seconds;
  uint32_t i = series->n_bounds;
  while (i > 0 && now->counts[i] == last->counts[i]) i--;
  return i < series->n_bounds && series->bounds[i] < seconds ? series->bounds[i] : seconds;
}

static void count_buckets(struct generation *generation, const struct evp_series *series,
  const struct pause_state *last, const struct evp_buckets *now)
{
  if (!has_bounds(generation, series)) return;
  for (uint32_t i = 0; i <= series->n_bounds; i++) generation->counts[i] += now->counts[i] - last->counts[i];
}

static void remember(struct pause_state *last, const struct evp_series *series, const struct evp_buckets *now)
{
  last->count = now->count;
  last->sum = now->sum;
  if (series->n_bounds <= PAUSE_BOUNDS_MAX)
    memcpy(last->counts, now->counts, (series->n_bounds + 1) * sizeof *now->counts);
}

/* It never falls but where the filter began anew. */
static bool fell(const struct evp_series *series, const struct pause_state *last, const struct evp_buckets *now)
{
  if (now->count < last->count || now->sum < last->sum) return true;
  for (uint32_t i = 0; i <= series->n_bounds && i <= PAUSE_BOUNDS_MAX; i++)
    if (now->counts[i] < last->counts[i]) return true;
  return false;
}

bool pauses_add(struct generation *generation, struct pause_state *last, const struct evp_metric *metric,
  struct pause *added, bool *full)
{
  const struct evp_buckets *now = metric->value.buckets;
  const struct evp_series *series = metric->series;
  *full = false;
  if (fell(series, last, now)) *last = (struct pause_state){0};
  if (now->count == last->count) return false;
  double seconds = now->sum - last->sum;
  *added = (struct pause){metric->time, longest_of(series, last, now, seconds), seconds, now->count - last->count};
  count_buckets(generation, series, last, now);
  generation->collections += added->collections;
  remember(last, series, now);
  struct pause *row = column_insert(&generation->column, metric->time);
  if (row) *row = *added;
  *full = !row;
  return row != NULL;
}

void pause_add(void *owner, void *first, void *second)
{
  (void)owner;
  struct pause *a = first, *b = second;
  if (b->longest > a->longest) {
    a->time = b->time;
    a->longest = b->longest;
  }
  a->seconds += b->seconds;
  a->collections += b->collections;
}
