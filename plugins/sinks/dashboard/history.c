#include "history.h"

/* The tables by number: gauges, generations, then these. */
enum {
  TABLE_GENERATIONS = GAUGE_COUNT,
  TABLE_ALLOCATED = TABLE_GENERATIONS + GENERATIONS_MAX,
  TABLE_EVENTS,
  TABLE_CENSUSES,
  TABLE_LOGS,
  TABLE_COUNT
};

/* A leap is believed when what comes there spans so many ns. */
#define LEAP_SPAN UINT64_C(10000000000)

void history_init(struct history *history, struct budget *budget)
{
  *history = (struct history){.newest = INT64_MIN, .leap = INT64_MIN};
  for (unsigned i = 0; i < GAUGE_COUNT; i++) column_init(&history->gauges[i], budget, sizeof(struct sample));
  for (unsigned i = 0; i < GENERATIONS_MAX; i++)
    column_init(&history->generations[i].column, budget, sizeof(struct pause));
  rates_init(&history->rates, budget);
  censuses_init(&history->censuses, budget);
  log_ring_init(&history->logs, budget);
  column_init(&history->breaks, budget, sizeof(int64_t));
}

void history_free(struct history *history)
{
  for (unsigned i = 0; i < GAUGE_COUNT; i++) column_free(&history->gauges[i]);
  for (unsigned i = 0; i < GENERATIONS_MAX; i++) column_free(&history->generations[i].column);
  rates_free(&history->rates);
  censuses_free(&history->censuses);
  log_ring_free(&history->logs);
  column_free(&history->breaks);
}

bool history_break(struct history *history, int64_t time)
{
  if (history->breaks.n == BREAKS_MAX) column_drop_first(&history->breaks, 1, NULL, NULL);
  return column_insert(&history->breaks, time) != NULL;
}

static const struct column *table_column(const struct history *history, unsigned table)
{
  if (table < TABLE_GENERATIONS) return &history->gauges[table];
  if (table < TABLE_ALLOCATED) return &history->generations[table - TABLE_GENERATIONS].column;
  switch (table) {
  case TABLE_ALLOCATED:
    return &history->rates.allocated;
  case TABLE_EVENTS:
    return &history->rates.events;
  case TABLE_CENSUSES:
    return &history->censuses.column;
  default:
    return &history->logs.column;
  }
}

/* Of events only if there is nothing else: a reader that comes late is told definitions first, from the program's start. */
int64_t history_first(const struct history *history)
{
  int64_t first = INT64_MAX;
  for (unsigned i = 0; i < TABLE_COUNT; i++) {
    const struct column *column = table_column(history, i);
    if (i != TABLE_EVENTS && column->n && column_time(column, 0) < first) first = column_time(column, 0);
  }
  if (first != INT64_MAX) return first;
  return history->rates.events.n ? column_time(&history->rates.events, 0) : history->newest;
}

void history_trim(struct history *history, int64_t oldest)
{
  for (unsigned i = 0; i < GAUGE_COUNT; i++) column_trim(&history->gauges[i], oldest, NULL, NULL);
  for (unsigned i = 0; i < GENERATIONS_MAX; i++) column_trim(&history->generations[i].column, oldest, NULL, NULL);
  column_trim(&history->rates.allocated, oldest, NULL, NULL);
  column_trim(&history->rates.events, oldest, NULL, NULL);
  censuses_trim(&history->censuses, oldest);
  log_ring_trim(&history->logs, oldest);
  column_trim(&history->breaks, oldest, NULL, NULL);
}

size_t history_cut(struct history *history, int64_t latest)
{
  size_t n = 0;
  column_cut(&history->breaks, latest, NULL, NULL);
  for (unsigned i = 0; i < GAUGE_COUNT; i++) n += column_cut(&history->gauges[i], latest, NULL, NULL);
  for (unsigned i = 0; i < GENERATIONS_MAX; i++) n += column_cut(&history->generations[i].column, latest, NULL, NULL);
  n += column_cut(&history->rates.allocated, latest, NULL, NULL);
  n += column_cut(&history->rates.events, latest, NULL, NULL);
  return n + censuses_cut(&history->censuses, latest) + log_ring_cut(&history->logs, latest);
}

/* Is it later than the other by more than so many ns? */
static bool is_later(int64_t time, int64_t than, uint64_t by)
{
  return time > than && (uint64_t)time - (uint64_t)than > by;
}

bool history_note(struct history *history, int64_t time, uint64_t voice, uint64_t reach, bool sound)
{
  int64_t newest = history->newest, leap = history->leap;
  bool first = newest == INT64_MIN, known = leap != INT64_MIN;
  if (sound || first || !is_later(time, newest, reach)) {
    bool goes_on = known && voice == history->leap_voice && !is_later(newest, time, reach);
    if (time > newest) history->newest = time;
    if (goes_on) history->leap = INT64_MIN;
    return goes_on;
  }
  if (!known) history->leap_voice = voice;
  if (!known || time < leap) history->leap = time;
  if (!known || time > history->leap_last) history->leap_last = time;
  if (!is_later(history->leap_last, history->leap, LEAP_SPAN)) return false;
  history->newest = history->leap_last;
  history->leap = INT64_MIN;
  return false;
}

static size_t table_memory(const struct history *history, unsigned table)
{
  if (table == TABLE_CENSUSES) return censuses_memory(&history->censuses);
  if (table == TABLE_LOGS) return log_ring_memory(&history->logs);
  return column_memory(table_column(history, table));
}

size_t history_largest(const struct history *history, unsigned *table)
{
  size_t largest = 0;
  for (unsigned i = 0; i < TABLE_COUNT; i++) {
    if (table_column(history, i)->n < 2) continue;
    size_t memory = table_memory(history, i);
    if (memory <= largest) continue;
    largest = memory;
    *table = i;
  }
  return largest;
}

bool history_thin(struct history *history, unsigned table)
{
  if (table < TABLE_GENERATIONS) return column_thin(&history->gauges[table], gauge_keep_larger, NULL);
  if (table < TABLE_ALLOCATED)
    return column_thin(&history->generations[table - TABLE_GENERATIONS].column, pause_add, NULL);
  switch (table) {
  case TABLE_ALLOCATED:
    return column_thin(&history->rates.allocated, allocation_add, NULL);
  case TABLE_EVENTS:
    return column_thin(&history->rates.events, event_counts_add, NULL);
  case TABLE_CENSUSES:
    return censuses_thin(&history->censuses);
  default:
    return log_ring_thin(&history->logs);
  }
}
