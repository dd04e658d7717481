#include "engine/intake.h"
#include "engine/time.h"
#include "eventlog/prologue.h"
#include <inttypes.h>
#include <string.h>

/* Under a pace steps are short: the bytes of one are handed on when the last of its events is. */
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
  intake->counted_damages = intake->counted_skipped = 0;
  intake->newest_seen = time_monotonic();
  intake->pace_begin = intake->due = 0;
  intake->decoded.pending = intake->finished = intake->stopped = intake->restart = false;
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

/* Once for each slab: what the decoder counts by itself, and how far the stream has come. */
static void keep_statistics(struct intake *intake)
{
  const struct eventlog_state *state = intake_state(intake);
  struct statistics *statistics = &intake->node->statistics;
  const struct clock *clock = flow_clock(intake->flow);
  statistics_add(&statistics->decode_errors, state->damages - intake->counted_damages);
  statistics_add(&statistics->skipped_bytes, state->skipped_bytes - intake->counted_skipped);
  intake->counted_damages = state->damages;
  intake->counted_skipped = state->skipped_bytes;
  atomic_store_explicit(&statistics->clock, clock->exact ? EVP_CLOCK_EXACT : EVP_CLOCK_ESTIMATED, memory_order_relaxed);
  int64_t epoch = clock_guess(clock, time_unix(), intake->newest_time), newest;
  if (intake->newest_time && !__builtin_add_overflow(epoch, (int64_t)intake->newest_time, &newest))
    statistics_raise(&statistics->last_event, newest);
}

static void report_no_header(struct intake *intake)
{
  const char *guess = eventlog_guess(intake->beginning, intake->n_beginning);
  instance_log(intake->ctx, flow_stream(intake->flow)->live ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR,
    "no complete eventlog header in %" PRIu64 " bytes%s%s", intake->offset, guess ? ": this looks like " : "",
    guess ? guess : "");
}

/* All that was skipped is what every program of GHC 9.0 sends in vain. Of a recording it is told as other damage is: there a
   reader of GHC's own stops. */
static bool skipped_stray_marker_only(const struct intake *intake)
{
  const struct eventlog_state *state = intake_state(intake);
  return flow_stream(intake->flow)->live && state->damages == 1 && state->skipped_bytes == EVENTLOG_STRAY_MARKER &&
         state->leading_bytes == EVENTLOG_STRAY_MARKER &&
         eventlog_begins_with_stray_marker(intake->beginning, intake->n_beginning);
}

/* What a user must know of how the stream ended, and what it means for the exit status. */
bool intake_judge(struct intake *intake, bool stopped)
{
  const struct eventlog_state *state = intake_state(intake);
  struct evp_stream *stream = flow_stream(intake->flow);
  enum log_level level = stream->live ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR;
  bool cut = state->cut_bytes && !stopped, headless = !state->header && !stopped;
  if (headless) report_no_header(intake);
  if (skipped_stray_marker_only(intake))
    instance_log(intake->ctx, LOG_LEVEL_INFO,
      "%d bytes before the header were skipped: the block marker that GHC 9.0 sends there, which is harmless",
      EVENTLOG_STRAY_MARKER);
  else if (state->header && state->damages)
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
  keep_statistics(intake);
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

/* The end marker lies before where the last step that is done with ended. */
static bool has_ended(const struct intake *intake)
{
  return intake_state(intake)->ended && !intake->decoded.pending;
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
  if (has_ended(intake)) batch.flags |= EVP_BATCH_ENDED;
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

/* How many of the step's events may be handed on by now; when the next one is due is set, if there is one. */
static uint32_t count_due(struct intake *intake)
{
  const struct decoded *decoded = &intake->decoded;
  uint32_t n = decoded->handed, all = decoded->step.n;
  if (!is_paced(intake) || intake->stopped || n == all) return all;
  uint64_t now = time_monotonic();
  if (!intake->pace_begin) {
    intake->pace_begin = now;
    intake->pace_time = decoded->events[n].time;
  }
  double pace = settings_of(intake)->pace, passed = (double)(now - intake->pace_begin) * pace;
  const uint64_t base = intake->pace_time;
  while (n < all && (decoded->events[n].time <= base || (double)(decoded->events[n].time - base) <= passed)) n++;
  if (n == all) return all;
  double delay = (double)(decoded->events[n].time - base) / pace + 1;
  intake->due = intake->pace_begin + (delay < LONGEST_DELAY ? (uint64_t)delay : (uint64_t)LONGEST_DELAY);
  return n;
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

/* One step of the decoder. */
static void decode_step(struct intake *intake, bool finish)
{
  struct reader *reader = &intake->reader;
  struct eventlog *eventlog = flow_stream(intake->flow)->eventlog;
  struct decoded *decoded = &intake->decoded;
  struct eventlog_step *step = &decoded->step;
  decoded->step = (struct eventlog_step){.reason = EVENTLOG_MORE, .sync = SIZE_MAX, .block = UINT64_MAX};
  decoded->handed = 0;
  decoded->pending = true;
  if (!flow_decode_block(intake->flow, &decoded->events)) {
    node_fail(intake->node, "decoding (no memory)");
    return;
  }
  const uint8_t *data = reader->slab->data + reader->parsed;
  size_t size = reader->used - reader->parsed;
  uint64_t end_before = intake_state(intake)->newest_block_end;
  uint32_t room = is_paced(intake) ? PACED_EVENTS : DECODE_EVENTS;
  if (finish)
    eventlog_finish(eventlog, data, size, decoded->events, room, step);
  else
    eventlog_step(eventlog, data, size, decoded->events, room, step);
  reader->parsed += step->consumed;
  note_time(intake, time_monotonic());
  if (step->n) set_replay_clock(intake, decoded->events[0].time);
  keep_clock(intake, end_before);
}

/* What is due of what the step found. False: something is left. */
static bool hand_on(struct intake *intake, struct annotation *annotation)
{
  struct decoded *decoded = &intake->decoded;
  const struct eventlog_step *step = &decoded->step;
  struct evp_stream *stream = flow_stream(intake->flow);
  uint32_t first = decoded->handed, due = count_due(intake);
  /* Definitions may lie between the first event of the step and this one. */
  uint64_t prologue = first && stream->prologue ? prologue_seal(stream->prologue) : step->prologue;
  if (due > first) flow_events(intake->flow, intake->reader.slab, first, due - first, step->consumed, prologue);
  decoded->handed = due;
  decoded->pending = due < step->n;
  if (decoded->pending) return false;
  annotate(intake, annotation, step, intake->reader.parsed - step->consumed);
  act_on(intake, step);
  return true;
}

/* `end`: index into the slab of where the last step that is done with ended. */
static void note_end(struct intake *intake, size_t end, uint64_t block)
{
  uint64_t whole = intake->offset + end - intake->reader.sent;
  intake->end = (struct evp_stream_end){.whole = whole, .block = block, .marker = has_ended(intake)};
}

/* The framer never withholds a byte: when all is decoded, the incomplete item at the end goes out, too. */
void intake_decode(struct intake *intake, bool finish)
{
  struct reader *reader = &intake->reader;
  struct decoded *decoded = &intake->decoded;
  struct annotation annotation = {.sync = SIZE_MAX, .block = intake->end.block, .framed = true};
  bool all = false, due = true;
  if (intake->finished || (!reader->slab && !reader_make_room(reader))) return;
  intake->due = 0;
  secrets_clear(&intake->secrets);
  while (!all && due && !intake->restart && !atomic_load(&intake->node->failed)) {
    if (!decoded->pending && intake->stopped) break;
    if (!decoded->pending) decode_step(intake, finish);
    due = hand_on(intake, &annotation);
    all = due && decoded->step.reason == EVENTLOG_MORE;
  }
  size_t done = decoded->pending ? reader->parsed - decoded->step.consumed : reader->parsed;
  send_bytes(intake, all ? reader->used : done, &annotation);
  note_end(intake, done, annotation.block);
  keep_statistics(intake);
  if (decoded->pending) return;
  intake->finished = finish && all;
  if (finish && !intake->restart) reader->parsed = reader->used;
  flow_forget_decoded(intake->flow);
  flow_look(intake->flow, time_monotonic(), intake->newest_time, intake->newest_seen);
}

void intake_stop(struct intake *intake)
{
  intake->stopped = true;
  if (intake->decoded.pending) intake_decode(intake, false);
}

void intake_rest(struct intake *intake)
{
  struct reader *reader = &intake->reader;
  if (intake->decoded.pending) return;
  if (intake->flow) flow_rest(intake->flow);
  if (reader->parsed < reader->used || reader->sent < reader->used) return;
  reader_free(reader);
  reader->used = reader->parsed = reader->sent = 0;
}
