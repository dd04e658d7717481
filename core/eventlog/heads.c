#include "eventlog/reader.h"

#include <string.h>

static const uint8_t magic[MAGIC_SIZE] = "hdrbhetb";

/* Within a block clocks of several cores and ticks that race with its end are forgiven this much, ns. */
static const uint64_t block_tolerance = 1000000000;
/* After a block, what is not a block is believed only if it is about as new, ns. */
static const uint64_t outside_tolerance = 60000000000;

enum { CAP_MAX = 4096 }; /* GHC's -N goes to 256 */

bool magic_begins(const uint8_t *data, size_t size)
{
  return !memcmp(data, magic, size < MAGIC_SIZE ? size : MAGIC_SIZE);
}

enum answer magic_at(const struct cursor *c, size_t at)
{
  size_t available = c->size - at;
  if (!magic_begins(c->data + at, available)) return ANSWER_NO;
  if (available >= MAGIC_SIZE) return ANSWER_YES;
  return c->final ? ANSWER_NO : ANSWER_WAIT;
}

size_t magic_find(const struct cursor *c, size_t from, size_t to)
{
  if (to <= from) return NOWHERE;
  const uint8_t *found = memmem(c->data + from, to - from, magic, MAGIC_SIZE);
  return found ? (size_t)(found - c->data) : NOWHERE;
}

struct marker marker_read(const uint8_t *record)
{
  return (struct marker){.begin = evp_u64(record + 2),
    .size = evp_u32(record + 10),
    .end = evp_u64(record + 14),
    .cap = evp_u16(record + 22)};
}

bool cap_is_sane(uint16_t cap)
{
  return cap == EVP_NO_CAP || cap < CAP_MAX;
}

bool marker_is_sane(const struct eventlog *log, const struct marker *marker)
{
  return marker->size >= log->marker_length && marker->begin <= marker->end && marker->end <= LATEST_TIME &&
         cap_is_sane(marker->cap);
}

/* A block whose times can not be believed does not restrict those of its events. */
static void set_times(struct block *block, const struct marker *marker)
{
  block->earliest = 0;
  block->latest = LATEST_TIME;
  if (marker->begin > marker->end || marker->end > LATEST_TIME) return;
  if (marker->begin > block_tolerance) block->earliest = marker->begin - block_tolerance;
  block->latest = marker->end + block_tolerance;
}

void block_enter(struct eventlog *log, const struct marker *marker, uint64_t at)
{
  bool sized = marker->size >= log->marker_length;
  log->block = (struct block){.inside = true,
    .cap = cap_is_sane(marker->cap) ? marker->cap : EVP_NO_CAP,
    .begin = at,
    .end = sized ? at + marker->size : UNKNOWN_END};
  set_times(&log->block, marker);
}

void block_leave(struct eventlog *log)
{
  const struct eventlog_state *state = &log->state;
  uint64_t newest = state->newest_block_end > state->last_block_end ? state->newest_block_end : state->last_block_end;
  log->block = (struct block){.inside = false, .cap = EVP_NO_CAP, .latest = LATEST_TIME};
  if (newest) log->block.latest = newest + outside_tolerance;
}

/* Bytes to the block's end; very many if there is none. */
static uint64_t rest_of_block(const struct eventlog *log, size_t at)
{
  return log->block.inside ? log->block.end - place(log, at) : UINT64_MAX;
}

static enum head_verdict judge_end_marker(const struct eventlog *log, size_t at)
{
  bool known = log->block.inside && log->block.end != UNKNOWN_END;
  return known && rest_of_block(log, at) != sizeof(uint16_t) ? HEAD_STRAY_END : HEAD_END;
}

static enum head_verdict judge_marker(const struct eventlog *log, const struct cursor *c, size_t at)
{
  if (c->size - at < log->marker_length) return HEAD_WAIT;
  if (!log->block.inside || log->block.end == UNKNOWN_END) return HEAD_FINE;
  struct marker marker = marker_read(c->data + at);
  return marker_is_sane(log, &marker) ? HEAD_FINE : HEAD_STRAY_MARKER;
}

static enum head_verdict judge_plain(const struct eventlog *log, const struct record *record, size_t at)
{
  /* A 169 may be one byte shorter than it says. */
  uint32_t shortest = record->length - (record->type == EVP_IPE && record->kind.variable);
  if (shortest > rest_of_block(log, at)) return HEAD_OVERRUN;
  if (record->time > log->block.latest) return HEAD_LATE;
  return record->time < log->block.earliest ? HEAD_EARLY : HEAD_FINE;
}

enum head_verdict head_judge(const struct eventlog *log, const struct cursor *c, size_t at, struct record *record)
{
  const uint8_t *data = c->data + at;
  size_t available = c->size - at;
  if (available < sizeof(uint16_t)) return HEAD_WAIT;
  record->type = evp_u16(data);
  if (record->type == END_MARKER) return judge_end_marker(log, at);
  if (data[0] == magic[0] && data[1] == magic[1]) {
    enum answer answer = magic_at(c, at);
    if (answer != ANSWER_NO) return answer == ANSWER_YES ? HEAD_RESTART : HEAD_WAIT;
  }
  record->kind = kind_of(log, record->type);
  if (!record->kind.declared) return HEAD_UNDECLARED;
  record->head = record->kind.variable ? RECORD_HEAD + LENGTH_FIELD : RECORD_HEAD;
  if (record->head > rest_of_block(log, at)) return HEAD_OVERRUN;
  if (available < record->head) return HEAD_WAIT;
  record->time = evp_u64(data + 2);
  record->length = record->kind.length;
  if (record->kind.variable) record->length += evp_u16(data + RECORD_HEAD);
  if (record->type == EVP_BLOCK_MARKER && log->marker_length) return judge_marker(log, c, at);
  return judge_plain(log, record, at);
}

bool head_is_good(const struct eventlog *log, const struct cursor *c, size_t at)
{
  struct record record;
  if (at_block_end(log, at)) return true;
  enum head_verdict verdict = head_judge(log, c, at, &record);
  if (verdict == HEAD_WAIT) return c->final; /* as far as one can see */
  return verdict == HEAD_FINE || verdict == HEAD_END || verdict == HEAD_RESTART;
}

enum answer boundary_at(const struct eventlog *log, const struct cursor *c, size_t at)
{
  if (at >= c->size) return c->final ? ANSWER_YES : ANSWER_WAIT;
  size_t available = c->size - at;
  if (available < sizeof(uint16_t)) return c->final ? ANSWER_NO : ANSWER_WAIT;
  uint16_t type = evp_u16(c->data + at);
  if (type == END_MARKER) return ANSWER_YES;
  if (type != EVP_BLOCK_MARKER || !log->marker_length) return magic_at(c, at);
  if (available < log->marker_length) return c->final ? ANSWER_YES : ANSWER_WAIT;
  struct marker marker = marker_read(c->data + at);
  return marker_is_sane(log, &marker) ? ANSWER_YES : ANSWER_NO;
}
