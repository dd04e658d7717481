/* Temporary stand-in for the framer and decoder until they land: no resync, no prologue, well-formed logs only. */
#include "eventlog/catalogue.h"
#include "eventlog/eventlog.h"
#include "eventlog/prologue.h"
#include <evpipe/events.h>
#include <stdlib.h>
#include <string.h>

struct eventlog {
  struct eventlog_settings settings;
  struct eventlog_state state;
  struct evp_event_type *types;
  size_t n_types;
  int32_t sizes[65536]; /* -1: undeclared */
  uint16_t cap;
  int64_t remaining;
  bool clock_done;
};

struct eventlog *eventlog_new(const struct eventlog_settings *settings)
{
  struct eventlog *log = calloc(1, sizeof *log);
  if (!log) return NULL;
  log->settings = *settings;
  log->state.first_damage = UINT64_MAX;
  log->cap = EVP_NO_CAP;
  for (int i = 0; i < 65536; i++) log->sizes[i] = -1;
  return log;
}

void eventlog_free(struct eventlog *log)
{
  if (!log) return;
  for (size_t i = 0; i < log->n_types; i++) free((char *)(uintptr_t)log->types[i].description);
  free(log->types);
  free(log->state.program);
  free(log->state.rts);
  free(log);
}

static uint64_t be(const uint8_t *p, int n)
{
  uint64_t v = 0;
  while (n--) v = v << 8 | *p++;
  return v;
}

static size_t header(struct eventlog *log, const uint8_t *data, size_t size)
{
  const uint8_t *end = memmem(data, size, "hetehdredatb", 12);
  if (!end) return 0;
  const uint8_t *p = memmem(data, size, "hdrbhetb", 8);
  if (!p) return 0;
  for (p += 8; p < end;) {
    uint16_t number = (uint16_t)be(p + 4, 2), declared = (uint16_t)be(p + 6, 2);
    size_t length = be(p + 8, 4), extra = be(p + 12 + length, 4);
    log->types = realloc(log->types, (log->n_types + 1) * sizeof *log->types);
    const struct catalogue_entry *entry = catalogue_find(number);
    log->types[log->n_types++] = (struct evp_event_type){.number = number,
      .size = declared,
      .description = strndup((const char *)p + 12, length),
      .name = entry ? entry->name : NULL};
    log->sizes[number] = declared;
    p += 16 + length + extra + 4;
  }
  log->state.header = true;
  log->state.dialect = catalogue_dialect(log->types, log->n_types);
  return (size_t)(end + 12 - data);
}

static bool fact(struct eventlog *log, const struct evp_event *e)
{
  if (e->type == EVP_OSPROCESS_PID && !log->state.pid && e->size >= 8)
    return log->state.pid = (uint32_t)be(e->data + 4, 4), true;
  if (e->type == EVP_RTS_IDENTIFIER && !log->state.rts)
    return log->state.rts = strndup((const char *)e->data + 4, e->size - 4u), true;
  if (e->type == EVP_PROGRAM_ARGS && !log->state.program) {
    char *all = strndup((const char *)e->data + 4, e->size - 4u), *slash = strrchr(all, '/');
    log->state.program = strdup(slash ? slash + 1 : all);
    free(all);
    return true;
  }
  return false;
}

void eventlog_step(struct eventlog *log, const uint8_t *data, size_t size, struct evp_event *events, uint32_t room,
  struct eventlog_step *step)
{
  *step = (struct eventlog_step){.reason = EVENTLOG_MORE, .sync = SIZE_MAX, .framed = true};
  if (!log->state.header) {
    step->consumed = header(log, data, size);
    if (step->consumed) step->reason = EVENTLOG_HEADER, step->sync = 0;
    return;
  }
  size_t at = 0;
  while (step->n < room) {
    step->consumed = at;
    if (log->state.ended || size - at < 2) return;
    uint16_t type = (uint16_t)be(data + at, 2);
    if (type == 0xffff) {
      log->state.ended = true;
      step->consumed = at += 2;
      continue;
    }
    int32_t declared = log->sizes[type];
    if (declared < 0) {
      log->state.damages = 1, log->state.first_damage_text = "undeclared type", log->state.skipped_bytes += size - at;
      step->consumed = size;
      return;
    }
    size_t head = declared == 0xffff ? 12 : 10;
    if (size - at < head) return;
    size_t payload = declared == 0xffff ? be(data + at + 10, 2) : (size_t)declared;
    if (type == EVP_IPE) {
      size_t k = 8;
      for (int strings = 0; strings < 6 && at + head + k < size; k++) strings += !data[at + head + k];
      if (k + 1 == payload) payload = k;
    }
    if (size - at < head + payload) return;
    struct evp_event e = {
      be(data + at + 2, 8), data + at + head, (uint16_t)payload, type, log->cap, head == 12 ? EVP_EVENT_VARIABLE : 0};
    if (type == EVP_WALL_CLOCK_TIME && !log->clock_done) {
      log->clock_done = log->state.epoch_exact = true;
      log->state.epoch = (int64_t)(be(e.data + 4, 8) * 1000000000 + be(e.data + 12, 4) - e.time);
      step->reason = EVENTLOG_CLOCK;
      return;
    }
    if (type == EVP_BLOCK_MARKER) {
      if (step->sync == SIZE_MAX) step->sync = at;
      e.cap = log->cap = (uint16_t)be(e.data + 12, 2);
      log->remaining = (int64_t)be(e.data, 4) - 24;
      uint64_t block_end = be(e.data + 4, 8);
      if (block_end > log->state.newest_block_end) log->state.newest_block_end = block_end;
      log->state.blocks++;
    } else {
      log->remaining -= (int64_t)(head + payload);
    }
    if (log->remaining <= 0) log->cap = EVP_NO_CAP;
    log->clock_done = false;
    log->state.events++;
    if (e.time > log->state.newest_time) log->state.newest_time = e.time;
    at += head + payload;
    if (log->settings.wanted && event_set_has(log->settings.wanted, type)) events[step->n++] = e;
    if (fact(log, &e)) {
      step->consumed = at;
      step->reason = EVENTLOG_FACTS;
      return;
    }
  }
  step->consumed = at;
  step->reason = EVENTLOG_FULL;
}

void eventlog_finish(struct eventlog *log, const uint8_t *data, size_t size, struct evp_event *events, uint32_t room,
  struct eventlog_step *step)
{
  (void)data;
  (void)events;
  (void)room;
  *step = (struct eventlog_step){.reason = EVENTLOG_MORE, .sync = SIZE_MAX, .consumed = size};
  if (log->state.header && !log->state.ended) log->state.cut_bytes = size;
}

const struct eventlog_state *eventlog_state(const struct eventlog *log)
{
  return &log->state;
}
const struct evp_event_type *eventlog_types(const struct eventlog *log, size_t *n)
{
  *n = log->n_types;
  return log->types;
}
const struct evp_event_type *eventlog_type(const struct eventlog *log, uint16_t number)
{
  for (size_t i = 0; i < log->n_types; i++)
    if (log->types[i].number == number) return &log->types[i];
  return NULL;
}
const char *eventlog_guess(const uint8_t *data, size_t size)
{
  (void)data;
  (void)size;
  return NULL;
}
struct prologue *prologue_new(uint64_t a, uint64_t b)
{
  (void)a;
  (void)b;
  return calloc(1, 8);
}
void prologue_free(struct prologue *p)
{
  free(p);
}
size_t prologue_read(const struct prologue *p, uint64_t o, uint64_t e, uint8_t *b, size_t s)
{
  (void)p;
  (void)o;
  (void)e;
  (void)b;
  (void)s;
  return 0;
}
