#include "summary_state.h"
#include "text.h"
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#define BOLD "\033[1m"
#define DIM "\033[2m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define PLAIN "\033[0m"

enum { NAME_CELLS = 28, NAME_MOST = 60, VALUE_CELLS = 12, CHANGE_CELLS = 16 };

struct picture {
  struct evp_buf *out;
  const struct terminal *terminal;
  double seconds; /* since the last one; 0: it is the first */
  bool good;
};

static void put(struct picture *picture, const char *text)
{
  picture->good = picture->good && text_put_string(picture->out, text);
}

static void put_style(struct picture *picture, const char *style)
{
  if (picture->terminal->colour) put(picture, style);
}

/* In so many cells, to the left or to the right of them. */
static void put_column(struct picture *picture, const char *text, unsigned cells, bool right)
{
  struct evp_buf part = {0};
  unsigned used = 0;
  picture->good = picture->good && terminal_put_cells(&part, text, strlen(text), cells, &used);
  for (unsigned i = used; right && i < cells; i++) put(picture, " ");
  picture->good = picture->good && text_put(picture->out, part.data, part.size);
  for (unsigned i = used; !right && i < cells; i++) put(picture, " ");
  text_free(&part);
}

static void end_line(struct picture *picture)
{
  struct evp_buf *out = picture->out;
  while (out->size && out->data[out->size - 1] == ' ') out->size--;
  put(picture, "\n");
}

/* -------------------------------------------------------------------------------------------------------------- numbers */

static void format_bytes(char *to, size_t room, double bytes)
{
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (fabs(bytes) >= 1024 && unit < 4) {
    bytes /= 1024;
    unit++;
  }
  snprintf(to, room, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

static void format_seconds(char *to, size_t room, double seconds)
{
  double size = fabs(seconds);
  if (size >= 1 || size == 0)
    snprintf(to, room, "%.2f s", seconds);
  else if (size >= 1e-3)
    snprintf(to, room, "%.2f ms", seconds * 1e3);
  else
    snprintf(to, room, "%.1f us", seconds * 1e6);
}

/* 1,234,567 */
static void format_count(char *to, size_t room, double count)
{
  char digits[64];
  if (count != trunc(count) || fabs(count) >= 1e15) {
    snprintf(to, room, "%.4g", count);
    return;
  }
  int size = snprintf(digits, sizeof digits, "%.0f", fabs(count));
  size_t n = 0;
  if (count < 0) to[n++] = '-';
  for (int i = 0; i < size && n + 2 < room; i++) {
    if (i && (size - i) % 3 == 0) to[n++] = ',';
    to[n++] = digits[i];
  }
  to[n] = 0;
}

static void format_value(char *to, size_t room, double value, const char *unit)
{
  if (!strcmp(unit, "bytes"))
    format_bytes(to, room, value);
  else if (!strcmp(unit, "seconds"))
    format_seconds(to, room, value);
  else
    format_count(to, room, value);
}

/* ----------------------------------------------------------------------------------------------------------------- rows */

/* ghc_heap_allocated_bytes_total: "heap allocated" */
static void plain_name(char *to, size_t room, const char *name)
{
  static const char *const ends[] = {"_total", "_bytes", "_seconds"};
  if (!strncmp(name, "ghc_", 4)) name += 4;
  size_t size = strlen(name);
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    size_t end = strlen(ends[i]);
    if (size > end && !strncmp(name + size - end, ends[i], end)) size -= end;
  }
  if (size >= room) size = room - 1;
  for (size_t i = 0; i < size; i++) to[i] = name[i] == '_' ? ' ' : name[i];
  to[size] = 0;
}

static void put_change(struct picture *picture, double change, const char *unit)
{
  char number[64], text[80];
  if (change == 0) return;
  format_value(number, sizeof number, fabs(change), unit);
  const char *arrow = picture->terminal->utf8 ? (change > 0 ? "\u25b2 " : "\u25bc ") : change > 0 ? "+" : "-";
  snprintf(text, sizeof text, "%s%s", arrow, number);
  put_style(picture, change > 0 ? RED : GREEN);
  put_column(picture, text, CHANGE_CELLS, true);
  put_style(picture, PLAIN);
}

#define SHORTEST 0.25

static void put_rate(struct picture *picture, double change, const char *unit)
{
  char number[64], text[80];
  if (picture->seconds < SHORTEST) return; /* the last picture may come right after the one before */
  double rate = change / picture->seconds;
  format_value(number, sizeof number, strcmp(unit, "") ? rate : round(rate), unit);
  snprintf(text, sizeof text, "%s/s", number);
  put_column(picture, text, CHANGE_CELLS, true);
}

static void put_row(struct picture *picture, const char *name, double value, const char *unit)
{
  char number[64];
  format_value(number, sizeof number, value, unit);
  put(picture, "  ");
  put_column(picture, name, NAME_CELLS, false);
  put_column(picture, number, VALUE_CELLS, true);
}

/* gc pause   266   12/s  mean 2.75 ms, all <= 25.00 ms */
static void put_histogram(struct picture *picture, const char *name, const struct row *row)
{
  char number[64];
  put_row(picture, name, (double)row->count, "");
  put_rate(picture, (double)(row->count - row->count_shown), "");
  if (!row->count) return;
  format_value(number, sizeof number, row->value / (double)row->count, row->unit);
  put(picture, "  mean ");
  put(picture, number);
  if (row->bound == 0) return;
  format_value(number, sizeof number, row->bound, row->unit);
  put(picture, row->beyond ? ", some > " : ", all <= ");
  put(picture, number);
}

static void put_metric(struct picture *picture, const struct row *row)
{
  char name[sizeof row->name];
  plain_name(name, sizeof name, row->name);
  if (row->kind == EVP_HISTOGRAM) {
    put_histogram(picture, name, row);
  } else {
    put_row(picture, name, row->value, row->unit);
    double change = row->was_shown ? row->value - row->shown : 0;
    if (row->kind == EVP_COUNTER)
      put_rate(picture, change, row->unit);
    else
      put_change(picture, change, row->unit);
  }
  end_line(picture);
}

/* --------------------------------------------------------------------------------------------------------------- census */

/* Eighths of a cell, where the terminal has them. */
static void put_bar(struct picture *picture, double part, unsigned cells)
{
  static const char *const eighths[] = {"", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589"};
  unsigned all = (unsigned)lround(part * cells * 8);
  for (unsigned i = 0; i < all / 8; i++) put(picture, picture->terminal->utf8 ? "\u2588" : "#");
  if (picture->terminal->utf8) put(picture, eighths[all % 8]);
}

static void put_clock(struct picture *picture, int64_t unix_time)
{
  char text[32];
  struct tm utc;
  time_t seconds = (time_t)(unix_time / 1000000000);
  if (gmtime_r(&seconds, &utc) && strftime(text, sizeof text, "%H:%M:%SZ", &utc)) put(picture, text);
}

static unsigned cells_of_text(struct picture *picture, const char *text)
{
  struct evp_buf part = {0};
  unsigned used = 0;
  picture->good = picture->good && terminal_put_cells(&part, text, strlen(text), UINT_MAX, &used);
  text_free(&part);
  return used;
}

/* Of a name that is too long the end tells more: package:Module.Constructor. */
static void put_end_of_name(struct picture *picture, const char *name, unsigned cells)
{
  bool cut = false;
  while (*name && cells_of_text(picture, name) > cells - cut) {
    cut = true;
    do name++;
    while ((*name & 0xc0) == 0x80); /* within a character */
  }
  if (cut) put(picture, picture->terminal->utf8 ? "\u2026" : "~");
  put_column(picture, name, cells - cut, false);
}

static void put_band(struct picture *picture, const struct census *census, const struct band *band)
{
  enum { INDENT = 4, PERCENT_CELLS = 9, BAR_CELLS = 20, BAR_MOST = 60, NUMBERS = VALUE_CELLS + PERCENT_CELLS + 1 };
  char number[64];
  unsigned width = picture->terminal->width;
  unsigned name = NAME_CELLS + 2 - INDENT;
  if (width > INDENT + name + NUMBERS + BAR_CELLS) name = width - INDENT - NUMBERS - BAR_CELLS;
  if (name > NAME_MOST) name = NAME_MOST;
  unsigned taken = INDENT + name + NUMBERS;
  unsigned room = width > taken ? width - taken : 0;
  put(picture, "    ");
  put_end_of_name(picture, band->name, name);
  format_bytes(number, sizeof number, (double)band->bytes);
  put_column(picture, number, VALUE_CELLS, true);
  snprintf(number, sizeof number, "%.1f %%", 100 * (double)band->bytes / (double)census->sum);
  put_column(picture, number, PERCENT_CELLS, true);
  put(picture, " ");
  put_bar(picture, (double)band->bytes / (double)census->largest[0].bytes, room < BAR_MOST ? room : BAR_MOST);
  end_line(picture);
}

static void put_census(struct picture *picture, const struct census *census)
{
  char bytes[64], bands[64];
  format_bytes(bytes, sizeof bytes, (double)census->sum);
  format_count(bands, sizeof bands, (double)census->bands);
  put(picture, "  census by ");
  put(picture, *census->breakdown ? census->breakdown : "unknown");
  put(picture, " at ");
  put_clock(picture, census->time);
  put(picture, ": ");
  put_style(picture, BOLD);
  put(picture, bytes);
  put_style(picture, PLAIN);
  put(picture, " in ");
  put(picture, bands);
  put(picture, census->bands == 1 ? " band" : " bands");
  end_line(picture);
  for (size_t i = 0; i < census->n; i++) put_band(picture, census, &census->largest[i]);
  if (census->bands <= census->n) return;
  format_count(bands, sizeof bands, (double)(census->bands - census->n));
  put_style(picture, DIM);
  put(picture, "    and ");
  put(picture, bands);
  put(picture, " more");
  put_style(picture, PLAIN);
  end_line(picture);
}

/* -------------------------------------------------------------------------------------------------------------- sources */

static void put_text(struct picture *picture, const char *text)
{
  picture->good = picture->good && text_put_visible(picture->out, text, strlen(text));
}

static const char *state_word(const struct source *source)
{
  if (!source->stream) return source->streams ? "ended" : "waiting";
  return evp_stream_live(source->stream) ? "connected" : "reading";
}

static void put_heading(struct picture *picture, const struct source *source)
{
  char number[64];
  put_style(picture, BOLD);
  put_text(picture, source->name);
  put_style(picture, PLAIN);
  put(picture, ": ");
  put(picture, state_word(source));
  snprintf(number, sizeof number, ", stream %" PRIu64, source->streams);
  put(picture, number);
  if (*source->program) {
    put(picture, ", ");
    put_text(picture, source->program);
  }
  if (source->pid) {
    snprintf(number, sizeof number, ", pid %" PRIu32, source->pid);
    put(picture, number);
  }
  if (*source->rts) {
    put(picture, ", ");
    put_text(picture, source->rts);
  }
  end_line(picture);
}

static void put_source(struct picture *picture, const struct source *source)
{
  put_heading(picture, source);
  if (source->takes_events) {
    put_row(picture, "events", (double)source->events, "");
    put_rate(picture, (double)(source->events - source->events_shown), "");
    end_line(picture);
  }
  for (size_t i = 0; i < source->n_rows; i++) put_metric(picture, &source->rows[i]);
  if (source->census.bands) put_census(picture, &source->census);
  if (!source->logs) return;
  put_row(picture, "logs", (double)source->logs, "");
  put(picture, "  ");
  put_text(picture, source->last_log);
  end_line(picture);
}

bool summary_compose(struct summary *summary, const struct terminal *terminal, double seconds_since_last)
{
  char number[64];
  struct picture picture = {.out = &summary->text, .terminal = terminal, .seconds = seconds_since_last, .good = true};
  if (!summary->n_sources) put(&picture, "no source is connected yet\n");
  for (size_t i = 0; i < summary->n_sources; i++) put_source(&picture, summary->sources[i]);
  if (summary->left_out) {
    snprintf(number, sizeof number, "%" PRIu64 " items were too many to be shown\n", summary->left_out);
    put(&picture, number);
  }
  return picture.good;
}
