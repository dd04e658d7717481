#include "run.h"

#include "pending.h"
#include "run_times.h"

#include <stdlib.h>
#include <string.h>

/* The map of series is looked at anew when so many more than there are bands have come and gone. */
enum { SERIES_SPARE = 4096 };
/* Room for so many rows is kept from one census to the next. */
enum { ROWS_KEPT = 4096 };
/* So many events, within so many ns, may be held back. */
enum { EARLY_MAX = 256, EARLY_SPAN = 1000000000 };

/* ------------------------------------------------------------------------------------------------------------ censuses */

static struct bands *bands_of(const struct run *run)
{
  return &run->program->history.censuses.bands;
}

/* The rows of that breakdown, moved to the end of the draft; how many. */
static uint32_t take_rows(struct run *run, uint8_t breakdown)
{
  struct census_draft *draft = &run->draft;
  const struct bands *bands = bands_of(run);
  uint32_t end = draft->n;
  for (uint32_t i = draft->n; i-- > 0;) {
    if (bands->items[draft->rows[i].band].breakdown != breakdown) continue;
    struct census_row row = draft->rows[i];
    draft->rows[i] = draft->rows[--end];
    draft->rows[end] = row;
  }
  return draft->n - end;
}

static uint64_t sum_of(const struct census_row *rows, uint32_t n)
{
  uint64_t sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += rows[i].bytes;
  return sum;
}

static void keep_census(struct run *run, uint8_t breakdown, struct census_row *rows, uint32_t n, uint64_t total)
{
  struct census_draft *draft = &run->draft;
  struct censuses *censuses = &run->program->history.censuses;
  if (draft->any[breakdown] && draft->time <= draft->last[breakdown]) {
    for (uint32_t i = 0; i < n; i++) band_release(&censuses->bands, rows[i].band);
    run->not_newer += n + 1;
    return;
  }
  draft->any[breakdown] = true;
  draft->last[breakdown] = draft->time;
  const struct census *census = censuses_add(censuses, draft->time, breakdown, total, rows, n);
  if (census)
    pending_census(run->program->pending, &censuses->bands, census);
  else
    run->no_room += n + 1;
}

/* When nothing is left of what there was, the filter takes its bands back because the stream is over: no census. */
static void finish_census(struct run *run, uint8_t breakdown, const uint64_t *total)
{
  struct census_draft *draft = &run->draft;
  uint32_t n = take_rows(run, breakdown), vanished = draft->vanished[breakdown];
  draft->vanished[breakdown] = 0;
  draft->n -= n;
  if (n == 0 && (vanished || !total)) return;
  struct census_row *rows = draft->rows ? draft->rows + draft->n : NULL;
  keep_census(run, breakdown, rows, n, total ? *total : sum_of(rows, n));
}

static void free_draft(struct run *run)
{
  struct census_draft *draft = &run->draft;
  budget_give(&run->programs->budget, draft->capacity * sizeof *draft->rows);
  free(draft->rows);
  draft->rows = NULL;
  draft->capacity = 0;
}

static void finish_all(struct run *run)
{
  struct census_draft *draft = &run->draft;
  while (draft->n) finish_census(run, bands_of(run)->items[draft->rows[draft->n - 1].band].breakdown, NULL);
  memset(draft->vanished, 0, sizeof draft->vanished);
  draft->open = false;
  if (draft->capacity > ROWS_KEPT) free_draft(run);
}

static void open_draft(struct run *run, int64_t time)
{
  if (run->draft.open && run->draft.time != time) finish_all(run);
  run->draft.open = true;
  run->draft.time = time;
}

static bool reserve_row(struct run *run)
{
  struct census_draft *draft = &run->draft;
  if (draft->n < draft->capacity) return true;
  uint32_t capacity = draft->capacity ? 2 * draft->capacity : 64;
  size_t more = (capacity - draft->capacity) * sizeof *draft->rows;
  if (!budget_take(&run->programs->budget, more)) return false;
  struct census_row *rows = realloc(draft->rows, capacity * sizeof *rows);
  if (!rows) {
    budget_give(&run->programs->budget, more);
    return false;
  }
  draft->rows = rows;
  draft->capacity = capacity;
  return true;
}

/* The number of the series' band, which may have been given to another one since. BAND_NONE: no room. */
static uint32_t band_of(struct run *run, struct series_entry *entry, const struct evp_series *series)
{
  struct bands *bands = bands_of(run);
  if (entry->band_id && entry->target < bands->n && bands->items[entry->target].id == entry->band_id)
    return entry->target;
  uint32_t last_id = bands->last_id;
  uint32_t number = bands_get(bands, series);
  if (number == BAND_NONE) return number;
  struct band *band = &bands->items[number];
  if (band->id > last_id) band->announced = !run->program->pending;
  entry->target = number;
  entry->band_id = band->id;
  return number;
}

static void take_band(struct run *run, struct series_entry *entry, const struct evp_metric *metric)
{
  struct census_draft *draft = &run->draft;
  open_draft(run, metric->time);
  uint32_t number = reserve_row(run) ? band_of(run, entry, metric->series) : BAND_NONE;
  if (number == BAND_NONE) {
    run->no_room++;
    return;
  }
  if (metric->value.i <= 0) {
    draft->vanished[bands_of(run)->items[number].breakdown]++;
    return;
  }
  band_hold(bands_of(run), number);
  draft->rows[draft->n++] = (struct census_row){number, (uint64_t)metric->value.i};
}

static void take_profiled(struct run *run, const struct evp_metric *metric)
{
  const struct evp_series *series = metric->series;
  const char *breakdown = "";
  for (uint32_t i = 0; i < series->n_labels; i++)
    if (strcmp(series->labels[i].key, "breakdown") == 0) breakdown = series->labels[i].value;
  uint64_t total = metric->value.i > 0 ? (uint64_t)metric->value.i : 0;
  open_draft(run, metric->time);
  finish_census(run, bands_breakdown(bands_of(run), breakdown), &total);
}

/* ------------------------------------------------------------------------------------------------------- other metrics */

static void take_gauge(struct run *run, enum gauge gauge, const struct evp_metric *metric)
{
  struct sample *sample = column_insert(&run->program->history.gauges[gauge], metric->time);
  if (!sample) {
    run->no_room++;
    return;
  }
  sample->value = metric->value.i;
  pending_gauge(run->program->pending, gauge, metric->time, metric->value.i);
}

static uint64_t *last_allocated(struct allocated *allocated, uint32_t capability)
{
  if (capability < allocated->n) return &allocated->by_capability[capability];
  uint64_t *larger = realloc(allocated->by_capability, (capability + 1) * sizeof *larger);
  if (!larger) return NULL;
  memset(larger + allocated->n, 0, (capability + 1 - allocated->n) * sizeof *larger);
  allocated->by_capability = larger;
  allocated->n = capability + 1;
  return &larger[capability];
}

/* GHC counts from the program's start: a new connection to the same process goes on, a new process begins at 0. */
static void take_allocated(struct run *run, struct series_entry *entry, const struct evp_metric *metric)
{
  struct program *program = run->program;
  uint64_t value = metric->value.i > 0 ? (uint64_t)metric->value.i : 0;
  uint64_t *last = last_allocated(&program->allocated, entry->target);
  if (!entry->begun) {
    uint32_t pid = evp_stream_pid(run->stream);
    bool same_process = !pid || !program->pid || pid == program->pid;
    entry->value = last && same_process && value >= *last ? *last : 0;
    entry->begun = true;
  }
  uint64_t more = value >= entry->value ? value - entry->value : value;
  entry->value = value;
  if (last) *last = value;
  if (more == 0) return;
  if (!rates_allocate(&program->history.rates, metric->time, more)) run->no_room++;
  pending_allocated(program->pending, metric->time);
}

static void take_pause(struct run *run, unsigned number, const struct evp_metric *metric)
{
  struct pause_state **state = &run->pauses[number];
  if (!*state && !(*state = calloc(1, sizeof **state))) {
    run->no_room++;
    return;
  }
  struct pause added;
  bool full;
  run->families |= FAMILY_GC;
  if (pauses_add(&run->program->history.generations[number], *state, metric, &added, &full))
    pending_pause(run->program->pending, number, &added);
  else if (full)
    run->no_room++;
}

/* -------------------------------------------------------------------------------------------------------------- batches */

static bool is_of_census(const struct series_entry *entry)
{
  return entry->kind == SERIES_BAND || entry->kind == SERIES_PROFILED;
}

static void take_metric(struct run *run, const struct evp_metric *metric, bool other_origin)
{
  bool made;
  struct series_entry *entry = series_map_get(&run->series, metric->series, &made);
  if (!entry) {
    run->no_room++;
    return;
  }
  if (entry->kind == SERIES_OTHER) return;
  if (is_of_census(entry) && other_origin) {
    run->other_censuses++;
    return;
  }
  if (entry->kind != SERIES_PAUSE) run->families |= FAMILY_HEAP;
  run_note_time(run, metric->time);
  run->program->clock = metric->flags & EVP_METRIC_ESTIMATED ? EVP_CLOCK_ESTIMATED : EVP_CLOCK_EXACT;
  switch (entry->kind) {
  case SERIES_GAUGE:
    take_gauge(run, (enum gauge)entry->target, metric);
    break;
  case SERIES_ALLOCATED:
    take_allocated(run, entry, metric);
    break;
  case SERIES_PAUSE:
    take_pause(run, entry->target, metric);
    break;
  case SERIES_BAND:
    take_band(run, entry, metric);
    break;
  default:
    take_profiled(run, metric);
  }
}

/* Is the batch of another node than the one whose censuses are taken? */
static bool is_of_other_origin(struct run *run, const struct evp_batch *batch)
{
  if (!run->census_origin) run->census_origin = strdup(batch->origin);
  return run->census_origin && strcmp(run->census_origin, batch->origin) != 0;
}

static bool has_census(struct run *run, const struct evp_batch *batch)
{
  for (uint32_t i = 0; i < batch->n; i++) {
    const char *name = batch->metrics[batch->sel[i]].series->name;
    if (strcmp(name, "ghc_heap_census_bytes") == 0 || strcmp(name, "ghc_heap_profiled_bytes") == 0) return true;
  }
  return run->draft.open;
}

static void take_metrics(struct run *run, const struct evp_batch *batch)
{
  bool other = (run->census_origin || has_census(run, batch)) && is_of_other_origin(run, batch);
  for (uint32_t i = 0; i < batch->n; i++) take_metric(run, &batch->metrics[batch->sel[i]], other);
  if (run->draft.open && !other && !(batch->flags & EVP_BATCH_MORE)) finish_all(run);
  const struct bands *bands = bands_of(run);
  if (run->series.n > 2 * (bands->n - bands->n_free) + SERIES_SPARE) series_map_clear(&run->series);
}

static void take_logs(struct run *run, const struct evp_batch *batch)
{
  struct program *program = run->program;
  for (uint32_t i = 0; i < batch->n; i++) {
    const struct evp_log *log = &batch->logs[batch->sel[i]];
    run_note_time(run, log->time);
    const struct log_entry *entry = log_ring_add(&program->history.logs, log);
    if (entry)
      pending_log(program->pending, entry);
    else
      run->no_room++;
  }
}

static void note_events(struct run *run, int64_t last)
{
  run_note_time(run, last);
  pending_events(run->program->pending, last);
}

static void finish_early(struct run *run, int64_t epoch)
{
  struct early_events *early = &run->early;
  early->over = true;
  if (early->n == 0) return;
  int64_t time = epoch + (int64_t)early->last;
  run_begin_times(run, time);
  if (!rates_add(&run->program->history.rates, time, early->counts)) run->no_room += early->n;
  note_events(run, time);
}

/* Holds the batch back; false: it is time to let them go. */
static bool hold_early(struct early_events *early, const struct evp_batch *batch)
{
  uint64_t first = batch->events[batch->sel[0]].time, last = batch->events[batch->sel[batch->n - 1]].time;
  if (early->over || batch->n > EARLY_MAX - early->n || last < first) return false;
  if (early->n && (batch->epoch != early->epoch || first < early->first || last - early->first > EARLY_SPAN))
    return false;
  if (early->n == 0) early->first = first;
  early->epoch = batch->epoch;
  for (uint32_t i = 0; i < batch->n; i++) {
    const struct evp_event *event = &batch->events[batch->sel[i]];
    early->counts[evp_event_class(event->type)]++;
    if (event->time > early->last) early->last = event->time;
  }
  early->n += batch->n;
  return true;
}

/* Of the last event that tells: a block has the time at which it was begun, before others perhaps. */
static int64_t time_at_end(const struct evp_batch *batch)
{
  uint32_t i = batch->n - 1;
  while (i && batch->events[batch->sel[i]].type == EVP_BLOCK_MARKER) i--;
  return evp_unix_time(batch, batch->events[batch->sel[i]].time);
}

static void take_events(struct run *run, const struct evp_batch *batch)
{
  int64_t last = INT64_MIN;
  if (hold_early(&run->early, batch)) return;
  if (!run->early.over) finish_early(run, batch->epoch);
  run_begin_times(run, evp_unix_time(batch, batch->events[batch->sel[0]].time));
  if (!rates_count(&run->program->history.rates, batch, &last)) run->no_room += batch->n;
  note_events(run, last);
  run_note_time(run, time_at_end(batch)); /* if `last` was a leap, they went on where they were, perhaps */
}

void run_take(struct run *run, const struct evp_batch *batch, uint64_t reach)
{
  struct history *history = &run->program->history;
  if (batch->n == 0) return;
  run_now(run, batch, reach);
  switch (batch->signal) {
  case EVP_METRICS:
    run_begin_times(run, batch->metrics[batch->sel[0]].time);
    take_metrics(run, batch);
    break;
  case EVP_LOGS:
    run_begin_times(run, batch->logs[batch->sel[0]].time);
    take_logs(run, batch);
    break;
  default:
    take_events(run, batch);
  }
  if (reach < INT64_MAX && history->newest > INT64_MIN + (int64_t)reach)
    history_trim(history, history->newest - (int64_t)reach);
}

/* ---------------------------------------------------------------------------------------------------------------- life */

void run_begin(struct run *run, struct programs *programs, const struct evp_stream *stream)
{
  run->stream = stream;
  run->programs = programs;
  run->series.budget = &programs->budget;
  run->program = programs_get(programs, stream);
  if (!run->program) return;
  run->next = run->program->open;
  run->program->open = run;
  run->program->n_runs++;
}

static void unlink_run(struct run *run)
{
  struct run **link = &run->program->open;
  while (*link != run) link = &(*link)->next;
  *link = run->next;
}

void run_end(struct run *run)
{
  if (run->program) {
    if (!run->early.over) finish_early(run, run->early.epoch);
    finish_all(run);
    unlink_run(run);
    program_ended(run->programs, run->program, run->stream);
  }
  series_map_free(&run->series);
  if (run->draft.rows) free_draft(run);
  free(run->census_origin);
  for (unsigned i = 0; i < GENERATIONS_MAX; i++) free(run->pauses[i]);
}
