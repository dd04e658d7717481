#include "channel.h"
#include "eventlog_builder.h"
#include "item_text.h"
#include "late.h"
#include "text.h"

enum { PART_OVERHEAD = 128 }; /* what libzmq needs for a part, roughly */

static enum evp_status no_memory(struct publisher *publisher)
{
  evp_error(publisher->ctx, "no memory");
  return EVP_ERROR;
}

struct channel *channel_new(struct topic *topic, const struct evp_batch *first)
{
  struct channel *channel = calloc(1, sizeof *channel);
  if (!channel) return NULL;
  channel->stream = first->stream;
  channel->signal = first->signal;
  channel->origin = first->origin;
  channel->topic = topic;
  channel->header.sync = NO_SYNC;
  return channel;
}

void channel_free(struct channel *channel)
{
  text_free(&channel->pending);
  text_free(&channel->built);
  free(channel->ends);
  free(channel);
}

/* ---------------------------------------------------------------------------------------------------------------- send */

/* In the message that is packed next. */
static void tell_lost(struct channel *channel)
{
  channel->header.flags |= MESSAGE_GAP;
  channel->header.lost += channel->lost;
  channel->lost = 0;
}

bool channel_send(struct publisher *publisher, struct channel *channel)
{
  struct header *header = &channel->header;
  struct topic *topic = channel->topic;
  if (!channel->n_ends && !(header->flags & MESSAGE_END)) return true;
  header->publisher = publisher->epoch;
  header->stream = evp_stream_id(channel->stream);
  header->sequence = topic->sequence;
  const struct payload payload = {channel->pending.data, channel->ends, channel->n_ends};
  if (outlet_send(&publisher->outlet, topic, header, &payload) == REFUSED) return false;
  topic->sequence++;
  *header = (struct header){.sync = NO_SYNC, .epoch = header->epoch};
  if (channel->lost) tell_lost(channel);
  channel->pending.size = channel->n_ends = 0;
  channel->open_pending = 0;
  return true;
}

static void count_packed(struct channel *channel, uint32_t items)
{
  channel->header.items += items;
  channel->open_items += items;
  channel->open_pending += items;
}

/* The batch is taken as a whole: its items are ours to answer for. */
static void close_batch(struct channel *channel)
{
  channel->piece.data = NULL;
  channel->taken = 0;
  channel->open_items = channel->open_pending = 0;
}

static bool end_part(struct channel *channel)
{
  if (channel->n_ends == channel->ends_room) {
    size_t room = channel->ends_room ? 2 * channel->ends_room : 16;
    uint32_t *larger = realloc(channel->ends, room * sizeof *larger);
    if (!larger) return false;
    channel->ends = larger;
    channel->ends_room = room;
  }
  channel->ends[channel->n_ends++] = (uint32_t)channel->pending.size;
  return true;
}

/* Bytes and events: one part, be it empty. */
static bool put_part_of_log(struct channel *channel)
{
  if (channel->signal != EVP_BYTES && channel->signal != EVP_EVENTS) return true;
  if (channel->n_ends) return true;
  channel->header.offset = channel->position;
  return end_part(channel);
}

/* Of an eventlog it is told at once, in a message without bytes: who follows it begins anew with the prologue, which is sent
   next. Else the next message tells it. */
void channel_gap(struct publisher *publisher, struct channel *channel, uint64_t items)
{
  channel->lost += items;
  if (!channel_send(publisher, channel)) return; /* push: what is refused lies before the gap */
  if (channel->lost) tell_lost(channel);
  if (!put_part_of_log(channel)) evp_error(publisher->ctx, "no memory");
  channel_send(publisher, channel);
  late_missed(publisher, channel->topic);
}

static bool is_full(const struct publisher *publisher, const struct channel *channel, size_t more)
{
  size_t size = channel->pending.size + channel->n_ends * PART_OVERHEAD;
  return channel->n_ends && size + more > publisher->message_size;
}

/* ------------------------------------------------------------------------------------------------------- bytes, events */

/* Bytes as they came; what must not be seen is left out, and told as a gap. */
static bool take_bytes(struct publisher *publisher, struct channel *channel, const struct evp_batch *batch)
{
  uint32_t from = redact_begin(&publisher->redaction, &channel->redact, batch);
  const uint8_t *data = redact_bytes(&publisher->redaction, batch);
  if (!data) return false;
  if (from) {
    evp_drop(publisher->ctx, from, "unframed");
    channel_gap(publisher, channel, from);
  }
  channel->piece = (struct log_piece){.data = data + from,
    .size = batch->n - from,
    .sync = batch->sync < batch->n && batch->sync >= from ? batch->sync - from : NO_SYNC,
    .items = batch->n - from,
    .offset = batch->offset + from,
    .prologue = batch->prologue};
  return true;
}

/* One after another, for there is one copy at a time. */
static bool build_redacted(
  struct publisher *publisher, struct evp_buf *out, const struct evp_batch *batch, uint64_t *unwritable)
{
  static const uint16_t first;
  struct evp_batch part = *batch;
  bool good = true;
  part.n = 0;
  for (uint32_t i = 0; good && i < batch->n; i++) {
    struct evp_event event = batch->events[batch->sel[i]];
    const uint8_t *data = redact_payload(&publisher->redaction, &event);
    part.n++;
    if (data == event.data) continue;
    part.n--;
    event.data = data;
    struct evp_batch single = *batch;
    single.events = &event;
    single.sel = &first;
    single.n = 1;
    good = data && eventlog_builder_events(out, &part, unwritable) && eventlog_builder_events(out, &single, unwritable);
    part.sel = batch->sel + i + 1;
    part.n = 0;
  }
  return good && eventlog_builder_events(out, &part, unwritable);
}

static bool take_events(struct publisher *publisher, struct channel *channel, const struct evp_batch *batch)
{
  struct evp_buf *out = &channel->built;
  uint64_t unwritable = 0, prologue = channel->begun ? batch->prologue : 0;
  out->size = 0;
  if (!channel->begun && !eventlog_builder_header(out, batch->stream)) return false;
  channel->begun = true;
  if (!build_redacted(publisher, out, batch, &unwritable)) return false;
  if (unwritable) evp_drop(publisher->ctx, unwritable, "not_declared");
  channel->piece = (struct log_piece){.data = out->data,
    .size = (uint32_t)out->size,
    .sync = 0,
    .items = batch->n - unwritable,
    .offset = channel->position,
    .prologue = prologue};
  return true;
}

/* As much of the piece as the message takes. */
static bool pack_piece(struct publisher *publisher, struct channel *channel)
{
  const struct log_piece *piece = &channel->piece;
  struct header *header = &channel->header;
  uint32_t at = (uint32_t)channel->pending.size, taken = channel->taken;
  size_t room = publisher->message_size - at;
  uint32_t size = piece->size - taken < room ? piece->size - taken : (uint32_t)room;
  if (!text_put(&channel->pending, piece->data + taken, size)) return false;
  if (!channel->n_ends) {
    header->offset = piece->offset + taken;
    if (!end_part(channel)) return false;
  }
  channel->ends[0] = (uint32_t)channel->pending.size;
  if (header->sync == NO_SYNC && piece->sync >= taken && piece->sync < taken + size) {
    header->sync = at + piece->sync - taken;
    header->prologue = piece->prologue;
  }
  channel->taken += size;
  /* Events of which a part lies in this message, each counted once. */
  count_packed(channel, (uint32_t)(piece->items * channel->taken / piece->size - piece->items * taken / piece->size));
  channel->position = piece->offset + channel->taken;
  return true;
}

static enum evp_status write_log(struct publisher *publisher, struct channel *channel, const struct evp_batch *batch)
{
  bool bytes = batch->signal == EVP_BYTES;
  if (!channel->piece.data) {
    if (!(bytes ? take_bytes : take_events)(publisher, channel, batch)) return no_memory(publisher);
    if (channel->piece.sync != NO_SYNC) late_sync(publisher, channel, channel->piece.prologue);
  }
  channel->header.epoch = batch->epoch;
  while (channel->taken < channel->piece.size) {
    bool follows = channel->position == channel->piece.offset + channel->taken;
    bool full = channel->pending.size >= publisher->message_size;
    if (channel->n_ends && (full || !follows) && !channel_send(publisher, channel)) return EVP_AGAIN;
    if (!pack_piece(publisher, channel)) return no_memory(publisher);
  }
  close_batch(channel);
  return EVP_OK;
}

/* ------------------------------------------------------------------------------------------------------- metrics, logs */

static void keep_value(struct publisher *publisher, const struct channel *channel, const struct evp_metric *metric)
{
  struct last_values *values = &publisher->values;
  uint64_t moves = values->moves;
  if (metric->flags & EVP_METRIC_LAST) {
    last_values_remove(values, metric->series->id);
    return;
  }
  if (!last_values_set(values, channel->topic, evp_stream_id(channel->stream), metric->series->id, publisher->text.data,
        publisher->text.size) &&
      !values->full) {
    values->full = true;
    evp_warn(publisher->ctx, "more series than last values are kept of: late subscribers do not get all of them");
  }
  if (moves == values->moves) return;
  for (struct topic *topic = publisher->topics; topic; topic = topic->next) topic->values.cursor = 0;
}

/* One object, without its newline, into the publisher's text. */
static bool format_item(struct publisher *publisher, const struct evp_batch *batch, uint16_t at)
{
  struct evp_buf *text = &publisher->text;
  text->size = 0;
  bool good = batch->signal == EVP_METRICS ? metric_json_append(text, &batch->metrics[at])
                                           : log_json_append(text, batch->stream, &batch->logs[at]);
  if (good) text->size--;
  return good;
}

static enum evp_status write_items(struct publisher *publisher, struct channel *channel, const struct evp_batch *batch)
{
  const struct evp_buf *text = &publisher->text;
  channel->header.epoch = batch->epoch;
  for (; channel->taken < batch->n; channel->taken++) {
    uint16_t at = batch->sel[channel->taken];
    if (!format_item(publisher, batch, at)) return no_memory(publisher);
    if (batch->signal == EVP_METRICS && publisher->settings->pattern == PATTERN_PUB)
      keep_value(publisher, channel, &batch->metrics[at]);
    if (is_full(publisher, channel, text->size + PART_OVERHEAD) && !channel_send(publisher, channel)) return EVP_AGAIN;
    if (!channel->n_ends) channel->header.offset = channel->position;
    if (!text_put(&channel->pending, text->data, text->size) || !end_part(channel)) return no_memory(publisher);
    count_packed(channel, 1);
    channel->position++;
  }
  close_batch(channel);
  return EVP_OK;
}

enum evp_status channel_write(struct publisher *publisher, struct channel *channel, const struct evp_batch *batch)
{
  bool log = batch->signal == EVP_BYTES || batch->signal == EVP_EVENTS;
  return (log ? write_log : write_items)(publisher, channel, batch);
}

/* ----------------------------------------------------------------------------------------------------------------- end */

/* An eventlog of events gets its end marker. */
static bool put_end(struct channel *channel)
{
  if (!put_part_of_log(channel)) return false;
  if (channel->signal != EVP_EVENTS) return true;
  bool good = eventlog_builder_end(&channel->pending);
  channel->ends[0] = (uint32_t)channel->pending.size;
  return good;
}

/* A batch that was offered again and again, and then no more, was counted by the core as dropped: so it is not once more. */
void channel_end(struct publisher *publisher, struct channel *channel)
{
  uint64_t ours = channel->header.items - channel->open_pending, open_pending = channel->open_pending;
  if (!put_end(channel)) no_memory(publisher);
  channel->header.flags |= MESSAGE_END;
  bool sent = channel_send(publisher, channel);
  if (!sent && outlet_wait(&publisher->outlet)) sent = channel_send(publisher, channel);
  if (!sent && ours) evp_drop(publisher->ctx, ours, "nobody_pulls");
  publisher->outlet.counted += channel->open_items - (sent ? 0 : open_pending);
}
