#include "publisher.h"
#include "late.h"
#include "monotonic.h"
#include "text.h"
#include "wall_clock.h"

/* While something waits for time to pass: a snapshot that was put off, a message that nobody pulls. */
#define SOON UINT64_C(20000000)
/* How long small messages are held back when subscribers are slow: their room is counted in messages. */
#define HOLD UINT64_C(100000000)
enum { SUBSCRIPTIONS_AT_ONCE = 1024 };

bool publisher_open(struct publisher *publisher)
{
  publisher->epoch = (uint64_t)wall_clock();
  publisher->message_size = settings_message_size(publisher->settings);
  if (outlet_open(&publisher->outlet, publisher->settings, publisher->ctx)) {
    evp_watch(publisher->ctx, publisher->outlet.epoll);
    return true;
  }
  outlet_close(&publisher->outlet);
  return false;
}

void publisher_close(struct publisher *publisher)
{
  outlet_close(&publisher->outlet);
}

void publisher_free(struct publisher *publisher)
{
  for (struct channel *channel = publisher->channels, *next; channel; channel = next) {
    next = channel->next;
    channel_free(channel);
  }
  topics_free(publisher->topics);
  last_values_free(&publisher->values);
  redact_free(&publisher->redaction);
  text_free(&publisher->text);
}

/* ------------------------------------------------------------------------------------------------------------ channels */

static uint64_t *lost_before(struct publisher *publisher, const struct evp_stream *stream, uint32_t signal)
{
  struct stream_memory *memory = evp_stream_local(publisher->ctx, stream);
  switch (signal) {
  case EVP_BYTES:
    return &memory->lost_bytes;
  case EVP_EVENTS:
    return &memory->lost_events;
  case EVP_METRICS:
    return &memory->lost_metrics;
  default:
    return &memory->lost_logs;
  }
}

static struct channel *add_channel(struct publisher *publisher, const struct evp_batch *batch)
{
  struct topic *topic = topic_get(&publisher->topics, batch->signal, batch->stream, batch->origin);
  struct channel *channel = topic ? channel_new(topic, batch) : NULL;
  if (!channel) {
    evp_error(publisher->ctx, "no memory");
    return NULL;
  }
  channel->next = publisher->channels;
  publisher->channels = channel;
  uint64_t *lost = lost_before(publisher, batch->stream, batch->signal);
  if (*lost) channel_gap(publisher, channel, *lost);
  *lost = 0;
  return channel;
}

static struct channel *find_channel(struct publisher *publisher, const struct evp_batch *batch)
{
  struct channel *channel = publisher->channels;
  while (channel && (channel->stream != batch->stream || channel->signal != batch->signal ||
                      strcmp(channel->origin, batch->origin) != 0))
    channel = channel->next;
  return channel ? channel : add_channel(publisher, batch);
}

enum evp_status publisher_write(struct publisher *publisher, const struct evp_batch *batch)
{
  publisher_work(publisher);
  struct channel *channel = find_channel(publisher, batch);
  return channel ? channel_write(publisher, channel, batch) : EVP_ERROR;
}

void publisher_gap(struct publisher *publisher, const struct evp_gap *gap)
{
  bool told = false;
  for (struct channel *channel = publisher->channels; channel; channel = channel->next) {
    if (channel->stream != gap->stream || channel->signal != gap->signal) continue;
    channel_gap(publisher, channel, gap->items);
    told = true;
  }
  if (!told) *lost_before(publisher, gap->stream, gap->signal) += gap->items;
}

void publisher_end(struct publisher *publisher, const struct evp_stream *stream)
{
  for (struct channel **link = &publisher->channels; *link;) {
    struct channel *channel = *link;
    if (channel->stream != stream) {
      link = &channel->next;
      continue;
    }
    channel_end(publisher, channel);
    *link = channel->next;
    channel_free(channel);
  }
  last_values_end_stream(&publisher->values, evp_stream_id(stream));
}

/* ---------------------------------------------------------------------------------------------------------------- work */

/* False: more wait. */
static bool look_at_subscriptions(struct publisher *publisher)
{
  zmq_msg_t prefix;
  bool subscribes;
  for (int i = 0; i < SUBSCRIPTIONS_AT_ONCE; i++) {
    if (!outlet_receive(&publisher->outlet, &prefix, &subscribes)) return true;
    const char *data = zmq_msg_data(&prefix);
    size_t size = zmq_msg_size(&prefix) - 1;
    evp_debug(publisher->ctx, "%s '%.*s'", subscribes ? "somebody subscribed to" : "gone is a subscription to",
      (int)strnlen(data + 1, size), data + 1);
    if (subscribes) late_subscribed(publisher, data + 1, size);
    zmq_msg_close(&prefix);
  }
  return false;
}

/* Who missed something can begin again, once it has room: with a snapshot, as somebody who comes late. */
static void look_at_the_slow(struct publisher *publisher)
{
  outlet_caught_up(&publisher->outlet);
  if (publisher->outlet.stuck) return;
  for (struct topic *topic = publisher->topics; topic; topic = topic->next) {
    if (topic->missed) late_missed(publisher, topic);
    topic->missed = false;
  }
}

static void tick_if(struct publisher *publisher, bool needed)
{
  if (needed == publisher->ticking) return;
  publisher->ticking = needed;
  evp_tick_every(publisher->ctx, needed ? SOON : 0);
}

static bool something_is_packed(const struct publisher *publisher)
{
  const struct channel *channel = publisher->channels;
  while (channel && !channel->n_ends) channel = channel->next;
  return channel != NULL;
}

void publisher_work(struct publisher *publisher)
{
  authenticator_serve(&publisher->outlet.authenticator);
  bool all = look_at_subscriptions(publisher);
  look_at_the_slow(publisher);
  bool busy = publisher->settings->pattern == PATTERN_PUB && late_work(publisher);
  tick_if(publisher, !all || busy || something_is_packed(publisher) || publisher->outlet.stuck);
}

void publisher_flush(struct publisher *publisher)
{
  uint64_t now = monotonic();
  if (!outlet_is_crowded(&publisher->outlet) || now - publisher->flushed >= HOLD) {
    for (struct channel *channel = publisher->channels; channel; channel = channel->next)
      channel_send(publisher, channel);
    publisher->flushed = now;
  }
  publisher_work(publisher);
}
