#include "eventlog/reader.h"

#include <string.h>

/* The record before `at` was counted, and handed out, but what follows it is not decided: as if it had not been read. */
static void take_back(struct eventlog *log, struct cursor *c)
{
  struct record_kind kind = kind_of(log, evp_u16(c->data + c->previous));
  log->state.events--;
  c->n -= kind.wanted;
  c->at = c->previous;
  c->previous = NOWHERE;
}

/* What is at `at` can not be judged yet; so the record before it is not handed out either. */
static bool wait_for_head(struct eventlog *log, struct cursor *c)
{
  if (!c->final && c->previous != NOWHERE) take_back(log, c);
  return step_waits(log, c);
}

/* A header that begins in data[from..to), where no record should be: a capture was cut inside a record, and another one
   follows. */
static enum answer look_for_swallowed_header(const struct cursor *c, size_t from, size_t to, size_t *header)
{
  to += MAGIC_SIZE - 1;
  if (to > c->size && !c->final) return ANSWER_WAIT;
  *header = magic_find(c, from, to < c->size ? to : c->size);
  return *header == NOWHERE ? ANSWER_NO : ANSWER_YES;
}

/* Does a header begin in the last two bytes or more of data[from..to), or lie in them? One byte would be too common: the
   record would have to wait for the next block. */
static bool may_hide_header(const struct cursor *c, size_t from, size_t to)
{
  for (size_t n = MAGIC_SIZE - 1; n > 1; n--)
    if (to - from >= n && magic_begins(c->data + to - n, n)) return true;
  return magic_find(c, from, to) != NOWHERE;
}

/* The same for the record data[from..to) that ends with its block. What follows the block is only looked at if need be: it
   may come much later. */
static enum answer look_across_block_end(
  const struct eventlog *log, const struct cursor *c, size_t from, size_t to, size_t *header)
{
  if (!may_hide_header(c, from, to)) return ANSWER_NO;
  enum answer answer = boundary_at(log, c, to);
  if (answer != ANSWER_NO) return answer == ANSWER_WAIT ? ANSWER_WAIT : ANSWER_NO;
  return look_for_swallowed_header(c, from, to, header);
}

static const char *head_problem(enum head_verdict verdict)
{
  switch (verdict) {
  case HEAD_STRAY_END:
    return "an end marker in the middle of a block";
  case HEAD_STRAY_MARKER:
    return "a damaged block marker in the middle of a block";
  case HEAD_OVERRUN:
    return "a record that reaches past the end of its block";
  case HEAD_EARLY:
  case HEAD_LATE:
    return "a record whose time is not that of its block";
  default:
    return "damage";
  }
}

static bool give_up_record(
  struct eventlog *log, struct cursor *c, enum head_verdict verdict, const struct record *record)
{
  if (verdict == HEAD_UNDECLARED)
    damage_found(log, place(log, c->at), "event type %u is not declared", record->type);
  else
    damage_found(log, place(log, c->at), "%s", head_problem(verdict));
  resync_begin(log, c);
  return true;
}

static void count_record(struct eventlog *log, const struct record *record)
{
  log->state.events++;
  log->last_time = record->time;
  if (record->time > log->state.newest_time) log->state.newest_time = record->time;
}

static struct evp_event make_event(
  const struct eventlog *log, const struct cursor *c, const struct record *record, uint32_t length)
{
  struct evp_event event = {.time = record->time, .data = c->data + c->at + record->head};
  memcpy(&event.size, &record->kind.tail, sizeof record->kind.tail);
  event.size = (uint16_t)(length - record->head);
  event.cap = log->block.cap;
  if (event.size < record->kind.smallest) event.flags |= EVP_EVENT_MALFORMED;
  return event;
}

static void note_malformed(struct eventlog *log, struct cursor *c, const struct record *record, uint16_t size)
{
  if (record->kind.variable && size < record->kind.smallest)
    damage_found(log, place(log, c->at), "an event of type %u with only %u bytes", record->type, size);
}

/* Goes over a record, whose true length is `length`. Of its kind all is done that must be done only once. */
static bool accept_record(struct eventlog *log, struct cursor *c, const struct record *record, uint32_t length)
{
  struct evp_event event = make_event(log, c, record, length);
  if (record->type == EVP_WALL_CLOCK_TIME && !log->clock_taken && clock_read(log, &event)) {
    log->clock_taken = true;
    return step_ends(c, EVENTLOG_CLOCK);
  }
  log->clock_taken = false;
  note_malformed(log, c, record, event.size);
  count_record(log, record);
  log->state.introductions += is_introduction(record->type);
  if (record->kind.wanted) c->events[c->n++] = event;
  if (record->kind.secret) secret_found(log, record->type, c->at + record->head, event.size);
  if (record->kind.defines) definition_keep(log, &event, c->data + c->at, length);
  bool fact = is_fact(record->type) && fact_read(log, &event);
  c->at += length;
  return fact ? step_ends(c, EVENTLOG_FACTS) : true;
}

/* Is there enough to judge what follows a record that ends at `next`, or need it not be judged? */
static bool follower_is_there(const struct eventlog *log, const struct cursor *c, size_t next)
{
  if (c->final || at_block_end(log, next) || c->size - next >= HEAD_BYTES) return true;
  uint64_t rest = log->block.inside ? log->block.end - place(log, next) : UINT64_MAX;
  return rest <= c->size - next;
}

/* A record that can not be taken back once it was accepted: so what follows it is judged before. */
static bool read_special(struct eventlog *log, struct cursor *c, const struct record *record, uint32_t length)
{
  size_t next = c->at + length;
  size_t header;
  enum answer answer = ANSWER_NO;
  if (!follower_is_there(log, c, next)) return step_waits(log, c);
  if (at_block_end(log, next))
    answer = look_across_block_end(log, c, c->at, next, &header);
  else if (!head_is_good(log, c, next))
    answer = look_for_swallowed_header(c, c->at, next, &header);
  if (answer == ANSWER_WAIT) return step_waits(log, c);
  if (answer == ANSWER_YES) return step_restarts(log, c, header);
  return accept_record(log, c, record, length);
}

static bool read_plain(struct eventlog *log, struct cursor *c, const struct record *record)
{
  struct evp_event event = make_event(log, c, record, record->length);
  if (event.flags & EVP_EVENT_MALFORMED && record->kind.variable) return read_special(log, c, record, record->length);
  count_record(log, record);
  if (record->kind.wanted) c->events[c->n++] = event;
  c->previous = c->at;
  c->at += record->length;
  return true;
}

static void note_marker(struct eventlog *log, struct cursor *c, const struct marker *marker, bool inside)
{
  uint64_t at = place(log, c->at);
  if (inside) damage_found(log, at, "a block begins inside another one");
  if (marker->size < log->marker_length) damage_found(log, at, "a block of %u bytes", marker->size);
  if (!cap_is_sane(marker->cap)) damage_found(log, at, "a block of capability %u", marker->cap);
}

static void count_block(struct eventlog *log, struct cursor *c, const struct marker *marker)
{
  log->state.blocks++;
  log->outside_told = false;
  reached_block(log, marker);
  if (c->step->sync != NOWHERE) return;
  c->step->sync = c->at;
  c->step->prologue_at_sync = definitions_seal(log);
}

/* Nobody wants what is in the block, but for an end marker, which fills a block of its own. */
static bool may_jump(const struct eventlog *log, const struct marker *marker)
{
  return !log->settings.walk && marker->size > log->marker_length + sizeof(uint16_t);
}

static bool read_marker(struct eventlog *log, struct cursor *c, const struct record *record)
{
  struct marker marker = marker_read(c->data + c->at);
  struct block before = log->block;
  size_t next = c->at + record->length;
  if (next > c->size) return step_waits(log, c);
  block_enter(log, &marker, place(log, c->at));
  size_t header = NOWHERE;
  enum answer answer = follower_is_there(log, c, next) ? ANSWER_NO : ANSWER_WAIT;
  if (answer == ANSWER_NO && (!head_is_good(log, c, next) || magic_find(c, c->at, next) != NOWHERE))
    answer = look_for_swallowed_header(c, c->at, next, &header);
  if (answer != ANSWER_NO) log->block = before;
  if (answer == ANSWER_WAIT) return step_waits(log, c);
  if (answer == ANSWER_YES) return step_restarts(log, c, header);
  note_marker(log, c, &marker, before.inside && before.end != UNKNOWN_END);
  count_block(log, c, &marker);
  struct record believed = *record;
  if (marker.begin > marker.end) believed.time = marker.end; /* one of them is damaged: the earlier one does no harm */
  if (believed.time > LATEST_TIME) believed.time = log->state.reached;
  bool going = accept_record(log, c, &believed, record->length);
  if (!may_jump(log, &marker)) return going;
  log->skip_to = log->block.end;
  log->skip_damaged = false;
  set_mode(log, MODE_SKIP);
  return true;
}

/* A record whose head is right. */
static bool read_record(struct eventlog *log, struct cursor *c, const struct record *record)
{
  if (c->n == c->room && record->kind.wanted) return step_ends(c, EVENTLOG_FULL);
  if (record->type == EVP_BLOCK_MARKER && log->marker_length) return read_marker(log, c, record);
  if (!log->block.inside && log->state.blocks && !log->outside_told) {
    log->outside_told = true;
    damage_found(log, place(log, c->at), "records outside of any block");
  }
  uint32_t length = record->length;
  if (record->type == EVP_IPE && record->kind.variable &&
      provenance_length(log, c, c->at, record, &length) == ANSWER_WAIT)
    return step_waits(log, c);
  if (length > c->size - c->at) return step_waits(log, c);
  return record->kind.special ? read_special(log, c, record, length) : read_plain(log, c, record);
}

/* A time that is not its block's. If what follows is right, only the time is damaged: an early one does no harm (some
   records legally carry one: 10, 43, 65), a late one would carry clocks and watermarks away. */
static bool read_untimely(
  struct eventlog *log, struct cursor *c, enum head_verdict verdict, const struct record *record)
{
  size_t next = c->at + record->length;
  if (next > c->size || !follower_is_there(log, c, next)) return step_waits(log, c);
  if (!head_is_good(log, c, next)) return give_up_record(log, c, verdict, record);
  if (verdict == HEAD_EARLY) return read_record(log, c, record);
  damage_found(log, place(log, c->at), "%s", head_problem(verdict));
  gap_begins(log, c);
  skip_bytes(log, c, record->length);
  return true;
}

/* Reads on over the end of the block, whose size is not to be believed. */
static bool read_across(struct eventlog *log, struct cursor *c, struct record *record)
{
  size_t available = c->size - c->at;
  if (available < record->head) return step_waits(log, c);
  record->time = evp_u64(c->data + c->at + 2);
  record->length = record->kind.length;
  if (record->kind.variable) record->length += evp_u16(c->data + c->at + RECORD_HEAD);
  if (available < record->length + (c->final ? 0u : HEAD_BYTES)) return step_waits(log, c);
  struct block block = log->block;
  block_leave(log);
  bool good = record->time <= block.latest && head_is_good(log, c, c->at + record->length);
  log->block = block;
  if (!good) return give_up_record(log, c, HEAD_OVERRUN, record);
  damage_found(log, place(log, c->at), "a block that ends inside a record");
  bool going = accept_record(log, c, record, record->length);
  if (going || c->step->reason == EVENTLOG_FACTS) block_leave(log);
  return going;
}

/* Which one lies, the record or its block? */
static bool read_overrun(struct eventlog *log, struct cursor *c, struct record *record)
{
  size_t end = c->at + (size_t)(log->block.end - place(log, c->at));
  switch (boundary_at(log, c, end)) {
  case ANSWER_WAIT:
    return step_waits(log, c);
  case ANSWER_YES:
    return give_up_record(log, c, HEAD_OVERRUN, record);
  default:
    return c->n == c->room ? step_ends(c, EVENTLOG_FULL) : read_across(log, c, record);
  }
}

/* An end marker inside a block: the block's size may lie, if a header or nothing follows. */
static bool read_stray_end(struct eventlog *log, struct cursor *c, const struct record *record)
{
  size_t next = c->at + sizeof(uint16_t);
  enum answer answer = c->size == next ? (c->final ? ANSWER_YES : ANSWER_WAIT) : magic_at(c, next);
  if (answer == ANSWER_WAIT) return step_waits(log, c);
  if (answer == ANSWER_NO) return give_up_record(log, c, HEAD_STRAY_END, record);
  damage_found(log, place(log, c->at), "%s", head_problem(HEAD_STRAY_END));
  block_leave(log);
  return true;
}

static bool read_end(struct eventlog *log, struct cursor *c)
{
  c->at += sizeof(uint16_t);
  log->state.ended = true;
  set_mode(log, MODE_ENDED);
  return true;
}

static bool read_by_verdict(struct eventlog *log, struct cursor *c, enum head_verdict verdict, struct record *record)
{
  switch (verdict) {
  case HEAD_FINE:
    return read_record(log, c, record);
  case HEAD_END:
    return read_end(log, c);
  case HEAD_RESTART:
    return step_restarts(log, c, c->at);
  case HEAD_STRAY_END:
    return read_stray_end(log, c, record);
  case HEAD_OVERRUN:
    return read_overrun(log, c, record);
  case HEAD_EARLY:
  case HEAD_LATE:
    return read_untimely(log, c, verdict, record);
  default:
    return give_up_record(log, c, verdict, record);
  }
}

/* The header lies at or behind the begin of the record before `at`. */
static bool restart_within(struct eventlog *log, struct cursor *c, size_t header)
{
  if (header < c->at) take_back(log, c);
  return step_restarts(log, c, header);
}

/* Leaves the block that ends here. False: the step is over. */
static bool pass_block_end(struct eventlog *log, struct cursor *c)
{
  size_t header;
  enum answer answer = ANSWER_NO;
  if (c->previous != NOWHERE) answer = look_across_block_end(log, c, c->previous, c->at, &header);
  if (answer == ANSWER_WAIT) return wait_for_head(log, c);
  if (answer == ANSWER_YES) return restart_within(log, c, header);
  reached_record(log, log->last_time);
  block_leave(log);
  c->previous = NOWHERE;
  return true;
}

static bool read_one(struct eventlog *log, struct cursor *c)
{
  struct record record;
  if (at_block_end(log, c->at) && !pass_block_end(log, c)) return false;
  enum head_verdict verdict = head_judge(log, c, c->at, &record);
  if (verdict == HEAD_WAIT) return wait_for_head(log, c);
  if (verdict != HEAD_FINE && verdict != HEAD_END && verdict != HEAD_RESTART) {
    size_t header, from = c->previous == NOWHERE ? c->at : c->previous;
    enum answer answer = look_for_swallowed_header(c, from, c->at + RECORD_HEAD + LENGTH_FIELD, &header);
    if (answer == ANSWER_WAIT) return wait_for_head(log, c);
    if (answer == ANSWER_YES) return restart_within(log, c, header);
  }
  c->previous = NOWHERE;
  return read_by_verdict(log, c, verdict, &record);
}

bool read_records(struct eventlog *log, struct cursor *c)
{
  bool lost = !log->block.inside && log->state.blocks && !log->outside_told;
  if (!lost) walk_plain_records(log, c);
  return read_one(log, c);
}
