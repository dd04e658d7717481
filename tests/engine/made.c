#include "made.h"
#include "engine/engine.h"
#include <evpipe/events.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------ a log, made by hand */

static void put(struct made_log *log, uint64_t value, int bytes)
{
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) log->data[log->size++] = (uint8_t)(value >> shift);
}

static void put_text(struct made_log *log, const char *text)
{
  memcpy(log->data + log->size, text, strlen(text));
  log->size += strlen(text);
}

static void put_type(struct made_log *log, uint16_t number, uint16_t size)
{
  put(log, 0x65746200, 4);
  put(log, number, 2);
  put(log, size, 2);
  put(log, 4, 4);
  put_text(log, "type");
  put(log, 0, 4);
  put(log, 0x65746500, 4);
}

static void put_header(struct made_log *log)
{
  put_text(log, "hdrbhetb");
  put_type(log, EVP_BLOCK_MARKER, 14);
  put_type(log, EVP_USER_MSG, 0xffff);
  put_type(log, EVP_WALL_CLOCK_TIME, 16);
  put_type(log, EVP_HEAP_SIZE, 12);
  put_text(log, "hetehdredatb");
}

static void put_heap_size(struct made_log *log, uint64_t time, uint64_t bytes)
{
  put(log, EVP_HEAP_SIZE, 2);
  put(log, time, 8);
  put(log, 0, 4);
  put(log, bytes, 8);
}

static void put_clock(struct made_log *log, uint64_t time, uint64_t seconds)
{
  put(log, EVP_WALL_CLOCK_TIME, 2);
  put(log, time, 8);
  put(log, 1, 4);
  put(log, seconds, 8);
  put(log, 0, 4);
}

static void begin_block(struct made_log *log, uint64_t begin, uint32_t records, uint64_t end, uint16_t cap)
{
  put(log, EVP_BLOCK_MARKER, 2);
  put(log, begin, 8);
  put(log, 24 + records, 4);
  put(log, end, 8);
  put(log, cap, 2);
}

void made_log(struct made_log *log)
{
  log->size = 0;
  put_header(log);
  begin_block(log, 0, SIZES * 22, 1000000, 0);
  for (uint64_t i = 0; i < SIZES; i++) put_heap_size(log, 1000 * (i + 1), i);
  begin_block(log, 1000000, 26, 1100000, 0xffff);
  put_clock(log, 1050000, SECONDS);
  put(log, 0xffff, 2);
}

struct made_log input;
size_t input_cut;
bool input_live;

static enum evp_status source_create(void *self, struct evp_ctx *ctx)
{
  ((struct made_source *)self)->ctx = ctx;
  return EVP_OK;
}

enum evp_status made_connect(void *self, int *fd)
{
  struct made_source *source = self;
  *fd = -1;
  if (source->over) return EVP_END;
  source->over = true;
  evp_source_can_wait(source->ctx, !input_live);
  if (!input_live) evp_source_recorded(source->ctx, 0);
  return EVP_OK;
}

enum evp_status made_read(void *self, uint8_t *buffer, size_t *size)
{
  struct made_source *source = self;
  size_t n = input.size - source->at;
  if (!n) return EVP_END;
  if (n > input_cut) n = input_cut;
  if (n > *size) n = *size;
  memcpy(buffer, input.data + source->at, n);
  source->at += n;
  *size = n;
  return EVP_OK;
}

const struct evp_plugin made_source = {.abi = EVP_ABI,
  .size = sizeof(struct evp_plugin),
  .kind = EVP_SOURCE,
  .name = "source",
  .emits = EVP_BYTES | EVP_EVENTS,
  .instance_size = sizeof(struct made_source),
  .create = source_create,
  .connect = made_connect,
  .read = made_read};

/* ----------------------------------------------------------------------------------------------- the pipelines */

static const struct evp_label labels[] = {{"service", "test"}};

struct pipeline_node made_node(enum evp_kind kind, const char *name, const struct evp_plugin *plugin)
{
  struct pipeline_node made = {.kind = kind, .name = name, .plugin = plugin, .place = "test.yaml:1", .sound = true};
  made.source.labels = (struct evp_map){labels, 1};
  made.source.reconnect.initial = made.source.reconnect.max = 1000000;
  made.source.silence = EVP_NEVER;
  made.source.hold.max_size = 1 << 24;
  made.source.hold.max_delay = 100000000;
  made.sink.queue.max_size = 1 << 20;
  made.sink.batch.max_items = 100;
  made.sink.batch.max_size = 1 << 20;
  made.sink.batch.max_delay = 10000000;
  made.sink.retry.initial = made.sink.retry.max = 1000000;
  made.sink.retry.give_up = EVP_NEVER;
  return made;
}

void made_edge(struct pipeline_node *nodes, uint32_t consumer, struct pipeline_edge *edge)
{
  nodes[consumer].edges = edge;
  nodes[consumer].n_edges = 1;
  nodes[consumer].input = edge->signals;
  nodes[edge->from].output |= edge->signals;
}

int made_run(struct pipeline_node *nodes, uint32_t n)
{
  struct pipeline pipeline = {.nodes = nodes, .n_nodes = n, .shutdown_timeout = 10000000000, .path = "test.yaml"};
  return engine_run(&pipeline, NULL);
}
