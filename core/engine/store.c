#include "engine/store.h"
#include "engine/spool.h"
#include "engine/time.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TROUBLE_LINE_INTERVAL (60 * NS_PER_S)

struct parcel {
  struct parcel *next;
  struct evp_message message;
  uint8_t *data; /* what is to be freed; message.data moves on as parts are delivered */
  int64_t since; /* monotonic: put in */
};

struct store {
  struct node *node;
  struct parcel *first, **last; /* in memory */
  uint64_t n, bytes, limit; /* of them */
  uint64_t last_id; /* of the message that was put last */
  uint64_t next_id; /* of the one that is tried to be put: the same each time; 0: not chosen */
  struct spool *spool; /* NULL: none */
  bool from_memory; /* where the message came from that store_first() gave last */
  bool full_said, trouble_said;
  uint64_t trouble_line; /* monotonic: trouble is not said again before */
};

struct store *store_new(struct node *node)
{
  struct store *store = calloc(1, sizeof *store);
  if (!store) return NULL;
  store->node = node;
  store->last = &store->first;
  store->limit = node->config->sink.queue.max_size;
  return store;
}

/* In the spool only the id tells. */
static int64_t oldest_since(const struct store *store, const struct spool_content *content)
{
  if (store->first) return store->first->since;
  int64_t age = time_unix() - (int64_t)content->first_id;
  return (int64_t)time_monotonic() - (age > 0 ? age : 0);
}

static void show_content(struct store *store)
{
  struct statistics *statistics = &store->node->statistics;
  struct spool_content content = {0};
  if (store->spool) content = spool_content(store->spool);
  uint64_t messages = store->n + content.messages;
  if (messages) atomic_store_explicit(&statistics->messages_since, oldest_since(store, &content), memory_order_relaxed);
  atomic_store_explicit(&statistics->message_bytes, store->bytes, memory_order_relaxed);
  atomic_store_explicit(&statistics->spool_items, content.items, memory_order_relaxed);
  atomic_store_explicit(&statistics->spool_bytes, content.bytes, memory_order_relaxed);
  atomic_store(&statistics->messages, messages); /* last: who sees that none waits sees what became of them */
}

bool store_open(struct store *store)
{
  const struct pipeline_node *config = store->node->config;
  const struct spool_settings *settings = &config->sink.spool;
  char error[SPOOL_ERROR_MAX];
  if (!settings->path) return true;
  const struct spool_options options = {
    settings->path, settings->max_size, store->node->plugin->name, store->node->plugin->message_format};
  store->spool = spool_open(&options, error);
  if (!store->spool) {
    node_log(store->node, LOG_LEVEL_ERROR, "%s", error);
    return false;
  }
  struct spool_content content = spool_content(store->spool);
  statistics_add(&store->node->statistics.recovered, content.items);
  store->last_id = spool_last_id(store->spool);
  show_content(store);
  if (content.messages)
    node_log(store->node, LOG_LEVEL_INFO,
      "spool %s: %" PRIu64 " messages (%" PRIu64 " items, %" PRIu64 " bytes) of an earlier run are delivered first",
      settings->path, content.messages, content.items, content.bytes);
  return true;
}

static void parcel_free(struct parcel *parcel)
{
  free(parcel->data);
  free(parcel);
}

static void drop_first_parcel(struct store *store)
{
  struct parcel *parcel = store->first;
  store->first = parcel->next;
  if (!store->first) store->last = &store->first;
  store->n--;
  store->bytes -= parcel->message.size;
  parcel_free(parcel);
  show_content(store);
}

void store_free(struct store *store)
{
  if (!store) return;
  while (store->first) drop_first_parcel(store);
  spool_close(store->spool);
  free(store);
}

/* -------------------------------------------------------------------------------------------- what the spool says */

static void say_trouble(struct store *store, const char *consequence)
{
  uint64_t now = time_monotonic();
  statistics_add(&store->node->statistics.errors, 1);
  if (now < store->trouble_line) return;
  store->trouble_said = true;
  store->trouble_line = now + TROUBLE_LINE_INTERVAL;
  node_log(store->node, LOG_LEVEL_ERROR, "%s; %s", spool_error(store->spool), consequence);
}

static void say_full(struct store *store)
{
  if (!store->full_said)
    node_log(store->node, LOG_LEVEL_WARNING, "spool %s is full (max_size): what comes waits in the queue",
      store->node->config->sink.spool.path);
  store->full_said = true;
}

/* Of every call of the spool: what is to be said of it, and what it means here. */
static enum store_answer judge(struct store *store, enum spool_status status)
{
  show_content(store);
  switch (status) {
  case SPOOL_OK:
    return STORE_OK;
  case SPOOL_EMPTY:
    return STORE_EMPTY;
  case SPOOL_FULL:
    say_full(store);
    return STORE_FULL;
  case SPOOL_DAMAGED:
    return STORE_DAMAGED;
  case SPOOL_TROUBLE:
    say_trouble(store, "trying again");
    return STORE_TROUBLE;
  case SPOOL_BROKEN:
    break;
  }
  node_log(store->node, LOG_LEVEL_ERROR, "%s", spool_error(store->spool));
  return STORE_BROKEN;
}

/* ------------------------------------------------------------------------------------------------------- putting */

/* The buffer itself, unless it is much larger than what is in it, as after seal() packed it: then a copy, and the buffer is
   used for the next message. NULL: no memory. */
static uint8_t *take_bytes(struct evp_buf *buffer)
{
  uint8_t *bytes = buffer->data;
  if (bytes && buffer->size >= buffer->capacity / 2) {
    *buffer = (struct evp_buf){0};
    return bytes;
  }
  bytes = malloc(buffer->size ? buffer->size : 1);
  if (bytes && buffer->size) memcpy(bytes, buffer->data, buffer->size);
  return bytes;
}

static enum store_answer put_in_memory(struct store *store, const struct evp_message *message, struct evp_buf *buffer)
{
  if (store->first && store->bytes + message->size > store->limit) return STORE_FULL;
  struct parcel *parcel = calloc(1, sizeof *parcel);
  uint8_t *bytes = parcel ? take_bytes(buffer) : NULL;
  if (!bytes) {
    free(parcel);
    return STORE_NO_MEMORY;
  }
  parcel->message = *message;
  parcel->message.data = parcel->data = bytes;
  parcel->since = (int64_t)time_monotonic();
  *store->last = parcel;
  store->last = &parcel->next;
  store->n++;
  store->bytes += message->size;
  show_content(store);
  return STORE_OK;
}

static void say_good_again(struct store *store)
{
  if (store->trouble_said) node_log(store->node, LOG_LEVEL_INFO, "the spool works again");
  store->trouble_said = store->full_said = false;
}

/* A message that the spool took is on disk: the buffer is used for the next one. */
static enum store_answer put_in_spool(
  struct store *store, const struct evp_message *message, struct evp_buf *buffer, bool may_pass)
{
  enum spool_status status = spool_put(store->spool, message);
  enum store_answer answer = judge(store, status);
  if (answer == STORE_OK) say_good_again(store);
  bool waits = store->first || spool_content(store->spool).messages;
  return answer == STORE_TROUBLE && may_pass && !waits ? put_in_memory(store, message, buffer) : answer;
}

static uint64_t choose_id(const struct store *store)
{
  uint64_t now = (uint64_t)time_unix();
  return now > store->last_id ? now : store->last_id + 1;
}

enum store_answer store_put(
  struct store *store, struct evp_buf *buffer, uint64_t items, int64_t first_time, int64_t last_time, bool may_pass)
{
  if (!store->next_id) store->next_id = choose_id(store);
  const struct evp_message message = {.data = buffer->data,
    .size = buffer->size,
    .id = store->next_id,
    .items = items,
    .format = store->node->plugin->message_format,
    .first_time = first_time,
    .last_time = last_time};
  enum store_answer answer =
    store->spool ? put_in_spool(store, &message, buffer, may_pass) : put_in_memory(store, &message, buffer);
  if (answer != STORE_OK) return answer;
  store->last_id = store->next_id;
  store->next_id = 0;
  return answer;
}

/* ---------------------------------------------------------------------------------------------------- taking out */

enum store_answer store_first(struct store *store, struct evp_message *message)
{
  store->from_memory = store->first != NULL;
  if (store->from_memory) *message = store->first->message;
  if (store->from_memory) return STORE_OK;
  if (!store->spool) return STORE_EMPTY;
  enum spool_status status = spool_first(store->spool, message);
  return judge(store, status);
}

void store_advance(struct store *store, size_t delivered, uint64_t items)
{
  if (!store->from_memory) {
    judge(store, spool_advance(store->spool, delivered, items));
    return;
  }
  struct evp_message *message = &store->first->message;
  message->data += delivered;
  message->size -= delivered;
  message->items = items;
  store->bytes -= delivered;
  show_content(store);
}

static void replace_in_memory(struct store *store, struct evp_buf *bytes)
{
  struct parcel *parcel = store->first;
  store->bytes += bytes->size;
  store->bytes -= parcel->message.size;
  free(parcel->data);
  parcel->data = bytes->data;
  parcel->message.data = bytes->data;
  parcel->message.size = bytes->size;
  *bytes = (struct evp_buf){0};
  show_content(store);
}

/* A full spool (max_size) is no trouble: it keeps the message as it was. */
static void replace_in_spool(struct store *store, struct evp_buf *bytes)
{
  enum spool_status status = spool_replace(store->spool, bytes);
  if (status == SPOOL_TROUBLE)
    say_trouble(store, "after a crash a message that is delivered in parts would come again whole");
  if (status == SPOOL_TROUBLE || status == SPOOL_FULL) status = SPOOL_OK;
  judge(store, status);
}

void store_replace(struct store *store, struct evp_buf *bytes, struct evp_message *message)
{
  message->data = bytes->data;
  message->size = bytes->size;
  if (store->from_memory)
    replace_in_memory(store, bytes);
  else
    replace_in_spool(store, bytes);
}

void store_remove(struct store *store)
{
  if (store->from_memory)
    drop_first_parcel(store);
  else
    judge(store, spool_remove(store->spool));
}

/* ------------------------------------------------------------------------------------------------------ the end */

void store_keep(struct store *store)
{
  if (!store->spool) return;
  while (store->first && judge(store, spool_put(store->spool, &store->first->message)) == STORE_OK)
    drop_first_parcel(store);
  struct spool_content content = spool_content(store->spool);
  if (content.messages)
    node_log(store->node, LOG_LEVEL_INFO, "%" PRIu64 " messages (%" PRIu64 " items) stay in the spool %s",
      content.messages, content.items, store->node->config->sink.spool.path);
}

bool store_take_lost(struct store *store, uint64_t *items)
{
  if (!store->first) return false;
  *items = store->first->message.items;
  drop_first_parcel(store);
  return true;
}
