#include "pending.h"

#include "bands_json.h"
#include "log_json.h"
#include "pauses_json.h"

#include <stdlib.h>
#include <string.h>

struct pending *pending_new(void)
{
  return calloc(1, sizeof(struct pending));
}

void pending_free(struct pending *pending)
{
  if (!pending) return;
  for (unsigned i = 0; i < PENDING_CENSUSES; i++) text_free(&pending->censuses[i].rows);
  text_free(&pending->new_bands);
  text_free(&pending->logs);
  free(pending);
}

void pending_clear(struct pending *pending)
{
  for (unsigned i = 0; i < GAUGE_COUNT; i++) pending->gauges[i].n = 0;
  for (unsigned i = 0; i < GENERATIONS_MAX; i++) pending->pauses[i].n = 0;
  pending->n_censuses = pending->n_logs = pending->n_breaks = 0;
  pending->new_bands.size = pending->logs.size = 0;
  pending->events_time = pending->allocated_time = 0;
  pending->many_censuses = pending->any = pending->lost = false;
}

/* ------------------------------------------------------------------------------------------------------------------ take */

/* Two neighbours become one, so that half of the room is free again. */
static unsigned halve(void *items, unsigned n, size_t size, column_join *join)
{
  unsigned char *rows = items;
  for (unsigned i = 0; i < n / 2; i++) {
    join(NULL, rows + 2 * i * size, rows + (2 * i + 1) * size);
    if (i) memcpy(rows + i * size, rows + 2 * i * size, size);
  }
  return n / 2;
}

void pending_gauge(struct pending *pending, enum gauge gauge, int64_t time, int64_t value)
{
  if (!pending) return;
  struct pending_samples *samples = &pending->gauges[gauge];
  if (samples->n == PENDING_SAMPLES)
    samples->n = halve(samples->items, samples->n, sizeof *samples->items, gauge_keep_larger);
  samples->items[samples->n++] = (struct sample){time, value};
  pending->any = true;
}

void pending_pause(struct pending *pending, unsigned generation, const struct pause *pause)
{
  if (!pending) return;
  struct pending_pauses *pauses = &pending->pauses[generation];
  if (pauses->n == PENDING_SAMPLES) pauses->n = halve(pauses->items, pauses->n, sizeof *pauses->items, pause_add);
  pauses->items[pauses->n++] = *pause;
  pending->any = true;
}

void pending_allocated(struct pending *pending, int64_t time)
{
  if (!pending) return;
  if (time > pending->allocated_time) pending->allocated_time = time;
  pending->any = true;
}

void pending_events(struct pending *pending, int64_t time)
{
  if (!pending) return;
  if (time > pending->events_time) pending->events_time = time;
  pending->any = true;
}

static bool put_rows(struct evp_buf *text, const struct bands *bands, const struct census *census)
{
  struct json json = {.text = text};
  struct census_reader reader = census_read(census);
  struct census_row row;
  text->size = 0;
  while (census_next(&reader, &row)) {
    if (text->size > PENDING_CENSUS_BYTES) return false;
    json_array(&json, NULL);
    json_unsigned(&json, NULL, bands->items[row.band].id);
    json_unsigned(&json, NULL, row.bytes);
    json_end(&json, ']');
  }
  return !json.failed;
}

static bool put_new_bands(struct evp_buf *text, struct bands *bands, const struct census *census)
{
  struct json json = {.text = text, .comma = text->size > 0};
  struct census_reader reader = census_read(census);
  struct census_row row;
  while (census_next(&reader, &row)) {
    struct band *band = &bands->items[row.band];
    if (band->announced) continue;
    if (text->size > PENDING_CENSUS_BYTES) return false;
    band->announced = true;
    json_object(&json, NULL);
    band_json(&json, band);
    json_end(&json, '}');
  }
  return !json.failed;
}

/* Where the census goes: a place of its own, or that of the only one that is left, if it is larger. NULL: nowhere. */
static struct pending_census *place_for(struct pending *pending, const struct census *census)
{
  if (!pending->many_censuses && pending->n_censuses < PENDING_CENSUSES)
    return &pending->censuses[pending->n_censuses++];
  if (!pending->many_censuses) {
    pending->many_censuses = true;
    unsigned largest = 0;
    for (unsigned i = 1; i < PENDING_CENSUSES; i++)
      if (pending->censuses[i].total > pending->censuses[largest].total) largest = i;
    struct pending_census first = pending->censuses[0];
    pending->censuses[0] = pending->censuses[largest];
    pending->censuses[largest] = first;
    pending->n_censuses = 1;
  }
  return census->total > pending->censuses[0].total ? &pending->censuses[0] : NULL;
}

void pending_census(struct pending *pending, struct bands *bands, const struct census *census)
{
  if (!pending) return;
  pending->any = true;
  if (pending->lost) return;
  /* A push is of one breakdown, the newest. */
  if (pending->n_censuses && pending->censuses[0].breakdown != census->breakdown) {
    pending->n_censuses = 0;
    pending->many_censuses = false;
  }
  if (!put_new_bands(&pending->new_bands, bands, census)) pending->lost = true;
  struct pending_census *place = place_for(pending, census);
  if (!place) return;
  place->time = census->time;
  place->total = census->total;
  place->breakdown = (uint8_t)census->breakdown;
  if (!put_rows(&place->rows, bands, census)) pending->lost = true;
}

/* More than fit are not sent: whoever sees that many wants the history, which has more. */
void pending_log(struct pending *pending, const struct log_entry *entry)
{
  if (!pending) return;
  pending->any = true;
  if (pending->n_logs == PENDING_LOGS || pending->logs.size > PENDING_LOG_BYTES) {
    pending->lost = true;
    return;
  }
  struct json json = {.text = &pending->logs, .comma = pending->n_logs > 0};
  log_json(&json, entry);
  pending->n_logs++;
  if (json.failed) pending->lost = true;
}

void pending_break(struct pending *pending, int64_t time)
{
  if (!pending) return;
  pending->any = true;
  if (pending->n_breaks < PENDING_SAMPLES)
    pending->breaks[pending->n_breaks++] = time;
  else
    pending->lost = true;
}

/* ----------------------------------------------------------------------------------------------------------------- write */

static int by_time(const void *left, const void *right)
{
  const int64_t *a = left, *b = right; /* each row begins with its time */
  return *a < *b ? -1 : *a > *b;
}

/* The gauges from `first` on, with a row for each time that any of them has. */
static void write_gauges(struct json *json, struct pending *pending, const char *key, unsigned first, unsigned n)
{
  int64_t times[3 * PENDING_SAMPLES];
  size_t count = 0;
  for (unsigned i = first; i < first + n; i++) {
    struct pending_samples *samples = &pending->gauges[i];
    qsort(samples->items, samples->n, sizeof *samples->items, by_time);
    for (unsigned j = 0; j < samples->n; j++) times[count++] = samples->items[j].time;
  }
  if (count == 0) return;
  qsort(times, count, sizeof *times, by_time);
  size_t distinct = 0;
  for (size_t i = 0; i < count; i++)
    if (i == 0 || times[i] != times[i - 1]) times[distinct++] = times[i];
  json_object(json, key);
  json_array(json, "time");
  for (size_t i = 0; i < distinct; i++) json_seconds(json, NULL, times[i]);
  json_end(json, ']');
  for (unsigned i = first; i < first + n; i++) {
    const struct pending_samples *samples = &pending->gauges[i];
    unsigned next = 0;
    json_array(json, gauge_keys[i]);
    for (size_t j = 0; j < distinct; j++) {
      while (next + 1 < samples->n && samples->items[next + 1].time == times[j]) next++;
      if (next < samples->n && samples->items[next].time == times[j])
        json_integer(json, NULL, samples->items[next++].value);
      else
        json_null(json, NULL);
    }
    json_end(json, ']');
  }
  json_end(json, '}');
}

/* Begins what has one row, of that time. */
static void open_row(struct json *json, const char *key, int64_t time)
{
  json_object(json, key);
  json_array(json, "time");
  json_seconds(json, NULL, time);
  json_end(json, ']');
}

static void write_allocated(struct json *json, const struct pending *pending, const struct rates *rates)
{
  if (!pending->allocated_time) return;
  open_row(json, "allocated", pending->allocated_time);
  json_array(json, "bytes");
  json_unsigned(json, NULL, rates->allocated_total);
  json_end(json, ']');
  json_end(json, '}');
}

static void write_events(struct json *json, const struct pending *pending, const struct rates *rates)
{
  if (!pending->events_time) return;
  open_row(json, "events", pending->events_time);
  json_object(json, "classes");
  for (unsigned i = 0; i < EVP_CLASS_COUNT; i++) {
    if (!rates->events_total[i]) continue;
    json_array(json, evp_event_class_name((enum evp_event_class)i));
    json_unsigned(json, NULL, rates->events_total[i]);
    json_end(json, ']');
  }
  json_end(json, '}');
  json_end(json, '}');
}

static void write_pauses(struct json *json, struct pending *pending)
{
  unsigned n = 0;
  for (unsigned i = 0; i < GENERATIONS_MAX; i++) n += pending->pauses[i].n;
  if (n == 0) return;
  json_array(json, "pauses");
  for (unsigned i = 0; i < GENERATIONS_MAX; i++) {
    struct pending_pauses *pauses = &pending->pauses[i];
    if (!pauses->n) continue;
    qsort(pauses->items, pauses->n, sizeof *pauses->items, by_time);
    pauses_json(json, i, pauses->items, pauses->n);
  }
  json_end(json, ']');
}

static void write_censuses(struct json *json, const struct pending *pending, const struct bands *bands)
{
  if (!pending->n_censuses) return;
  json_object(json, "census");
  json_string(json, "breakdown", bands_breakdown_name(bands, pending->censuses[0].breakdown));
  json_array(json, "new_bands");
  json_raw(json, NULL, pending->new_bands.data, pending->new_bands.size);
  json_end(json, ']');
  json_array(json, "time");
  for (unsigned i = 0; i < pending->n_censuses; i++) json_seconds(json, NULL, pending->censuses[i].time);
  json_end(json, ']');
  json_array(json, "total");
  for (unsigned i = 0; i < pending->n_censuses; i++) json_unsigned(json, NULL, pending->censuses[i].total);
  json_end(json, ']');
  json_array(json, "rows");
  for (unsigned i = 0; i < pending->n_censuses; i++) {
    json_array(json, NULL);
    json_raw(json, NULL, pending->censuses[i].rows.data, pending->censuses[i].rows.size);
    json_end(json, ']');
  }
  json_end(json, ']');
  json_end(json, '}');
}

static void write_lists(struct json *json, const struct pending *pending)
{
  if (pending->n_logs) {
    json_array(json, "logs");
    json_raw(json, NULL, pending->logs.data, pending->logs.size);
    json_end(json, ']');
  }
  if (pending->n_breaks) {
    json_array(json, "breaks");
    for (unsigned i = 0; i < pending->n_breaks; i++) json_seconds(json, NULL, pending->breaks[i]);
    json_end(json, ']');
  }
}

bool pending_write(struct pending *pending, const struct history *history, uint64_t sequence, struct evp_buf *text)
{
  struct json json = {.text = text};
  json_object(&json, NULL);
  json_unsigned(&json, "seq", sequence);
  write_gauges(&json, pending, "heap", GAUGE_SIZE, 3);
  write_gauges(&json, pending, "memory", GAUGE_CURRENT, 3);
  write_allocated(&json, pending, &history->rates);
  write_pauses(&json, pending);
  write_events(&json, pending, &history->rates);
  write_censuses(&json, pending, &history->censuses.bands);
  write_lists(&json, pending);
  json_end(&json, '}');
  pending_clear(pending);
  return !json.failed;
}
