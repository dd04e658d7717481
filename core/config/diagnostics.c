#include "config/diagnostics.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_KEPT = 100, MAX_SHOWN = 160, MAX_WORD = 64 };

struct diagnostic {
  struct place place;
  bool warning;
  char *text;
  size_t order;
};

struct diagnostics {
  const char *path;
  const char *text; /* NULL: none */
  size_t size;
  struct diagnostic kept[MAX_KEPT];
  size_t n_kept, n_errors, n_left_out;
  struct place *hidden;
  size_t n_hidden;
};

struct diagnostics *diagnostics_new(const char *path)
{
  struct diagnostics *diagnostics = calloc(1, sizeof *diagnostics);
  if (diagnostics) diagnostics->path = path;
  return diagnostics;
}

void diagnostics_free(struct diagnostics *diagnostics)
{
  if (!diagnostics) return;
  for (size_t i = 0; i < diagnostics->n_kept; i++) free(diagnostics->kept[i].text);
  free(diagnostics->hidden);
  free(diagnostics);
}

void diagnostics_set_text(struct diagnostics *diagnostics, const char *text, size_t size)
{
  diagnostics->text = text;
  diagnostics->size = size;
}

void diagnostics_hide(struct diagnostics *diagnostics, struct place place)
{
  struct place *hidden = realloc(diagnostics->hidden, (diagnostics->n_hidden + 1) * sizeof *hidden);
  if (!hidden) { /* rather no lines at all than a secret in one of them */
    diagnostics->text = NULL;
    return;
  }
  diagnostics->hidden = hidden;
  hidden[diagnostics->n_hidden++] = place;
}

static void add(
  struct diagnostics *diagnostics, struct place place, bool warning, const char *format, va_list arguments)
{
  if (!warning) diagnostics->n_errors++;
  char *text = NULL;
  if (diagnostics->n_kept == MAX_KEPT || vasprintf(&text, format, arguments) < 0) {
    diagnostics->n_left_out++;
    return;
  }
  diagnostics->kept[diagnostics->n_kept] =
    (struct diagnostic){.place = place, .warning = warning, .text = text, .order = diagnostics->n_kept};
  diagnostics->n_kept++;
}

void diagnostics_error(struct diagnostics *diagnostics, struct place place, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  add(diagnostics, place, false, format, arguments);
  va_end(arguments);
}

void diagnostics_warning(struct diagnostics *diagnostics, struct place place, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  add(diagnostics, place, true, format, arguments);
  va_end(arguments);
}

size_t diagnostics_errors(const struct diagnostics *diagnostics)
{
  return diagnostics->n_errors;
}

/* ------------------------------------------------------------------------------------------------------ printing */

static int by_place(const void *a, const void *b)
{
  const struct diagnostic *x = a, *y = b;
  if (x->place.line != y->place.line) return x->place.line < y->place.line ? -1 : 1;
  if (x->place.column != y->place.column) return x->place.column < y->place.column ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

static const char *find_line(const struct diagnostics *diagnostics, unsigned line, size_t *size)
{
  const char *at = diagnostics->text, *end = at ? at + diagnostics->size : NULL;
  for (unsigned i = 1; at && i < line; i++) {
    at = memchr(at, '\n', (size_t)(end - at));
    if (at) at++;
  }
  if (!at || at >= end) return NULL;
  const char *stop = memchr(at, '\n', (size_t)(end - at));
  *size = (size_t)((stop ? stop : end) - at);
  if (*size && at[*size - 1] == '\r') --*size;
  return at;
}

/* A line as it may be shown: one element for each column. */
struct shown {
  char cells[MAX_SHOWN * 4][5]; /* each a character as UTF-8 */
  unsigned n;
};

static void take_cells(struct shown *shown, const char *line, size_t size)
{
  for (size_t i = 0; i < size && shown->n < sizeof shown->cells / sizeof *shown->cells; shown->n++) {
    size_t length = 1;
    while (i + length < size && length < 4 && ((unsigned char)line[i + length] & 0xc0) == 0x80) length++;
    char *cell = shown->cells[shown->n];
    bool control = length == 1 && ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) && line[i] != '\t';
    memcpy(cell, control ? "?" : line + i, length);
    cell[length] = '\0';
    i += length;
  }
}

static void hide_cells(struct shown *shown, unsigned from, unsigned to)
{
  for (unsigned i = from; i < to && i < shown->n; i++) strcpy(shown->cells[i], "*");
}

static bool is_secret_key(const char *word, size_t size)
{
  static const char *const secret[] = {"password", "token", "secret", "credential", "passwd", "passphrase"};
  for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
    size_t length = strlen(secret[i]);
    for (size_t at = 0; at + length <= size; at++)
      if (!strncasecmp(word + at, secret[i], length)) return true;
  }
  return false;
}

/* Even in a line that YAML does not understand, nothing behind `password:` is shown. */
static void hide_secrets(const struct diagnostics *diagnostics, unsigned number, struct shown *shown)
{
  char flat[sizeof shown->cells / sizeof *shown->cells + 1];
  for (unsigned i = 0; i < shown->n; i++) flat[i] = shown->cells[i][0];
  for (unsigned i = 0, begin = 0; i < shown->n; i++) {
    if (strchr(" \t{[,\"'", flat[i])) begin = i + 1;
    if (flat[i] != ':' || !is_secret_key(flat + begin, i - begin)) continue;
    unsigned from = i + 1;
    while (from < shown->n && flat[from] == ' ') from++;
    hide_cells(shown, from, shown->n);
    break;
  }
  for (size_t i = 0; i < diagnostics->n_hidden; i++) {
    const struct place *place = &diagnostics->hidden[i];
    if (place->line == number) hide_cells(shown, place->column - 1, place->column - 1 + place->length);
  }
}

static void print_line(const struct diagnostics *diagnostics, struct place place, FILE *file)
{
  size_t size;
  const char *line = find_line(diagnostics, place.line, &size);
  struct shown shown = {.n = 0};
  if (!line) return;
  take_cells(&shown, line, size);
  hide_secrets(diagnostics, place.line, &shown);
  unsigned caret = place.column ? place.column - 1 : 0, from = 0;
  if (caret >= MAX_SHOWN - 20) from = caret - (MAX_SHOWN / 2); /* a long line is shown around the place */
  unsigned to = shown.n < from + MAX_SHOWN ? shown.n : from + MAX_SHOWN;
  fprintf(file, "%5u | %s", place.line, from ? "..." : "");
  for (unsigned i = from; i < to; i++) fputs(shown.cells[i], file);
  fprintf(file, "%s\n      | %s", to < shown.n ? "..." : "", from ? "   " : "");
  for (unsigned i = from; i < caret; i++) fputc(i < shown.n && shown.cells[i][0] == '\t' ? '\t' : ' ', file);
  fputc('^', file);
  for (unsigned i = 1; i < place.length && caret + i < to; i++) fputc('~', file);
  fputc('\n', file);
}

void diagnostics_print(struct diagnostics *diagnostics, FILE *file)
{
  qsort(diagnostics->kept, diagnostics->n_kept, sizeof *diagnostics->kept, by_place);
  for (size_t i = 0; i < diagnostics->n_kept; i++) {
    const struct diagnostic *diagnostic = &diagnostics->kept[i];
    fputs(diagnostics->path, file);
    if (diagnostic->place.line) fprintf(file, ":%u:%u", diagnostic->place.line, diagnostic->place.column);
    fprintf(file, ": %s: %s\n", diagnostic->warning ? "warning" : "error", diagnostic->text);
    if (diagnostic->place.line) print_line(diagnostics, diagnostic->place, file);
  }
  if (diagnostics->n_left_out)
    fprintf(file, "%s: %zu more errors are not shown\n", diagnostics->path, diagnostics->n_left_out);
}

/* --------------------------------------------------------------------------------------------------- suggestions */

/* Edits that make one word of the other: insert, delete, replace, swap two neighbours. */
static unsigned distance(const char *a, const char *b)
{
  unsigned rows[3][MAX_WORD + 1];
  size_t n = strlen(a), m = strlen(b);
  if (n > MAX_WORD || m > MAX_WORD) return MAX_WORD;
  for (unsigned j = 0; j <= m; j++) rows[0][j] = j;
  for (size_t i = 1; i <= n; i++) {
    unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
    row[0] = (unsigned)i;
    for (size_t j = 1; j <= m; j++) {
      unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);
      if (above[j] + 1 < best) best = above[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
        best = before[j - 2] + 1;
      row[j] = best;
    }
  }
  return rows[n % 3][m];
}

const char *nearest_word(const char *word, const char *const *words)
{
  const char *nearest = NULL;
  unsigned best = (unsigned)strlen(word) / 3 + 1;
  for (; *words; words++) {
    unsigned edits = distance(word, *words);
    if (edits > best || (nearest && edits == best)) continue;
    best = edits;
    nearest = *words;
  }
  return nearest;
}
