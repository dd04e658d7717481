#include "config/diagnostics.h"
#include "config/excerpt.h"
#include "userinfo.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEPT = 100, MAX_WORD = 64 };

struct diagnostic {
  struct place place;
  bool warning;
  char *text;
  size_t order;
};

struct diagnostics {
  const char *path;
  struct excerpt excerpt;
  struct diagnostic kept[MAX_KEPT];
  size_t n_kept, n_errors, n_left_out;
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
  free(diagnostics->excerpt.hidden);
  free(diagnostics);
}

void diagnostics_set_text(struct diagnostics *diagnostics, const char *text, size_t size)
{
  diagnostics->excerpt.text = text;
  diagnostics->excerpt.size = size;
}

void diagnostics_set_understood(struct diagnostics *diagnostics)
{
  diagnostics->excerpt.understood = true;
}

void diagnostics_hide(struct diagnostics *diagnostics, struct place place)
{
  struct excerpt *excerpt = &diagnostics->excerpt;
  struct place *hidden = realloc(excerpt->hidden, (excerpt->n_hidden + 1) * sizeof *hidden);
  if (!hidden) { /* rather no lines at all than a secret in one of them */
    excerpt->text = NULL;
    return;
  }
  excerpt->hidden = hidden;
  hidden[excerpt->n_hidden++] = place;
}

/* What a message quotes may hold line feeds and what steers a terminal. */
static void make_one_line(char *text)
{
  for (; *text; text++)
    if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
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
  make_one_line(text);
  userinfo_hide(text);
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

const char *diagnostics_first_error(const struct diagnostics *diagnostics)
{
  for (size_t i = 0; i < diagnostics->n_kept; i++)
    if (!diagnostics->kept[i].warning) return diagnostics->kept[i].text;
  return NULL;
}

/* ------------------------------------------------------------------------------------------------------ printing */

static int by_place(const void *a, const void *b)
{
  const struct diagnostic *x = a, *y = b;
  if (x->place.line != y->place.line) return x->place.line < y->place.line ? -1 : 1;
  if (x->place.column != y->place.column) return x->place.column < y->place.column ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

void diagnostics_print(struct diagnostics *diagnostics, FILE *file)
{
  qsort(diagnostics->kept, diagnostics->n_kept, sizeof *diagnostics->kept, by_place);
  for (size_t i = 0; i < diagnostics->n_kept; i++) {
    const struct diagnostic *diagnostic = &diagnostics->kept[i];
    fputs(diagnostics->path, file);
    if (diagnostic->place.line) fprintf(file, ":%u:%u", diagnostic->place.line, diagnostic->place.column);
    fprintf(file, ": %s: %s\n", diagnostic->warning ? "warning" : "error", diagnostic->text);
    if (diagnostic->place.line) excerpt_print(&diagnostics->excerpt, diagnostic->place, file);
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
  unsigned best = ((unsigned)strlen(word) + 1) / 3; /* more would suggest `each` for `path` */
  for (; *words; words++) {
    unsigned edits = distance(word, *words);
    if (edits > best || edits >= strlen(word) || (nearest && edits == best)) continue;
    best = edits;
    nearest = *words;
  }
  return nearest;
}
