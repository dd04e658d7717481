#include "engine/intake.h"
#include "engine/time.h"
#include <inttypes.h>
#include <string.h>

/* Under a pace, events are handed on in small parts, so that they come when they are due. */
enum { PACED_EVENTS = 64 };
#define LONGEST_DELAY 1e17 /* three years, in ns */

void intake_init(struct intake *intake, const struct evp_ctx *ctx)
{
  *intake = (struct intake){.ctx = ctx, .node = ctx->node, .reader.pool = ctx->node->engine->slabs};
}

void intake_free(struct intake *intake)
{
  flow_free(intake->flow);
  intake->flow = NULL;
  reader_free(&intake->reader);
  secrets_free(&intake->secrets);
}

static const struct source_settings *settings_of(const struct intake *intake)
{
  return instance_settings(intake->ctx);
}

const struct eventlog_state *intake_state(const struct intake *intake)
{
  return eventlog_state(flow_stream(intake->flow)->eventlog);
}

bool intake_begin(struct intake *intake, struct evp_stream *stream, int64_t modified)
{
  intake->flow = flow_new(intake->node->engine, intake->node, stream, modified);
  intake->offset = intake->newest_time = 0;
  intake->end = (struct evp_stream_end){.block = UINT64_MAX};
  intake->n_beginning = 0;
  intake->newest_seen = time_monotonic();
  intake->pace_begin = intake->due = 0;
  intake->restart = false;
  intake->reader.sent = intake->reader.parsed;
  return intake->flow != NULL;
}

void intake_take(struct intake *intake, size_t size)
{
  struct reader *reader = &intake->reader;
  size_t kept = sizeof intake->beginning - intake->n_beginning;
  if (kept > size) kept = size;
  memcpy(intake->beginning + intake->n_beginning, reader->slab->data + reader->used, kept);
  intake->n_beginning += kept;
  reader->used += size;
}

static void report_no_header(struct intake *intake)
{
  const char *guess = eventlog_guess(intake->beginning, intake->n_beginning);
  instance_log(intake->ctx, flow_stream(intake->flow)->live ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR,
    "no complete eventlog header in %" PRIu64 " bytes%s%s", intake->offset, guess ? ": this looks like " : "",
    guess ? guess : "");
}

/* What a user must know of how the stream ended, and what it means for the exit status. */
bool intake_judge(struct intake *intake, bool stopped)
{
  const struct eventlog_state *state = intake_state(intake);
  struct evp_stream *stream = flow_stream(intake->flow);
  enum log_level level = stream->live ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR;
  bool cut = state->cut_bytes && !stopped, headless = !state->header && !stopped;
  if (headless) report_no_header(intake);
  if (state->header && state->damages)
    instance_log(intake->ctx, level,
      "damaged: %" PRIu64 " bytes skipped in %" PRIu64 " places, the first at offset %" PRIu64 ": %s",
      state->skipped_bytes, state->damages, state->first_damage,
      state->first_damage_text ? state->first_damage_text : "not understood");
  if (state->header && cut)
    instance_log(intake->ctx, level, "ends within a record: %" PRIu64 " bytes are left over at offset %" PRIu64,
      state->cut_bytes, intake->offset - state->cut_bytes);
  bool bad = headless || state->damages || state->skipped_bytes || cut;
  if (!bad && !state->ended && !stopped)
    instance_log(intake->ctx, stream->live ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
      "ends without an end marker, between two records: the program was killed, or the connection was cut");
  stream->end = intake->end;
  statistics_add(&intake->node->statistics.decode_errors, state->damages);
  statistics_add(&intake->node->statistics.skipped_bytes, state->skipped_bytes);
  stream_set_state(stream, bad && state->damages ? EVP_STREAM_DAMAGED
                           : state->ended        ? EVP_STREAM_COMPLETE
                                                 : EVP_STREAM_CUT);
  instance_log(
    intake->ctx, LOG_LEVEL_DEBUG, "stream ended: %" PRIu64 " bytes, %" PRIu64 " events", intake->offset, state->events);
  return bad;
}

/* ---------------------------------------------------------------------------------------------------- decoding */

/* What the framer said of the bytes that were decoded since some were last handed on. */
struct annotation {
  size_t sync; /* index into the slab of the first place a reader may begin at; SIZE_MAX: none */
  uint64_t prologue; /* its length before that place, or now */
  uint64_t prologue_end; /* its length now */
  size_t leading_end; /* index up to which the bytes lie before the header */
  uint64_t block; /* place in the stream of the marker of the block that is open where decoding stands */
  bool framed;
};

static void annotate(
  struct intake *intake, struct annotation *annotation, const struct eventlog_step *step, size_t begin)
{
  if (!secrets_add(&intake->secrets, step, begin)) annotation->framed = false;
  if (step->leading) annotation->leading_end = begin + step->leading;
  annotation->block = step->block;
  /* Such a step gives nothing but what lies before the header, and the header: told apart by `leading`. */
  annotation->framed = annotation->framed && (step->framed || step->leading);
  annotation->prologue_end = step->prologue_after;
  if (annotation->sync != SIZE_MAX) return;
  annotation->prologue = step->prologue_at_sync;
  if (step->sync != SIZE_MAX) annotation->sync = begin + step->sync;
}

/* The slab's bytes [sent, stop), as one batch. */
static void send_batch(struct intake *intake, size_t stop, bool leading, const struct annotation *annotation)
{
  struct reader *reader = &intake->reader;
  struct evp_batch batch = {.bytes = reader->slab->data + reader->sent,
    .n = (uint32_t)(stop - reader->sent),
    .flags = leading ? EVP_BATCH_LEADING : 0,
    .offset = intake->offset,
    .prologue = annotation->prologue,
    .prologue_end = annotation->prologue_end,
    .whole = intake->offset + (reader->parsed < stop ? reader->parsed : stop) - reader->sent,
    .block = annotation->block};
  bool sync = annotation->sync >= reader->sent && annotation->sync < stop;
  batch.sync = sync ? (uint32_t)(annotation->sync - reader->sent) : batch.n;
  bool told = secrets_within(&intake->secrets, reader->sent, stop, &batch);
  if (!leading && annotation->framed && told) batch.flags |= EVP_BATCH_FRAMED;
  if (intake_state(intake)->ended) batch.flags |= EVP_BATCH_ENDED;
  flow_bytes(intake->flow, reader->slab, &batch);
}

/* The bytes up to `end`, an index into the slab, as at most two batches: what lies before the header is told apart. */
static void send_bytes(struct intake *intake, size_t end, const struct annotation *annotation)
{
  struct reader *reader = &intake->reader;
  while (reader->sent < end) {
    bool leading = reader->sent < annotation->leading_end;
    size_t stop = leading && annotation->leading_end < end ? annotation->leading_end : end;
    if (intake->node->bytes.n) send_batch(intake, stop, leading, annotation);
    intake->offset += stop - reader->sent;
    reader->sent = stop;
  }
}

static void note_time(struct intake *intake, uint64_t monotonic)
{
  uint64_t newest = intake_state(intake)->reached;
  if (newest <= intake->newest_time || newest > INT64_MAX / 2) return;
  intake->newest_time = newest;
  intake->newest_seen = monotonic;
}

static void keep_clock(struct intake *intake, uint64_t end_before)
{
  const struct eventlog_state *state = intake_state(intake);
  struct clock *clock = flow_clock(intake->flow);
  clock_claim(clock, state->last_block_end);
  if (state->newest_block_end == end_before) return;
  int64_t before = clock->epoch;
  if (clock_block(clock, time_unix(), state->newest_block_end))
    instance_log(intake->ctx, LOG_LEVEL_WARNING,
      "the program's clock and this machine's have moved apart (suspend, drift): times are shifted by %.3f s from here",
      (double)(clock->epoch - before) / 1e9);
}

/* With `clock: now` the first event that is seen happens now. */
static void set_replay_clock(struct intake *intake, uint64_t first_time)
{
  if (settings_of(intake)->clock == CLOCK_NOW && !flow_clock(intake->flow)->known)
    flow_exact_clock(intake->flow, time_unix() - (int64_t)first_time);
}

static bool is_paced(const struct intake *intake)
{
  return settings_of(intake)->pace > 0 && !flow_stream(intake->flow)->live;
}

/* True: what was decoded up to event time `time` is not due yet. */
static bool too_early(struct intake *intake, uint64_t time)
{
  if (!is_paced(intake)) return false;
  uint64_t now = time_monotonic();
  if (!intake->pace_begin) {
    intake->pace_begin = now;
    intake->pace_time = time;
  }
  if (time <= intake->pace_time) return false;
  double delay = (double)(time - intake->pace_time) / settings_of(intake)->pace;
  uint64_t due = intake->pace_begin + (delay < LONGEST_DELAY ? (uint64_t)delay : (uint64_t)LONGEST_DELAY);
  if (due <= now) return false;
  intake->due = due;
  return true;
}

static void act_on(struct intake *intake, const struct eventlog_step *step)
{
  struct evp_stream *stream = flow_stream(intake->flow);
  switch (step->reason) {
  case EVENTLOG_HEADER:
  case EVENTLOG_FACTS:
    stream_publish(stream);
    break;
  case EVENTLOG_CLOCK:
    if (settings_of(intake)->clock != CLOCK_NOW) flow_exact_clock(intake->flow, intake_state(intake)->epoch);
    break;
  case EVENTLOG_RESTART:
    intake->restart = true;
    break;
  case EVENTLOG_MORE:
  case EVENTLOG_FULL:
    break;
  }
}

/* One step of the decoder, and what it found handed on. `finish`: the input is over. */
static struct eventlog_step decode_step(struct intake *intake, bool finish, struct annotation *annotation)
{
  struct reader *reader = &intake->reader;
  struct eventlog *eventlog = flow_stream(intake->flow)->eventlog;
  struct eventlog_step step = {.reason = EVENTLOG_MORE};
  struct evp_event *events;
  if (!flow_decode_block(intake->flow, &events)) {
    node_fail(intake->node, "decoding (no memory)");
    annotation->framed = false;
    return step;
  }
  const uint8_t *data = reader->slab->data + reader->parsed;
  size_t size = reader->used - reader->parsed;
  uint64_t end_before = intake_state(intake)->newest_block_end;
  uint32_t room = is_paced(intake) ? PACED_EVENTS : DECODE_EVENTS;
  if (finish)
    eventlog_finish(eventlog, data, size, events, room, &step);
  else
    eventlog_step(eventlog, data, size, events, room, &step);
  annotate(intake, annotation, &step, reader->parsed);
  reader->parsed += step.consumed;
  note_time(intake, time_monotonic());
  if (step.n) set_replay_clock(intake, events[0].time);
  keep_clock(intake, end_before);
  if (step.n) flow_events(intake->flow, reader->slab, step.n, step.consumed, step.prologue);
  act_on(intake, &step);
  return step;
}

static void note_end(struct intake *intake, uint64_t block)
{
  const struct reader *reader = &intake->reader;
  uint64_t whole = intake->offset + reader->parsed - reader->sent;
  intake->end = (struct evp_stream_end){.whole = whole, .block = block, .marker = intake_state(intake)->ended};
}

/* The framer never withholds a byte: when all is decoded, the incomplete item at the end goes out, too. */
void intake_decode(struct intake *intake)
{
  struct reader *reader = &intake->reader;
  struct annotation annotation = {.sync = SIZE_MAX, .block = UINT64_MAX, .framed = true};
  bool all = false, early = false;
  intake->due = 0;
  secrets_clear(&intake->secrets);
  while (!all && !early && !intake->restart && !atomic_load(&intake->node->failed)) {
    all = decode_step(intake, false, &annotation).reason == EVENTLOG_MORE;
    early = !all && too_early(intake, intake->newest_time);
  }
  send_bytes(intake, all ? reader->used : reader->parsed, &annotation);
  note_end(intake, annotation.block);
  flow_forget_decoded(intake->flow);
  flow_look(intake->flow, time_monotonic(), intake->newest_time, intake->newest_seen);
}

void intake_rest(struct intake *intake)
{
  struct reader *reader = &intake->reader;
  if (intake->flow) flow_rest(intake->flow);
  if (reader->parsed < reader->used || reader->sent < reader->used) return;
  reader_free(reader);
  reader->used = reader->parsed = reader->sent = 0;
}

/* What the last items need more of never comes. Their bytes went out when they came. */
void intake_exhaust(struct intake *intake)
{
  struct annotation ignored = {.sync = SIZE_MAX};
  struct eventlog_step step;
  if (!intake->reader.slab && !reader_make_room(&intake->reader)) return;
  do step = decode_step(intake, true, &ignored);
  while (step.reason != EVENTLOG_MORE && step.reason != EVENTLOG_RESTART && !atomic_load(&intake->node->failed));
  note_end(intake, step.block);
  if (!intake->restart) intake->reader.parsed = intake->reader.used;
}
