#include "eventlog/reader.h"

#include <string.h>

/* Keeps the compiler from making one general addition out of the guessed ones. */
#define GUESSED(pointer) __asm__("" : "+r"(pointer))

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

/* Where the records must end to be walked over: a block's end that is there, else so far before the end of the data that
   what follows a record can be judged. */
static size_t fence_of(const struct eventlog *log, const struct cursor *c)
{
  uint64_t rest = log->block.inside ? log->block.end - place(log, c->at) : UINT64_MAX;
  if (rest <= c->size - c->at) return c->at + (size_t)rest;
  return c->size - HEAD_BYTES;
}

/* The hot loop, one function since its values live in registers. Each turn waits for type -> length -> next record, 12 cycles
 * from memory; so the commonest lengths are guessed by branches, and all the rest (validation, the event) is done in
 * the shadow of that. What is not plain (type unknown, time out of its block, end of data near, a definition, a marker) ends
 * it; records.c looks closer. Every event is written, and kept by counting it only if it is wanted. */
void walk_plain_records(struct eventlog *log, struct cursor *c)
{
  if (c->size - c->at < 2 * HEAD_BYTES) return;
  const uint8_t *const data = c->data;
  const uint8_t *const fence = data + fence_of(log, c);
  const uint8_t *const safe = data + c->size - HEAD_BYTES;
  const uint8_t *at = data + c->at;
  const uint8_t *previous = c->previous == NOWHERE ? NULL : data + c->previous;
  const uint64_t earliest = log->block.earliest;
  const uint64_t span = log->block.latest - earliest;
  const uint16_t cap = log->block.cap;
  struct evp_event *event = c->events + c->n;
  struct evp_event *const events_end = c->events + c->room;
  uint64_t walked = 0;
  uint64_t newest = log->state.newest_time;

  while (at <= safe && event < events_end) {
    const unsigned type = at[1];
    const struct record_kind *kind = &log->kinds[type];
    const uint64_t time = load_u64(at + 2);
    const size_t length = log->lengths[type];
    const uint8_t *next;
    uint16_t size = 0;
    if (length == RECORD_HEAD + 4) {
      next = at + (RECORD_HEAD + 4);
      GUESSED(next);
    } else if (length == RECORD_HEAD + 10) {
      next = at + (RECORD_HEAD + 10);
      GUESSED(next);
    } else if (length == RECORD_HEAD + 6) {
      next = at + (RECORD_HEAD + 6);
      GUESSED(next);
    } else if (length == RECORD_HEAD) {
      next = at + RECORD_HEAD;
      GUESSED(next);
    } else if (kind->variable) {
      size = load_u16(at + RECORD_HEAD);
      if (size < kind->smallest) break;
      next = at + RECORD_HEAD + LENGTH_FIELD + size;
    } else {
      next = at + length;
    }
    if (at[0] != 0 || length == 0 || next > fence || time - earliest > span) break;
    event->time = time;
    event->data = at + RECORD_HEAD;
    memcpy(&event->size, &kind->tail, sizeof kind->tail);
    event->cap = cap;
    if (kind->variable) {
      event->data += LENGTH_FIELD;
      event->size = size;
    }
    event += kind->wanted;
    newest = time > newest ? time : newest;
    walked++;
    previous = at;
    at = next;
  }

  c->at = (size_t)(at - data);
  c->previous = previous ? (size_t)(previous - data) : NOWHERE;
  c->n = (uint32_t)(event - c->events);
  log->state.events += walked;
  log->state.newest_time = newest;
}
