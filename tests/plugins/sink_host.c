#include "sink_host.h"
#include "option_values.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sink_host *of_ctx(struct evp_ctx *ctx)
{
  return (struct sink_host *)(void *)ctx;
}

static const struct sink_host_stream *of_stream(const struct evp_stream *stream)
{
  return (const struct sink_host_stream *)(const void *)stream;
}

/* ------------------------------------------------------------------------------------------------------------ instance */

struct sink_host *sink_host_new(const struct evp_plugin *plugin, const char *options)
{
  struct sink_host *host = calloc(1, sizeof *host);
  if (!host) abort();
  host->plugin = plugin;
  host->stop_fd = -1;
  host->timeout = UINT64_C(10000000000);
  if (!plugin) return host;
  host->self = calloc(1, plugin->instance_size);
  host->values = option_values_set(plugin->options, host->self, options);
  return host;
}

enum evp_status sink_host_create(struct sink_host *host)
{
  return host->plugin->create(host->self, sink_host_ctx(host));
}

void sink_host_free(struct sink_host *host)
{
  if (host->plugin && host->plugin->destroy) host->plugin->destroy(host->self);
  option_values_free(host->values);
  free(host->self);
  free(host->said.data);
  free(host);
}

struct evp_ctx *sink_host_ctx(struct sink_host *host)
{
  return (struct evp_ctx *)(void *)host;
}

const char *sink_host_said(const struct sink_host *host)
{
  return host->said.data ? (const char *)host->said.data : "";
}

void sink_host_forget(struct sink_host *host)
{
  host->said.size = 0;
  if (host->said.data) host->said.data[0] = 0;
}

/* -------------------------------------------------------------------------------------------------------- what is said */

static void EVP_PRINTF(3, 0) say(struct evp_ctx *ctx, const char *kind, const char *format, va_list arguments)
{
  char *text, *line;
  if (vasprintf(&text, format, arguments) < 0) abort();
  int size = asprintf(&line, "%s %s\n", kind, text);
  struct evp_buf *said = &of_ctx(ctx)->said;
  if (size < 0 || !evp_buf_append(said, line, (size_t)size + 1)) abort();
  said->size--;
  free(line);
  free(text);
}

#define SAYS(name, kind) \
  void name(struct evp_ctx *ctx, const char *format, ...) \
  { \
    va_list arguments; \
    va_start(arguments, format); \
    say(ctx, kind, format, arguments); \
    va_end(arguments); \
  }
SAYS(evp_error, "error")
SAYS(evp_warn, "warn")
SAYS(evp_info, "info")
SAYS(evp_debug, "debug")

void evp_option_error(struct evp_ctx *ctx, const char *key, const char *format, ...)
{
  char kind[128];
  va_list arguments;
  va_start(arguments, format);
  snprintf(kind, sizeof kind, "option %s:", key);
  say(ctx, kind, format, arguments);
  va_end(arguments);
}

void evp_drop(struct evp_ctx *ctx, uint64_t items, const char *reason)
{
  char text[128];
  int size = snprintf(text, sizeof text, "drop %" PRIu64 " %s\n", items, reason);
  struct evp_buf *said = &of_ctx(ctx)->said;
  if (!evp_buf_append(said, text, (size_t)size + 1)) abort();
  said->size--;
}

void evp_incomplete(struct evp_ctx *ctx)
{
  static const char text[] = "incomplete\n";
  struct evp_buf *said = &of_ctx(ctx)->said;
  if (!evp_buf_append(said, text, sizeof text)) abort();
  said->size--;
}

void evp_stay(struct evp_ctx *ctx)
{
  (void)ctx;
}

/* ---------------------------------------------------------------------------------------------------- the node's facts */

uint32_t evp_input_signals(struct evp_ctx *ctx)
{
  return of_ctx(ctx)->input_signals;
}

uint64_t evp_timeout(struct evp_ctx *ctx)
{
  return of_ctx(ctx)->timeout;
}

int evp_stop_fd(struct evp_ctx *ctx)
{
  return of_ctx(ctx)->stop_fd;
}

void evp_tick_every(struct evp_ctx *ctx, uint64_t nanoseconds)
{
  of_ctx(ctx)->tick_every = nanoseconds;
}

void evp_want_prologue(struct evp_ctx *ctx)
{
  of_ctx(ctx)->wants_prologue = true;
}

void evp_want_secrets(struct evp_ctx *ctx)
{
  of_ctx(ctx)->wants_secrets = true;
}

void evp_watch(struct evp_ctx *ctx, int fd)
{
  of_ctx(ctx)->watched = fd;
}

void evp_source_can_wait(struct evp_ctx *ctx, bool can_wait)
{
  of_ctx(ctx)->can_wait = can_wait;
}

void evp_source_recorded(struct evp_ctx *ctx, int64_t modified)
{
  of_ctx(ctx)->recorded = true;
  of_ctx(ctx)->modified = modified;
}

bool evp_buf_grow(struct evp_buf *buf, size_t more)
{
  /* Mostly exactly: a write beyond what was asked for is seen by the sanitizers. */
  size_t capacity = buf->size + more;
  if (capacity > 8192) capacity += capacity / 2;
  if (!capacity) capacity = 1; /* realloc() to 0 would free it */
  uint8_t *data = realloc(buf->data, capacity);
  if (!data) return false;
  buf->data = data;
  buf->capacity = capacity;
  return true;
}

/* ------------------------------------------------------------------------------------------------------------- streams */

const struct evp_stream *sink_host_stream(struct sink_host_stream *stream)
{
  return (const struct evp_stream *)(const void *)stream;
}

const struct evp_stream *evp_stream_ref(const struct evp_stream *stream)
{
  ((struct sink_host_stream *)(uintptr_t)stream)->references++;
  return stream;
}

void evp_stream_unref(const struct evp_stream *stream)
{
  ((struct sink_host_stream *)(uintptr_t)stream)->references--;
}

const char *evp_stream_source(const struct evp_stream *stream)
{
  return of_stream(stream)->source;
}

const char *evp_stream_label(const struct evp_stream *stream, const char *key)
{
  return strcmp(key, "service") == 0 ? of_stream(stream)->service : NULL;
}

const struct evp_label *evp_stream_labels(const struct evp_stream *stream, size_t *n)
{
  *n = of_stream(stream)->n_labels;
  return of_stream(stream)->labels;
}

const char *evp_stream_program(const struct evp_stream *stream)
{
  return of_stream(stream)->program;
}

const char *evp_stream_rts(const struct evp_stream *stream)
{
  return of_stream(stream)->rts;
}

uint32_t evp_stream_pid(const struct evp_stream *stream)
{
  return of_stream(stream)->pid;
}

bool evp_stream_live(const struct evp_stream *stream)
{
  return of_stream(stream)->live;
}

enum evp_stream_state evp_stream_state(const struct evp_stream *stream)
{
  return of_stream(stream)->state;
}

int64_t evp_stream_begin_time(const struct evp_stream *stream)
{
  return of_stream(stream)->begin_time;
}

bool evp_stream_where_ended(const struct evp_stream *stream, struct evp_stream_end *end)
{
  *end = of_stream(stream)->end;
  return of_stream(stream)->state != EVP_STREAM_OPEN;
}

uint32_t evp_stream_dialect(const struct evp_stream *stream)
{
  return of_stream(stream)->dialect;
}

const struct evp_event_type *evp_stream_event_types(const struct evp_stream *stream, size_t *n)
{
  *n = of_stream(stream)->n_types;
  return of_stream(stream)->types;
}

const struct evp_event_type *evp_stream_event_type(const struct evp_stream *stream, uint16_t number)
{
  const struct sink_host_stream *host = of_stream(stream);
  for (size_t i = 0; i < host->n_types; i++)
    if (host->types[i].number == number) return &host->types[i];
  return NULL;
}

size_t evp_prologue_read(const struct evp_stream *stream, uint64_t offset, uint64_t end, uint8_t *buffer, size_t size)
{
  const struct sink_host_stream *host = of_stream(stream);
  if (end > host->prologue_size) end = host->prologue_size;
  if (offset >= end) return 0;
  if (size > end - offset) size = (size_t)(end - offset);
  memcpy(buffer, host->prologue + offset, size);
  return size;
}

uint32_t evp_prologue_secrets(
  const struct evp_stream *stream, uint64_t begin, uint64_t end, struct evp_secret *secrets, uint32_t n)
{
  const struct sink_host_stream *host = of_stream(stream);
  uint32_t copied = 0;
  for (uint32_t i = 0; i < host->n_secrets && copied < n; i++) {
    const struct evp_secret *secret = &host->secrets[i];
    if (secret->offset + secret->size > begin && secret->offset < end) secrets[copied++] = *secret;
  }
  return copied;
}

void *evp_stream_local(struct evp_ctx *ctx, const struct evp_stream *stream)
{
  (void)ctx;
  return of_stream(stream)->local;
}

int sink_host_batches;

const struct evp_batch *evp_batch_ref(const struct evp_batch *batch)
{
  sink_host_batches++;
  return batch;
}

void evp_batch_unref(const struct evp_batch *batch)
{
  sink_host_batches -= batch != NULL;
}

const struct evp_batch *sink_host_batch(
  struct sink_host_batch *batch, enum evp_signal signal, const struct evp_stream *stream, const void *items, uint32_t n)
{
  if (n > sizeof batch->sel / sizeof *batch->sel) abort();
  for (uint16_t i = 0; i < n; i++) batch->sel[i] = i;
  batch->batch =
    (struct evp_batch){.signal = signal, .stream = stream, .origin = "test", .items = items, .sel = batch->sel, .n = n};
  return &batch->batch;
}
