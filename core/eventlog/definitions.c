#include "eventlog/prologue.h"
#include "eventlog/reader.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define NANOSECONDS UINT64_C(1000000000)

enum { FACT_MAX = 255 }; /* bytes of a program's name, of the RTS's */

bool is_fact(uint16_t type)
{
  return type == EVP_PROGRAM_ARGS || type == EVP_RTS_IDENTIFIER || type == EVP_OSPROCESS_PID;
}

bool is_introduction(uint16_t type)
{
  return is_fact(type) || type == EVP_WALL_CLOCK_TIME || type == EVP_OSPROCESS_PPID || type == EVP_IPE;
}

/* The epoch is that of event time 0, and must leave room for event times to be added. */
static bool epoch_of(const struct evp_wall_clock_time *clock, uint64_t time, int64_t *epoch)
{
  uint64_t unix_time;
  if (clock->nanoseconds >= NANOSECONDS || time > LATEST_TIME) return false;
  if (__builtin_mul_overflow(clock->seconds, NANOSECONDS, &unix_time)) return false;
  if (__builtin_add_overflow(unix_time, clock->nanoseconds, &unix_time)) return false;
  if (unix_time >= LATEST_TIME) return false; /* an event may have that time itself */
  *epoch = (int64_t)unix_time - (int64_t)time;
  return true;
}

bool clock_read(struct eventlog *log, const struct evp_event *event)
{
  struct evp_wall_clock_time clock;
  int64_t epoch;
  if (!evp_read_wall_clock_time(event, log->state.dialect, &clock)) return false;
  if (!epoch_of(&clock, event->time, &epoch)) return false;
  if (log->state.epoch_exact && log->state.epoch == epoch) return false;
  log->state.epoch = epoch;
  log->state.epoch_exact = true;
  return true;
}

/* For people and for labels: UTF-8, bounded, no control characters. NULL: nothing is left, or no memory. */
static char *clean_fact(struct evp_text text)
{
  size_t size = text.size < FACT_MAX ? text.size : FACT_MAX;
  while (size < text.size && size > 0 && ((uint8_t)text.data[size] & 0xc0) == 0x80) size--;
  if (size == 0) return NULL;
  char *fact = text_make_utf8(text.data, size, NULL);
  for (char *c = fact; c && *c; c++)
    if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '?';
  return fact;
}

static struct evp_text base_name(struct evp_text path)
{
  const char *slash = memrchr(path.data, '/', path.size);
  if (!slash || slash + 1 == path.data + path.size) return path;
  return (struct evp_text){slash + 1, path.size - (size_t)(slash + 1 - path.data)};
}

static bool read_program(struct eventlog *log, const struct evp_event *event)
{
  struct evp_program_args payload;
  struct evp_text first;
  if (log->state.program || !evp_read_program_args(event, log->state.dialect, &payload)) return false;
  if (!evp_next_string(&payload.arguments, &first)) return false;
  log->state.program = clean_fact(base_name(first));
  return log->state.program != NULL;
}

static bool read_rts(struct eventlog *log, const struct evp_event *event)
{
  struct evp_rts_identifier payload;
  if (log->state.rts || !evp_read_rts_identifier(event, log->state.dialect, &payload)) return false;
  log->state.rts = clean_fact(payload.rts);
  return log->state.rts != NULL;
}

static bool read_pid(struct eventlog *log, const struct evp_event *event)
{
  struct evp_osprocess_pid payload;
  if (log->state.pid || !evp_read_osprocess_pid(event, log->state.dialect, &payload)) return false;
  log->state.pid = payload.pid;
  return payload.pid != 0;
}

bool fact_read(struct eventlog *log, const struct evp_event *event)
{
  switch (event->type) {
  case EVP_PROGRAM_ARGS:
    return read_program(log, event);
  case EVP_RTS_IDENTIFIER:
    return read_rts(log, event);
  case EVP_OSPROCESS_PID:
    return read_pid(log, event);
  default:
    return false;
  }
}

void definition_keep(struct eventlog *log, const struct evp_event *event, const uint8_t *record, size_t size)
{
  struct prologue *prologue = log->settings.prologue;
  if (!prologue) return;
  struct evp_secret secret = secret_in(event->type, (uint64_t)(event->data - record), event->size);
  prologue_append(prologue, event->cap, event->time, record, size, secret.size ? &secret : NULL);
}

uint64_t definitions_seal(struct eventlog *log)
{
  return log->settings.prologue ? prologue_seal(log->settings.prologue) : 0;
}
