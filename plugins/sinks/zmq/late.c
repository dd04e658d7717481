#include "late.h"
#include "monotonic.h"
#include "text.h"

/* No subscriber has taken anything for so long: it is not waited for. */
#define PATIENCE UINT64_C(1000000000)

static bool has_prologue(const struct channel *channel)
{
  return channel->signal == EVP_BYTES || channel->signal == EVP_EVENTS;
}

/* ----------------------------------------------------------------------------------------------------------- who asked */

void late_missed(struct publisher *publisher, const struct topic *topic)
{
  for (struct channel *channel = publisher->channels; channel; channel = channel->next)
    if (channel->topic == topic && has_prologue(channel)) snapshot_ask(&channel->prologue);
}

void late_subscribed(struct publisher *publisher, const void *prefix, size_t size)
{
  for (struct topic *topic = publisher->topics; topic; topic = topic->next) {
    if (topic->size < size || memcmp(topic->name, prefix, size)) continue;
    late_missed(publisher, topic);
    if (topic->signal == EVP_METRICS) snapshot_ask(&topic->values);
  }
}

/* ------------------------------------------------------------------------------------------------------------- a part */

/* A quarter of a subscriber's room is for snapshots, so that what is live finds some. */
static bool may_send(struct publisher *publisher, const struct snapshot *snapshot, uint64_t now)
{
  uint64_t window = (uint64_t)settings_messages(publisher->settings) / 4;
  return atomic_load(&publisher->outlet.in_flight.snapshots) < window || now - snapshot->progress > PATIENCE;
}

static bool send_part(struct publisher *publisher, struct snapshot *snapshot, struct topic *topic,
  struct header *header, const struct payload *payload)
{
  uint64_t now = monotonic();
  bool insist = now - snapshot->progress > PATIENCE;
  header->flags = MESSAGE_SNAPSHOT;
  header->publisher = publisher->epoch;
  header->sequence = topic->sequence;
  header->sync = NO_SYNC;
  if (outlet_send_snapshot(&publisher->outlet, topic, header, payload, insist) == REFUSED) return false;
  topic->sequence++;
  snapshot->progress = now;
  return true;
}

/* ------------------------------------------------------------------------------------------------------------- prologue */

static uint32_t read_prologue(struct publisher *publisher, const struct channel *channel, uint64_t end)
{
  struct evp_buf *text = &publisher->text;
  text->size = 0;
  if (text->capacity < publisher->message_size && !evp_buf_grow(text, publisher->message_size)) return 0;
  return (uint32_t)redact_prologue(
    &publisher->redaction, channel->stream, channel->prologue.cursor, end, text->data, publisher->message_size);
}

/* As far as it goes; false: not up to `end` now. */
static bool send_prologue(struct publisher *publisher, struct channel *channel, uint64_t end)
{
  struct snapshot *snapshot = &channel->prologue;
  while (may_send(publisher, snapshot, monotonic())) {
    uint32_t size = read_prologue(publisher, channel, end);
    if (!size) return true;
    struct header header = {.stream = evp_stream_id(channel->stream),
      .offset = snapshot->cursor,
      .prologue = snapshot->cursor + size,
      .items = size};
    const struct payload payload = {publisher->text.data, &size, 1};
    if (!send_part(publisher, snapshot, channel->topic, &header, &payload)) return false;
    snapshot->cursor += size;
  }
  return false;
}

void late_sync(struct publisher *publisher, struct channel *channel, uint64_t prologue)
{
  struct snapshot *snapshot = &channel->prologue;
  if (!snapshot->running || !snapshot->complete || snapshot->cursor > prologue) return;
  channel_send(publisher, channel);
  if (send_prologue(publisher, channel, prologue) && snapshot->cursor == prologue) snapshot->running = false;
}

/* --------------------------------------------------------------------------------------------------------------- values */

enum { PARTS_AT_ONCE = 256 };

/* As many values of one stream as one message takes; *next is where to go on. */
static size_t pack_values(
  struct publisher *publisher, const struct topic *topic, uint64_t *next, uint64_t *stream, uint32_t *ends)
{
  struct evp_buf *text = &publisher->text;
  const struct last_value *value;
  size_t n = 0;
  text->size = 0;
  for (; n < PARTS_AT_ONCE && (value = last_values_next(&publisher->values, topic, next)); ++*next) {
    if (n && (value->stream != *stream || text->size + value->size > publisher->message_size)) break;
    *stream = value->stream;
    if (!text_put(text, value->text, value->size)) break;
    ends[n++] = (uint32_t)text->size;
  }
  return n;
}

/* True: all of them were sent. */
static bool send_values(struct publisher *publisher, struct topic *topic)
{
  struct snapshot *snapshot = &topic->values;
  uint32_t ends[PARTS_AT_ONCE];
  while (may_send(publisher, snapshot, monotonic())) {
    struct header header = {0};
    uint64_t next = snapshot->cursor;
    size_t n = pack_values(publisher, topic, &next, &header.stream, ends);
    if (!n) return true;
    header.items = (uint32_t)n;
    const struct payload payload = {publisher->text.data, ends, n};
    if (!send_part(publisher, snapshot, topic, &header, &payload)) return false;
    snapshot->cursor = next;
  }
  return false;
}

/* ----------------------------------------------------------------------------------------------------------------- work */

bool late_work(struct publisher *publisher)
{
  uint64_t now = monotonic();
  bool busy = false;
  for (struct channel *channel = publisher->channels; channel; channel = channel->next) {
    struct snapshot *prologue = &channel->prologue;
    if (snapshot_begin(prologue, now)) prologue->complete = send_prologue(publisher, channel, UINT64_MAX);
    busy = busy || snapshot_is_busy(prologue);
  }
  for (struct topic *topic = publisher->topics; topic; topic = topic->next) {
    struct snapshot *values = &topic->values;
    if (snapshot_begin(values, now)) values->complete = send_values(publisher, topic);
    busy = busy || snapshot_is_busy(values);
  }
  return busy;
}
