#include "eventlog_builder.h"
#include "text.h"
#include <evpipe/events.h>

enum {
  HEAD = 10, /* type and time of a record */
  LENGTH = 2, /* of a record of variable size */
  MARKER = 24, /* a block marker, whole */
  MARKER_PAYLOAD = 14,
  VARIABLE = 0xffff, /* as a declared size */
  END = 0xffff, /* as a type */
  BLOCK_MAX = 1 << 20 /* a block is closed when it is larger: GHC's have 2 MiB at most */
};

/* The block that is being filled; its marker is written last. */
struct block {
  size_t at; /* of its marker in the buffer */
  uint64_t begin, end; /* the least and the greatest time in it */
  uint16_t cap;
  bool open;
};

static void set_u16(uint8_t *to, uint16_t value)
{
  to[0] = (uint8_t)(value >> 8);
  to[1] = (uint8_t)value;
}

static void set_u32(uint8_t *to, uint32_t value)
{
  set_u16(to, (uint16_t)(value >> 16));
  set_u16(to + 2, (uint16_t)value);
}

static void set_u64(uint8_t *to, uint64_t value)
{
  set_u32(to, (uint32_t)(value >> 32));
  set_u32(to + 4, (uint32_t)value);
}

/* ------------------------------------------------------------------------------------------------------------- header */

static bool put_type(struct evp_buf *out, uint16_t number, uint16_t size, const char *description)
{
  size_t length = strlen(description);
  uint8_t item[12] = "etb";
  set_u16(item + 4, number);
  set_u16(item + 6, size);
  set_u32(item + 8, (uint32_t)length);
  return text_put(out, item, sizeof item) && text_put(out, description, length) && text_put(out, "\0\0\0\0ete", 8);
}

/* The markers are ours, whatever the stream's were: so is their size. */
static bool put_declared(struct evp_buf *out, const struct evp_event_type *type)
{
  uint16_t size = type->number == EVP_BLOCK_MARKER ? MARKER_PAYLOAD : type->size;
  return put_type(out, type->number, size, type->description);
}

bool eventlog_builder_header(struct evp_buf *out, const struct evp_stream *stream)
{
  size_t n = 0;
  const struct evp_event_type *types = evp_stream_event_types(stream, &n);
  bool good = text_put(out, "hdrbhetb", 8);
  for (size_t i = 0; good && i < n; i++) good = put_declared(out, &types[i]);
  if (good && !evp_stream_event_type(stream, EVP_BLOCK_MARKER))
    good = put_type(out, EVP_BLOCK_MARKER, MARKER_PAYLOAD, "Block marker");
  return good && text_put(out, "hetehdredatb", 12);
}

/* ------------------------------------------------------------------------------------------------------------- blocks */

static void close_block(struct evp_buf *out, struct block *block)
{
  if (!block->open) return;
  uint8_t *marker = out->data + block->at;
  set_u16(marker, EVP_BLOCK_MARKER);
  set_u64(marker + 2, block->begin);
  set_u32(marker + 10, (uint32_t)(out->size - block->at));
  set_u64(marker + 14, block->end);
  set_u16(marker + 22, block->cap);
  block->open = false;
}

static bool open_block(struct evp_buf *out, struct block *block, const struct evp_event *event)
{
  static const uint8_t room[MARKER];
  *block = (struct block){.at = out->size, .begin = event->time, .end = event->time, .cap = event->cap};
  block->open = text_put(out, room, sizeof room);
  return block->open;
}

static bool put_record(struct evp_buf *out, const struct evp_event *event, bool variable)
{
  uint8_t head[HEAD + LENGTH];
  set_u16(head, event->type);
  set_u64(head + 2, event->time);
  set_u16(head + HEAD, event->size);
  return text_put(out, head, variable ? sizeof head : HEAD) && text_put(out, event->data, event->size);
}

static bool put_event(struct evp_buf *out, struct block *block, const struct evp_event *event, bool variable)
{
  if (block->open && (block->cap != event->cap || out->size - block->at > BLOCK_MAX)) close_block(out, block);
  if (!block->open && !open_block(out, block, event)) return false;
  if (event->time < block->begin) block->begin = event->time;
  if (event->time > block->end) block->end = event->time;
  return put_record(out, event, variable);
}

/* A type of fixed size has the size that the header says, but for GHC 6.12, where it is the event's that is right. */
static bool is_writable(const struct evp_event *event, const struct evp_event_type *type, uint32_t dialect)
{
  if (!type || event->type == END) return false;
  return type->size == VARIABLE || event->size == type->size || dialect & EVP_DIALECT_GHC_6_12;
}

bool eventlog_builder_events(struct evp_buf *out, const struct evp_batch *batch, uint64_t *unwritable)
{
  const struct evp_stream *stream = batch->stream;
  uint32_t dialect = evp_stream_dialect(stream);
  struct block block = {.open = false};
  const struct evp_event_type *type = NULL; /* of the event before: they come in runs */
  bool good = true;
  for (uint32_t i = 0; good && i < batch->n; i++) {
    const struct evp_event *event = &batch->events[batch->sel[i]];
    if (event->type == EVP_BLOCK_MARKER) continue;
    if (!type || type->number != event->type) type = evp_stream_event_type(stream, event->type);
    if (is_writable(event, type, dialect))
      good = put_event(out, &block, event, type->size == VARIABLE);
    else
      ++*unwritable;
  }
  close_block(out, &block);
  return good;
}

/* --------------------------------------------------------------------------------------------------------------- end */

bool eventlog_builder_end(struct evp_buf *out)
{
  return text_put(out, "\xff\xff", EVENTLOG_END_SIZE);
}
