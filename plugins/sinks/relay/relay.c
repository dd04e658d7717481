/* relay: a socket server that is to its readers what eventlog-socket is to one: each gets the prologue and then the stream,
 * from a place where a reader may begin. Who is too slow is cut off; nobody is waited for. */
#include "server.h"

/* What the sink has for each stream. */
struct relay_stream {
  struct served served; /* first */
  struct relay_stream *next; /* in the order in which they began */
  struct redact_stream redact;
};

struct relay {
  const char *unix, *tcp, *mode;
  bool allow_remote;
  int64_t max_readers;
  struct slow_reader slow_reader;
  struct evp_strings redact;
  struct evp_ctx *ctx;
  struct server server;
  struct relay_stream *streams; /* the first is the one that is served */
};

static enum evp_status relay_ready(void *self)
{
  struct relay *relay = self;
  server_look(&relay->server);
  server_count(&relay->server);
  return EVP_OK;
}

static enum evp_status relay_tick(void *self, uint64_t now, struct evp_out *out)
{
  struct relay *relay = self;
  (void)out;
  server_tick(&relay->server, now);
  server_count(&relay->server);
  return EVP_OK;
}

static enum evp_status relay_flush(void *self)
{
  server_count(&((struct relay *)self)->server);
  return EVP_OK;
}

/* ------------------------------------------------------------------------------------------------------------- streams */

static enum evp_status relay_stream_begin(void *self, const struct evp_stream *stream)
{
  struct relay *relay = self;
  struct relay_stream *own = evp_stream_local(relay->ctx, stream), **last = &relay->streams;
  own->served.stream = stream;
  while (*last) last = &(*last)->next;
  *last = own;
  if (own == relay->streams)
    server_serve(&relay->server, &own->served);
  else
    evp_warn(relay->ctx, "a stream of '%s' is left out as long as one of '%s' is served: a relay serves one at a time",
      evp_stream_source(stream), evp_stream_source(relay->streams->served.stream));
  return EVP_OK;
}

static enum evp_status relay_stream_end(void *self, const struct evp_stream *stream)
{
  struct relay *relay = self;
  struct relay_stream *own = evp_stream_local(relay->ctx, stream), **link = &relay->streams;
  bool served = own == relay->streams;
  while (*link != own) link = &(*link)->next;
  *link = own->next;
  if (served) server_serve(&relay->server, relay->streams ? &relay->streams->served : NULL);
  return EVP_OK;
}

/* Bytes of the stream are not there. */
static void break_stream(struct relay *relay, struct relay_stream *stream, const char *why)
{
  stream->served.begun = true;
  if (stream == relay->streams) server_break(&relay->server, why);
}

static enum evp_status relay_gap(void *self, const struct evp_gap *gap)
{
  struct relay *relay = self;
  break_stream(relay, evp_stream_local(relay->ctx, gap->stream), "bytes were lost in the queue");
  return EVP_OK;
}

/* ------------------------------------------------------------------------------------------------------------- batches */

/* From which byte on the batch may be handed on; what may not is counted. */
static uint32_t admit(struct relay *relay, struct relay_stream *stream, const struct evp_batch *batch)
{
  if (batch->flags & EVP_BATCH_LEADING) {
    evp_drop(relay->ctx, batch->n, "leading");
    return batch->n;
  }
  if (stream != relay->streams) {
    evp_drop(relay->ctx, batch->n, "other_stream");
    break_stream(relay, stream, NULL);
    return batch->n;
  }
  uint32_t begin = redact_begin(&relay->server.redaction, &stream->redact, batch);
  if (begin) {
    evp_drop(relay->ctx, begin, "unframed");
    break_stream(relay, stream, "bytes were not understood, and can not be redacted");
  }
  return begin;
}

static enum evp_status relay_write(void *self, const struct evp_batch *batch)
{
  struct relay *relay = self;
  struct relay_stream *stream = evp_stream_local(relay->ctx, batch->stream);
  server_look(&relay->server); /* under load ready() comes too rarely for it */
  uint32_t begin = admit(relay, stream, batch);
  if (begin < batch->n) {
    bool given = server_give(&relay->server, batch, begin);
    stream->served.begun = true;
    if (!given) {
      evp_drop(relay->ctx, batch->n - begin, "no_memory");
      break_stream(relay, stream, "no memory for a batch");
    }
  }
  if (!(batch->flags & EVP_BATCH_LEADING)) stream->served.prologue = batch->prologue_end;
  return EVP_OK;
}

/* ---------------------------------------------------------------------------------------------------------------- life */

static enum evp_status relay_create(void *self, struct evp_ctx *ctx)
{
  struct relay *relay = self;
  struct server *server = &relay->server;
  relay->ctx = server->ctx = ctx;
  server->epoll = -1;
  server->listener =
    (struct listener){.ctx = ctx, .unix = relay->unix, .tcp = relay->tcp, .allow_remote = relay->allow_remote};
  server->slow_reader = relay->slow_reader;
  server->max_readers = relay->max_readers;
  bool ok = listener_check(&server->listener, relay->mode);
  ok = redact_create(&server->redaction, ctx, &relay->redact) && ok;
  if (relay->max_readers < 1) {
    evp_option_error(ctx, "max_readers", "must be at least 1");
    ok = false;
  }
  evp_want_prologue(ctx);
  return ok ? EVP_OK : EVP_ERROR;
}

static enum evp_status relay_start(void *self)
{
  struct relay *relay = self;
  if (!server_start(&relay->server)) return EVP_ERROR;
  evp_watch(relay->ctx, relay->server.epoll);
  return EVP_OK;
}

static void relay_stop(void *self)
{
  server_stop(&((struct relay *)self)->server);
}

static void relay_destroy(void *self)
{
  server_free(&((struct relay *)self)->server);
}

static const struct evp_option slow_reader_options[] = {
  EVP_SIZE(struct slow_reader, max_size, "16MiB", "Bytes that may wait for one reader; with more it is cut off."),
  EVP_DURATION(struct slow_reader, linger, "2s", "How long after its stream's end a reader may take to read the rest."),
  EVP_OPTIONS_END};

static const struct evp_option options[] = {
  EVP_STRING(struct relay, unix, NULL,
    "Path of the Unix socket to listen on; @NAME: one in the abstract name space, which everybody may read."),
  EVP_STRING(struct relay, tcp, NULL, "HOST:PORT to listen on; [::1]:PORT for IPv6."),
  EVP_BOOL(struct relay, allow_remote, "false", "tcp: HOST may be an address that other machines can reach."),
  EVP_STRING(struct relay, mode, "0600", "unix: who may read, as a file mode: \"0660\" lets the group."),
  EVP_INT(struct relay, max_readers, "64", "More are refused."),
  EVP_GROUP(struct relay, slow_reader, slow_reader_options, "When a reader is cut off."),
  REDACT_OPTION(struct relay, redact), EVP_OPTIONS_END};

EVP_PLUGIN(.kind = EVP_SINK, .name = "relay",
  .summary = "Serves the eventlog on a socket, as eventlog-socket does, to many readers.", .accepts = EVP_BYTES,
  .options = options, .instance_size = sizeof(struct relay), .stream_size = sizeof(struct relay_stream),
  .create = relay_create, .start = relay_start, .stop = relay_stop, .destroy = relay_destroy, .ready = relay_ready,
  .tick = relay_tick, .flush = relay_flush, .stream_begin = relay_stream_begin, .stream_end = relay_stream_end,
  .gap = relay_gap, .write = relay_write);
