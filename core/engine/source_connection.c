#include "engine/engine_state.h"
#include "engine/source_state.h"
#include "engine/time.h"
#include "eventlog/prologue.h"

void source_disconnect(struct source *source)
{
  lane_forget_fd(source);
  if (source->connected && source->plugin->disconnect) source->plugin->disconnect(source->ctx->self);
  if (source->open) atomic_fetch_sub_explicit(&source->node->statistics.connected, 1, memory_order_relaxed);
  silence_end(&source->silence, source->ctx);
  source->connected = source->open = false;
  source->fd = -1;
}

void source_become_done(struct source *source)
{
  source_disconnect(source);
  source->state = SOURCE_DONE;
  source->blocked = false;
  if (source_leaves(source)) return;
  atomic_store(&source->node->source_done, true);
  engine_wake(source->node->engine);
}

void source_fail(struct source *source, const char *what)
{
  if (source_leaves(source)) {
    statistics_add(&source->node->statistics.errors, 1);
    instance_log(source->ctx, LOG_LEVEL_ERROR, "failed in %s; it is left out", what);
    engine_status(source->node->engine, STATUS_NODE_FAILED);
  } else {
    node_fail(source->node, what);
  }
}

/* ------------------------------------------------------------------------------------------------------ streams */

static struct evp_stream *new_stream(struct source *source)
{
  bool items = source_has_items(source);
  struct evp_stream *stream = stream_new(source->node->config->name, &source_settings(source)->labels,
    source_is_live(source), !items && source->ctx->can_wait);
  if (stream && source->ctx->instance) stream->instance = pipeline_instance_ref(source->ctx->instance);
  if (!stream || items) return stream;
  bool prologue = source->prologue_wanted, secrets = source->secrets_wanted;
  if (prologue)
    stream->prologue =
      prologue_new(source_settings(source)->prologue.max_memory, source_settings(source)->prologue.max_size);
  if (source_settings(source)->controllable) stream->commands = command_queue_new(source->ctx, source);
  bool events = source->node->demands_events;
  struct eventlog_settings wanted = {.wanted = events ? &source->node->demand : NULL,
    .prologue = stream->prologue,
    .secrets = secrets,
    .walk = events || prologue || secrets};
  bool complete = (stream->prologue || !prologue) && (stream->commands || !source_settings(source)->controllable);
  if (complete) stream->eventlog = eventlog_new(&wanted);
  if (stream->eventlog) return stream;
  evp_stream_unref(stream);
  return NULL;
}

bool source_begin_stream(struct source *source)
{
  struct evp_stream *stream = new_stream(source);
  silence_begin(&source->silence, source->ctx, source->intake.restart ? time_monotonic() : source->silence.connected);
  if (stream && intake_begin(&source->intake, stream, source->ctx->modified)) return true;
  source_fail(source, "the begin of a stream");
  source_become_done(source);
  return false;
}

/* -------------------------------------------------------------------------------------------------- connection */

void source_wait(struct source *source)
{
  const struct source_settings *settings = source_settings(source);
  if (source->retry_delay < settings->reconnect.initial) source->retry_delay = settings->reconnect.initial;
  source->state = SOURCE_WAITING;
  source->retry_at = time_monotonic() + source->retry_delay;
  source->retry_delay *= 2;
  if (source->retry_delay > settings->reconnect.max) source->retry_delay = settings->reconnect.max;
  if (!source_comes_and_goes(source)) source->retry_at = 0;
}

/* Whoever stands between (socat, a proxy) may take each connection and close it at once, as long as no program is behind. */
void source_tell_end_without_byte(struct source *source)
{
  if (!source_comes_and_goes(source) || source->stopping || source->fruitless++) return;
  instance_log(source->ctx, LOG_LEVEL_INFO,
    "the connection was closed before a byte came: there may be no program behind it yet; it is tried again, and said "
    "when something comes");
}

void source_tell_first_byte(struct source *source)
{
  if (!source->fruitless) return;
  instance_log(source->ctx, LOG_LEVEL_INFO, "connected: something comes, after %llu connections that brought nothing",
    (unsigned long long)source->fruitless);
  source->fruitless = 0;
}

/* What is not recorded comes when it comes. Only now is it known. */
static void tell_of_pace(struct source *source)
{
  if (source_settings(source)->pace <= 0 || source->told_of_pace || !source_is_live(source)) return;
  source->told_of_pace = true;
  instance_log(source->ctx, LOG_LEVEL_WARNING,
    "'pace: %s' is for recordings and means nothing here: what comes is live, and is taken as it comes",
    source_settings(source)->pace_text);
}

static void become_open(struct source *source, int fd)
{
  source->fd = fd;
  source->connected = source->open = true;
  statistics_add(&source->node->statistics.connected, 1);
  source->state = SOURCE_OPEN;
  source->input_over = source->empty = false;
  source->intake.reader.used = source->intake.reader.parsed = source->intake.reader.sent = 0;
  reader_free(&source->intake.reader);
  silence_begin(&source->silence, source->ctx, time_monotonic());
  statistics_add(&source->node->statistics.connects, 1);
  bool is_news = source_comes_and_goes(source);
  if (is_news) atomic_store(&source->node->engine->live, true);
  instance_log(source->ctx, is_news && !source->fruitless ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "connected");
  tell_of_pace(source);
}

/* It will never come again. If what it gave was damaged, that was the input's fault and not a live stream's fate. */
static void end_by_itself(struct source *source)
{
  if (source->empty && !source->stopping && !source->interrupted) {
    instance_log(source->ctx, LOG_LEVEL_ERROR, "empty: no eventlog header");
    source->damaged = true;
  }
  if (source->damaged) engine_status(source->node->engine, STATUS_INPUT_DAMAGED);
  source_become_done(source);
}

void source_connect(struct source *source)
{
  int fd = source->fd;
  source->ctx->can_wait = source->ctx->recorded = false;
  source->ctx->modified = 0;
  source->connections++;
  lane_forget_fd(source);
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
      source_wait(source);
    break;
  case EVP_REJECT:
  case EVP_ERROR:
  default:
    statistics_add(&source->node->statistics.errors, 1);
    source->fd = -1;
    source_wait(source);
  }
}
