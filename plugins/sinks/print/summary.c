#include "summary.h"
#include "monotonic.h"
#include "summary_state.h"
#include "text.h"
#include "utf8.h"

struct summary *summary_new(void)
{
  return calloc(1, sizeof(struct summary));
}

void summary_free(struct summary *summary)
{
  if (!summary) return;
  for (size_t i = 0; i < summary->n_sources; i++) {
    if (summary->sources[i]->stream) evp_stream_unref(summary->sources[i]->stream);
    free(summary->sources[i]);
  }
  text_free(&summary->text);
  free(summary);
}

static void copy_text(char *to, size_t room, const char *text, size_t size)
{
  size_t cut = utf8_cut(text, size, room - 1);
  memcpy(to, text, cut);
  to[cut] = 0;
}

static void copy_string(char *to, size_t room, const char *text)
{
  copy_text(to, room, text ? text : "", text ? strlen(text) : 0);
}

/* -------------------------------------------------------------------------------------------------------------- sources */

/* NULL: one too many, or no memory. */
static struct source *find_source(struct summary *summary, const struct evp_stream *stream)
{
  const char *name = evp_stream_source(stream);
  for (size_t i = 0; i < summary->n_sources; i++)
    if (!strncmp(summary->sources[i]->name, name, sizeof summary->sources[i]->name - 1)) return summary->sources[i];
  struct source *source = summary->n_sources < SUMMARY_SOURCES ? calloc(1, sizeof *source) : NULL;
  if (!source) return NULL;
  copy_string(source->name, sizeof source->name, name);
  summary->sources[summary->n_sources++] = source;
  return source;
}

static void learn_facts(struct source *source, const struct evp_stream *stream)
{
  copy_string(source->program, sizeof source->program, evp_stream_program(stream));
  copy_string(source->rts, sizeof source->rts, evp_stream_rts(stream));
  source->pid = evp_stream_pid(stream);
}

bool summary_begin(struct summary *summary, const struct evp_stream *stream)
{
  struct source *source = find_source(summary, stream);
  summary->changed = true;
  if (!source) return summary->n_sources == SUMMARY_SOURCES;
  if (source->stream) evp_stream_unref(source->stream);
  source->stream = evp_stream_ref(stream);
  source->streams++;
  return true;
}

void summary_end(struct summary *summary, const struct evp_stream *stream)
{
  struct source *source = find_source(summary, stream);
  summary->changed = true;
  if (!source || source->stream != stream) return;
  learn_facts(source, stream);
  evp_stream_unref(source->stream);
  source->stream = NULL;
}

/* -------------------------------------------------------------------------------------------------------------- metrics */

static const char *label_of(const struct evp_series *series, const char *key)
{
  for (uint32_t i = 0; i < series->n_labels; i++)
    if (!strcmp(series->labels[i].key, key)) return series->labels[i].value;
  return "";
}

static struct row *find_row(struct source *source, const struct evp_series *series)
{
  for (size_t i = 0; i < source->n_rows; i++)
    if (!strncmp(source->rows[i].name, series->name, sizeof source->rows[i].name - 1)) return &source->rows[i];
  if (source->n_rows == SUMMARY_ROWS) return NULL;
  struct row *row = &source->rows[source->n_rows++];
  copy_string(row->name, sizeof row->name, series->name);
  copy_string(row->unit, sizeof row->unit, series->unit);
  row->kind = series->kind;
  row->type = series->type;
  return row;
}

/* NULL: one too many. */
static struct series_value *find_series(struct summary *summary, struct source *source, const struct evp_series *series)
{
  size_t slot = (size_t)series->id & (SUMMARY_SERIES - 1);
  while (summary->series[slot].row && summary->series[slot].id != series->id) slot = (slot + 1) & (SUMMARY_SERIES - 1);
  struct series_value *value = &summary->series[slot];
  if (value->row) return value;
  if (summary->n_series >= SUMMARY_SERIES * 3 / 4) return NULL;
  value->row = find_row(source, series);
  if (!value->row) return NULL;
  value->id = series->id;
  summary->n_series++;
  return value;
}

static void note_greatest(struct row *row, const struct evp_series *series, const struct evp_buckets *buckets)
{
  uint32_t greatest = series->n_bounds;
  while (greatest > 0 && buckets->counts[greatest] == 0) greatest--;
  if (series->n_bounds == 0 || buckets->counts[greatest] == 0) return;
  row->beyond = row->beyond || greatest == series->n_bounds;
  double bound = series->bounds[row->beyond ? series->n_bounds - 1 : greatest];
  if (bound > row->bound) row->bound = bound;
}

static void set_row(struct summary *summary, struct source *source, const struct evp_metric *metric)
{
  struct series_value *series = find_series(summary, source, metric->series);
  if (!series) {
    summary->left_out++;
    return;
  }
  double value = 0;
  uint64_t count = 0;
  switch (metric->series->type) {
  case EVP_INT64:
    value = (double)metric->value.i;
    break;
  case EVP_DOUBLE:
    value = metric->value.d;
    break;
  default:
    value = metric->value.buckets->sum;
    count = metric->value.buckets->count;
    note_greatest(series->row, metric->series, metric->value.buckets);
  }
  series->row->value += value - series->value;
  series->row->count += count - series->count;
  series->value = value;
  series->count = count;
}

/* --------------------------------------------------------------------------------------------------------------- census */

static void rank_band(struct census *census, const char *name, int64_t bytes)
{
  size_t place = census->n;
  while (place && census->largest[place - 1].bytes < bytes) place--;
  if (place == SUMMARY_BANDS) return;
  if (census->n < SUMMARY_BANDS) census->n++;
  memmove(&census->largest[place + 1], &census->largest[place], (census->n - 1 - place) * sizeof census->largest[0]);
  copy_string(census->largest[place].name, sizeof census->largest[place].name, name);
  census->largest[place].bytes = bytes;
}

/* All bands of a census have its time. One that vanished comes once as 0. */
static void add_band(struct source *source, const struct evp_metric *metric)
{
  struct census *census = &source->next;
  if (census->time != metric->time) {
    if (census->bands) source->census = *census;
    *census = (struct census){.time = metric->time};
    copy_string(census->breakdown, sizeof census->breakdown, label_of(metric->series, "breakdown"));
  }
  if (metric->value.i <= 0) return;
  census->bands++;
  census->sum += metric->value.i;
  rank_band(census, label_of(metric->series, "band"), metric->value.i);
}

static bool ends_with(const char *name, const char *end)
{
  size_t size = strlen(name), end_size = strlen(end);
  return size >= end_size && !strcmp(name + size - end_size, end);
}

static void add_metrics(struct summary *summary, struct source *source, const struct evp_batch *batch)
{
  for (uint32_t i = 0; i < batch->n; i++) {
    const struct evp_metric *metric = &batch->metrics[batch->sel[i]];
    const char *name = metric->series->name;
    if (!strcmp(name, "ghc_heap_census_bytes") && metric->series->type == EVP_INT64)
      add_band(source, metric);
    else if (!ends_with(name, "_info") && strcmp(name, "ghc_heap_profiled_bytes")) /* the sum: with the bands */
      set_row(summary, source, metric);
  }
  /* A census of nothing but zeros takes back the bands of a stream that ended: people want the last real one. */
  bool complete = !(batch->flags & EVP_BATCH_MORE);
  if (complete && source->next.bands) source->census = source->next;
}

static void add_logs(struct source *source, const struct evp_batch *batch)
{
  source->logs += batch->n;
  if (!batch->n) return;
  const struct evp_log *last = &batch->logs[batch->sel[batch->n - 1]];
  copy_text(source->last_log, sizeof source->last_log, last->body, last->body_size);
}

bool summary_add(struct summary *summary, const struct evp_batch *batch)
{
  struct source *source = find_source(summary, batch->stream);
  summary->changed = true;
  if (!source) {
    summary->left_out += batch->n;
    return true;
  }
  switch (batch->signal) {
  case EVP_EVENTS:
    source->events += batch->n;
    source->takes_events = true;
    break;
  case EVP_METRICS:
    add_metrics(summary, source, batch);
    break;
  case EVP_LOGS:
    add_logs(source, batch);
    break;
  default:
    break;
  }
  return true;
}

/* ------------------------------------------------------------------------------------------------------------- painting */

static void remember_shown(struct summary *summary, uint64_t now)
{
  for (size_t i = 0; i < summary->n_sources; i++) {
    struct source *source = summary->sources[i];
    source->events_shown = source->events;
    for (size_t j = 0; j < source->n_rows; j++) {
      source->rows[j].shown = source->rows[j].value;
      source->rows[j].count_shown = source->rows[j].count;
      source->rows[j].was_shown = true;
    }
  }
  summary->changed = false;
  summary->painted = now;
}

static bool compose(struct summary *summary, const struct terminal *terminal, uint64_t now)
{
  for (size_t i = 0; i < summary->n_sources; i++)
    if (summary->sources[i]->stream) learn_facts(summary->sources[i], summary->sources[i]->stream);
  double seconds = summary->painted ? (double)(now - summary->painted) / 1e9 : 0;
  summary->text.size = 0;
  return summary_compose(summary, terminal, seconds);
}

/* Where the picture can not be replaced it is only repeated when there is news. */
bool summary_paint(struct summary *summary, struct output *output, uint64_t now)
{
  struct terminal terminal;
  terminal_look(&terminal, output->fd);
  if (!terminal.in_place && !summary->changed) return true;
  bool good = compose(summary, &terminal, now);
  if (good && terminal.in_place)
    good = terminal_replace(&output->text, &terminal, (const char *)summary->text.data, summary->text.size);
  else if (good)
    good = text_put(&output->text, summary->text.data, summary->text.size) && text_put_char(&output->text, '\n');
  remember_shown(summary, now);
  return good;
}

void summary_finish(struct summary *summary, struct output *output)
{
  struct terminal terminal;
  terminal_look(&terminal, output->fd);
  if (!terminal.in_place && !summary->changed && summary->painted) return;
  if (!compose(summary, &terminal, monotonic())) return;
  if (terminal.in_place)
    terminal_leave(&output->text, &terminal, (const char *)summary->text.data, summary->text.size);
  else
    text_put(&output->text, summary->text.data, summary->text.size);
}
