#include "eventlog/reader.h"

#include <string.h>

/* What follows damage is looked for as reference: format 5.3 has it. GHC computes a block's size from its buffer's
 * positions, so it is right whatever the records in it say: first skip to the block's end. If there is nothing that may
 * follow a block, look at every byte for a marker that convinces: its own fields are sane, the records behind it are, and
 * so is what follows the block, if that is near.
 *
 * No place is looked at twice: bytes that were passed are gone. A candidate costs at most CHAIN_BYTES / 10 steps, so the
 * whole is linear in the input, hostile or not. */

enum {
  CHAIN_BYTES = 1024, /* records that must convince lie within these */
  NEAR_BLOCK = (int)EVENTLOG_LONGEST - 2 * HEAD_BYTES /* so near a block's end is waited for */
};

/* The farthest block end that is believed when a record in the block is damaged. GHC's blocks have at most 2 MiB. */
static const uint64_t believed_block = 4 << 20;

void resync_begin(struct eventlog *log, struct cursor *c)
{
  gap_begins(log, c);
  bool near =
    log->block.inside && log->block.end != UNKNOWN_END && log->block.end - place(log, c->at) <= believed_block;
  log->skip_to = log->block.end;
  log->skip_damaged = true;
  block_leave(log);
  set_mode(log, near ? MODE_SKIP : MODE_SCAN);
  if (!near) skip_bytes(log, c, 1);
}

static bool arrive(struct eventlog *log, struct cursor *c)
{
  enum answer answer = log->skip_damaged ? boundary_at(log, c, c->at) : ANSWER_YES;
  if (answer == ANSWER_WAIT) return step_waits(log, c);
  block_leave(log);
  set_mode(log, answer == ANSWER_YES ? MODE_RECORDS : MODE_SCAN);
  return true;
}

/* A header among lost bytes begins another stream. One that begins before the block's end may reach over it. */
static size_t find_lost_header(const struct cursor *c, uint64_t rest)
{
  size_t available = c->size - c->at;
  uint64_t searched = rest + MAGIC_SIZE - 1;
  return magic_find(c, c->at, c->at + (searched < available ? (size_t)searched : available));
}

bool resync_skip(struct eventlog *log, struct cursor *c)
{
  uint64_t rest = log->skip_to - place(log, c->at);
  size_t available = c->size - c->at;
  if (!log->skip_damaged) {
    c->at += rest < available ? (size_t)rest : available;
    return rest <= available ? arrive(log, c) : step_waits(log, c);
  }
  size_t header = find_lost_header(c, rest);
  if (header != NOWHERE) return step_restarts(log, c, header);
  size_t kept = c->final ? 0 : MAGIC_SIZE - 1;
  if (rest + kept <= available) {
    skip_bytes(log, c, (size_t)rest);
    return arrive(log, c);
  }
  if (available > kept) skip_bytes(log, c, available - kept < rest ? available - kept : (size_t)rest);
  return step_waits(log, c);
}

/* The records behind a marker, as far as they are near. The block is entered. */
static bool records_convince(const struct eventlog *log, const struct cursor *c, size_t at, size_t limit)
{
  struct record record;
  while (!at_block_end(log, at)) {
    if (at >= limit || at >= c->size) return true;
    enum head_verdict verdict = head_judge(log, c, at, &record);
    if (verdict == HEAD_END) return true;
    if (verdict == HEAD_WAIT && c->final) return true;
    if (verdict != HEAD_FINE || record.type == EVP_BLOCK_MARKER) return false;
    if (record.type == EVP_IPE) return true; /* its length may lie */
    at += record.length;
  }
  return true;
}

/* Is there a whole block, as far as one can see? */
static enum answer block_convinces(struct eventlog *log, const struct cursor *c, size_t at)
{
  if (c->size - at < log->marker_length) return c->final ? ANSWER_NO : ANSWER_WAIT;
  struct marker marker = marker_read(c->data + at);
  if (!marker_is_sane(log, &marker)) return ANSWER_NO;
  bool near = marker.size <= NEAR_BLOCK;
  size_t needed = near ? (size_t)marker.size + HEAD_BYTES : log->marker_length + CHAIN_BYTES + HEAD_BYTES;
  if (c->size - at < needed && !c->final) return ANSWER_WAIT;
  if (near && boundary_at(log, c, at + marker.size) != ANSWER_YES) return ANSWER_NO;
  struct block before = log->block;
  block_enter(log, &marker, place(log, at));
  size_t first = at + log->marker_length;
  bool convinces = records_convince(log, c, first, first + CHAIN_BYTES);
  log->block = before;
  return convinces ? ANSWER_YES : ANSWER_NO;
}

bool resync_scan(struct eventlog *log, struct cursor *c)
{
  size_t at = c->at;
  for (; c->size - at >= MAGIC_SIZE; at++) {
    if (c->data[at] == 'h' && magic_at(c, at) == ANSWER_YES) return step_restarts(log, c, at);
    if (c->data[at] != 0 || c->data[at + 1] != EVP_BLOCK_MARKER || !log->marker_length) continue;
    enum answer answer = block_convinces(log, c, at);
    if (answer == ANSWER_NO) continue;
    skip_bytes(log, c, at - c->at);
    if (answer == ANSWER_WAIT) return step_waits(log, c);
    set_mode(log, MODE_RECORDS);
    return true;
  }
  skip_bytes(log, c, (c->final ? c->size : at) - c->at);
  return step_waits(log, c);
}
