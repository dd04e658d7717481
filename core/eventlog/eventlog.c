#include "eventlog/prologue.h"
#include "eventlog/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A header up to this size is read in one piece, so that nothing is lost if it turns out to be damaged. */
static const size_t header_held = 48 * 1024;

struct eventlog *eventlog_new(const struct eventlog_settings *settings)
{
  struct eventlog *log = calloc(1, sizeof *log);
  if (!log) return NULL;
  log->settings = *settings;
  log->state.first_damage = UINT64_MAX;
  log->mode = MODE_LEADING;
  block_leave(log);
  return log;
}

void eventlog_free(struct eventlog *log)
{
  if (!log) return;
  header_free(&log->header);
  free(log->state.program);
  free(log->state.rts);
  free(log->secrets);
  free(log);
}

const struct eventlog_state *eventlog_state(const struct eventlog *log)
{
  return &log->state;
}

const struct evp_event_type *eventlog_types(const struct eventlog *log, size_t *n)
{
  *n = log->state.header ? log->header.n : 0;
  return log->state.header ? log->header.types : NULL;
}

const struct evp_event_type *eventlog_type(const struct eventlog *log, uint16_t number)
{
  return log->state.header ? header_type(&log->header, number) : NULL;
}

void set_mode(struct eventlog *log, enum reader_mode mode)
{
  log->mode = mode;
}

void damage_found(struct eventlog *log, uint64_t offset, const char *format, ...)
{
  if (log->state.damages++) return;
  log->state.first_damage = offset;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(log->damage_text, sizeof log->damage_text, format, arguments);
  va_end(arguments);
  log->state.first_damage_text = log->damage_text;
}

void gap_flush(struct eventlog *log, struct cursor *c)
{
  if (!log->resync || c->n <= c->resync_at) return;
  c->events[c->resync_at].flags |= EVP_EVENT_RESYNC;
  log->resync = false;
}

void gap_begins(struct eventlog *log, struct cursor *c)
{
  gap_flush(log, c);
  log->resync = true;
  c->resync_at = c->n;
}

void skip_bytes(struct eventlog *log, struct cursor *c, size_t n)
{
  c->at += n;
  log->state.skipped_bytes += n;
  if (n) c->step->framed = false;
}

bool step_ends(struct cursor *c, enum eventlog_reason reason)
{
  c->step->reason = reason;
  return false;
}

bool step_waits(struct eventlog *log, struct cursor *c)
{
  if (c->final) {
    log->state.cut_bytes = c->size - c->at;
    if (log->mode == MODE_HEADER) log->state.cut_bytes = log->header.size;
  }
  return step_ends(c, EVENTLOG_MORE);
}

bool step_restarts(struct eventlog *log, struct cursor *c, size_t at)
{
  bool lost = at > c->at;
  if (lost && log->mode == MODE_RECORDS) damage_found(log, place(log, c->at), "a record that is cut by a header");
  skip_bytes(log, c, at - c->at);
  return step_ends(c, EVENTLOG_RESTART);
}

/* How many of the last bytes may be the begin of a header that is cut. */
static size_t header_begun(const struct cursor *c)
{
  size_t n = c->size - c->at < MAGIC_SIZE ? c->size - c->at : MAGIC_SIZE - 1;
  while (n > 0 && !magic_begins(c->data + c->size - n, n)) n--;
  return n;
}

/* Bytes in which a header is looked for: skips to it, or as far as none can begin. True: it is there. */
static bool seek_header(struct eventlog *log, struct cursor *c, uint64_t *counter)
{
  size_t before = c->at;
  size_t header = magic_find(c, c->at, c->size);
  skip_bytes(log, c, (header != NOWHERE ? header : c->size - header_begun(c)) - c->at);
  *counter += c->at - before;
  return header != NOWHERE;
}

static bool read_leading(struct eventlog *log, struct cursor *c)
{
  uint64_t begin = place(log, c->at);
  bool found = seek_header(log, c, &log->state.leading_bytes);
  if (log->state.skipped_bytes && !log->state.damages)
    damage_found(log, begin, "no eventlog header where one must begin");
  c->step->leading = c->at;
  if (!found) return step_waits(log, c);
  set_mode(log, MODE_HEADER);
  return true;
}

/* It was none; there may be another one behind it. */
static bool give_up_header(struct eventlog *log, struct cursor *c, const char *problem)
{
  damage_found(log, place(log, c->at) - log->header_consumed + log->header.item, "%s", problem);
  size_t skipped = log->header_consumed ? 0 : 1;
  log->state.skipped_bytes += log->header_consumed;
  log->state.leading_bytes += log->header_consumed + skipped;
  skip_bytes(log, c, skipped);
  log->header_consumed = 0;
  header_free(&log->header);
  set_mode(log, MODE_LEADING);
  return true;
}

static bool header_complete(struct eventlog *log, struct cursor *c)
{
  log->state.header = true;
  kinds_make(log);
  if (log->settings.prologue) prologue_header(log->settings.prologue, log->header.data, log->header.size);
  c->step->prologue_at_sync = 0;
  set_mode(log, MODE_RECORDS);
  return step_ends(c, EVENTLOG_HEADER);
}

static void consume_header(struct eventlog *log, struct cursor *c)
{
  if (log->header_consumed == 0) c->step->sync = c->at;
  c->at += log->header.size - log->header_consumed;
  log->header_consumed = log->header.size;
}

static bool read_header(struct eventlog *log, struct cursor *c)
{
  size_t from = c->at + log->header.size - log->header_consumed;
  size_t taken;
  const char *problem;
  switch (header_feed(&log->header, c->data + from, c->size - from, &taken, &problem)) {
  case HEADER_MORE:
    if (log->header.size > header_held) consume_header(log, c);
    return step_waits(log, c);
  case HEADER_DONE:
    consume_header(log, c);
    return header_complete(log, c);
  case HEADER_NO_MEMORY:
    return give_up_header(log, c, "no memory for the header");
  default:
    return give_up_header(log, c, problem);
  }
}

static bool read_ended(struct eventlog *log, struct cursor *c)
{
  if (c->size == c->at) return step_waits(log, c);
  enum answer answer = magic_at(c, c->at);
  if (answer == ANSWER_WAIT) return step_waits(log, c);
  if (answer == ANSWER_YES) return step_restarts(log, c, c->at);
  damage_found(log, place(log, c->at), "data behind the end marker");
  set_mode(log, MODE_TRAILING);
  return true;
}

static bool read_trailing(struct eventlog *log, struct cursor *c)
{
  if (seek_header(log, c, &log->state.trailing_bytes)) return step_restarts(log, c, c->at);
  if (!c->final) return step_waits(log, c);
  log->state.trailing_bytes += c->size - c->at;
  skip_bytes(log, c, c->size - c->at);
  return step_waits(log, c);
}

/* False: the step is over. */
static bool read_mode(struct eventlog *log, struct cursor *c)
{
  switch (log->mode) {
  case MODE_LEADING:
    return read_leading(log, c);
  case MODE_HEADER:
    return read_header(log, c);
  case MODE_SKIP:
    return resync_skip(log, c);
  case MODE_SCAN:
    return resync_scan(log, c);
  case MODE_ENDED:
    return read_ended(log, c);
  case MODE_TRAILING:
    return read_trailing(log, c);
  default:
    return read_records(log, c);
  }
}

static void tell_secrets(struct eventlog *log, struct cursor *c)
{
  if (c->step->reason == EVENTLOG_MORE) secrets_foresee(log, c);
  if (log->secrets_lost) c->step->framed = false;
  log->secrets_lost = false;
  c->step->secrets = log->secrets;
  c->step->n_secrets = log->n_secrets;
}

static void run(struct eventlog *log, struct cursor *c)
{
  log->n_secrets = 0;
  *c->step = (struct eventlog_step){.sync = NOWHERE, .framed = true, .prologue = definitions_seal(log)};
  while (read_mode(log, c)) {}
  gap_flush(log, c);
  if (!log->settings.walk) log->state.events = 0;
  if (log->state.header && !log->marker_length) log->state.reached = log->state.newest_time; /* no block says better */
  c->step->n = c->n;
  c->step->consumed = c->at;
  c->step->prologue_after = definitions_seal(log);
  if (c->step->sync == NOWHERE) c->step->prologue_at_sync = c->step->prologue_after;
  if (log->settings.secrets) tell_secrets(log, c);
  c->step->block = log->block.inside && !at_block_end(log, c->at) ? log->block.begin : UINT64_MAX;
  log->offset += c->at;
}

void eventlog_step(struct eventlog *log, const uint8_t *data, size_t size, struct evp_event *events, uint32_t room,
  struct eventlog_step *step)
{
  struct cursor c = {.data = data, .size = size, .previous = NOWHERE, .events = events, .room = room, .step = step};
  run(log, &c);
}

void eventlog_finish(struct eventlog *log, const uint8_t *data, size_t size, struct evp_event *events, uint32_t room,
  struct eventlog_step *step)
{
  struct cursor c = {
    .data = data, .size = size, .final = true, .previous = NOWHERE, .events = events, .room = room, .step = step};
  run(log, &c);
}
