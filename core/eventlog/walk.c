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

/* Where the records must end to be walked over: the block's end, or so far before the end of the data that the head of what
   follows a record can be judged. */
static size_t fence_of(const struct eventlog *log, const struct cursor *c)
{
  uint64_t rest = log->block.inside ? log->block.end - place(log, c->at) : UINT64_MAX;
  size_t seen = c->size - c->at - HEAD_BYTES;
  return c->at + (rest < seen ? (size_t)rest : seen);
}

static uint64_t tail_of_cap(uint16_t cap)
{
  struct event_tail tail = {.cap = cap};
  uint64_t bits;
  memcpy(&bits, &tail, sizeof bits);
  return bits;
}

/* The hot loop, one function since its values live in registers. From memory each turn waits for type -> length -> next record,
 * some ten cycles; so the commonest lengths are guessed by branches, which the processor predicts. Records that say their length
 * themselves are told first, for a heap profile is made of them. What is not plain (type unknown, time out of its block, end of
 * data near, a definition, a marker) ends it; records.c looks closer. Every event is written, and kept by stepping on only if it
 * is wanted. */
void walk_plain_records(struct eventlog *log, struct cursor *c)
{
  if (c->size - c->at < 2 * HEAD_BYTES) return;
  const uint8_t *const fence = c->data + fence_of(log, c);
  const uint8_t *at = c->data + c->at;
  const uint8_t *previous = NULL;
  const uint64_t latest = log->block.latest;
  const uint64_t cap = tail_of_cap(log->block.cap);
  uint8_t *room = (uint8_t *)(c->events + c->n);
  const uint32_t most = c->room - c->n;
  uint32_t left = most;
  uint64_t newest = log->state.newest_time;
  uint64_t last = log->block.earliest;

  for (; left > 0; left--) {
    const unsigned type = at[1];
    const uint64_t time = load_u64(at + 2);
    const uint32_t length = log->lengths[type];
    const uint8_t *payload = at + RECORD_HEAD;
    const uint8_t *next;
    uint64_t tail = log->tails[type] | cap;
    if (__builtin_expect(!length, 0)) {
      const uint16_t size = load_u16(at + RECORD_HEAD);
      if (size < log->shortest[type]) break; /* too short, or not of a plain type */
      payload += LENGTH_FIELD;
      next = payload + size;
      tail |= size;
    } else if (length == RECORD_HEAD + 4) {
      next = at + RECORD_HEAD + 4;
      GUESSED(next);
    } else if (length == RECORD_HEAD + 10) {
      next = at + RECORD_HEAD + 10;
      GUESSED(next);
    } else if (length == RECORD_HEAD + 6) {
      next = at + RECORD_HEAD + 6;
      GUESSED(next);
    } else {
      next = at + length;
    }
    if (at[0] != 0 || next > fence || time > latest) break;
    if (time < last) { /* at the end of a GC time goes back a little */
      if (time < log->block.earliest) break;
      if (last > newest) newest = last;
    }
    struct evp_event *event = (struct evp_event *)room;
    event->time = time;
    event->data = payload;
    memcpy(&event->size, &tail, sizeof tail);
    room += log->strides[type];
    last = time;
    previous = at;
    at = next;
  }

  if (!previous) return;
  c->at = (size_t)(at - c->data);
  c->previous = (size_t)(previous - c->data);
  c->n = (uint32_t)((struct evp_event *)room - c->events);
  log->state.events += most - left;
  log->state.newest_time = last > newest ? last : newest;
  log->last_time = last;
}
