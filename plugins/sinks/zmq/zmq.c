/* zmq: hands bytes, events, metrics and logs to many readers over ZeroMQ. What is on the wire is in the page, README.md. */
#include "publisher.h"

struct zmq_sink {
  struct settings settings; /* first: the option table is one of struct settings */
  struct publisher publisher;
};

_Static_assert(offsetof(struct zmq_sink, settings) == 0, "the option table's offsets begin at the instance");

static enum evp_status zmq_sink_create(void *self, struct evp_ctx *ctx)
{
  struct zmq_sink *sink = self;
  struct publisher *publisher = &sink->publisher;
  publisher->ctx = ctx;
  publisher->settings = &sink->settings;
  if (!settings_check(&sink->settings, ctx)) return EVP_ERROR;
  if (!redact_create(&publisher->redaction, ctx, &sink->settings.redact)) return EVP_ERROR;
  bool logs = evp_input_signals(ctx) & (EVP_BYTES | EVP_EVENTS);
  if (logs && sink->settings.pattern == PATTERN_PUB) evp_want_prologue(ctx);
  return EVP_OK;
}

static enum evp_status zmq_sink_start(void *self)
{
  return publisher_open(&((struct zmq_sink *)self)->publisher) ? EVP_OK : EVP_ERROR;
}

static void zmq_sink_stop(void *self)
{
  publisher_close(&((struct zmq_sink *)self)->publisher);
}

static void zmq_sink_destroy(void *self)
{
  publisher_free(&((struct zmq_sink *)self)->publisher);
}

static enum evp_status zmq_sink_write(void *self, const struct evp_batch *batch)
{
  return publisher_write(&((struct zmq_sink *)self)->publisher, batch);
}

static enum evp_status zmq_sink_gap(void *self, const struct evp_gap *gap)
{
  publisher_gap(&((struct zmq_sink *)self)->publisher, gap);
  return EVP_OK;
}

static enum evp_status zmq_sink_stream_end(void *self, const struct evp_stream *stream)
{
  publisher_end(&((struct zmq_sink *)self)->publisher, stream);
  return EVP_OK;
}

static enum evp_status zmq_sink_flush(void *self)
{
  publisher_flush(&((struct zmq_sink *)self)->publisher);
  return EVP_OK;
}

static enum evp_status zmq_sink_ready(void *self)
{
  publisher_work(&((struct zmq_sink *)self)->publisher);
  return EVP_OK;
}

/* Called while something waits: also what is packed and nobody has pulled yet. */
static enum evp_status zmq_sink_tick(void *self, uint64_t now, struct evp_out *out)
{
  (void)now;
  (void)out;
  publisher_flush(&((struct zmq_sink *)self)->publisher);
  return EVP_OK;
}

EVP_PLUGIN(.kind = EVP_SINK, .name = "zmq", .summary = "Hands everything to many readers over ZeroMQ.",
  .accepts = EVP_BYTES | EVP_EVENTS | EVP_METRICS | EVP_LOGS, .options = settings_table,
  .instance_size = sizeof(struct zmq_sink), .stream_size = sizeof(struct stream_memory), .create = zmq_sink_create,
  .start = zmq_sink_start, .stop = zmq_sink_stop, .destroy = zmq_sink_destroy, .write = zmq_sink_write,
  .gap = zmq_sink_gap, .stream_end = zmq_sink_stream_end, .flush = zmq_sink_flush, .ready = zmq_sink_ready,
  .tick = zmq_sink_tick);
