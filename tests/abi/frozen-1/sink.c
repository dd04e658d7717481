/* A sink that writes: prints what its options are, each stream's begin and end, and every metric and log. */
#include <evpipe.h>
#include <inttypes.h>
#include <stdio.h>

struct inner {
  bool yes;
  const char *word;
};

struct sink {
  bool truth;
  int64_t number;
  double real;
  uint64_t size, wait, never;
  const char *text, *secret;
  int choice;
  struct evp_strings list;
  struct evp_map map;
  struct inner group;
  struct evp_ctx *ctx;
};

struct per_stream {
  uint64_t items;
};

static enum evp_status sink_create(void *self, struct evp_ctx *ctx)
{
  ((struct sink *)self)->ctx = ctx;
  return EVP_OK;
}

static enum evp_status sink_start(void *self)
{
  const struct sink *sink = self;
  printf("options %d %" PRId64 " %g %" PRIu64 " %" PRIu64 " %d %s %s %d", sink->truth, sink->number, sink->real, sink->size,
    sink->wait, sink->never == EVP_NEVER, sink->text, sink->secret, sink->choice);
  for (size_t i = 0; i < sink->list.n; i++) printf(" %s", sink->list.items[i]);
  for (size_t i = 0; i < sink->map.n; i++) printf(" %s=%s", sink->map.items[i].key, sink->map.items[i].value);
  printf(" %d %s\n", sink->group.yes, sink->group.word);
  return EVP_OK;
}

static enum evp_status sink_stream_begin(void *self, const struct evp_stream *stream)
{
  const struct sink *sink = self;
  printf("%s begins %s of %s\n", evp_node_name(sink->ctx), evp_stream_label(stream, "service"), evp_stream_source(stream));
  return EVP_OK;
}

static enum evp_status sink_stream_end(void *self, const struct evp_stream *stream)
{
  struct sink *sink = self;
  const struct per_stream *own = evp_stream_local(sink->ctx, stream);
  printf("ends after %" PRIu64 " items, state %d\n", own->items, (int)evp_stream_state(stream));
  return EVP_OK;
}

static void print_items(const struct evp_batch *batch)
{
  for (uint32_t i = 0; i < batch->n; i++) {
    if (batch->signal == EVP_METRICS) {
      const struct evp_metric *metric = &batch->metrics[batch->sel[i]];
      printf("%s", metric->series->name);
      for (uint32_t k = 0; k < metric->series->n_labels; k++)
        printf(" %s=%s", metric->series->labels[k].key, metric->series->labels[k].value);
      printf(" %" PRId64 "\n", metric->value.i);
    } else {
      const struct evp_log *log = &batch->logs[batch->sel[i]];
      printf("log %s: %.*s\n", log->name, (int)log->body_size, log->body);
    }
  }
}

static enum evp_status sink_write(void *self, const struct evp_batch *batch)
{
  struct sink *sink = self;
  struct per_stream *own = evp_stream_local(sink->ctx, batch->stream);
  const struct evp_batch *kept = evp_batch_ref(batch);
  if (!kept) return EVP_ERROR;
  own->items += kept->n;
  print_items(kept);
  evp_batch_unref(kept);
  return EVP_OK;
}

static const char *const choices[] = {"one", "two", "three", NULL};
static const struct evp_option inner_options[] = {
  EVP_BOOL(struct inner, yes, "false", "A truth within."),
  EVP_STRING(struct inner, word, "none", "A word within."),
  EVP_OPTIONS_END,
};
static const struct evp_option options[] = {
  EVP_BOOL(struct sink, truth, "false", "A truth."),
  EVP_INT(struct sink, number, "-7", "A number."),
  EVP_REAL(struct sink, real, "0.5", "A number that need not be whole."),
  EVP_SIZE(struct sink, size, "1KiB", "Bytes."),
  EVP_DURATION(struct sink, wait, "1s", "A while."),
  EVP_DURATION(struct sink, never, "never", "No while."),
  EVP_STRING(struct sink, text, "text", "A text."),
  EVP_SECRET(struct sink, secret, "A secret."),
  EVP_CHOICE(struct sink, choice, "one", "One of three.", choices),
  EVP_STRINGS(struct sink, list, "Words."),
  EVP_MAP(struct sink, map, "Words by name."),
  EVP_GROUP(struct sink, group, inner_options, "More of them."),
  EVP_OPTIONS_END,
};

EVP_PLUGIN(.kind = EVP_SINK, .name = "frozen", .summary = "Prints metrics and logs.", .accepts = EVP_METRICS | EVP_LOGS,
  .options = options, .instance_size = sizeof(struct sink), .stream_size = sizeof(struct per_stream),
  .create = sink_create, .start = sink_start, .stream_begin = sink_stream_begin, .stream_end = sink_stream_end,
  .write = sink_write);
