#include "loops.h"

#include <evpipe/events.h>
#include <stdlib.h>
#include <string.h>

enum { MARKER_TYPE = 18, MARKER = 24, END = 0xffff, END_SIZE = 2 };

#define TOLERANCE UINT64_C(1000000000) /* ns, as the decoder has it: the end of a GC goes back a little */

static inline uint16_t load_u16(const uint8_t *data)
{
  uint16_t bits;
  memcpy(&bits, data, sizeof bits);
  return __builtin_bswap16(bits);
}

static inline uint64_t load_u64(const uint8_t *data)
{
  uint64_t bits;
  memcpy(&bits, data, sizeof bits);
  return __builtin_bswap64(bits);
}

void bare_log_make(
  struct bare_log *log, const struct eventlog *eventlog, const uint8_t *data, size_t size, size_t begin)
{
  bool ends = size >= END_SIZE && load_u16(data + size - END_SIZE) == END;
  *log = (struct bare_log){.data = data, .size = ends ? size - END_SIZE : size, .begin = begin};
  size_t n;
  const struct evp_event_type *types = eventlog_types(eventlog, &n);
  for (size_t i = 0; i < n; i++) {
    if (types[i].number > 255 || types[i].number == MARKER_TYPE) continue;
    log->variable[types[i].number] = types[i].size == 0xffff;
    log->lengths[types[i].number] = types[i].size == 0xffff ? 12 : 10 + (uint32_t)types[i].size;
  }
}

enum guessing { PLAIN, GUESSED };
enum filling { FILL_NOTHING, FILL_24, FILL_16 };

struct batch {
  void *events;
  uint32_t n, size;
  uint64_t *counts;
};

/* What a plugin does at the least. */
static void read_24(struct batch *batch)
{
  const struct evp_event *events = batch->events;
  for (uint32_t i = 0; i < batch->n; i++) batch->counts[events[i].type & 255] += events[i].size + 1u;
  batch->n = 0;
}

static void read_16(struct batch *batch)
{
  const struct small_event *events = batch->events;
  for (uint32_t i = 0; i < batch->n; i++) batch->counts[events[i].type & 255] += events[i].size + 1u;
  batch->n = 0;
}

static inline __attribute__((always_inline)) const uint8_t *next_record(
  const struct bare_log *log, const uint8_t *at, unsigned type, enum guessing guessing)
{
  const uint8_t *next;
  uint32_t length = log->lengths[type];
  if (guessing == GUESSED && length == 14) {
    next = at + 14;
    __asm__("" : "+r"(next));
  } else if (guessing == GUESSED && length == 20) {
    next = at + 20;
    __asm__("" : "+r"(next));
  } else if (guessing == GUESSED && length == 16) {
    next = at + 16;
    __asm__("" : "+r"(next));
  } else if (log->variable[type]) {
    next = at + 12 + load_u16(at + 10);
  } else {
    next = at + length;
  }
  return next;
}

/* The loop over one block's records; one function, since it is the yardstick of a hot loop. */
static inline __attribute__((always_inline)) uint64_t walk_block(const struct bare_log *log, const uint8_t *at,
  const uint8_t *end, uint64_t begin_time, uint64_t end_time, uint16_t cap, enum guessing guessing,
  enum filling filling, struct batch *batch)
{
  uint64_t n = 0;
  uint64_t span = end_time - begin_time;
  for (; at < end; n++) {
    unsigned type = at[1];
    const uint8_t *next = next_record(log, at, type, guessing);
    uint64_t time = load_u64(at + 2);
    if (at[0] != 0 || next > end || next <= at || time - begin_time > span) return 0;
    bool variable = log->variable[type];
    uint16_t head = variable ? 12 : 10;
    if (filling == FILL_24)
      ((struct evp_event *)batch->events)[batch->n++] = (struct evp_event){.time = time,
        .data = at + head,
        .size = (uint16_t)(next - at - head),
        .type = (uint16_t)type,
        .cap = cap,
        .flags = variable};
    if (filling == FILL_16)
      ((struct small_event *)batch->events)[batch->n++] = (struct small_event){.time = time,
        .offset = (uint32_t)(at + head - log->data),
        .size = (uint16_t)(next - at - head),
        .type = (uint16_t)type};
    if (filling == FILL_24 && batch->n == batch->size) read_24(batch);
    if (filling == FILL_16 && batch->n == batch->size) read_16(batch);
    at = next;
  }
  return n;
}

static inline __attribute__((always_inline)) uint64_t walk_log(
  const struct bare_log *log, enum guessing guessing, enum filling filling, struct batch *batch)
{
  uint64_t events = 0;
  const uint8_t *at = log->data + log->begin;
  const uint8_t *log_end = log->data + log->size;
  while (log_end - at >= MARKER && load_u16(at) == MARKER_TYPE) {
    uint32_t size = evp_u32(at + 10);
    uint16_t cap = load_u16(at + 22);
    uint64_t begin = load_u64(at + 2), end = load_u64(at + 14);
    size_t rest = (size_t)(log_end - at);
    if (size < MARKER || size > rest + END_SIZE || begin > end) return 0;
    if (cap != 0xffff && cap >= 4096) return 0;
    const uint8_t *records_end = at + (size < rest ? size : rest);
    uint64_t earliest = begin < TOLERANCE ? 0 : begin - TOLERANCE;
    uint64_t n = walk_block(log, at + MARKER, records_end, earliest, end + TOLERANCE, cap, guessing, filling, batch);
    if (n == 0 && records_end > at + MARKER) return 0;
    events += n + 1;
    at = records_end;
  }
  return at == log_end ? events : 0;
}

uint64_t loop_plain(const struct bare_log *log)
{
  return walk_log(log, PLAIN, FILL_NOTHING, NULL);
}

uint64_t loop_guessed(const struct bare_log *log)
{
  return walk_log(log, GUESSED, FILL_NOTHING, NULL);
}

uint64_t loop_fill_24(const struct bare_log *log, uint32_t batch_size, uint64_t counts[256])
{
  struct batch batch = {.events = calloc(batch_size, sizeof(struct evp_event)), .size = batch_size, .counts = counts};
  uint64_t n = walk_log(log, GUESSED, FILL_24, &batch);
  free(batch.events);
  return n;
}

uint64_t loop_fill_16(const struct bare_log *log, uint32_t batch_size, uint64_t counts[256])
{
  struct batch batch = {.events = calloc(batch_size, sizeof(struct small_event)), .size = batch_size, .counts = counts};
  uint64_t n = walk_log(log, GUESSED, FILL_16, &batch);
  free(batch.events);
  return n;
}
