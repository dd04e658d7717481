#include "engine/outbox.h"
#include "engine/engine_state.h"
#include "engine/time.h"
#include "engine/worker.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct parcel {
  struct parcel *next;
  struct evp_message message;
  uint8_t *data; /* what is to be freed; message.data moves on as parts are delivered */
  uint64_t first_try; /* monotonic, 0: none yet */
};

struct outbox {
  struct node *node;
  void *self;
  struct worker worker;
  pthread_mutex_t lock;
  pthread_cond_t changed; /* on CLOCK_MONOTONIC */
  struct parcel *first, **last;
  uint64_t bytes, limit;
  uint64_t next_id, finished; /* finished: parcels that have left, and parts of them */
  atomic_bool closed, abandoned; /* written under the lock; `abandoned` is read between two attempts without it */
  unsigned seed;
};

struct outbox *outbox_new(struct node *node, void *self)
{
  struct outbox *outbox = calloc(1, sizeof *outbox);
  if (!outbox) return NULL;
  outbox->node = node;
  outbox->self = self;
  outbox->last = &outbox->first;
  outbox->limit = node->config->sink.queue.max_size;
  outbox->next_id = (uint64_t)time_unix();
  outbox->seed = (unsigned)outbox->next_id;
  pthread_mutex_init(&outbox->lock, NULL);
  condition_init(&outbox->changed);
  worker_init(&outbox->worker);
  return outbox;
}

static void parcel_free(struct parcel *parcel)
{
  free(parcel->data);
  free(parcel);
}

static void drop_parcel(struct outbox *outbox, const struct parcel *parcel, const char *reason)
{
  const struct pipeline_node *config = outbox->node->config;
  statistics_drop(&outbox->node->statistics, config->name, config->place, parcel->message.items, reason);
}

void outbox_free(struct outbox *outbox)
{
  if (!outbox) return;
  bool left = outbox->first != NULL;
  for (struct parcel *parcel = outbox->first, *next; parcel; parcel = next) {
    next = parcel->next;
    drop_parcel(outbox, parcel, atomic_load(&outbox->node->failed) ? "node_failed" : "shutdown");
    parcel_free(parcel);
  }
  if (left) engine_status(outbox->node->engine, STATUS_NODE_FAILED);
  worker_free(&outbox->worker);
  pthread_cond_destroy(&outbox->changed);
  pthread_mutex_destroy(&outbox->lock);
  free(outbox);
}

static bool over(const struct outbox *outbox)
{
  return atomic_load(&outbox->abandoned) || atomic_load(&outbox->node->failed);
}

bool outbox_put(struct outbox *outbox, struct evp_buf *buffer, uint64_t items, int64_t first_time, int64_t last_time)
{
  struct parcel *parcel = calloc(1, sizeof *parcel);
  const struct pipeline_node *config = outbox->node->config;
  const char *refused = parcel ? NULL : "no_memory";
  pthread_mutex_lock(&outbox->lock);
  while (!refused && !over(outbox) && outbox->first && outbox->bytes + buffer->size > outbox->limit)
    condition_wait(&outbox->changed, &outbox->lock, UINT64_MAX);
  if (!refused && over(outbox)) refused = atomic_load(&outbox->abandoned) ? "shutdown" : "node_failed";
  if (!refused) {
    parcel->data = buffer->data;
    parcel->message = (struct evp_message){.data = buffer->data,
      .size = buffer->size,
      .id = outbox->next_id++,
      .items = items,
      .format = outbox->node->plugin->message_format,
      .first_time = first_time,
      .last_time = last_time};
    *outbox->last = parcel;
    outbox->last = &parcel->next;
    outbox->bytes += buffer->size;
    *buffer = (struct evp_buf){0};
    pthread_cond_broadcast(&outbox->changed);
  }
  pthread_mutex_unlock(&outbox->lock);
  if (!refused) return true;
  free(parcel);
  statistics_drop(&outbox->node->statistics, config->name, config->place, items, refused);
  return false;
}

/* --------------------------------------------------------------------------------------------------- delivery */

static void take_out(struct outbox *outbox, struct parcel *parcel)
{
  pthread_mutex_lock(&outbox->lock);
  outbox->first = parcel->next;
  if (!outbox->first) outbox->last = &outbox->first;
  outbox->bytes -= parcel->message.size;
  outbox->finished++;
  pthread_cond_broadcast(&outbox->changed);
  pthread_mutex_unlock(&outbox->lock);
  parcel_free(parcel);
}

/* The leading bytes that are done are cut off. The items of a message can not be told apart here: they are counted when
   the rest is. */
static void advance(struct outbox *outbox, struct parcel *parcel, size_t delivered)
{
  if (delivered > parcel->message.size) delivered = parcel->message.size;
  pthread_mutex_lock(&outbox->lock);
  parcel->message.data += delivered;
  parcel->message.size -= delivered;
  outbox->bytes -= delivered;
  outbox->finished++;
  pthread_cond_broadcast(&outbox->changed);
  pthread_mutex_unlock(&outbox->lock);
  parcel->message.attempt = 0;
  parcel->first_try = 0;
}

/* Doubling from `initial` to `max`, each time shorter or longer by up to `jitter` of itself. */
static uint64_t backoff(struct outbox *outbox, uint32_t attempt)
{
  const struct sink_settings *settings = &outbox->node->config->sink;
  uint64_t delay = settings->retry.initial;
  for (uint32_t i = 0; i < attempt && delay < settings->retry.max; i++) delay *= 2;
  if (delay > settings->retry.max) delay = settings->retry.max;
  double unit = (double)rand_r(&outbox->seed) / (double)RAND_MAX * 2 - 1;
  return (uint64_t)((double)delay * (1 + unit * settings->retry.jitter));
}

/* After AGAIN: waits as long as the back end or the configuration wants. False: given up. */
static bool wait_for_retry(struct outbox *outbox, struct parcel *parcel, const struct evp_delivery *delivery)
{
  const struct sink_settings *settings = &outbox->node->config->sink;
  uint64_t now = time_monotonic();
  if (!parcel->first_try) parcel->first_try = now;
  if (settings->retry.give_up != EVP_NEVER && now - parcel->first_try >= settings->retry.give_up) return false;
  uint64_t delay = delivery->retry_after ? delivery->retry_after : backoff(outbox, parcel->message.attempt);
  parcel->message.attempt++;
  statistics_add(&outbox->node->statistics.retries, 1);
  uint64_t until = now + delay;
  pthread_mutex_lock(&outbox->lock);
  while (!over(outbox) && time_monotonic() < until) condition_wait(&outbox->changed, &outbox->lock, until);
  pthread_mutex_unlock(&outbox->lock);
  return true;
}

static void count_delivered(struct outbox *outbox, const struct parcel *parcel, uint64_t rejected)
{
  struct statistics *statistics = &outbox->node->statistics;
  uint64_t items = parcel->message.items;
  if (rejected > items) rejected = items;
  statistics_add(&statistics->rejected, rejected);
  statistics_add(&statistics->delivered, items - rejected);
}

/* One attempt; true: the parcel has left the outbox. */
static bool attempt(struct outbox *outbox, struct parcel *parcel)
{
  struct evp_delivery delivery = {0};
  uint64_t begin = time_monotonic();
  enum evp_status status = outbox->node->plugin->deliver(outbox->self, &parcel->message, &delivery);
  statistics_add(&outbox->node->statistics.busy_ns, time_monotonic() - begin);
  switch (status) {
  case EVP_OK:
    count_delivered(outbox, parcel, delivery.rejected);
    break;
  case EVP_AGAIN:
    if (delivery.rejected > parcel->message.items) delivery.rejected = parcel->message.items;
    statistics_add(&outbox->node->statistics.rejected, delivery.rejected);
    parcel->message.items -= delivery.rejected;
    if (delivery.delivered >= parcel->message.size) {
      count_delivered(outbox, parcel, 0);
      break;
    }
    if (delivery.delivered) {
      advance(outbox, parcel, delivery.delivered);
      return false;
    }
    if (wait_for_retry(outbox, parcel, &delivery)) return false;
    drop_parcel(outbox, parcel, "given_up");
    engine_status(outbox->node->engine, STATUS_NODE_FAILED);
    break;
  case EVP_REJECT:
    statistics_add(&outbox->node->statistics.rejected, parcel->message.items);
    break;
  case EVP_END:
  case EVP_ERROR:
  default:
    node_fail(outbox->node, "deliver");
    return false;
  }
  take_out(outbox, parcel);
  return true;
}

static struct parcel *wait_for_parcel(struct outbox *outbox)
{
  pthread_mutex_lock(&outbox->lock);
  while (!over(outbox) && !outbox->first && !atomic_load(&outbox->closed))
    condition_wait(&outbox->changed, &outbox->lock, UINT64_MAX);
  struct parcel *parcel = over(outbox) ? NULL : outbox->first;
  pthread_mutex_unlock(&outbox->lock);
  return parcel;
}

static void deliver_all(void *argument)
{
  struct outbox *outbox = argument;
  struct parcel *parcel;
  while ((parcel = wait_for_parcel(outbox))) {
    bool left = false;
    while (!left && !over(outbox)) left = attempt(outbox, parcel);
  }
  pthread_mutex_lock(&outbox->lock);
  pthread_cond_broadcast(&outbox->changed); /* a sink's thread may wait for room that never comes */
  pthread_mutex_unlock(&outbox->lock);
  engine_wake(outbox->node->engine);
}

bool outbox_start(struct outbox *outbox)
{
  if (worker_start(&outbox->worker, deliver_all, outbox)) return true;
  node_log(outbox->node, LOG_LEVEL_ERROR, "no thread to deliver with");
  return false;
}

static void signal_change(struct outbox *outbox, atomic_bool *flag)
{
  pthread_mutex_lock(&outbox->lock);
  atomic_store(flag, true);
  pthread_cond_broadcast(&outbox->changed);
  pthread_mutex_unlock(&outbox->lock);
}

void outbox_close(struct outbox *outbox)
{
  signal_change(outbox, &outbox->closed);
}

void outbox_abandon(struct outbox *outbox)
{
  signal_change(outbox, &outbox->abandoned);
}

bool outbox_join(struct outbox *outbox, uint64_t deadline)
{
  return worker_join(&outbox->worker, deadline);
}

uint64_t outbox_progress(struct outbox *outbox)
{
  pthread_mutex_lock(&outbox->lock);
  uint64_t finished = outbox->finished;
  pthread_mutex_unlock(&outbox->lock);
  return finished;
}
