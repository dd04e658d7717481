#include "terminal.h"
#include "text.h"
#include "utf8.h"
#include <stdlib.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------------------------------- what it can do */

static bool locale_is_utf8(void)
{
  static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *value = getenv(names[i]);
    if (value && *value) return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
  }
  return false;
}

static unsigned environment_width(void)
{
  const char *columns = getenv("COLUMNS");
  unsigned long width = columns ? strtoul(columns, NULL, 10) : 0;
  return width >= 20 && width <= 1000 ? (unsigned)width : 80;
}

void terminal_look(struct terminal *terminal, int fd)
{
  const char *type = getenv("TERM"), *no_colour = getenv("NO_COLOR");
  struct winsize size = {0};
  bool tty = isatty(fd) && !ioctl(fd, TIOCGWINSZ, &size);
  terminal->in_place = tty && type && *type && strcmp(type, "dumb") != 0;
  terminal->colour = terminal->in_place && !(no_colour && *no_colour);
  terminal->utf8 = locale_is_utf8();
  terminal->width = tty && size.ws_col ? size.ws_col : environment_width();
  terminal->height = terminal->in_place && size.ws_row ? size.ws_row : 0;
}

/* ---------------------------------------------------------------------------------------------------------------- cells */

static uint32_t code_point(const uint8_t *text, size_t length)
{
  uint32_t code = length == 1 ? text[0] : text[0] & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; i++) code = code << 6 | (text[i] & 0x3f);
  return code;
}

struct range {
  uint32_t first, last;
};

static bool in_ranges(uint32_t code, const struct range *ranges, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (code >= ranges[i].first && code <= ranges[i].last) return true;
  return false;
}

/* wcwidth() would need the program's locale to be set; the coarse ranges of Unicode's EastAsianWidth do here. */
static unsigned cells_of(uint32_t code)
{
  static const struct range none[] = {{0x300, 0x36f}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}};
  static const struct range two[] = {{0x1100, 0x115f}, {0x2e80, 0xa4cf}, {0xac00, 0xd7a3}, {0xf900, 0xfaff},
    {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd}};
  if (code < 0x300) return 1;
  if (in_ranges(code, none, sizeof none / sizeof *none)) return 0;
  return in_ranges(code, two, sizeof two / sizeof *two) ? 2 : 1;
}

bool terminal_put_cells(struct evp_buf *out, const char *text, size_t size, unsigned cells, unsigned *used)
{
  const uint8_t *bytes = (const uint8_t *)text;
  *used = 0;
  for (size_t i = 0; i < size;) {
    size_t length = utf8_length(bytes + i, size - i);
    unsigned width = length ? cells_of(code_point(bytes + i, length)) : 1;
    if (!length) length = 1;
    if (*used + width > cells) break;
    if (!text_put_visible(out, text + i, length)) return false;
    *used += width;
    i += length;
  }
  return true;
}

/* -------------------------------------------------------------------------------------------------------------- pictures */

static size_t sequence_length(const char *text, size_t size)
{
  const char *end = size > 1 && text[0] == '\033' && text[1] == '[' ? memchr(text, 'm', size) : NULL;
  return end ? (size_t)(end - text) + 1 : 0;
}

static bool put_line(struct evp_buf *out, const struct terminal *terminal, const char *line, size_t size)
{
  unsigned room = terminal->width;
  bool good = true, coloured = false;
  for (size_t i = 0; good && i < size;) {
    size_t sequence = sequence_length(line + i, size - i);
    if (sequence) {
      good = text_put(out, line + i, sequence);
      coloured = true;
      i += sequence;
      continue;
    }
    const char *escape = memchr(line + i, '\033', size - i);
    size_t plain = escape ? (size_t)(escape - line) - i : size - i;
    unsigned used;
    good = terminal_put_cells(out, line + i, plain ? plain : 1, room, &used);
    room -= used;
    i += plain ? plain : 1;
  }
  return good && (!coloured || text_put_string(out, "\033[0m")) && text_put_string(out, "\033[K");
}

/* All the lines, the cursor at the end of the last one; *lines is how far it is from the line above them. */
static bool put_picture(
  struct evp_buf *out, const struct terminal *terminal, const char *text, size_t size, unsigned *lines)
{
  bool good = text_put_string(out, "\033[?25l\r\033[K");
  *lines = 0;
  for (size_t i = 0; good && i < size && (!terminal->height || *lines + 2 < terminal->height); ++*lines) {
    const char *end = memchr(text + i, '\n', size - i);
    size_t line = end ? (size_t)(end - text) - i : size - i;
    good = text_put(out, "\r\n", 2) && put_line(out, terminal, text + i, line);
    i += line + 1;
  }
  return good && text_put_string(out, "\033[J");
}

bool terminal_replace(struct evp_buf *out, const struct terminal *terminal, const char *text, size_t size)
{
  unsigned lines;
  if (!put_picture(out, terminal, text, size, &lines) || !text_put_char(out, '\r')) return false;
  return (!lines || text_printf(out, "\033[%uA", lines)) && text_put_string(out, "\033[?25h");
}

bool terminal_leave(struct evp_buf *out, const struct terminal *terminal, const char *text, size_t size)
{
  unsigned lines;
  struct terminal endless = *terminal;
  endless.height = 0; /* it may scroll now */
  return put_picture(out, &endless, text, size, &lines) && text_put_string(out, "\r\n\033[?25h");
}
