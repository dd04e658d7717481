/* print: events, metrics and logs as text, into a file or to standard output. */
#include "event_text.h"
#include "item_text.h"
#include "line_protocol.h"
#include "output.h"
#include "summary.h"
#include "text.h"

enum format { FORMAT_SHOW, FORMAT_JSON, FORMAT_INFLUX, FORMAT_SUMMARY };

struct print {
  int format;
  const char *path;
  struct evp_ctx *ctx;
  struct output output;
  struct line_protocol *lines; /* influx */
  struct summary *summary;
  bool prints_events;
};

struct print_stream {
  bool begun; /* its table of event types was printed */
};

static enum evp_status refuse(struct evp_ctx *ctx, const char *key, const char *why)
{
  evp_option_error(ctx, key, "%s", why);
  return EVP_ERROR;
}

static enum evp_status no_memory(struct evp_ctx *ctx)
{
  evp_error(ctx, "no memory");
  return EVP_ERROR;
}

static enum evp_status print_create(void *self, struct evp_ctx *ctx)
{
  struct print *print = self;
  print->ctx = ctx;
  print->output = (struct output){.ctx = ctx, .path = print->path, .fd = -1};
  print->prints_events = evp_input_signals(ctx) & EVP_EVENTS;
  if (!*print->path) return refuse(ctx, "path", "is empty; name a file, or - for standard output");
  if (print->format == FORMAT_INFLUX && print->prints_events)
    return refuse(ctx, "format", "influx is for metrics and logs, not for events; put a heap or logs filter between");
  if (print->format == FORMAT_INFLUX && !(print->lines = line_protocol_new(ctx))) return no_memory(ctx);
  if (print->format == FORMAT_SUMMARY && !(print->summary = summary_new())) return no_memory(ctx);
  return EVP_OK;
}

static enum evp_status print_start(void *self)
{
  struct print *print = self;
  if (!output_open(&print->output)) return EVP_ERROR;
  if (print->summary) evp_tick_every(print->ctx, SUMMARY_INTERVAL);
  return EVP_OK;
}

static void print_stop(void *self)
{
  struct print *print = self;
  if (print->summary) summary_finish(print->summary, &print->output);
  output_close(&print->output);
}

static void print_destroy(void *self)
{
  struct print *print = self;
  line_protocol_free(print->lines);
  summary_free(print->summary);
  text_free(&print->output.text);
}

/* ---------------------------------------------------------------------------------------------------------------- items */

/* The table is known when the first batch is here. A log without events has it only at its end, and one without a header
   never. */
static bool begin_events(struct print *print, const struct evp_stream *stream)
{
  struct print_stream *local = evp_stream_local(print->ctx, stream);
  size_t types = 0;
  if (local->begun || (evp_stream_event_types(stream, &types), !types)) return true;
  local->begun = true;
  return event_types_append(&print->output.text, stream);
}

static bool append_item(struct evp_buf *out, const struct evp_batch *batch, uint16_t at, bool json)
{
  switch (batch->signal) {
  case EVP_EVENTS:
    return (json ? event_json_append : event_text_append)(out, batch->stream, &batch->events[at]);
  case EVP_METRICS:
    return (json ? metric_json_append : metric_show_append)(out, &batch->metrics[at]);
  case EVP_LOGS:
    return (json ? log_json_append : log_show_append)(out, batch->stream, &batch->logs[at]);
  default:
    return true;
  }
}

static bool append_items(struct print *print, const struct evp_batch *batch)
{
  bool json = print->format == FORMAT_JSON;
  bool good = json || batch->signal != EVP_EVENTS || begin_events(print, batch->stream);
  for (uint32_t i = 0; good && i < batch->n; i++) good = append_item(&print->output.text, batch, batch->sel[i], json);
  return good;
}

static bool append(struct print *print, const struct evp_batch *batch)
{
  switch (print->format) {
  case FORMAT_SHOW:
  case FORMAT_JSON:
    return append_items(print, batch);
  case FORMAT_INFLUX:
    return line_protocol_encode(print->lines, batch, &print->output.text) == EVP_OK;
  default:
    return summary_add(print->summary, batch);
  }
}

static enum evp_status print_write(void *self, const struct evp_batch *batch)
{
  struct print *print = self;
  if (print->output.text.size >= OUTPUT_ENOUGH || print->output.over) {
    enum evp_status status = output_drain(&print->output);
    if (status != EVP_OK) return status;
  }
  return append(print, batch) ? EVP_OK : no_memory(print->ctx);
}

/* What evpipe's end leaves unwritten is written in stop, or said there. */
static enum evp_status drain(struct print *print)
{
  enum evp_status status = output_drain(&print->output);
  return status == EVP_AGAIN ? EVP_OK : status;
}

static enum evp_status print_flush(void *self)
{
  struct print *print = self;
  return print->summary ? EVP_OK : drain(print);
}

static enum evp_status print_tick(void *self, uint64_t now, struct evp_out *out)
{
  (void)out;
  struct print *print = self;
  if (!summary_paint(print->summary, &print->output, now)) return no_memory(print->ctx);
  return drain(print);
}

/* -------------------------------------------------------------------------------------------------------------- streams */

static enum evp_status print_stream_begin(void *self, const struct evp_stream *stream)
{
  struct print *print = self;
  return !print->summary || summary_begin(print->summary, stream) ? EVP_OK : no_memory(print->ctx);
}

/* ghc-events ends its output with an empty line. */
static enum evp_status print_stream_end(void *self, const struct evp_stream *stream)
{
  struct print *print = self;
  if (print->summary) summary_end(print->summary, stream);
  if (print->format != FORMAT_SHOW || !print->prints_events) return EVP_OK;
  struct print_stream *local = evp_stream_local(print->ctx, stream);
  bool good = begin_events(print, stream) && (!local->begun || text_put_char(&print->output.text, '\n'));
  return good ? EVP_OK : no_memory(print->ctx);
}

static const char *const formats[] = {"show", "json", "influx", "summary", NULL};

static const struct evp_option options[] = {
  EVP_CHOICE(struct print, format, "show",
    "show: as ghc-events show, a line an item; json: an object a line; influx: line protocol; summary: for people.",
    formats),
  EVP_STRING(struct print, path, "-", "A file, which is written anew, or - for standard output."), EVP_OPTIONS_END};

EVP_PLUGIN(.kind = EVP_SINK, .name = "print", .summary = "Prints events, metrics and logs.",
  .accepts = EVP_EVENTS | EVP_METRICS | EVP_LOGS, .options = options, .instance_size = sizeof(struct print),
  .stream_size = sizeof(struct print_stream), .create = print_create, .start = print_start, .stop = print_stop,
  .destroy = print_destroy, .tick = print_tick, .stream_begin = print_stream_begin, .stream_end = print_stream_end,
  .write = print_write, .flush = print_flush);
