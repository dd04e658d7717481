#include "metric_host.h"
#include "option_values.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAYLOAD_MAX = 70000 };

struct host_series {
  struct evp_series series;
  struct host_series *next;
  char *text;
  bool last; /* its last item said that it ends */
  bool ended;
};

struct host_text {
  char *bytes;
  size_t size, capacity;
};

/* The three opaque types of the contract are one: there is one instance, one stream, one place to emit. */
struct metric_host {
  void *self;
  char *values; /* of its options */
  struct host_series *series;
  struct host_text output;
  bool wanted[65536], declared[65536], declares;
  bool count_only;
  uint64_t metrics;
  struct evp_metric *room; /* handed out by evp_emit_metrics(), filled in by the next call */
  uint32_t n_room;
  uint8_t payload[PAYLOAD_MAX];
  size_t payload_size;
  const char *program, *rts;
  uint32_t pid;
  struct evp_event_type type;
};

static void take_room(struct metric_host *host);

/* Whatever the filter calls next, the room that it was given is filled in. */
static struct metric_host *of_ctx(const void *opaque)
{
  struct metric_host *host = (struct metric_host *)(uintptr_t)opaque;
  if (host->room) take_room(host);
  return host;
}

/* ---------------------------------------------------------------------------------------------------- output */

static void put_text(struct host_text *text, const void *bytes, size_t size)
{
  if (text->size + size + 1 > text->capacity) {
    text->capacity = 2 * (text->size + size + 1);
    text->bytes = realloc(text->bytes, text->capacity);
    if (!text->bytes) abort();
  }
  memcpy(text->bytes + text->size, bytes, size);
  text->size += size;
  text->bytes[text->size] = '\0';
}

static void EVP_PRINTF(2, 0) put_v(struct host_text *text, const char *format, va_list arguments)
{
  char *line;
  int size = vasprintf(&line, format, arguments);
  if (size < 0) abort();
  put_text(text, line, (size_t)size);
  free(line);
}

static void EVP_PRINTF(2, 3) put(struct metric_host *host, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  put_v(&host->output, format, arguments);
  va_end(arguments);
}

const char *metric_host_output(const struct metric_host *host)
{
  return host->output.bytes ? host->output.bytes : "";
}

void metric_host_clear(struct metric_host *host)
{
  host->output.size = 0;
  put_text(&host->output, "", 0);
}

void metric_host_count_only(struct metric_host *host)
{
  host->count_only = true;
}

uint64_t metric_host_metrics(const struct metric_host *host)
{
  return host->metrics;
}

size_t metric_host_open_series(const struct metric_host *host)
{
  size_t n = 0;
  for (const struct host_series *series = host->series; series; series = series->next) n += !series->ended;
  return n;
}

/* -------------------------------------------------------------------------------------------------- instance */

struct metric_host *metric_host_new(const char *options, char **said)
{
  struct metric_host *host = calloc(1, sizeof *host);
  if (!host) abort();
  host->self = calloc(1, evp_plugin_entry.instance_size);
  host->values = option_values_set(evp_plugin_entry.options, host->self, options);
  if (evp_plugin_entry.create(host->self, (struct evp_ctx *)(void *)host) == EVP_OK) return host;
  if (said) *said = strdup(metric_host_output(host));
  metric_host_free(host);
  return NULL;
}

void metric_host_free(struct metric_host *host)
{
  evp_plugin_entry.destroy(host->self);
  while (host->series) {
    struct host_series *next = host->series->next;
    free(host->series->text);
    free(host->series);
    host->series = next;
  }
  free(host->output.bytes);
  free(host->self);
  option_values_free(host->values);
  free(host);
}

bool metric_host_wants(const struct metric_host *host, uint16_t type)
{
  return host->wanted[type];
}

void metric_host_declare(struct metric_host *host, uint16_t type)
{
  host->declares = true;
  host->declared[type] = true;
}

void metric_host_facts(struct metric_host *host, const char *program, uint32_t pid, const char *rts)
{
  host->program = program;
  host->pid = pid;
  host->rts = rts;
}

void metric_host_put_bytes(struct metric_host *host, const void *data, size_t size)
{
  if (size > PAYLOAD_MAX - host->payload_size) abort();
  if (size) memcpy(host->payload + host->payload_size, data, size);
  host->payload_size += size;
}

void metric_host_put_number(struct metric_host *host, size_t bytes, uint64_t number)
{
  for (size_t i = bytes; i-- > 0;) metric_host_put_bytes(host, &(uint8_t){(uint8_t)(number >> 8 * i)}, 1);
}

void metric_host_put_string(struct metric_host *host, const char *text)
{
  metric_host_put_bytes(host, text, strlen(text) + 1);
}

/* The payload goes to memory of its own size, so that a sanitizer sees who reads beyond it. */
enum evp_status metric_host_event(struct metric_host *host, uint16_t type, uint64_t time, uint16_t cap, bool variable)
{
  size_t size = host->payload_size;
  host->payload_size = 0;
  if (!host->wanted[type]) return EVP_OK;
  uint8_t *data = malloc(size ? size : 1);
  if (!data) abort();
  memcpy(data, host->payload, size);
  struct evp_event event = {.time = time,
    .data = data,
    .size = (uint16_t)size,
    .type = type,
    .cap = cap,
    .flags = variable ? EVP_EVENT_VARIABLE : 0};
  struct evp_batch batch = {.signal = EVP_EVENTS,
    .stream = (const struct evp_stream *)(const void *)host,
    .origin = "test",
    .events = &event,
    .sel = (const uint16_t[]){0},
    .n = 1};
  enum evp_status status = evp_plugin_entry.map(host->self, &batch, (struct evp_out *)(void *)host);
  take_room(host);
  free(data);
  return status;
}

enum evp_status metric_host_end(struct metric_host *host)
{
  enum evp_status status = evp_plugin_entry.end(host->self, (struct evp_out *)(void *)host);
  take_room(host);
  return status;
}

/* ---------------------------------------------------------------------------------- the host's side: emitting */

static void describe(struct host_text *text, const struct evp_series *wanted)
{
  put_text(text, wanted->name, strlen(wanted->name));
  for (uint32_t i = 0; i < wanted->n_labels; i++) {
    put_text(text, i ? "," : "{", 1);
    put_text(text, wanted->labels[i].key, strlen(wanted->labels[i].key));
    put_text(text, "=", 1);
    put_text(text, wanted->labels[i].value, strlen(wanted->labels[i].value));
  }
  if (wanted->n_labels) put_text(text, "}", 1);
}

const struct evp_series *evp_series_get(struct evp_ctx *ctx, const struct evp_series *wanted)
{
  struct metric_host *host = of_ctx(ctx);
  struct host_text text = {0};
  describe(&text, wanted);
  struct host_series *series = calloc(1, sizeof *series);
  if (!series) abort();
  *series = (struct host_series){.series = *wanted, .next = host->series, .text = text.bytes};
  host->series = series;
  return &series->series;
}

void evp_series_end(struct evp_ctx *ctx, const struct evp_series *ended)
{
  struct metric_host *host = of_ctx(ctx);
  struct host_series *series = (struct host_series *)(uintptr_t)ended;
  if (series->ended) abort();
  series->ended = true;
  if (!host->count_only && !series->last) put(host, "end %s\n", series->text);
}

static void take_metric(struct metric_host *host, const struct evp_metric *metric)
{
  struct host_series *series = (struct host_series *)(uintptr_t)metric->series;
  if (series->ended) abort();
  host->metrics++;
  series->last = metric->flags & EVP_METRIC_LAST;
  if (host->count_only) return;
  put(host, "%" PRIu64 " %s %" PRId64 "\n", (uint64_t)metric->time, series->text, metric->value.i);
  if (series->last) put(host, "end %s\n", series->text);
}

static void take_room(struct metric_host *host)
{
  struct evp_metric *room = host->room;
  host->room = NULL;
  for (uint32_t i = 0; room && i < host->n_room; i++) take_metric(host, &room[i]);
  free(room);
}

enum evp_status evp_emit_int(struct evp_out *out, const struct evp_series *emitted, uint64_t time, int64_t value)
{
  take_metric(of_ctx(out), &(struct evp_metric){.time = (int64_t)time, .series = emitted, .value.i = value});
  return EVP_OK;
}

enum evp_status evp_emit_buckets(
  struct evp_out *out, const struct evp_series *emitted, uint64_t time, const struct evp_buckets *buckets)
{
  struct metric_host *host = of_ctx(out);
  const struct host_series *series = (const struct host_series *)emitted;
  if (series->ended) abort();
  host->metrics++;
  if (host->count_only) return EVP_OK;
  put(host, "%" PRIu64 " %s count=%" PRIu64 " sum=%.12g", time, series->text, buckets->count, buckets->sum);
  for (uint32_t i = 0; i <= emitted->n_bounds; i++) {
    if (!buckets->counts[i]) continue;
    put(host, i < emitted->n_bounds ? " <=%g:%" PRIu64 : " >%g:%" PRIu64,
      emitted->bounds[i < emitted->n_bounds ? i : i - 1], buckets->counts[i]);
  }
  put(host, "\n");
  return EVP_OK;
}

struct evp_metric *evp_emit_metrics(struct evp_out *out, uint32_t n)
{
  struct metric_host *host = of_ctx(out);
  host->n_room = n;
  host->room = malloc((n ? n : 1) * sizeof *host->room);
  if (!host->room) abort();
  return host->room;
}

static const char *severity_name(uint16_t severity)
{
  switch (severity) {
  case EVP_TRACE:
    return "trace";
  case EVP_DEBUG:
    return "debug";
  case EVP_INFO:
    return "info";
  case EVP_WARN:
    return "warn";
  default:
    return "failure";
  }
}

enum evp_status evp_emit_log(struct evp_out *out, uint64_t time, const struct evp_log *log)
{
  struct metric_host *host = of_ctx(out);
  if (log->body[log->body_size] != '\0') abort();
  put(host, "%" PRIu64 " %s %s", time, log->name, severity_name(log->severity));
  if (log->cap != EVP_NO_CAP) put(host, " cap=%u", log->cap);
  if (log->thread) put(host, " thread=%" PRIu64, log->thread);
  put(host, " \"");
  put_text(&host->output, log->body, log->body_size);
  put(host, "\"\n");
  return EVP_OK;
}

void evp_emit_group_end(struct evp_out *out)
{
  struct metric_host *host = of_ctx(out);
  const struct host_text *lines = &host->output;
  bool again = lines->size < 3 || memcmp(lines->bytes + lines->size - 3, "--\n", 3) == 0;
  if (!host->count_only && !again) put(host, "--\n"); /* of nothing: no group */
}

/* --------------------------------------------------------------------- the host's side: reporting, the stream */

void evp_want_event(struct evp_ctx *ctx, uint16_t type)
{
  of_ctx(ctx)->wanted[type] = true;
}

void evp_drop(struct evp_ctx *ctx, uint64_t items, const char *reason)
{
  put(of_ctx(ctx), "drop %" PRIu64 " %s\n", items, reason);
}

static void EVP_PRINTF(3, 0) say(struct evp_ctx *ctx, const char *level, const char *format, va_list arguments)
{
  struct metric_host *host = of_ctx(ctx);
  put(host, "%s ", level);
  put_v(&host->output, format, arguments);
  put(host, "\n");
}

void evp_error(struct evp_ctx *ctx, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  say(ctx, "error", format, arguments);
  va_end(arguments);
}

void evp_warn(struct evp_ctx *ctx, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  say(ctx, "warn", format, arguments);
  va_end(arguments);
}

void evp_info(struct evp_ctx *ctx, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  say(ctx, "info", format, arguments);
  va_end(arguments);
}

void evp_option_error(struct evp_ctx *ctx, const char *key, const char *format, ...)
{
  put(of_ctx(ctx), "option %s: ", key);
  va_list arguments;
  va_start(arguments, format);
  put_v(&of_ctx(ctx)->output, format, arguments);
  va_end(arguments);
  put(of_ctx(ctx), "\n");
}

const struct evp_stream *evp_stream_ref(const struct evp_stream *stream)
{
  return stream;
}

void evp_stream_unref(const struct evp_stream *stream)
{
  (void)stream;
}

uint32_t evp_stream_dialect(const struct evp_stream *stream)
{
  (void)stream;
  return 0;
}

const char *evp_stream_program(const struct evp_stream *stream)
{
  return of_ctx(stream)->program;
}

const char *evp_stream_rts(const struct evp_stream *stream)
{
  return of_ctx(stream)->rts;
}

uint32_t evp_stream_pid(const struct evp_stream *stream)
{
  return of_ctx(stream)->pid;
}

const struct evp_event_type *evp_stream_event_type(const struct evp_stream *stream, uint16_t number)
{
  struct metric_host *host = of_ctx(stream);
  host->type = (struct evp_event_type){.number = number};
  return !host->declares || host->declared[number] ? &host->type : NULL;
}
