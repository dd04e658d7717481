#include "engine/engine_state.h"
#include "engine/graph.h"
#include "engine/source_state.h"
#include "engine/time.h"
#include <evpipe/events.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* A connection of so many nanoseconds was a good one. */
#define LASTED NS_PER_S
/* How often a source looks whether it was silent since it looked last. */
#define REST_INTERVAL NS_PER_S

struct source *source_new(struct node *node, struct evp_ctx *ctx)
{
  struct source *source = calloc(1, sizeof *source);
  if (!source) return NULL;
  source->node = node;
  source->plugin = node->plugin;
  source->ctx = ctx;
  source->fd = -1;
  source->empty = true;
  source->rest_at = UINT64_MAX;
  intake_init(&source->intake, ctx);
  return source;
}

struct node *source_node(const struct source *source)
{
  return source->node;
}

struct seat *source_seat(struct source *source)
{
  return &source->seat;
}

const char *source_path(const struct source *source)
{
  return source->ctx->instance ? source->ctx->instance->path : NULL;
}

bool source_leaves(const struct source *source)
{
  return source->ctx->instance != NULL;
}

bool source_was_let_go(const struct source *source)
{
  return source->let_go;
}

void source_path_is(struct source *source, bool there)
{
  if (atomic_exchange(&source->path_gone, !there) != !there) lane_ask(source);
}

void source_try_now(struct source *source)
{
  atomic_store(&source->try_now, true);
  lane_ask(source);
}

bool source_has_items(const struct source *source)
{
  return source->plugin->emit != NULL;
}

bool source_is_done(const struct source *source)
{
  return source->state == SOURCE_DONE;
}

bool source_is_blocked(const struct source *source)
{
  return source->blocked;
}

const struct source_settings *source_settings(const struct source *source)
{
  return instance_settings(source->ctx);
}

bool source_is_live(const struct source *source)
{
  return source_has_items(source) || !source->ctx->recorded;
}

bool source_comes_and_goes(const struct source *source)
{
  return source_is_live(source) && !source->ctx->can_wait;
}

/* ------------------------------------------------------------------------------------------------------ reading */

/* `failed`: it could not be read on; said by the plugin. */
static void end_input(struct source *source, bool failed)
{
  source->input_over = true;
  if (source->intake.flow) return;
  source->empty = !failed;
  source_tell_end_without_byte(source);
  source_disconnect(source);
  source_wait(source);
}

static void decode(struct source *source, uint64_t begin, bool finish)
{
  intake_decode(&source->intake, finish);
  statistics_add(&source->node->statistics.busy_ns, time_monotonic() - begin);
}

static void read_some(struct source *source)
{
  uint64_t begin = time_monotonic();
  struct reader *reader = &source->intake.reader;
  if (!reader_make_room(reader)) {
    source_fail(source, "reading (no memory)");
    source_become_done(source);
    return;
  }
  size_t size = reader_room(reader);
  enum evp_status status = source->plugin->read(source->ctx->self, reader->slab->data + reader->used, &size);
  switch (status) {
  case EVP_OK:
    source_tell_first_byte(source);
    if (!source->intake.flow && !source_begin_stream(source)) return;
    source->active = true;
    intake_take(&source->intake, size);
    statistics_add(&source->node->statistics.in[signal_index(EVP_BYTES)], size);
    decode(source, begin, false);
    break;
  case EVP_AGAIN:
    /* Nobody goes on writing to a file that was removed. A program may well remove its socket and go on. */
    if (source->ctx->recorded && atomic_load(&source->path_gone)) end_input(source, false);
    break;
  case EVP_END:
    end_input(source, false);
    break;
  case EVP_REJECT:
  case EVP_ERROR:
  default:
    statistics_add(&source->node->statistics.errors, 1);
    /* A program that went away comes back. What a file has beyond a read error never comes. */
    if (source->ctx->recorded) engine_status(source->node->engine, STATUS_NODE_FAILED);
    end_input(source, true);
  }
}

static void begin_ending(struct source *source)
{
  bool early = source->intake.due; /* stopped by us before the next event was due: nothing is decoded any more */
  if (early)
    intake_stop(&source->intake);
  else if (!source->intake.restart)
    intake_decode(&source->intake, true);
  if (!early && source->intake.due) return;
  /* Stopped by us, a stream ends wherever we stood: that is no fault of the input. */
  bool stopped = source->interrupted || (source->stopping && (early || !source->input_over));
  if (intake_judge(&source->intake, stopped)) source->damaged = true;
  source->state = SOURCE_ENDING;
}

/* After a stream: the next one of the same connection, or a new connection, or the end. */
static void after_stream(struct source *source)
{
  bool restart = source->intake.restart;
  /* A connection that lasted begins the delays anew; one that is cut at once, again and again, does not. */
  if (time_monotonic() - source->silence.connected >= LASTED)
    source->retry_delay = source_settings(source)->reconnect.initial;
  flow_free(source->intake.flow);
  source->intake.flow = NULL;
  if (source->stopping) {
    source_become_done(source);
  } else if (restart) {
    source->state = SOURCE_OPEN;
    if (source_begin_stream(source)) intake_decode(&source->intake, false);
  } else {
    source_disconnect(source);
    reader_free(&source->intake.reader);
    source_wait(source);
  }
}

/* ------------------------------------------------------------------------------------------------------ commands */

static struct command_queue *commands_of(const struct source *source)
{
  bool open = source->state == SOURCE_OPEN && source->intake.flow && !source->input_over && !source->stopping;
  return open ? flow_stream(source->intake.flow)->commands : NULL;
}

static void turn_open(struct source *source, bool readable)
{
  if (!command_send(&source->sender, commands_of(source), source->fd, source->ctx)) end_input(source, true);
  source->blocked = source->intake.flow && !flow_ready(source->intake.flow);
  if (source->blocked) return;
  if (source->intake.due && !source->stopping) {
    uint64_t now = time_monotonic();
    if (now >= source->intake.due) decode(source, now, source->input_over);
  } else if (source->intake.flow && (source->intake.restart || source->input_over || source->stopping)) {
    begin_ending(source);
  } else if (source->stopping) {
    source_become_done(source);
  } else if (readable || source->fd < 0) {
    read_some(source);
  }
}

/* ---------------------------------------------------------------------------------------------------------- turns */

static struct silence_facts facts_of(const struct source *source)
{
  struct silence_facts facts = {.census_wanted = source->census_wanted};
  if (!source->intake.flow) return facts;
  const struct eventlog_state *state = intake_state(&source->intake);
  facts.header = state->header;
  facts.events = state->events > state->blocks + state->introductions || !source->node->demands_events;
  facts.census = flow_groups(source->intake.flow) > 0;
  return facts;
}

static bool may_be_silent(const struct source *source)
{
  return source->state == SOURCE_OPEN && !source_has_items(source) && source_is_live(source);
}

/* A silent stream needs nothing to read and decode into: of many, only those that say something have that. */
static void look_for_rest(struct source *source, uint64_t now)
{
  if (source->active && (source->rest_at == UINT64_MAX || now >= source->rest_at)) {
    source->active = source->rest_at == UINT64_MAX;
    source->rest_at = now + REST_INTERVAL;
  } else if (now >= source->rest_at) {
    source->rest_at = UINT64_MAX;
    intake_rest(&source->intake);
  }
}

static void look_at_clock(struct source *source)
{
  uint64_t now = time_monotonic();
  look_for_rest(source, now);
  if (source->intake.flow && !source_has_items(source))
    flow_look(source->intake.flow, now, source->intake.newest_time, source->intake.newest_seen);
  if (!may_be_silent(source)) return;
  struct silence_facts facts = facts_of(source);
  silence_look(&source->silence, source->ctx, &facts, now, source_settings(source)->silence);
}

static void turn_waiting(struct source *source)
{
  if (atomic_exchange(&source->try_now, false)) source->retry_at = source->retry_delay = 0;
  bool due = time_monotonic() >= source->retry_at;
  source->let_go = due && atomic_load(&source->path_gone);
  if (source->stopping || source->let_go)
    source_become_done(source);
  else if (due)
    source_connect(source);
}

static void turn(struct source *source, bool readable)
{
  if (source->state != SOURCE_DONE && source_has_items(source)) {
    source_turn_items(source, readable);
    return;
  }
  switch (source->state) {
  case SOURCE_WAITING:
    turn_waiting(source);
    break;
  case SOURCE_CONNECTING:
    if (source->stopping) {
      source->connected = true;
      source_become_done(source);
    } else if (readable) {
      source_connect(source);
    }
    break;
  case SOURCE_OPEN:
    turn_open(source, readable);
    break;
  case SOURCE_ENDING:
    source->blocked = !flow_end(source->intake.flow);
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
  bool more_at_once = source->state == SOURCE_OPEN && source->fd < 0 && !source->blocked && !source->intake.due;
  if (source->intake.flow) flow_wake_sinks(source->intake.flow, more_at_once && !source_has_items(source));
}

int source_fd(const struct source *source, uint32_t *events, uint64_t *connection)
{
  *events = 0;
  *connection = source->connections;
  if (source_has_items(source)) {
    if (source->ctx->watched >= 0) *events = EPOLLIN;
    return source->ctx->watched;
  }
  if (source->state == SOURCE_CONNECTING) *events = EPOLLIN | EPOLLOUT;
  if (source->state == SOURCE_OPEN && !source->blocked && !source->intake.due) *events = EPOLLIN;
  if (source->state == SOURCE_OPEN && source->sender.waits) *events |= EPOLLOUT;
  return source->fd;
}

static uint64_t read_deadline(const struct source *source)
{
  if (source->state == SOURCE_DONE || source->blocked) return UINT64_MAX;
  if (source_has_items(source)) return source_items_deadline(source);
  if (source->state == SOURCE_WAITING) return source->retry_at;
  if (source->state == SOURCE_ENDING || source->stopping) return 0;
  if (source->state == SOURCE_CONNECTING) return UINT64_MAX;
  if (source->intake.due) return source->intake.due;
  if (source->fd < 0 || source->intake.restart || source->input_over) return 0;
  uint64_t deadline = source->intake.flow ? flow_deadline(source->intake.flow) : UINT64_MAX;
  if (source->rest_at < deadline) deadline = source->rest_at;
  if (!may_be_silent(source)) return deadline;
  struct silence_facts facts = facts_of(source);
  uint64_t silence = silence_deadline(&source->silence, &facts, source_settings(source)->silence);
  return silence < deadline ? silence : deadline;
}

uint64_t source_deadline(const struct source *source)
{
  uint64_t read = read_deadline(source), send = command_deadline(&source->sender, commands_of(source));
  return read < send ? read : send;
}

void source_interrupt(struct source *source, int signal)
{
  if (source->state == SOURCE_DONE) return;
  bool goes_on = source_ends_first(source) && source->plugin->interrupt(source->ctx->self, signal) == EVP_OK;
  if (goes_on)
    source->interrupted = true;
  else
    source->stopping = true;
}

bool source_ends_first(const struct source *source)
{
  return source->plugin->interrupt != NULL;
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
    source->secrets_wanted = source->secrets_wanted || node->wants_secrets;
    source->census_wanted = source->census_wanted || (node->config->output & EVP_METRICS && wants_census(node));
  }
  free(reached);
  return true;
}

bool source_start(struct source *source)
{
  if (!learn_wants(source) || (source->plugin->start && source->plugin->start(source->ctx->self) != EVP_OK)) {
    source_fail(source, "start");
    return false;
  }
  source->started = true;
  return true;
}

void source_free(struct source *source)
{
  if (!source) return;
  source_disconnect(source);
  intake_free(&source->intake);
  if (source->started && source->plugin->stop) source->plugin->stop(source->ctx->self);
  instance_destroy(source->ctx);
  free(source->ctx);
  free(source);
}
