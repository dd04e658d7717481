#include "config/excerpt.h"
#include "userinfo.h"
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { MAX_SHOWN = 160, MARGIN = 20 };

/* What is shown in one place: a character, or *** for all the columns of a secret. */
struct cell {
  char text[8];
  unsigned width;
  unsigned from, to; /* the columns that it stands for; `to` is behind the last */
};

struct line {
  const char *text;
  size_t size;
  unsigned number;
  unsigned secret; /* from this column on all is secret; 0: nothing is */
  size_t word_end; /* of the word that was last looked at for an address with a user and password */
  unsigned userinfo, userinfo_end; /* their columns; 0: there are none */
  struct cell cells[MAX_SHOWN];
  unsigned n;
  bool cut;
};

/* -------------------------------------------------------------------------------------------------------- secrets */

bool is_secret_key(const char *word, size_t size)
{
  static const char *const secret[] = {"password", "token", "secret", "credential", "passwd", "passphrase"};
  for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
    size_t length = strlen(secret[i]);
    for (size_t at = 0; at + length <= size; at++)
      if (!strncasecmp(word + at, secret[i], length)) return true;
  }
  return false;
}

/* The offset of what stands behind a key such as `password:`, which may be the line's end; SIZE_MAX: no such key. */
static size_t find_secret(const char *line, size_t size)
{
  for (size_t i = 0; i < size; i++) {
    if (line[i] != ':') continue;
    size_t end = i;
    while (end && strchr(" \t\"'", line[end - 1])) end--;
    size_t begin = end;
    while (begin && !strchr(" \t{[,\"'", line[begin - 1])) begin--;
    if (!is_secret_key(line + begin, end - begin)) continue;
    do i++;
    while (i < size && strchr(" \t", line[i]));
    return i;
  }
  return SIZE_MAX;
}

static size_t indent_of(const struct line *line)
{
  size_t indent = 0;
  while (indent < line->size && line->text[indent] == ' ') indent++;
  return indent;
}

static unsigned columns_in(const char *text, size_t size)
{
  unsigned columns = 0;
  for (size_t i = 0; i < size; i++) columns += ((unsigned char)text[i] & 0xc0) != 0x80;
  return columns;
}

static unsigned column_of(const struct line *line, size_t offset)
{
  return 1 + columns_in(line->text, offset);
}

/* In a text that is none of YAML's. What is indented deeper than a secret's key, below it, goes on with it: a block of
   text, or a value on a line of its own. `key_indent` is that of such a key above, and is brought up to date. */
static void guess_secret(struct line *line, size_t *key_indent)
{
  size_t indent = indent_of(line), secret = find_secret(line->text, line->size);
  bool goes_on = *key_indent != SIZE_MAX && (indent > *key_indent || indent == line->size);
  if (goes_on) {
    line->secret = column_of(line, indent);
  } else {
    *key_indent = secret == SIZE_MAX ? SIZE_MAX : indent;
    line->secret = secret == SIZE_MAX ? 0 : column_of(line, secret);
  }
}

/* The bytes of the line break at `at`, 0 if there is none: what YAML 1.1, and so libyaml, counts lines by. */
static size_t line_break(const char *at, const char *end)
{
  if (*at == '\r') return at + 1 < end && at[1] == '\n' ? 2 : 1;
  if (*at == '\n') return 1;
  if (end - at >= 2 && !memcmp(at, "\xc2\x85", 2)) return 2; /* NEL */
  return end - at >= 3 && (!memcmp(at, "\xe2\x80\xa8", 3) || !memcmp(at, "\xe2\x80\xa9", 3)) ? 3 : 0; /* LS, PS */
}

const char *excerpt_next_line(const char *at, const char *end, size_t *size)
{
  const char *stop = at;
  size_t length = 0;
  while (stop < end && !(length = line_break(stop, end))) stop++;
  *size = (size_t)(stop - at);
  return length ? stop + length : NULL;
}

/* False: there is no such line. */
static bool find_line(const struct excerpt *excerpt, unsigned number, struct line *line)
{
  const char *at = excerpt->text, *end = at ? at + excerpt->size : NULL;
  size_t key_indent = SIZE_MAX;
  for (unsigned i = 1; at && at < end; i++) {
    line->text = at;
    at = excerpt_next_line(at, end, &line->size);
    if (!excerpt->understood) guess_secret(line, &key_indent);
    if (i == number) return true;
  }
  return false;
}

/* The column behind the secret that `column` of the line lies in; 0: it lies in none. */
static unsigned end_of_hidden(const struct place *place, unsigned line, unsigned column)
{
  unsigned last = place->last_line ? place->last_line : place->line;
  unsigned from = line == place->line ? place->column : 1, to = UINT32_MAX;
  if (line < place->line || line > last) return 0;
  if (line == last) to = place->last_line ? place->last_column : place->column + place->length;
  return column >= from && column < to ? to : 0;
}

/* Of a text that is YAML the values are hidden as a whole: words are what stands in comments. */
static void look_at_word(const struct excerpt *excerpt, struct line *line, size_t at, unsigned column)
{
  size_t begin, end, size = line->size - at;
  if (at < line->word_end) return;
  const char *word = line->text + at;
  for (size_t i = 1; excerpt->understood && i < size; i++)
    if (word[i] == ' ' || word[i] == '\t') size = i;
  line->word_end = at + size;
  line->userinfo = line->userinfo_end = 0;
  if (!userinfo_find(word, size, &begin, &end)) return;
  line->userinfo = column + columns_in(word, begin);
  line->userinfo_end = column + columns_in(word, end);
}

static unsigned secret_end(const struct excerpt *excerpt, const struct line *line, unsigned column)
{
  if (line->secret && column >= line->secret) return UINT32_MAX;
  if (column >= line->userinfo && column < line->userinfo_end) return line->userinfo_end;
  for (size_t i = 0; i < excerpt->n_hidden; i++) {
    unsigned end = end_of_hidden(&excerpt->hidden[i], line->number, column);
    if (end) return end;
  }
  return 0;
}

/* ------------------------------------------------------------------------------------------------------- showing */

static size_t character_length(const struct line *line, size_t at)
{
  size_t length = 1;
  while (at + length < line->size && length < 4 && ((unsigned char)line->text[at + length] & 0xc0) == 0x80) length++;
  return length;
}

static bool is_control(const char *character, size_t length)
{
  unsigned char first = (unsigned char)character[0];
  if (length == 1) return (first < 0x20 && first != '\t') || first == 0x7f;
  return length == 2 && first == 0xc2 && (unsigned char)character[1] < 0xa0;
}

static void put_cell(struct line *line, struct cell cell, const char *text, size_t length)
{
  if (line->n == MAX_SHOWN) {
    line->cut = true;
    return;
  }
  memcpy(cell.text, text, length);
  line->cells[line->n++] = cell;
}

/* The cells from a column on. */
static void take_cells(const struct excerpt *excerpt, struct line *line, unsigned first)
{
  unsigned column = 1;
  for (size_t at = 0; at < line->size && !line->cut;) {
    look_at_word(excerpt, line, at, column);
    unsigned from = column, secret = secret_end(excerpt, line, column);
    size_t begin = at;
    do {
      at += character_length(line, at);
      column++;
    } while (at < line->size && column < secret);
    struct cell cell = {.from = from, .to = column, .width = secret ? 3 : 1};
    if (column <= first) continue;
    if (secret)
      put_cell(line, cell, "***", 3);
    else if (is_control(line->text + begin, at - begin))
      put_cell(line, cell, "?", 1);
    else
      put_cell(line, cell, line->text + begin, at - begin);
  }
}

static void print_mark(const struct cell *cell, struct place place, FILE *file)
{
  bool caret = place.column >= cell->from && place.column < cell->to;
  bool under = caret || (cell->from > place.column && cell->from < place.column + place.length);
  if (cell->text[0] == '\t' && !under) {
    fputc('\t', file);
    return;
  }
  for (unsigned i = 0; i < cell->width; i++) fputc(!under ? ' ' : caret && !i ? '^' : '~', file);
}

static void print_marks(const struct line *line, struct place place, FILE *file)
{
  unsigned end = place.column + (place.length ? place.length : 1);
  for (unsigned i = 0; i < line->n && line->cells[i].from < end; i++) print_mark(&line->cells[i], place, file);
  if (!line->n || place.column >= line->cells[line->n - 1].to) fputc('^', file); /* behind the line's last character */
  fputc('\n', file);
}

void excerpt_print(const struct excerpt *excerpt, struct place place, FILE *file)
{
  struct line line = {.number = place.line};
  if (!find_line(excerpt, place.line, &line)) return;
  unsigned first = place.column < MAX_SHOWN - MARGIN ? 1 : place.column - MAX_SHOWN / 2;
  take_cells(excerpt, &line, first);
  int gutter = fprintf(file, "%5u | ", place.line);
  fputs(first > 1 ? "..." : "", file);
  for (unsigned i = 0; i < line.n; i++) fputs(line.cells[i].text, file);
  fprintf(file, "%s\n%*s%s", line.cut ? "..." : "", gutter, "| ", first > 1 ? "   " : "");
  print_marks(&line, place, file);
}
