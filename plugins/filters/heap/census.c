#include "census.h"

#include "metrics.h"

#include <stdlib.h>
#include <string.h>

/* A band that was not seen for so many censuses is forgotten; looked for now and then. */
enum { FORGET_AFTER = 64, FORGET_EVERY = 16 };
/* More than that, and a time series data base and its users suffer. */
enum { MANY_BANDS = 1000 };

void census_init(struct census *census, struct evp_ctx *ctx, struct census_settings settings)
{
  *census = (struct census){.ctx = ctx, .settings = settings};
  bands_init(&census->bands);
}

void census_free(struct census *census)
{
  bands_free(&census->bands);
  free(census->present.items);
  free(census->shown.items);
  free(census->largest.items);
}

static bool reserve(struct numbers *numbers, uint32_t capacity)
{
  if (capacity <= numbers->capacity) return true;
  uint32_t *items = realloc(numbers->items, capacity * sizeof *items);
  if (!items) return false;
  *numbers = (struct numbers){items, numbers->n, capacity};
  return true;
}

/* Each list can hold every band, so that nothing has to grow while rows are added or a census is emitted. */
static bool reserve_all(struct census *census)
{
  uint32_t capacity = census->bands.capacity;
  return reserve(&census->present, capacity) && reserve(&census->shown, capacity) &&
         reserve(&census->largest, capacity);
}

static void renumber(struct numbers *list, const uint32_t *numbers)
{
  for (uint32_t i = 0; i < list->n; i++) list->items[i] = numbers[list->items[i]];
}

static bool forget(struct census *census)
{
  bool full = census->bands.n >= census->settings.max_bands;
  if (!full && census->generation % FORGET_EVERY != 0) return false;
  uint32_t age = full ? 1 : FORGET_AFTER;
  if (census->generation <= age) return false;
  uint32_t *numbers = census->present.items; /* not in use before the first row */
  if (bands_forget(&census->bands, census->ctx, census->generation - age, numbers) == 0) return false;
  renumber(&census->shown, numbers);
  return true;
}

bool census_begin(struct census *census, uint64_t time)
{
  census->generation++;
  census->open = true;
  census->time = time;
  census->present.n = 0;
  census->merged = 0;
  return forget(census);
}

static uint32_t get_band(struct census *census, const struct band_name *name)
{
  uint32_t n = census->bands.n;
  uint32_t number = bands_get(&census->bands, name);
  census->unnamed = census->unnamed || census->bands.n != n;
  return number != BAND_NONE && reserve_all(census) ? number : BAND_NONE;
}

static uint32_t special_band(struct census *census, enum breakdown breakdown, const char *label)
{
  struct band_name name;
  band_name_init(&name, breakdown);
  label_make(&name.parts[BAND_LABEL], label, strlen(label));
  return get_band(census, &name);
}

uint32_t census_band(struct census *census, const struct band_name *name)
{
  uint32_t number = bands_find(&census->bands, name);
  if (number != BAND_NONE) return number;
  if (census->bands.n >= census->settings.max_bands) {
    census->merged++;
    return special_band(census, name->breakdown, "(other)");
  }
  return get_band(census, name);
}

/* ------------------------------------------------------------------------------------------------------- top */

/* Of two bands of equal size the first by name counts as the larger, so that a replay keeps the same ones. */
static bool is_larger(const struct census *census, uint32_t a, uint32_t b)
{
  const struct band *left = &census->bands.items[a];
  const struct band *right = &census->bands.items[b];
  if (left->bytes != right->bytes) return left->bytes > right->bytes;
  return strcmp(band_label(left), band_label(right)) < 0;
}

/* A heap with the smallest of the largest at its root. */
static void sift_down(const struct census *census, struct numbers *heap, uint32_t i)
{
  for (;;) {
    uint32_t child = 2 * i + 1;
    if (child >= heap->n) return;
    if (child + 1 < heap->n && is_larger(census, heap->items[child], heap->items[child + 1])) child++;
    if (is_larger(census, heap->items[child], heap->items[i])) return;
    uint32_t number = heap->items[i];
    heap->items[i] = heap->items[child];
    heap->items[child] = number;
    i = child;
  }
}

/* The N largest of one breakdown, but for `other`, are marked as kept; what the rest sums up to is returned. */
static uint64_t keep_largest(struct census *census, enum breakdown breakdown, uint32_t other)
{
  struct numbers *heap = &census->largest;
  uint64_t rest = 0;
  heap->n = 0;
  for (uint32_t i = 0; i < census->present.n; i++) {
    uint32_t number = census->present.items[i];
    if (number == other || census->bands.items[number].breakdown != breakdown) continue;
    uint32_t loser = number;
    if (heap->n < census->settings.top) {
      heap->items[heap->n++] = number;
      if (heap->n == census->settings.top)
        for (uint32_t parent = heap->n / 2; parent-- > 0;) sift_down(census, heap, parent);
      continue;
    }
    if (is_larger(census, number, heap->items[0])) {
      loser = heap->items[0];
      heap->items[0] = number;
      sift_down(census, heap, 0);
    }
    rest = census_sum(rest, census->bands.items[loser].bytes);
  }
  for (uint32_t i = 0; i < heap->n; i++) census->bands.items[heap->items[i]].kept = census->generation;
  return rest;
}

static bool apply_top(struct census *census, enum breakdown breakdown, uint32_t n)
{
  if (n <= census->settings.top) {
    for (uint32_t i = 0; i < census->present.n; i++) {
      struct band *band = &census->bands.items[census->present.items[i]];
      if (band->breakdown == breakdown) band->kept = census->generation;
    }
    return true;
  }
  uint32_t other = special_band(census, breakdown, "(other)");
  if (other == BAND_NONE) return false;
  uint64_t rest = keep_largest(census, breakdown, other);
  census_add(census, other, rest);
  census->bands.items[other].kept = census->generation;
  return true;
}

/* ------------------------------------------------------------------------------------------------------ emit */

static int64_t value_of(uint64_t bytes)
{
  return bytes < INT64_MAX ? (int64_t)bytes : INT64_MAX;
}

struct totals {
  uint64_t bytes[BREAKDOWN_COUNT];
  uint32_t bands[BREAKDOWN_COUNT];
  uint32_t again; /* bands that were shown before, too */
};

static struct band *present_band(const struct census *census, uint32_t i)
{
  return &census->bands.items[census->present.items[i]];
}

static void add_up(const struct census *census, struct totals *totals)
{
  for (uint32_t i = 0; i < census->present.n; i++) {
    const struct band *band = present_band(census, i);
    totals->bytes[band->breakdown] = census_sum(totals->bytes[band->breakdown], band->bytes);
    totals->bands[band->breakdown]++;
  }
}

static bool choose_top(struct census *census, const struct totals *totals)
{
  for (unsigned i = 0; i < BREAKDOWN_COUNT; i++)
    if (totals->bands[i] && !apply_top(census, (enum breakdown)i, totals->bands[i])) return false;
  return true;
}

/* Was it shown before? */
static inline bool show(struct band *band, uint32_t generation, uint64_t time, struct evp_metric *metric)
{
  bool again = band->shown;
  band->kept = generation;
  band->shown = true;
  *metric = (struct evp_metric){(int64_t)time, band->series, {.i = value_of(band->bytes)}, 0, 0};
  return again;
}

/* Each has its series before the first is emitted: what was emitted can not be taken back. False: no memory (reported). */
static bool name_present(struct census *census)
{
  for (uint32_t i = 0; census->unnamed && i < census->present.n; i++)
    if (!band_series(present_band(census, i), census->ctx)) return false;
  census->unnamed = false;
  return true;
}

/* Without a top: adds up and emits on one way. Mostly all bands are of one breakdown: the sum of a run of them need not go
   through memory, nor need what the loop reads each time. */
static enum evp_status emit_all(struct census *census, struct totals *totals, struct evp_out *out)
{
  const uint32_t n = census->present.n, *present = census->present.items, generation = census->generation;
  const uint64_t time = census->time;
  struct band *const bands = census->bands.items;
  struct evp_metric *metric = name_present(census) ? evp_emit_metrics(out, n) : NULL;
  if (!metric) return EVP_ERROR;
  uint32_t again = 0;
  for (uint32_t i = 0; i < n;) {
    const unsigned breakdown = bands[present[i]].breakdown;
    uint64_t bytes = totals->bytes[breakdown];
    uint32_t begin = i;
    for (; i < n; i++) {
      struct band *band = &bands[present[i]];
      if (band->breakdown != breakdown) break;
      bytes = census_sum(bytes, band->bytes);
      again += show(band, generation, time, metric++);
    }
    totals->bytes[breakdown] = bytes;
    totals->bands[breakdown] += i - begin;
  }
  totals->again = again;
  return EVP_OK;
}

/* How many bands of the open census the top keeps; each has its series then. False: no memory (reported). */
static bool count_kept(struct census *census, uint32_t *n)
{
  *n = 0;
  for (uint32_t i = 0; i < census->present.n; i++) {
    struct band *band = present_band(census, i);
    if (band->kept != census->generation) continue;
    if (!band_series(band, census->ctx)) return false;
    ++*n;
  }
  return true;
}

/* Only what is shown stays in `present`. */
static enum evp_status emit_top(struct census *census, struct totals *totals, struct evp_out *out)
{
  add_up(census, totals);
  uint32_t kept;
  bool good = choose_top(census, totals) && count_kept(census, &kept);
  struct evp_metric *metric = good ? evp_emit_metrics(out, kept) : NULL;
  if (!metric) return EVP_ERROR;
  kept = 0;
  for (uint32_t i = 0; i < census->present.n; i++) {
    struct band *band = present_band(census, i);
    if (band->kept != census->generation) continue;
    totals->again += show(band, census->generation, census->time, metric++);
    census->present.items[kept++] = census->present.items[i];
  }
  census->present.n = kept;
  return EVP_OK;
}

static enum evp_status emit_last(struct evp_out *out, const struct evp_series *series, uint64_t time)
{
  struct evp_metric *metric = evp_emit_metrics(out, 1);
  if (!metric) return EVP_ERROR;
  *metric = (struct evp_metric){(int64_t)time, series, {.i = 0}, EVP_METRIC_LAST, 0};
  return EVP_OK;
}

/* What was shown before and is not in this census is taken back, if the census is complete. The series stays at hand: many a
   band comes again soon. Then what is present is what is shown. `again`: how many of those that were shown are. */
static enum evp_status emit_vanished(
  struct census *census, uint32_t again, uint64_t time, bool complete, struct evp_out *out)
{
  struct numbers before = census->shown;
  uint32_t left = before.n - again;
  for (uint32_t i = 0; left; i++) {
    struct band *band = &census->bands.items[before.items[i]];
    if (band->kept == census->generation) continue;
    left--;
    band->shown = !complete;
    if (!complete)
      census->present.items[census->present.n++] = before.items[i];
    else if (emit_last(out, band->series, time) != EVP_OK)
      return EVP_ERROR;
  }
  census->shown = census->present;
  census->present = before;
  census->present.n = 0;
  return EVP_OK;
}

static enum evp_status emit_sum(
  struct census *census, enum breakdown breakdown, uint64_t time, uint64_t bytes, struct evp_out *out)
{
  const struct evp_label label = {"breakdown", breakdown_name(breakdown)};
  const struct evp_series **series = &census->sums[breakdown];
  if (!*series) *series = metric_series(census->ctx, METRIC_HEAP_PROFILED, &label, 1);
  return *series ? evp_emit_int(out, *series, time, value_of(bytes)) : EVP_ERROR;
}

/* `empty`: the breakdown of a census without rows; BREAKDOWN_COUNT: it has some. */
static enum evp_status emit_sums(
  struct census *census, const struct totals *totals, enum breakdown empty, struct evp_out *out)
{
  for (unsigned breakdown = 0; breakdown < BREAKDOWN_COUNT; breakdown++) {
    bool present = totals->bands[breakdown] > 0 || breakdown == empty;
    if (!present && !census->sum_shown[breakdown]) continue;
    census->sum_shown[breakdown] = present;
    if (emit_sum(census, breakdown, census->time, totals->bytes[breakdown], out) != EVP_OK) return EVP_ERROR;
  }
  return EVP_OK;
}

static void report(struct census *census)
{
  if (census->merged) evp_drop(census->ctx, census->merged, "max_bands");
  if (census->merged && !census->warned_merged) {
    census->warned_merged = true;
    evp_warn(census->ctx, "a heap census has more than %u bands: further ones are added up as (other); see `max_bands`",
      census->settings.max_bands);
  }
  if (census->shown.n > MANY_BANDS && !census->warned_bands) {
    census->warned_bands = true;
    evp_warn(census->ctx, "a heap census has %u bands, each a time series of its own: `top: 50` keeps the largest",
      census->shown.n);
  }
}

enum evp_status census_finish(struct census *census, enum breakdown breakdown, bool complete, struct evp_out *out)
{
  struct totals totals = {0};
  census->open = false;
  bool all = census->settings.top == 0, empty = census->present.n == 0;
  if ((all ? emit_all : emit_top)(census, &totals, out) != EVP_OK) return EVP_ERROR;
  if (emit_vanished(census, totals.again, census->time, complete, out) != EVP_OK) return EVP_ERROR;
  if (emit_sums(census, &totals, empty ? breakdown : BREAKDOWN_COUNT, out) != EVP_OK) return EVP_ERROR;
  evp_emit_group_end(out);
  report(census);
  return EVP_OK;
}

enum evp_status census_end(struct census *census, uint64_t time, struct evp_out *out)
{
  bool any = census->shown.n > 0;
  census->generation++; /* nothing is kept in the census that never comes */
  census->present.n = 0;
  if (emit_vanished(census, 0, time, true, out) != EVP_OK) return EVP_ERROR;
  for (unsigned breakdown = 0; breakdown < BREAKDOWN_COUNT; breakdown++) {
    if (!census->sum_shown[breakdown]) continue;
    any = true;
    if (emit_last(out, census->sums[breakdown], time) != EVP_OK) return EVP_ERROR;
    evp_series_end(census->ctx, census->sums[breakdown]);
  }
  for (uint32_t i = 0; i < census->bands.n; i++)
    if (census->bands.items[i].series) evp_series_end(census->ctx, census->bands.items[i].series);
  if (any) evp_emit_group_end(out);
  return EVP_OK;
}
