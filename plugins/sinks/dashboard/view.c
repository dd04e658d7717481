#include "view.h"

#include "log_json.h"
#include "pauses_json.h"

#include <stdlib.h>

/* For each column the row that was chosen in it, plus 1; 0: it has none. */
typedef uint32_t *chosen_rows;

static chosen_rows no_rows(const struct range *range)
{
  return calloc(range->columns, sizeof(uint32_t));
}

static void choose_largest(const struct column *samples, const struct range *range, chosen_rows chosen)
{
  size_t begin, end;
  range_rows(range, samples, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    const struct sample *sample = column_at(samples, i);
    uint32_t *best = &chosen[range_column(range, sample->time)];
    if (!*best || sample->value > ((const struct sample *)column_at(samples, *best - 1))->value)
      *best = (uint32_t)i + 1;
  }
}

static void choose_last(const struct column *rows, const struct range *range, chosen_rows chosen)
{
  size_t begin, end;
  range_rows(range, rows, &begin, &end);
  for (size_t i = begin; i < end; i++) chosen[range_column(range, column_time(rows, i))] = (uint32_t)i + 1;
}

/* ---------------------------------------------------------------------------------------------------------------- gauges */

enum { TOGETHER = 3 }; /* gauges that share their times in JSON */

static void write_gauges_of(
  struct json *json, const struct history *history, enum gauge first, chosen_rows *chosen, uint32_t columns)
{
  json_array(json, "time");
  for (uint32_t i = 0; i < columns; i++)
    for (unsigned j = 0; j < TOGETHER; j++) {
      if (!chosen[j][i]) continue;
      json_seconds(json, NULL, column_time(&history->gauges[first + j], chosen[j][i] - 1));
      break;
    }
  json_end(json, ']');
  for (unsigned j = 0; j < TOGETHER; j++) {
    json_array(json, gauge_keys[first + j]);
    for (uint32_t i = 0; i < columns; i++) {
      if (!chosen[0][i] && !chosen[1][i] && !chosen[2][i]) continue;
      if (chosen[j][i])
        json_integer(
          json, NULL, ((const struct sample *)column_at(&history->gauges[first + j], chosen[j][i] - 1))->value);
      else
        json_null(json, NULL);
    }
    json_end(json, ']');
  }
}

static void write_gauges(
  struct json *json, const struct history *history, const struct range *range, const char *key, enum gauge first)
{
  chosen_rows chosen[TOGETHER];
  bool memory = true;
  for (unsigned i = 0; i < TOGETHER; i++) {
    chosen[i] = no_rows(range);
    memory = memory && chosen[i];
    if (memory) choose_largest(&history->gauges[first + i], range, chosen[i]);
  }
  json_object(json, key);
  if (memory) write_gauges_of(json, history, first, chosen, range->columns);
  json_end(json, '}');
  json->failed = json->failed || !memory;
  for (unsigned i = 0; i < TOGETHER; i++) free(chosen[i]);
}

/* ----------------------------------------------------------------------------------------------------------------- rates */

/* What comes after the range; less the sum over the rows behind, the total is what it was at each row. */
static uint64_t allocated_at_end(const struct rates *rates, size_t end)
{
  uint64_t total = rates->allocated_total;
  for (size_t i = rates->allocated.n; i > end; i--)
    total -= ((const struct allocation *)column_at(&rates->allocated, i - 1))->bytes;
  return total;
}

static void write_times(struct json *json, const struct column *column, chosen_rows chosen, uint32_t columns)
{
  json_array(json, "time");
  for (uint32_t i = 0; i < columns; i++)
    if (chosen[i]) json_seconds(json, NULL, column_time(column, chosen[i] - 1));
  json_end(json, ']');
}

static void write_allocated(struct json *json, const struct rates *rates, const struct range *range)
{
  const struct column *column = &rates->allocated;
  size_t begin, end;
  range_rows(range, column, &begin, &end);
  chosen_rows chosen = no_rows(range);
  uint64_t *totals = calloc(end - begin + 1, sizeof *totals);
  json_object(json, "allocated");
  if (chosen && totals) {
    uint64_t total = allocated_at_end(rates, end);
    for (size_t i = end; i > begin; i--) {
      totals[i - 1 - begin] = total;
      total -= ((const struct allocation *)column_at(column, i - 1))->bytes;
    }
    choose_last(column, range, chosen);
    write_times(json, column, chosen, range->columns);
    json_array(json, "bytes");
    for (uint32_t i = 0; i < range->columns; i++)
      if (chosen[i]) json_unsigned(json, NULL, totals[chosen[i] - 1 - begin]);
    json_end(json, ']');
  } else
    json->failed = true;
  json_end(json, '}');
  free(totals);
  free(chosen);
}

static uint64_t count_at(const struct column *column, size_t i, unsigned class)
{
  return ((const struct event_counts *)column_at(column, i))->counts[class];
}

/* `totals` has room for a number for each column of the range. */
static void write_class(
  struct json *json, const struct rates *rates, chosen_rows chosen, uint32_t columns, unsigned class, uint64_t *totals)
{
  const struct column *column = &rates->events;
  uint64_t total = rates->events_total[class];
  size_t i = column->n;
  for (uint32_t at = columns; at-- > 0;) {
    if (!chosen[at]) continue;
    for (; i > chosen[at]; i--) total -= count_at(column, i - 1, class);
    totals[at] = total;
  }
  json_array(json, evp_event_class_name((enum evp_event_class) class));
  for (uint32_t at = 0; at < columns; at++)
    if (chosen[at]) json_unsigned(json, NULL, totals[at]);
  json_end(json, ']');
}

static void write_events(struct json *json, const struct rates *rates, const struct range *range)
{
  chosen_rows chosen = no_rows(range);
  uint64_t *totals = calloc(range->columns, sizeof *totals);
  json_object(json, "events");
  if (chosen && totals) {
    choose_last(&rates->events, range, chosen);
    write_times(json, &rates->events, chosen, range->columns);
    json_object(json, "classes");
    for (unsigned i = 0; i < EVP_CLASS_COUNT; i++)
      if (rates->events_total[i]) write_class(json, rates, chosen, range->columns, i, totals);
    json_end(json, '}');
  } else
    json->failed = true;
  json_end(json, '}');
  free(totals);
  free(chosen);
}

/* ---------------------------------------------------------------------------------------------------------------- pauses */

static void write_generation(struct json *json, const struct column *column, const struct range *range, unsigned number)
{
  struct pause *pauses = calloc(range->columns, sizeof *pauses);
  size_t begin, end;
  range_rows(range, column, &begin, &end);
  for (size_t i = begin; pauses && i < end; i++) {
    struct pause pause = *(const struct pause *)column_at(column, i);
    struct pause *place = &pauses[range_column(range, pause.time)];
    if (place->collections)
      pause_add(NULL, place, &pause);
    else
      *place = pause;
  }
  json->failed = json->failed || !pauses;
  pauses_json(json, number, pauses, pauses ? range->columns : 0);
  free(pauses);
}

static void write_pauses(struct json *json, const struct history *history, const struct range *range)
{
  json_array(json, "pauses");
  for (unsigned i = 0; i < GENERATIONS_MAX; i++)
    if (history->generations[i].collections) write_generation(json, &history->generations[i].column, range, i);
  json_end(json, ']');
  json_array(json, "pause_buckets");
  for (unsigned i = 0; i < GENERATIONS_MAX; i++) {
    const struct generation *generation = &history->generations[i];
    if (!generation->collections) continue;
    json_object(json, NULL);
    json_unsigned(json, "generation", i);
    json_array(json, "bounds");
    for (uint32_t j = 0; j < generation->n_bounds; j++) json_double(json, NULL, generation->bounds[j]);
    json_end(json, ']');
    json_array(json, "counts");
    for (uint32_t j = 0; j <= generation->n_bounds; j++) json_unsigned(json, NULL, generation->counts[j]);
    json_end(json, ']');
    json_end(json, '}');
  }
  json_end(json, ']');
}

/* ----------------------------------------------------------------------------------------------------------------- lists */

static void write_breaks(struct json *json, const struct column *breaks, const struct range *range)
{
  size_t begin, end;
  range_rows(range, breaks, &begin, &end);
  json_array(json, "breaks");
  for (size_t i = begin; i < end; i++) json_seconds(json, NULL, column_time(breaks, i));
  json_end(json, ']');
}

static void write_logs(struct json *json, const struct log_ring *logs, const struct range *range)
{
  size_t begin, end;
  range_rows(range, &logs->column, &begin, &end);
  if (end - begin > VIEW_LOGS_MAX) begin = end - VIEW_LOGS_MAX;
  json_array(json, "logs");
  for (size_t i = begin; i < end; i++) log_json(json, log_ring_at(logs, i));
  json_end(json, ']');
}

/* ------------------------------------------------------------------------------------------------------------------ all */

static void write_time(struct json *json, const char *key, bool there, int64_t time)
{
  if (there)
    json_seconds(json, key, time);
  else
    json_null(json, key);
}

bool view_write(const struct program *program, const struct view *view, struct evp_buf *text)
{
  const struct history *history = &program->history;
  bool any = history->newest != INT64_MIN;
  int64_t first = any ? history_first(history) : 0, last = any ? history->newest : 0;
  const struct range range =
    range_of(view->from == INT64_MIN ? first : view->from, view->to == INT64_MAX ? last : view->to, view->columns);
  struct json json = {.text = text};
  json_object(&json, NULL);
  json_unsigned(&json, "program", program->id);
  write_time(&json, "from", any || view->from != INT64_MIN, range.from);
  write_time(&json, "to", any || view->to != INT64_MAX, range.to);
  write_time(&json, "first", any, first);
  write_time(&json, "last", any, last);
  json_double(&json, "step", (double)range.width / 1e9);
  json_unsigned(&json, "seq", program->sequence);
  write_breaks(&json, &history->breaks, &range);
  write_gauges(&json, history, &range, "heap", GAUGE_SIZE);
  write_gauges(&json, history, &range, "memory", GAUGE_CURRENT);
  write_allocated(&json, &history->rates, &range);
  write_pauses(&json, history, &range);
  write_events(&json, &history->rates, &range);
  if (!view_write_census(&json, &history->censuses, &range, view)) json.failed = true;
  write_logs(&json, &history->logs, &range);
  json_end(&json, '}');
  return !json.failed;
}
