#include "bands_json.h"
#include "view.h"

#include <stdlib.h>
#include <strings.h>

enum { SEARCH_MAX = 200 };

/* What is worked out for one answer. */
struct census_view {
  const struct censuses *censuses;
  const struct bands *bands;
  uint8_t breakdown;
  size_t *shown; /* the censuses that are shown, ascending */
  uint32_t n_shown;
  bool any;
  size_t newest; /* of the range */
  uint64_t *peaks; /* by number of the band, in what is shown */
  uint32_t *places; /* by number of the band: its place in `chosen` plus 1; 0: it is not shown */
  uint32_t *chosen; /* numbers of the bands that are shown */
  uint32_t n_chosen;
  uint64_t *values; /* n_chosen rows of n_shown */
  uint64_t *latest; /* of each that is chosen */
};

static void free_view(struct census_view *view)
{
  free(view->shown);
  free(view->peaks);
  free(view->places);
  free(view->chosen);
  free(view->values);
  free(view->latest);
}

/* ---------------------------------------------------------------------------------------------------------- which census */

/* False: there is no census of that breakdown. */
static bool choose_breakdown(struct census_view *view, const char *wanted)
{
  const struct column *column = &view->censuses->column;
  if (column->n == 0) return false;
  view->breakdown = (uint8_t)censuses_at(view->censuses, column->n - 1)->breakdown;
  if (!wanted) return true;
  for (unsigned i = 0; i < view->bands->n_breakdowns; i++) {
    if (strcmp(view->bands->breakdowns[i], wanted) != 0) continue;
    view->breakdown = (uint8_t)i;
    return true;
  }
  return false;
}

/* Of each column the census with the largest total. */
static bool choose_censuses(struct census_view *view, const struct range *range)
{
  size_t begin, end;
  range_rows(range, &view->censuses->column, &begin, &end);
  view->shown = calloc(range->columns, sizeof *view->shown);
  if (!view->shown) return false;
  uint32_t last_column = UINT32_MAX;
  for (size_t i = begin; i < end; i++) {
    const struct census *census = censuses_at(view->censuses, i);
    if (census->breakdown != view->breakdown) continue;
    uint32_t column = range_column(range, census->time);
    if (column != last_column)
      view->shown[view->n_shown++] = i;
    else if (census->total > censuses_at(view->censuses, view->shown[view->n_shown - 1])->total)
      view->shown[view->n_shown - 1] = i;
    last_column = column;
    view->any = true;
    view->newest = i;
  }
  return true;
}

/* ------------------------------------------------------------------------------------------------------------ which bands */

static bool find_peaks(struct census_view *view)
{
  view->peaks = calloc(view->bands->n + 1, sizeof *view->peaks);
  if (!view->peaks) return false;
  for (uint32_t i = 0; i < view->n_shown; i++) {
    struct census_reader reader = census_read(censuses_at(view->censuses, view->shown[i]));
    struct census_row row;
    while (census_next(&reader, &row))
      if (row.bytes > view->peaks[row.band]) view->peaks[row.band] = row.bytes;
  }
  return true;
}

/* Largest first; of equal ones the first that was seen, so that the order is always the same. */
static int by_peak(const void *left, const void *right, void *data)
{
  const struct census_view *view = data;
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  if (view->peaks[a] != view->peaks[b]) return view->peaks[a] > view->peaks[b] ? -1 : 1;
  return view->bands->items[a].id < view->bands->items[b].id ? -1 : 1;
}

static bool is_pinned(const struct view *wanted, uint32_t id)
{
  for (uint32_t i = 0; i < wanted->n_pins; i++)
    if (wanted->pins[i] == id) return true;
  return false;
}

/* Those with a peak, sorted; the first ones stay, and of the others those that are pinned. */
static bool choose_bands(struct census_view *view, const struct view *wanted)
{
  uint32_t n = view->bands->n, candidates = 0;
  view->chosen = calloc(n + 1, sizeof *view->chosen);
  view->places = calloc(n + 1, sizeof *view->places);
  if (!view->chosen || !view->places) return false;
  for (uint32_t i = 0; i < n; i++)
    if (view->peaks[i] || (wanted->n_pins && view->bands->items[i].id && is_pinned(wanted, view->bands->items[i].id)))
      view->chosen[candidates++] = i;
  qsort_r(view->chosen, candidates, sizeof *view->chosen, by_peak, view);
  for (uint32_t i = 0; i < candidates; i++) {
    uint32_t number = view->chosen[i];
    bool largest = i < wanted->bands && view->peaks[number];
    if (!largest && !is_pinned(wanted, view->bands->items[number].id)) continue;
    view->chosen[view->n_chosen++] = number;
    view->places[number] = view->n_chosen;
  }
  return true;
}

static bool fill_values(struct census_view *view)
{
  view->values = calloc((size_t)view->n_chosen * view->n_shown + 1, sizeof *view->values);
  view->latest = calloc(view->n_chosen + 1u, sizeof *view->latest);
  if (!view->values || !view->latest) return false;
  struct census_row row;
  for (uint32_t i = 0; i < view->n_shown; i++) {
    struct census_reader reader = census_read(censuses_at(view->censuses, view->shown[i]));
    while (census_next(&reader, &row))
      if (view->places[row.band]) view->values[(size_t)(view->places[row.band] - 1) * view->n_shown + i] = row.bytes;
  }
  struct census_reader reader = census_read(censuses_at(view->censuses, view->newest));
  while (census_next(&reader, &row))
    if (view->places[row.band]) view->latest[view->places[row.band] - 1] = row.bytes;
  return true;
}

/* ----------------------------------------------------------------------------------------------------------------- write */

static void write_breakdowns(struct json *json, const struct bands *bands)
{
  json_array(json, "breakdowns");
  for (unsigned i = 0; i < bands->n_breakdowns; i++) json_string(json, NULL, bands->breakdowns[i]);
  json_end(json, ']');
}

static void write_bands(struct json *json, const struct census_view *view)
{
  json_array(json, "bands");
  for (uint32_t i = 0; i < view->n_chosen; i++) {
    json_object(json, NULL);
    band_json(json, &view->bands->items[view->chosen[i]]);
    json_unsigned(json, "latest", view->latest[i]);
    json_unsigned(json, "peak", view->peaks[view->chosen[i]]);
    json_array(json, "values");
    for (uint32_t j = 0; j < view->n_shown; j++) json_unsigned(json, NULL, view->values[(size_t)i * view->n_shown + j]);
    json_end(json, ']');
    json_end(json, '}');
  }
  json_end(json, ']');
}

static void write_rest(struct json *json, const struct census_view *view)
{
  uint32_t count = 0;
  json_array(json, "rest");
  for (uint32_t j = 0; j < view->n_shown; j++) {
    uint64_t rest = censuses_at(view->censuses, view->shown[j])->total;
    for (uint32_t i = 0; i < view->n_chosen; i++) {
      uint64_t value = view->values[(size_t)i * view->n_shown + j];
      rest = rest > value ? rest - value : 0;
    }
    json_unsigned(json, NULL, rest);
  }
  json_end(json, ']');
  for (uint32_t i = 0; i < view->bands->n; i++) count += view->peaks[i] && !view->places[i];
  json_unsigned(json, "rest_count", count);
}

static void write_view(struct json *json, const struct census_view *view)
{
  json_object(json, "census");
  json_string(json, "breakdown", bands_breakdown_name(view->bands, view->breakdown));
  write_breakdowns(json, view->bands);
  json_array(json, "time");
  for (uint32_t i = 0; i < view->n_shown; i++)
    json_seconds(json, NULL, censuses_at(view->censuses, view->shown[i])->time);
  json_end(json, ']');
  json_array(json, "total");
  for (uint32_t i = 0; i < view->n_shown; i++)
    json_unsigned(json, NULL, censuses_at(view->censuses, view->shown[i])->total);
  json_end(json, ']');
  write_bands(json, view);
  write_rest(json, view);
  json_end(json, '}');
}

bool view_write_census(
  struct json *json, const struct censuses *censuses, const struct range *range, const struct view *wanted)
{
  struct census_view view = {.censuses = censuses, .bands = &censuses->bands};
  if (!choose_breakdown(&view, wanted->breakdown)) {
    json_null(json, "census");
    return true;
  }
  bool ok = choose_censuses(&view, range) && find_peaks(&view) && choose_bands(&view, wanted);
  if (ok && view.any) ok = fill_values(&view);
  if (ok && !view.any) {
    view.n_chosen = 0;
    memset(view.places, 0, view.bands->n * sizeof *view.places);
  }
  if (ok) write_view(json, &view);
  free_view(&view);
  return ok;
}

/* ---------------------------------------------------------------------------------------------------------------- search */

static bool has_text(const char *string, const char *text, size_t size)
{
  if (!string) return false;
  for (; *string; string++)
    if (strncasecmp(string, text, size) == 0) return true;
  return size == 0;
}

static bool matches(const struct band *band, const char *text)
{
  size_t size = strlen(text);
  for (unsigned part = BAND_NAME; part < BAND_PARTS; part++)
    if (has_text(band_part(band, (enum band_part)part), text, size)) return true;
  return false;
}

static int by_lasting_peak(const void *left, const void *right)
{
  const struct band *a = *(const struct band *const *)left, *b = *(const struct band *const *)right;
  if (a->peak != b->peak) return a->peak > b->peak ? -1 : 1;
  return a->id < b->id ? -1 : a->id > b->id;
}

bool view_write_search(const struct censuses *censuses, const char *text, struct evp_buf *out)
{
  const struct bands *bands = &censuses->bands;
  const struct band **found = calloc(bands->n + 1, sizeof *found);
  if (!found) return false;
  size_t n = 0;
  for (uint32_t i = 0; i < bands->n; i++)
    if (bands->items[i].references && matches(&bands->items[i], text)) found[n++] = &bands->items[i];
  qsort(found, n, sizeof *found, by_lasting_peak);
  struct json json = {.text = out};
  json_object(&json, NULL);
  json_array(&json, "bands");
  for (size_t i = 0; i < n && i < SEARCH_MAX; i++) {
    json_object(&json, NULL);
    band_json(&json, found[i]);
    json_string(&json, "breakdown", bands_breakdown_name(bands, found[i]->breakdown));
    json_unsigned(&json, "peak", found[i]->peak);
    json_end(&json, '}');
  }
  json_end(&json, ']');
  json_unsigned(&json, "more", n > SEARCH_MAX ? n - SEARCH_MAX : 0);
  json_end(&json, '}');
  free(found);
  return !json.failed;
}
