/* logs.c: the filter `logs`: what a program says in its eventlog, as log records. See README.md. */
#include "escape.h"
#include "utf8.h"

#include <evpipe/events.h>
#include <stdlib.h>

/* A body's bound, DESIGN 7; a user message has up to 65,535 bytes. */
enum { BODY_MAX = 32 * 1024 };
/* As many as GHC ever has (MAX_N_CAPABILITIES is 256), and some. */
enum { CAPABILITIES_MAX = 1024 };

enum binary { BINARY_NONE, BINARY_HEX, BINARY_ESCAPED };
static const char *const binary_choices[] = {"none", "hex", "escaped", NULL};

struct logs {
  bool messages, markers, labels, rts, threads; /* options */
  int binary;
  struct evp_ctx *ctx;
  uint32_t *running; /* by capability: the thread that runs there, 0: none known */
  uint32_t n_running;
  char body[BODY_MAX + 1];
};

static enum evp_status logs_create(void *self, struct evp_ctx *ctx)
{
  struct logs *logs = self;
  logs->ctx = ctx;
  if (!logs->messages && !logs->markers && !logs->labels && !logs->rts && logs->binary == BINARY_NONE) {
    evp_option_error(ctx, "messages", "nothing is left to make logs of");
    return EVP_ERROR;
  }
  if (logs->messages) evp_want_event(ctx, EVP_USER_MSG);
  if (logs->markers) evp_want_event(ctx, EVP_USER_MARKER);
  if (logs->labels) evp_want_event(ctx, EVP_THREAD_LABEL);
  if (logs->rts) evp_want_event(ctx, EVP_LOG_MSG);
  if (logs->binary != BINARY_NONE) evp_want_event(ctx, EVP_USER_BINARY_MSG);
  if (logs->threads) {
    evp_want_event(ctx, EVP_RUN_THREAD);
    evp_want_event(ctx, EVP_STOP_THREAD);
  }
  return EVP_OK;
}

static void logs_destroy(void *self)
{
  struct logs *logs = self;
  free(logs->running);
}

/* ------------------------------------------------------------------------------------------- who runs where */

static bool reserve(struct logs *logs, uint32_t n)
{
  if (n <= logs->n_running) return true;
  uint32_t *running = realloc(logs->running, n * sizeof *running);
  if (!running) return false;
  for (uint32_t i = logs->n_running; i < n; i++) running[i] = 0;
  logs->running = running;
  logs->n_running = n;
  return true;
}

/* Without memory for it a message has no thread: it is not worth a stream. */
static void set_running(struct logs *logs, uint16_t cap, uint32_t thread)
{
  if (cap < CAPABILITIES_MAX && reserve(logs, cap + 1u)) logs->running[cap] = thread;
}

static uint32_t running_on(const struct logs *logs, uint16_t cap)
{
  return cap < logs->n_running ? logs->running[cap] : 0;
}

/* -------------------------------------------------------------------------------------------------- records */

static enum evp_status emit_body(
  struct logs *logs, const struct evp_event *event, struct evp_log *log, size_t size, struct evp_out *out)
{
  logs->body[size] = '\0';
  log->body = logs->body;
  log->body_size = (uint32_t)size;
  log->cap = event->cap;
  if (!log->thread) log->thread = running_on(logs, event->cap);
  return evp_emit_log(out, event->time, log);
}

static enum evp_status emit_text(
  struct logs *logs, const struct evp_event *event, struct evp_log *log, struct evp_text text, struct evp_out *out)
{
  size_t size = utf8_repair(logs->body, BODY_MAX, (const uint8_t *)text.data, text.size, UTF8_KEEP_CONTROLS, NULL);
  return emit_body(logs, event, log, size, out);
}

/* The RTS's own: a line, mostly with its newline; one that was cut at 512 bytes ends with a NUL. */
static struct evp_text without_line_end(struct evp_text text)
{
  while (text.size && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\0')) text.size--;
  return text;
}

static enum evp_status emit_binary(
  struct logs *logs, const struct evp_event *event, struct evp_text message, struct evp_out *out)
{
  bool hex = logs->binary == BINARY_HEX;
  const struct evp_label encoding = {"encoding", hex ? "hex" : "escaped"};
  struct evp_log log = {.name = "user_message", .severity = EVP_DEBUG, .attributes = &encoding, .n_attributes = 1};
  const uint8_t *bytes = (const uint8_t *)message.data;
  size_t size = hex ? escape_hex(logs->body, BODY_MAX, bytes, message.size)
                    : escape_bytes(logs->body, BODY_MAX, bytes, message.size);
  return emit_body(logs, event, &log, size, out);
}

static enum evp_status malformed(struct logs *logs)
{
  evp_drop(logs->ctx, 1, "malformed");
  return EVP_OK;
}

static enum evp_status on_message(
  struct logs *logs, const struct evp_event *event, uint32_t dialect, struct evp_out *out)
{
  struct evp_user_msg user;
  if (!evp_read_user_msg(event, dialect, &user)) return malformed(logs);
  struct evp_log log = {.name = "user_message", .severity = EVP_DEBUG};
  return emit_text(logs, event, &log, user.message, out);
}

static enum evp_status on_marker(
  struct logs *logs, const struct evp_event *event, uint32_t dialect, struct evp_out *out)
{
  struct evp_user_marker user;
  if (!evp_read_user_marker(event, dialect, &user)) return malformed(logs);
  struct evp_log log = {.name = "user_marker", .severity = EVP_TRACE};
  return emit_text(logs, event, &log, user.marker, out);
}

static enum evp_status on_label(struct logs *logs, const struct evp_event *event, uint32_t dialect, struct evp_out *out)
{
  struct evp_thread_label named;
  if (!evp_read_thread_label(event, dialect, &named)) return malformed(logs);
  struct evp_log log = {.name = "thread_label", .severity = EVP_TRACE, .thread = named.thread};
  return emit_text(logs, event, &log, named.label, out);
}

static enum evp_status on_rts(struct logs *logs, const struct evp_event *event, uint32_t dialect, struct evp_out *out)
{
  struct evp_log_msg rts;
  if (!evp_read_log_msg(event, dialect, &rts)) return malformed(logs);
  struct evp_log log = {.name = "rts_log", .severity = EVP_DEBUG};
  return emit_text(logs, event, &log, without_line_end(rts.message), out);
}

static enum evp_status on_binary(
  struct logs *logs, const struct evp_event *event, uint32_t dialect, struct evp_out *out)
{
  struct evp_user_binary_msg user;
  if (!evp_read_user_binary_msg(event, dialect, &user)) return malformed(logs);
  return emit_binary(logs, event, user.message, out);
}

static enum evp_status on_event(struct logs *logs, const struct evp_event *event, uint32_t dialect, struct evp_out *out)
{
  struct evp_run_thread run;
  switch (event->type) {
  case EVP_USER_MSG:
    return on_message(logs, event, dialect, out);
  case EVP_USER_MARKER:
    return on_marker(logs, event, dialect, out);
  case EVP_THREAD_LABEL:
    return on_label(logs, event, dialect, out);
  case EVP_LOG_MSG:
    return on_rts(logs, event, dialect, out);
  case EVP_USER_BINARY_MSG:
    return on_binary(logs, event, dialect, out);
  case EVP_RUN_THREAD:
    if (!evp_read_run_thread(event, dialect, &run)) return malformed(logs);
    set_running(logs, event->cap, run.thread);
    return EVP_OK;
  case EVP_STOP_THREAD:
    set_running(logs, event->cap, 0);
    return EVP_OK;
  default:
    return EVP_OK;
  }
}

static enum evp_status logs_map(void *self, const struct evp_batch *batch, struct evp_out *out)
{
  struct logs *logs = self;
  uint32_t dialect = evp_stream_dialect(batch->stream);
  for (uint32_t i = 0; i < batch->n; i++)
    if (on_event(logs, &batch->events[batch->sel[i]], dialect, out) != EVP_OK) return EVP_ERROR;
  return EVP_OK;
}

static const struct evp_option options[] = {EVP_BOOL(struct logs, messages, "true", "User messages (traceEvent)."),
  EVP_BOOL(struct logs, markers, "true", "User markers (traceMarker)."),
  EVP_BOOL(struct logs, labels, "true", "Labels of threads (labelThread)."),
  EVP_BOOL(struct logs, rts, "true", "Messages of the run-time system itself (debug RTS)."),
  EVP_CHOICE(
    struct logs, binary, "none", "Binary user messages (traceBinaryEvent), made text in this way.", binary_choices),
  EVP_BOOL(struct logs, threads, "false", "Say which thread ran on the capability; reads every switch of threads."),
  EVP_OPTIONS_END};

EVP_PLUGIN(.kind = EVP_FILTER, .name = "logs", .summary = "Messages, markers and thread labels of a program as logs.",
  .accepts = EVP_EVENTS, .emits = EVP_LOGS, .options = options, .instance_size = sizeof(struct logs),
  .create = logs_create, .destroy = logs_destroy, .map = logs_map);
