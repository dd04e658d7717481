#include "log.h"
#include "userinfo.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_words[] = {"error", "warning", "info", "debug"};
static atomic_int configured_level = LOG_LEVEL_INFO;
static atomic_int configured_format = LOG_FORMAT_TEXT;
static atomic_bool on_terminal; /* a line clears what `print format: summary` may have drawn where it comes to stand */

void log_configure(enum log_level level, enum log_format format)
{
  atomic_store(&configured_level, (int)level);
  atomic_store(&configured_format, (int)format);
  atomic_store(&on_terminal, isatty(STDERR_FILENO) == 1);
}

bool log_level_parse(const char *word, enum log_level *level)
{
  for (size_t i = 0; i < sizeof level_words / sizeof *level_words; i++)
    if (!strcmp(word, level_words[i])) return *level = (enum log_level)i, true;
  return false;
}

bool log_enabled(enum log_level level)
{
  return (int)level <= atomic_load_explicit(&configured_level, memory_order_relaxed);
}

/* A line under construction. A message that does not fit is cut; the line's end always fits. */
struct line {
  size_t size;
  char text[4096];
};

enum { LINE_END = 8 }; /* room kept for what closes the line: a quote, a brace, an escape sequence, a line feed */

static void put(struct line *line, const char *text, size_t size)
{
  size_t room = sizeof line->text - LINE_END - line->size;
  if (size > room) size = room;
  memcpy(line->text + line->size, text, size);
  line->size += size;
}

static void put_text(struct line *line, const char *text)
{
  put(line, text, strlen(text));
}

static void put_escaped(struct line *line, const char *text, bool json)
{
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    char escape[8];
    if (c < 0x20 || c == 0x7f) {
      snprintf(escape, sizeof escape, json ? "\\u%04x" : "\\x%02x", c);
      put_text(line, escape);
    } else if (json && (c == '"' || c == '\\')) {
      put(line, (char[]){'\\', (char)c}, 2);
    } else {
      put(line, text, 1);
    }
  }
}

static void put_time(struct line *line)
{
  struct timespec now;
  struct tm utc;
  char text[64], whole[32];
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &utc);
  strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(text, sizeof text, "%s.%03ldZ", whole, now.tv_nsec / 1000000 % 1000);
  put_text(line, text);
}

static void put_json_member(struct line *line, const char *key, const char *value)
{
  if (!value) return;
  put_text(line, ",\"");
  put_text(line, key);
  put_text(line, "\":\"");
  put_escaped(line, value, true);
  put_text(line, "\"");
}

static void make_json(struct line *line, enum log_level level, const char *node, const char *place, const char *message)
{
  put_text(line, "{\"time\":\"");
  put_time(line);
  put_text(line, "\",\"level\":\"");
  put_text(line, level_words[level]);
  put_text(line, "\"");
  put_json_member(line, "node", node);
  put_json_member(line, "place", place);
  put_text(line, ",\"message\":\"");
  put_escaped(line, message, true);
  memcpy(line->text + line->size, "\"}\n", 3);
  line->size += 3;
}

static void make_text(struct line *line, enum log_level level, const char *node, const char *place, const char *message)
{
  put_time(line);
  put_text(line, " ");
  put_text(line, level_words[level]);
  if (node) {
    put_text(line, " ");
    put_escaped(line, node, false);
  }
  if (place) {
    put_text(line, " (");
    put_escaped(line, place, false);
    put_text(line, ")");
  }
  put_text(line, node || place ? ": " : " ");
  put_escaped(line, message, false);
  const char *end = atomic_load_explicit(&on_terminal, memory_order_relaxed) ? "\033[K\n" : "\n";
  memcpy(line->text + line->size, end, strlen(end));
  line->size += strlen(end);
}

void log_line_v(enum log_level level, const char *node, const char *place, const char *format, va_list arguments)
{
  if (!log_enabled(level)) return;
  int saved = errno;
  char message[2048];
  struct line line = {.size = 0};
  vsnprintf(message, sizeof message, format, arguments);
  userinfo_hide(message);
  if (atomic_load_explicit(&configured_format, memory_order_relaxed) == LOG_FORMAT_JSON)
    make_json(&line, level, node, place, message);
  else
    make_text(&line, level, node, place, message);
  ssize_t written;
  do written = write(STDERR_FILENO, line.text, line.size);
  while (written < 0 && errno == EINTR);
  errno = saved;
}

void log_line(enum log_level level, const char *node, const char *place, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  log_line_v(level, node, place, format, arguments);
  va_end(arguments);
}
