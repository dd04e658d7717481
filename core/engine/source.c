#include "engine/source.h"
#include "engine/engine_state.h"
#include "engine/flow.h"
#include "engine/graph.h"
#include "engine/out.h"
#include "engine/reader.h"
#include "engine/silence.h"
#include "engine/time.h"
#include "eventlog/prologue.h"
#include <evpipe/events.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* Under a pace, events are handed on in small parts, so that they come when they are due. */
enum { PACED_EVENTS = 64 };

enum { BEGINNING = 4096 };

enum source_state {
  SOURCE_WAITING, /* until retry_at, then connects */
  SOURCE_CONNECTING, /* its fd will become writable */
  SOURCE_OPEN,
  SOURCE_ENDING, /* the stream is over; its flow ends */
  SOURCE_DONE
};

struct source {
  struct node *node;
  const struct evp_plugin *plugin;
  struct evp_ctx *ctx;
  enum source_state state;
  bool started, stopping;
  int fd; /* -1: always ready, or not connected */
  bool connected; /* disconnect() is owed */
  uint64_t retry_at, retry_delay; /* monotonic; the next delay */
  struct reader reader;
  struct flow *flow; /* NULL: no byte came yet */
  uint64_t offset; /* of the first byte not handed on yet, in its stream */
  uint8_t beginning[BEGINNING]; /* of the stream: what is no eventlog is told by it */
  size_t n_beginning;
  uint64_t parsed_total; /* bytes of the stream that were decoded */
  bool blocked; /* waits for room in a queue, or for held-back events to go out */
  bool input_over; /* no more bytes of this connection; then the rest in the slab ends with the stream */
  bool restart; /* the stream ended at the begin of another in the same connection */
  bool damaged; /* an input was damaged: exit status 3 if the source ends by itself */
  bool prologue_wanted, census_wanted;
  struct silence silence;
  uint64_t newest_time, newest_seen; /* greatest event time, and when it was (monotonic) */
  uint64_t pace_begin, pace_time, due; /* monotonic begin, event time then; 0: not begun; when to go on */
};

struct source *source_new(struct node *node, struct evp_ctx *ctx)
{
  struct source *source = calloc(1, sizeof *source);
  if (!source) return NULL;
  source->node = node;
  source->plugin = node->plugin;
  source->ctx = ctx;
  source->fd = -1;
  source->reader.pool = node->engine->slabs;
  return source;
}

bool source_has_items(const struct source *source)
{
  return source->plugin->emit != NULL;
}

bool source_is_done(const struct source *source)
{
  return source->state == SOURCE_DONE;
}

static const struct source_settings *settings_of(const struct source *source)
{
  return &source->node->config->source;
}

static void disconnect(struct source *source)
{
  if (source->connected && source->plugin->disconnect) source->plugin->disconnect(source->ctx->self);
  source->connected = false;
  source->fd = -1;
}

static void become_done(struct source *source)
{
  disconnect(source);
  source->state = SOURCE_DONE;
  atomic_store(&source->node->source_done, true);
  engine_wake(source->node->engine);
}

/* ----------------------------------------------------------------------------------------------------- streams */

static struct evp_stream *new_stream(struct source *source)
{
  bool items = source_has_items(source);
  struct evp_stream *stream = stream_new(source->node->config->name, &settings_of(source)->labels,
    items || !source->ctx->recorded, !items && source->ctx->can_wait);
  if (!stream || items) return stream;
  bool prologue = source->prologue_wanted;
  if (prologue)
    stream->prologue = prologue_new(settings_of(source)->prologue.max_memory, settings_of(source)->prologue.max_size);
  bool events = source->node->demands_events;
  struct eventlog_settings wanted = {
    .wanted = events ? &source->node->demand : NULL, .prologue = stream->prologue, .walk = events || prologue};
  if (stream->prologue || !prologue) stream->eventlog = eventlog_new(&wanted);
  if (stream->eventlog) return stream;
  evp_stream_unref(stream);
  return NULL;
}

static bool begin_stream(struct source *source)
{
  struct evp_stream *stream = new_stream(source);
  source->flow = stream ? flow_new(source->node->engine, source->node, stream, source->ctx->modified) : NULL;
  source->offset = source->parsed_total = 0;
  source->n_beginning = 0;
  source->newest_time = 0;
  source->newest_seen = time_monotonic();
  source->pace_begin = source->due = 0;
  source->restart = false;
  if (source->flow) return true;
  node_fail(source->node, "the begin of a stream");
  become_done(source);
  return false;
}

static const struct eventlog_state *state_of(const struct source *source)
{
  return eventlog_state(flow_stream(source->flow)->eventlog);
}

static void report_no_header(struct source *source)
{
  const char *guess = eventlog_guess(source->beginning, source->n_beginning);
  node_log(source->node, flow_stream(source->flow)->live ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR,
    "no complete eventlog header in %" PRIu64 " bytes%s%s", source->offset, guess ? ": this looks like " : "",
    guess ? guess : "");
}

/* What a user must know of how the stream ended, and what it means for the exit status. */
static void judge(struct source *source)
{
  const struct eventlog_state *state = state_of(source);
  struct evp_stream *stream = flow_stream(source->flow);
  enum log_level level = stream->live ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR;
  bool cut_by_us = source->stopping && !source->input_over; /* wherever we stood: no fault of the input */
  bool cut = state->cut_bytes && !cut_by_us, headless = !state->header && !cut_by_us;
  if (headless) report_no_header(source);
  if (state->header && state->damages)
    node_log(source->node, level,
      "damaged: %" PRIu64 " bytes skipped in %" PRIu64 " places, the first at offset %" PRIu64 ": %s",
      state->skipped_bytes, state->damages, state->first_damage,
      state->first_damage_text ? state->first_damage_text : "not understood");
  if (state->header && cut)
    node_log(source->node, level, "ends within a record: %" PRIu64 " bytes are left over at offset %" PRIu64,
      state->cut_bytes, source->offset - state->cut_bytes);
  bool bad = headless || state->damages || state->skipped_bytes || cut;
  if (!bad && !state->ended && !source->stopping)
    node_log(source->node, stream->live ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
      "ends without an end marker, between two records: the program was killed, or the connection was cut");
  source->damaged = source->damaged || bad;
  statistics_add(&source->node->statistics.decode_errors, state->damages);
  statistics_add(&source->node->statistics.skipped_bytes, state->skipped_bytes);
  stream_set_state(stream, bad && state->damages ? EVP_STREAM_DAMAGED
                           : state->ended        ? EVP_STREAM_COMPLETE
                                                 : EVP_STREAM_CUT);
}

/* ---------------------------------------------------------------------------------------------------- decoding */

/* The bytes between what was handed on and `end`, which is an index into the slab, as at most two batches: what lies
   before the header is told apart. */
static void send_bytes(struct source *source, size_t end, const struct eventlog_step *step, size_t sync)
{
  struct reader *reader = &source->reader;
  while (reader->sent < end) {
    size_t leading_end = reader->parsed - step->consumed + step->leading;
    bool leading = step->leading && reader->sent < leading_end;
    size_t stop = leading && leading_end < end ? leading_end : end;
    uint32_t n = (uint32_t)(stop - reader->sent);
    bool has_sync = sync != SIZE_MAX && sync >= reader->sent && sync < stop;
    uint32_t flags = leading ? EVP_BATCH_LEADING : step->framed ? EVP_BATCH_FRAMED : 0;
    if (source->node->bytes.n)
      flow_bytes(source->flow, reader->slab, reader->slab->data + reader->sent, n, source->offset,
        has_sync ? (uint32_t)(sync - reader->sent) : n, has_sync ? step->prologue_at_sync : step->prologue, flags);
    source->offset += n;
    reader->sent = stop;
  }
}

static void note_time(struct source *source, uint64_t monotonic)
{
  const struct eventlog_state *state = state_of(source);
  uint64_t newest = state->newest_time > state->newest_block_end ? state->newest_time : state->newest_block_end;
  if (newest <= source->newest_time || newest > INT64_MAX / 2) return;
  source->newest_time = newest;
  source->newest_seen = monotonic;
}

static void keep_clock(struct source *source, uint64_t blocks_before)
{
  const struct eventlog_state *state = state_of(source);
  if (state->blocks == blocks_before) return;
  struct clock *clock = flow_clock(source->flow);
  int64_t before = clock->epoch;
  if (clock_block(clock, time_unix(), state->newest_block_end))
    node_log(source->node, LOG_LEVEL_WARNING,
      "the program's clock and this machine's have moved apart (suspend, drift): times are shifted by %.3f s from here",
      (double)(clock->epoch - before) / 1e9);
}

/* With `clock: now` the first event that is seen happens now. */
static void set_replay_clock(struct source *source, uint64_t first_time)
{
  if (settings_of(source)->clock == CLOCK_NOW && !flow_clock(source->flow)->known)
    flow_exact_clock(source->flow, time_unix() - (int64_t)first_time);
}

static bool is_paced(const struct source *source)
{
  return settings_of(source)->pace > 0 && !flow_stream(source->flow)->live;
}

/* True: what was decoded up to event time `time` is not due yet. */
static bool too_early(struct source *source, uint64_t time)
{
  if (!is_paced(source)) return false;
  uint64_t now = time_monotonic();
  if (!source->pace_begin) {
    source->pace_begin = now;
    source->pace_time = time;
  }
  if (time <= source->pace_time) return false;
  source->due = source->pace_begin + (uint64_t)((double)(time - source->pace_time) / settings_of(source)->pace);
  return source->due > now;
}

static void act_on(struct source *source, const struct eventlog_step *step)
{
  struct evp_stream *stream = flow_stream(source->flow);
  switch (step->reason) {
  case EVENTLOG_HEADER:
    stream_publish(stream);
    source->retry_delay = settings_of(source)->reconnect.initial;
    break;
  case EVENTLOG_FACTS:
    stream_publish(stream);
    break;
  case EVENTLOG_CLOCK:
    if (settings_of(source)->clock != CLOCK_NOW) flow_exact_clock(source->flow, state_of(source)->epoch);
    break;
  case EVENTLOG_RESTART:
    source->restart = true;
    break;
  case EVENTLOG_MORE:
  case EVENTLOG_FULL:
    break;
  }
}

/* One step of the decoder, and what it found handed on. `finish`: the input is over. */
static struct eventlog_step decode_step(struct source *source, bool finish, size_t *sync)
{
  struct reader *reader = &source->reader;
  struct eventlog *eventlog = flow_stream(source->flow)->eventlog;
  struct eventlog_step step = {.reason = EVENTLOG_MORE};
  struct evp_event *events;
  if (!flow_decode_block(source->flow, &events)) {
    node_fail(source->node, "decoding (no memory)");
    return step;
  }
  const uint8_t *data = reader->slab->data + reader->parsed;
  size_t size = reader->used - reader->parsed;
  uint64_t blocks = state_of(source)->blocks;
  uint32_t room = is_paced(source) ? PACED_EVENTS : DECODE_EVENTS;
  if (finish)
    eventlog_finish(eventlog, data, size, events, room, &step);
  else
    eventlog_step(eventlog, data, size, events, room, &step);
  if (step.sync != SIZE_MAX && *sync == SIZE_MAX && reader->parsed + step.sync >= reader->sent)
    *sync = reader->parsed + step.sync;
  reader->parsed += step.consumed;
  source->parsed_total += step.consumed;
  note_time(source, time_monotonic());
  if (step.n) set_replay_clock(source, events[0].time);
  keep_clock(source, blocks);
  if (step.n) flow_events(source->flow, reader->slab, step.n, step.consumed, step.prologue);
  act_on(source, &step);
  return step;
}

/* Decodes what lies in the slab; stops early when it is not due yet or another stream begins. */
static void decode(struct source *source)
{
  struct reader *reader = &source->reader;
  for (;;) {
    size_t sync = SIZE_MAX;
    struct eventlog_step step = decode_step(source, false, &sync);
    bool all = step.reason == EVENTLOG_MORE;
    /* The framer never withholds a byte: with the last step goes the incomplete item at the end. */
    send_bytes(source, all ? reader->used : reader->parsed, &step, sync);
    if (all || source->restart || atomic_load(&source->node->failed)) break;
    if (too_early(source, source->newest_time)) break;
  }
  flow_look(source->flow, time_monotonic(), source->newest_time, source->newest_seen);
}

static bool has_undecoded(const struct source *source)
{
  return source->due != 0;
}

/* The input has ended: the events that only the end can decide. What they need more of never comes. */
static void exhaust(struct source *source)
{
  struct eventlog_step step;
  size_t sync = SIZE_MAX;
  if (!source->reader.slab && !reader_make_room(&source->reader)) return;
  do step = decode_step(source, true, &sync);
  while (step.reason != EVENTLOG_MORE && step.reason != EVENTLOG_RESTART && !atomic_load(&source->node->failed));
  if (!source->restart) source->reader.parsed = source->reader.used;
}

/* -------------------------------------------------------------------------------------------------- connection */

static void wait_before_retry(struct source *source)
{
  const struct source_settings *settings = settings_of(source);
  if (source->retry_delay < settings->reconnect.initial) source->retry_delay = settings->reconnect.initial;
  source->state = SOURCE_WAITING;
  source->retry_at = time_monotonic() + source->retry_delay;
  source->retry_delay *= 2;
  if (source->retry_delay > settings->reconnect.max) source->retry_delay = settings->reconnect.max;
}

static void become_open(struct source *source, int fd)
{
  source->fd = fd;
  source->connected = true;
  source->state = SOURCE_OPEN;
  source->input_over = false;
  source->reader.used = source->reader.parsed = source->reader.sent = 0;
  reader_free(&source->reader);
  source->silence = (struct silence){.connected = time_monotonic()};
  statistics_add(&source->node->statistics.connects, 1);
  bool live = !source->ctx->recorded && !source->ctx->can_wait;
  if (live) atomic_store(&source->node->engine->live, true);
  node_log(source->node, live ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "connected");
}

/* It will never come again. If what it gave was damaged, that was the input's fault and not a live stream's fate. */
static void end_by_itself(struct source *source)
{
  if (source->damaged) engine_status(source->node->engine, STATUS_INPUT_DAMAGED);
  become_done(source);
}

static void connect_source(struct source *source)
{
  int fd = source->fd;
  source->ctx->can_wait = source->ctx->recorded = false;
  source->ctx->modified = 0;
  enum evp_status status = source->plugin->connect(source->ctx->self, &fd);
  switch (status) {
  case EVP_OK:
    become_open(source, fd);
    break;
  case EVP_END:
    end_by_itself(source);
    break;
  case EVP_AGAIN:
    source->fd = fd;
    if (fd >= 0)
      source->state = SOURCE_CONNECTING;
    else
      wait_before_retry(source);
    break;
  case EVP_REJECT:
  case EVP_ERROR:
  default:
    statistics_add(&source->node->statistics.errors, 1);
    source->fd = -1;
    wait_before_retry(source);
  }
}

/* ------------------------------------------------------------------------------------------------------ reading */

static void end_input(struct source *source)
{
  source->input_over = true;
  if (source->flow) return;
  disconnect(source);
  wait_before_retry(source);
  if (!source->ctx->can_wait && !source->ctx->recorded) return;
  source->retry_at = 0;
  if (source->offset) return;
  node_log(source->node, LOG_LEVEL_ERROR, "empty: no eventlog header");
  source->damaged = true;
}

static void keep_beginning(struct source *source, const uint8_t *data, size_t size)
{
  size_t room = sizeof source->beginning - source->n_beginning;
  if (size > room) size = room;
  memcpy(source->beginning + source->n_beginning, data, size);
  source->n_beginning += size;
}

static void read_some(struct source *source)
{
  struct reader *reader = &source->reader;
  if (!reader_make_room(reader)) {
    node_fail(source->node, "reading (no memory)");
    become_done(source);
    return;
  }
  size_t size = reader_room(reader);
  enum evp_status status = source->plugin->read(source->ctx->self, reader->slab->data + reader->used, &size);
  switch (status) {
  case EVP_OK:
    if (!source->flow && !begin_stream(source)) return;
    keep_beginning(source, reader->slab->data + reader->used, size);
    reader->used += size;
    statistics_add(&source->node->statistics.in[signal_index(EVP_BYTES)], size);
    decode(source);
    break;
  case EVP_AGAIN:
    break;
  case EVP_END:
    end_input(source);
    break;
  case EVP_REJECT:
  case EVP_ERROR:
  default:
    statistics_add(&source->node->statistics.errors, 1);
    end_input(source);
  }
}

static void begin_ending(struct source *source)
{
  if (!source->restart) exhaust(source);
  judge(source);
  source->state = SOURCE_ENDING;
}

/* After a stream: the next one of the same connection, or a new connection, or the end. */
static void after_stream(struct source *source)
{
  bool restart = source->restart;
  flow_free(source->flow);
  source->flow = NULL;
  if (source->stopping) {
    become_done(source);
  } else if (restart) {
    source->state = SOURCE_OPEN;
    source->reader.sent = source->reader.parsed;
    if (begin_stream(source)) decode(source);
  } else {
    bool live = !source->ctx->recorded && !source->ctx->can_wait;
    disconnect(source);
    reader_free(&source->reader);
    wait_before_retry(source);
    if (!live) source->retry_at = 0;
  }
}

static void turn_open(struct source *source, bool readable)
{
  source->blocked = source->flow && !flow_ready(source->flow);
  if (source->blocked) return;
  if (has_undecoded(source)) {
    if (time_monotonic() < source->due && !source->stopping) return;
    source->due = 0;
    decode(source);
  } else if (source->flow && (source->restart || source->input_over || source->stopping)) {
    begin_ending(source);
  } else if (source->stopping) {
    become_done(source);
  } else if (readable || source->fd < 0) {
    read_some(source);
  }
}

/* ---------------------------------------------------------------------------------------------- a source of items */

static void end_items(struct source *source)
{
  source->blocked = source->flow && !flow_end(source->flow);
  if (source->blocked) return;
  flow_free(source->flow);
  source->flow = NULL;
  become_done(source);
}

static void turn_items(struct source *source, bool readable)
{
  struct evp_ctx *ctx = source->ctx;
  if (!source->flow && !source->stopping) {
    if (!begin_stream(source)) return;
    flow_exact_clock(source->flow, 0); /* its items bring Unix times */
    source->state = SOURCE_OPEN;
  }
  if (source->stopping || atomic_load(&source->node->failed)) {
    end_items(source);
    return;
  }
  if (readable && source->plugin->ready && source->plugin->ready(ctx->self) != EVP_OK) node_fail(source->node, "ready");
  uint64_t now = time_monotonic();
  if (!ctx->tick_every || now < ctx->tick_next) return;
  ctx->tick_next = now + ctx->tick_every;
  enum evp_status status = source->plugin->emit(ctx->self, flow_source_out(source->flow));
  flow_source_items(source->flow);
  if (status == EVP_END) source->stopping = true;
  if (status != EVP_OK && status != EVP_END) node_fail(source->node, "emit");
}

/* ---------------------------------------------------------------------------------------------------------- turns */

static struct silence_facts facts_of(const struct source *source)
{
  struct silence_facts facts = {.census_wanted = source->census_wanted};
  if (!source->flow) return facts;
  const struct eventlog_state *state = state_of(source);
  facts.header = state->header;
  facts.events = state->events > state->blocks || !source->node->demands_events;
  facts.census = flow_groups(source->flow) > 0;
  return facts;
}

static bool may_be_silent(const struct source *source)
{
  return source->state == SOURCE_OPEN && !source_has_items(source) && !source->ctx->recorded;
}

static void look_at_clock(struct source *source)
{
  uint64_t now = time_monotonic();
  if (source->flow && !source_has_items(source)) flow_look(source->flow, now, source->newest_time, source->newest_seen);
  if (!may_be_silent(source)) return;
  struct silence_facts facts = facts_of(source);
  silence_look(&source->silence, source->node, &facts, now, source->node->engine->silence_after);
}

static void turn(struct source *source, bool readable)
{
  if (source->state != SOURCE_DONE && source_has_items(source)) {
    turn_items(source, readable);
    return;
  }
  switch (source->state) {
  case SOURCE_WAITING:
    if (source->stopping)
      become_done(source);
    else if (time_monotonic() >= source->retry_at)
      connect_source(source);
    break;
  case SOURCE_CONNECTING:
    if (source->stopping) {
      source->connected = true;
      become_done(source);
    } else if (readable) {
      connect_source(source);
    }
    break;
  case SOURCE_OPEN:
    turn_open(source, readable);
    break;
  case SOURCE_ENDING:
    source->blocked = !flow_end(source->flow);
    if (!source->blocked) after_stream(source);
    break;
  case SOURCE_DONE:
    return;
  }
  look_at_clock(source);
}

void source_turn(struct source *source, bool readable)
{
  turn(source, readable);
  if (source->flow) flow_wake_sinks(source->flow);
}

int source_fd(const struct source *source, uint32_t *events)
{
  *events = 0;
  if (source_has_items(source)) {
    if (source->ctx->watched >= 0) *events = EPOLLIN;
    return source->ctx->watched;
  }
  if (source->state == SOURCE_CONNECTING) *events = EPOLLOUT;
  if (source->state == SOURCE_OPEN && !source->blocked && !has_undecoded(source)) *events = EPOLLIN;
  return source->fd;
}

uint64_t source_deadline(const struct source *source)
{
  if (source->state == SOURCE_DONE || source->blocked) return UINT64_MAX;
  if (source_has_items(source))
    return source->flow ? (source->ctx->tick_every ? source->ctx->tick_next : UINT64_MAX) : 0;
  if (source->state == SOURCE_WAITING) return source->retry_at;
  if (source->state == SOURCE_ENDING || source->stopping) return 0;
  if (source->state == SOURCE_CONNECTING) return UINT64_MAX;
  if (has_undecoded(source)) return source->due;
  if (source->fd < 0 || source->restart || source->input_over) return 0;
  uint64_t deadline = source->flow ? flow_deadline(source->flow) : UINT64_MAX;
  if (!may_be_silent(source)) return deadline;
  struct silence_facts facts = facts_of(source);
  uint64_t silence = silence_deadline(&source->silence, &facts, source->node->engine->silence_after);
  return silence < deadline ? silence : deadline;
}

void source_stop_reading(struct source *source)
{
  source->stopping = true;
}

static bool wants_census(const struct node *node)
{
  return node->demands_events && !node->wants_everything && node->named_events &&
         event_set_has(&node->named, EVP_HEAP_PROF_SAMPLE_BEGIN);
}

/* What those behind it need of the decoder. */
static bool learn_wants(struct source *source)
{
  struct engine *engine = source->node->engine;
  bool *reached = calloc(engine->n_nodes, sizeof *reached);
  if (!reached) return false;
  graph_mark_reached(engine, source->node, reached);
  for (unsigned i = 0; i < engine->n_nodes; i++) {
    struct node *node = &engine->nodes[i];
    if (!reached[i]) continue;
    source->prologue_wanted = source->prologue_wanted || node->wants_prologue;
    source->census_wanted = source->census_wanted || (node->config->output & EVP_METRICS && wants_census(node));
  }
  free(reached);
  return true;
}

bool source_start(struct source *source)
{
  if (!learn_wants(source) || (source->plugin->start && source->plugin->start(source->ctx->self) != EVP_OK)) {
    node_fail(source->node, "start");
    return false;
  }
  source->started = true;
  return true;
}

void source_free(struct source *source)
{
  if (!source) return;
  disconnect(source);
  flow_free(source->flow);
  reader_free(&source->reader);
  if (source->started && source->plugin->stop) source->plugin->stop(source->ctx->self);
  instance_destroy(source->ctx);
  free(source->ctx);
  free(source);
}
