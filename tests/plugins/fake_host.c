#include "fake_host.h"

#include <evpipe/events.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool fake_compact;
size_t fake_batches;
int fake_full_after = -1;

struct evp_stream {
  const struct evp_event_type *types;
  struct evp_event_type *own_types; /* if read from a file */
  size_t n_types;
  uint32_t dialect;
  bool live;
};

struct evp_ctx {
  struct fake_filter filter; /* first: a filter is its ctx */
  struct fake_log *input;
};

struct fake_batch {
  struct evp_batch batch; /* first */
  size_t references;
};

struct evp_out {
  struct evp_event *events;
  size_t n;
  void *rooms[64];
  size_t n_rooms;
  const struct evp_batch *kept[4096];
  size_t n_kept;
};

static void *must(void *memory)
{
  if (!memory) abort();
  return memory;
}

static bool full(void)
{
  return fake_full_after >= 0 && fake_full_after-- == 0;
}

/* ------------------------------------------------------------------------------------------------------ logs */

struct fake_log *fake_log_new(const struct evp_event_type *types, size_t n_types, uint32_t dialect)
{
  struct fake_log *log = must(calloc(1, sizeof *log));
  log->stream = must(calloc(1, sizeof *log->stream));
  *log->stream = (struct evp_stream){.types = types, .n_types = n_types, .dialect = dialect};
  return log;
}

void fake_log_set_live(struct fake_log *log, bool live)
{
  log->stream->live = live;
}

void fake_log_add(
  struct fake_log *log, uint64_t time, uint16_t type, uint16_t cap, uint16_t flags, const void *data, uint16_t size)
{
  if (log->n == log->capacity) {
    log->capacity = log->capacity ? 2 * log->capacity : 64;
    log->events = must(realloc(log->events, log->capacity * sizeof *log->events));
  }
  uint8_t *payload = must(malloc(size ? size : 1));
  if (size) memcpy(payload, data, size);
  log->events[log->n++] =
    (struct evp_event){.time = time, .type = type, .cap = cap, .flags = flags, .data = payload, .size = size};
}

static void free_events(struct fake_log *log)
{
  for (size_t i = 0; i < log->n; i++) free((void *)(uintptr_t)log->events[i].data);
  free(log->events);
}

void fake_log_free(struct fake_log *log)
{
  if (!log) return;
  free_events(log);
  for (size_t i = 0; log->stream->own_types && i < log->stream->n_types; i++)
    free((void *)(uintptr_t)log->stream->own_types[i].description);
  free(log->stream->own_types);
  free(log->stream);
  free(log);
}

static uint8_t *read_file(const char *path, size_t *size)
{
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  uint8_t *bytes = must(malloc(*size + 1));
  if (fread(bytes, 1, *size, file) != *size) abort();
  fclose(file);
  return bytes;
}

/* hdrb hetb { etb number size description extension ete } hete hdre datb; the place behind it. */
static const uint8_t *read_types(struct evp_stream *stream, const uint8_t *at)
{
  for (at += 8; evp_u32(at) == 0x65746200; at += 4) {
    uint32_t length = evp_u32(at + 8);
    stream->own_types = must(realloc(stream->own_types, (stream->n_types + 1) * sizeof *stream->own_types));
    stream->own_types[stream->n_types++] = (struct evp_event_type){
      .number = evp_u16(at + 4), .size = evp_u16(at + 6), .description = strndup((const char *)at + 12, length)};
    at += 12 + length;
    at += 4 + evp_u32(at);
  }
  stream->types = stream->own_types;
  return at + 12;
}

static size_t ipe_size(const uint8_t *payload)
{
  size_t size = 8;
  for (int strings = 0; strings < 6; strings++) size += strlen((const char *)payload + size) + 1;
  return size;
}

static void read_records(struct fake_log *log, const uint8_t *at, const uint8_t *end)
{
  const uint8_t *block_end = at;
  uint16_t cap = EVP_NO_CAP;
  while (end - at >= 10) {
    uint16_t number = evp_u16(at);
    const struct evp_event_type *type = evp_stream_event_type(log->stream, number);
    if (!type) break;
    bool variable = type->size == 0xffff;
    const uint8_t *payload = at + (variable ? 12 : 10);
    if (payload > end) break;
    size_t size = variable ? evp_u16(at + 10) : type->size;
    if (number == EVP_IPE) size = ipe_size(payload);
    if (size > (size_t)(end - payload)) break;
    if (number == EVP_BLOCK_MARKER) {
      block_end = at + evp_u32(payload);
      cap = evp_u16(payload + 12);
    } else if (at >= block_end) {
      cap = EVP_NO_CAP;
    }
    fake_log_add(log, evp_u64(at + 2), number, cap, variable ? EVP_EVENT_VARIABLE : 0, payload, (uint16_t)size);
    at = payload + size;
  }
}

struct fake_log *fake_log_read(const char *path)
{
  size_t size;
  uint8_t *bytes = read_file(path, &size);
  if (!bytes) return NULL;
  struct fake_log *log = fake_log_new(NULL, 0, 0);
  read_records(log, read_types(log->stream, bytes), bytes + size);
  free(bytes);
  return log;
}

/* ------------------------------------------------------------------------------------------------------ filters */

static const struct evp_option *find_option(const struct fake_filter *filter, const char *key)
{
  const struct evp_option *option = filter->plugin->options;
  while (option->key && strcmp(option->key, key) != 0) option++;
  if (!option->key) abort();
  return option;
}

void fake_filter_number(struct fake_filter *filter, const char *key, uint64_t value)
{
  const struct evp_option *option = find_option(filter, key);
  uint8_t *member = (uint8_t *)filter->self + option->offset;
  if (option->type == EVP_T_BOOL)
    *(bool *)member = value != 0;
  else
    memcpy(member, &value, sizeof value);
}

void fake_filter_strings(struct fake_filter *filter, const char *key, const char *const *items, size_t n)
{
  const struct evp_option *option = find_option(filter, key);
  struct evp_strings strings = {items, n};
  memcpy((uint8_t *)filter->self + option->offset, &strings, sizeof strings);
}

struct fake_filter *fake_filter_new(const struct evp_plugin *plugin, struct fake_log *input)
{
  struct evp_ctx *ctx = must(calloc(1, sizeof *ctx));
  ctx->input = input;
  ctx->filter.plugin = plugin;
  ctx->filter.self = must(calloc(1, plugin->instance_size));
  ctx->filter.output = fake_log_new(NULL, 0, 0);
  return &ctx->filter;
}

enum evp_status fake_filter_create(struct fake_filter *filter)
{
  return filter->plugin->create(filter->self, (struct evp_ctx *)filter);
}

void fake_filter_free(struct fake_filter *filter)
{
  if (filter->plugin->destroy) filter->plugin->destroy(filter->self);
  free(filter->self);
  fake_log_free(filter->output);
  free(filter);
}

static void add_copy(struct fake_log *log, const struct evp_event *event)
{
  fake_log_add(log, event->time, event->type, event->cap, event->flags, event->data, event->size);
}

/* What was emitted is taken over, what it was emitted with is let go. */
static enum evp_status collect(struct fake_filter *filter, struct evp_out *out, enum evp_status status)
{
  if (out->n > filter->most_emitted) filter->most_emitted = out->n;
  for (size_t i = 0; i < out->n && status != EVP_ERROR; i++) add_copy(filter->output, &out->events[i]);
  for (size_t i = 0; i < out->n_kept; i++) evp_batch_unref(out->kept[i]);
  for (size_t i = 0; i < out->n_rooms; i++) free(out->rooms[i]);
  free(out->events);
  free(out);
  return status;
}

static enum evp_status finish(struct fake_filter *filter, struct evp_out *out, enum evp_status status)
{
  status = collect(filter, out, status);
  while (status == EVP_AGAIN) {
    out = must(calloc(1, sizeof *out));
    status = collect(filter, out, filter->plugin->more(filter->self, out));
  }
  return status;
}

static struct fake_batch *new_batch(const struct fake_log *log, size_t from, size_t to)
{
  struct fake_batch *fake = must(calloc(1, sizeof *fake));
  uint32_t n = (uint32_t)(to - from);
  struct evp_event *events = must(calloc(n + 1, sizeof *events));
  uint16_t *sel = must(calloc(n + 1, sizeof *sel));
  for (uint32_t i = 0; i < n; i++) {
    events[i] = log->events[from + i];
    uint8_t *payload = must(malloc(events[i].size ? events[i].size : 1));
    if (events[i].size) memcpy(payload, events[i].data, events[i].size);
    events[i].data = payload;
    sel[i] = (uint16_t)i;
  }
  fake->batch = (struct evp_batch){
    .signal = EVP_EVENTS, .stream = log->stream, .origin = "fake", .events = events, .sel = sel, .n = n};
  fake->references = 1;
  fake_batches++;
  return fake;
}

enum evp_status fake_filter_map(struct fake_filter *filter, const struct fake_log *input, size_t from, size_t to)
{
  struct fake_batch *fake = new_batch(input, from, to);
  struct evp_out *out = must(calloc(1, sizeof *out));
  enum evp_status status = filter->plugin->map(filter->self, &fake->batch, out);
  evp_batch_unref(&fake->batch);
  return finish(filter, out, status);
}

enum evp_status fake_filter_tick(struct fake_filter *filter, uint64_t now)
{
  struct evp_out *out = must(calloc(1, sizeof *out));
  return finish(filter, out, filter->plugin->tick(filter->self, now, out));
}

enum evp_status fake_filter_end(struct fake_filter *filter)
{
  struct evp_out *out = must(calloc(1, sizeof *out));
  return finish(filter, out, filter->plugin->end(filter->self, out));
}

void fake_filter_select(struct fake_filter *filter, const struct fake_log *input, size_t from, size_t to)
{
  struct fake_batch *fake = new_batch(input, from, to);
  uint16_t *sel = must(malloc((to - from + 1) * sizeof *sel));
  memcpy(sel, fake->batch.sel, (to - from) * sizeof *sel);
  uint32_t kept = filter->plugin->select(filter->self, &fake->batch, sel, fake->batch.n);
  for (uint32_t i = 0; i < kept; i++) add_copy(filter->output, &fake->batch.events[sel[i]]);
  free(sel);
  evp_batch_unref(&fake->batch);
}

/* ------------------------------------------------------------------------------------------------------ host functions */

const struct evp_batch *evp_batch_ref(const struct evp_batch *batch)
{
  if (full()) return NULL;
  if (fake_compact) {
    struct fake_log log = {.stream = (struct evp_stream *)(uintptr_t)batch->stream};
    for (uint32_t i = 0; i < batch->n; i++) add_copy(&log, &batch->events[batch->sel[i]]);
    struct fake_batch *copy = new_batch(&log, 0, log.n);
    free_events(&log);
    return &copy->batch;
  }
  struct fake_batch *fake = (struct fake_batch *)(uintptr_t)batch;
  fake->references++;
  return batch;
}

void evp_batch_unref(const struct evp_batch *batch)
{
  struct fake_batch *fake = (struct fake_batch *)(uintptr_t)batch;
  if (--fake->references) return;
  for (uint32_t i = 0; i < fake->batch.n; i++) free((void *)(uintptr_t)fake->batch.events[i].data);
  free((void *)(uintptr_t)fake->batch.events);
  free((void *)(uintptr_t)fake->batch.sel);
  free(fake);
  fake_batches--;
}

struct evp_event *evp_emit_events(struct evp_out *out, uint32_t n)
{
  if (full()) return NULL;
  out->events = must(realloc(out->events, (out->n + n + 1) * sizeof *out->events));
  out->n += n;
  return out->events + out->n - n;
}

void *evp_emit_room(struct evp_out *out, size_t size)
{
  if (full()) return NULL;
  if (out->n_rooms == sizeof out->rooms / sizeof *out->rooms) abort();
  return out->rooms[out->n_rooms++] = must(malloc(size ? size : 1));
}

void evp_emit_keep(struct evp_out *out, const struct evp_batch *batch)
{
  if (out->n_kept == sizeof out->kept / sizeof *out->kept) abort();
  ((struct fake_batch *)(uintptr_t)batch)->references++;
  out->kept[out->n_kept++] = batch;
}

void evp_late(struct evp_ctx *ctx, uint64_t events)
{
  ctx->filter.late += events;
}

void evp_tick_every(struct evp_ctx *ctx, uint64_t nanoseconds)
{
  ctx->filter.tick_every = nanoseconds;
}

void evp_want_event(struct evp_ctx *ctx, uint16_t type)
{
  struct fake_filter *filter = &ctx->filter;
  if (filter->n_wanted == sizeof filter->wanted / sizeof *filter->wanted) abort();
  filter->wanted[filter->n_wanted++] = type;
}

void evp_pass_event(struct evp_ctx *ctx, uint16_t type)
{
  (void)ctx;
  (void)type;
}

void evp_option_error(struct evp_ctx *ctx, const char *key, const char *format, ...)
{
  char *text = ctx->filter.option_error;
  size_t room = sizeof ctx->filter.option_error;
  int size = snprintf(text, room, "%s: ", key);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text + size, room - (size_t)size, format, arguments);
  va_end(arguments);
}

void evp_error(struct evp_ctx *ctx, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(ctx->filter.error, sizeof ctx->filter.error, format, arguments);
  va_end(arguments);
}

void evp_warn(struct evp_ctx *ctx, const char *format, ...)
{
  (void)ctx;
  (void)format;
}

bool evp_buf_grow(struct evp_buf *buf, size_t more)
{
  if (full()) return false;
  size_t capacity = buf->capacity ? buf->capacity : 64;
  while (capacity - buf->size < more) capacity *= 2;
  buf->data = must(realloc(buf->data, capacity));
  buf->capacity = capacity;
  return true;
}

bool evp_stream_live(const struct evp_stream *stream)
{
  return stream->live;
}

uint32_t evp_stream_dialect(const struct evp_stream *stream)
{
  return stream->dialect;
}

const struct evp_event_type *evp_stream_event_types(const struct evp_stream *stream, size_t *n)
{
  *n = stream->n_types;
  return stream->types;
}

const struct evp_event_type *evp_stream_event_type(const struct evp_stream *stream, uint16_t number)
{
  for (size_t i = stream->n_types; i--;)
    if (stream->types[i].number == number) return &stream->types[i];
  return NULL;
}
