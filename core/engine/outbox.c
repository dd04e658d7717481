#include "engine/outbox.h"
#include "engine/dead_letter.h"
#include "engine/engine_state.h"
#include "engine/store.h"
#include "engine/time.h"
#include "engine/worker.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* After this long a disk that failed is tried again. */
#define TROUBLE_DELAY NS_PER_S

struct outbox {
  struct node *node;
  void *self;
  struct worker worker;
  pthread_mutex_t store_lock; /* of the store: held while a disk is waited for */
  struct store *store;
  int dead_letter; /* -1: none */
  pthread_mutex_t lock; /* of what follows; never held for long: the main thread takes it */
  pthread_cond_t changed; /* on CLOCK_MONOTONIC */
  uint64_t changes; /* messages that came and left, parts of them that left, and what is told by the flags */
  atomic_bool closed, abandoned; /* written under the lock; read between two attempts without it */
  /* Of the delivering thread, about the message that it has. */
  uint64_t first_try; /* monotonic; 0: none yet */
  bool unsealed; /* deliver() asked for it plain, and has it so */
  unsigned seed;
};

struct outbox *outbox_new(struct node *node, void *self)
{
  struct outbox *outbox = calloc(1, sizeof *outbox);
  struct store *store = outbox ? store_new(node) : NULL;
  if (!store) {
    free(outbox);
    return NULL;
  }
  outbox->node = node;
  outbox->self = self;
  outbox->store = store;
  outbox->dead_letter = -1;
  outbox->seed = (unsigned)time_unix();
  pthread_mutex_init(&outbox->store_lock, NULL);
  pthread_mutex_init(&outbox->lock, NULL);
  condition_init(&outbox->changed);
  worker_init(&outbox->worker);
  return outbox;
}

static void drop(struct outbox *outbox, uint64_t items, const char *reason)
{
  const struct pipeline_node *config = outbox->node->config;
  statistics_drop(&outbox->node->statistics, config->name, config->place, items, reason);
}

static bool has_failed(const struct outbox *outbox)
{
  return atomic_load(&outbox->node->failed);
}

static bool over(const struct outbox *outbox)
{
  return atomic_load(&outbox->abandoned) || has_failed(outbox);
}

void outbox_free(struct outbox *outbox)
{
  if (!outbox) return;
  uint64_t items;
  store_keep(outbox->store);
  while (store_take_lost(outbox->store, &items)) {
    drop(outbox, items, has_failed(outbox) ? "node_failed" : "shutdown");
    engine_status(outbox->node->engine, STATUS_NODE_FAILED);
  }
  store_free(outbox->store);
  if (outbox->dead_letter >= 0) close(outbox->dead_letter);
  worker_free(&outbox->worker);
  pthread_cond_destroy(&outbox->changed);
  pthread_mutex_destroy(&outbox->lock);
  pthread_mutex_destroy(&outbox->store_lock);
  free(outbox);
}

bool outbox_spools(const struct outbox *outbox)
{
  return outbox->node->config->sink.spool.path != NULL;
}

/* -------------------------------------------------------------------------------------- the store and who waits for it */

static void tell_change(struct outbox *outbox)
{
  pthread_mutex_lock(&outbox->lock);
  outbox->changes++;
  pthread_cond_broadcast(&outbox->changed);
  pthread_mutex_unlock(&outbox->lock);
}

uint64_t outbox_progress(struct outbox *outbox)
{
  pthread_mutex_lock(&outbox->lock);
  uint64_t changes = outbox->changes;
  pthread_mutex_unlock(&outbox->lock);
  return changes;
}

/* Until something is no longer as it was when `seen` was asked for, or the deadline, or it is over. */
static void wait_for_change(struct outbox *outbox, uint64_t seen, uint64_t deadline)
{
  pthread_mutex_lock(&outbox->lock);
  while (outbox->changes == seen && !over(outbox) && time_monotonic() < deadline)
    condition_wait(&outbox->changed, &outbox->lock, deadline);
  pthread_mutex_unlock(&outbox->lock);
}

static uint64_t deadline_of(enum store_answer answer)
{
  return answer == STORE_TROUBLE ? time_monotonic() + TROUBLE_DELAY : UINT64_MAX;
}

/* Why a message that was answered so is not waited for any longer; NULL: it may yet be taken. */
static const char *reason_to_refuse(const struct outbox *outbox, enum store_answer answer)
{
  if (answer == STORE_NO_MEMORY) return "no_memory";
  if (has_failed(outbox)) return "node_failed";
  return atomic_load(&outbox->abandoned) ? "shutdown" : NULL;
}

bool outbox_put(struct outbox *outbox, struct evp_buf *buffer, uint64_t items, int64_t first_time, int64_t last_time)
{
  for (;;) {
    uint64_t seen = outbox_progress(outbox);
    enum store_answer answer = STORE_FULL;
    pthread_mutex_lock(&outbox->store_lock);
    if (!over(outbox) || (outbox_spools(outbox) && !has_failed(outbox)))
      answer = store_put(outbox->store, buffer, items, first_time, last_time, !over(outbox));
    pthread_mutex_unlock(&outbox->store_lock);
    if (answer == STORE_OK) break;
    if (answer == STORE_BROKEN) node_fail(outbox->node, "spool");
    const char *reason = reason_to_refuse(outbox, answer);
    if (reason) {
      drop(outbox, items, reason);
      if (!strcmp(reason, "shutdown")) engine_status(outbox->node->engine, STATUS_NODE_FAILED);
      return false;
    }
    wait_for_change(outbox, seen, deadline_of(answer));
  }
  tell_change(outbox);
  return true;
}

/* --------------------------------------------------------------------------------------------------- delivery */

static void take_out(struct outbox *outbox)
{
  pthread_mutex_lock(&outbox->store_lock);
  store_remove(outbox->store);
  pthread_mutex_unlock(&outbox->store_lock);
  outbox->first_try = 0;
  outbox->unsealed = false;
  tell_change(outbox);
}

/* The leading bytes that are done are cut off, and their items counted: what is given up later is only the rest. */
static void advance(struct outbox *outbox, struct evp_message *message, const struct evp_delivery *delivery)
{
  uint64_t items = delivery->delivered_items < message->items ? delivery->delivered_items : message->items;
  statistics_add(&outbox->node->statistics.delivered, items);
  statistics_add(&outbox->node->statistics.delivered_bytes, delivery->delivered);
  message->items -= items;
  message->data += delivery->delivered;
  message->size -= delivery->delivered;
  pthread_mutex_lock(&outbox->store_lock);
  store_advance(outbox->store, delivery->delivered, message->items);
  pthread_mutex_unlock(&outbox->store_lock);
  tell_change(outbox);
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
static bool wait_for_retry(struct outbox *outbox, struct evp_message *message, const struct evp_delivery *delivery)
{
  const struct sink_settings *settings = &outbox->node->config->sink;
  uint64_t now = time_monotonic();
  if (!outbox->first_try) outbox->first_try = now;
  if (settings->retry.give_up != EVP_NEVER && now - outbox->first_try >= settings->retry.give_up) return false;
  uint64_t delay = delivery->retry_after ? delivery->retry_after : backoff(outbox, message->attempt);
  message->attempt++;
  statistics_add(&outbox->node->statistics.retries, 1);
  uint64_t until = now + delay;
  pthread_mutex_lock(&outbox->lock);
  while (!over(outbox) && time_monotonic() < until) condition_wait(&outbox->changed, &outbox->lock, until);
  pthread_mutex_unlock(&outbox->lock);
  return true;
}

static void count_delivered(struct outbox *outbox, const struct evp_message *message, uint64_t rejected)
{
  struct statistics *statistics = &outbox->node->statistics;
  uint64_t items = message->items;
  if (rejected > items) rejected = items;
  statistics_add(&statistics->rejected, rejected);
  statistics_add(&statistics->delivered, items - rejected);
  statistics_add(&statistics->delivered_bytes, message->size);
}

/* What seal() was given: OK, or why there is nothing in `plain`. */
static enum evp_status unseal(struct outbox *outbox, const struct evp_message *message, struct evp_buf *plain)
{
  uint64_t begin = time_monotonic();
  bool room = evp_buf_grow(plain, message->size + 1); /* at least that, most likely more: and it is never NULL */
  enum evp_status status = room ? outbox->node->plugin->unseal(outbox->self, message, plain) : EVP_REJECT;
  statistics_add(&outbox->node->statistics.busy_ns, time_monotonic() - begin);
  if (status == EVP_OK) return status;
  free(plain->data);
  *plain = (struct evp_buf){0};
  return status;
}

/* Dead letters are plain: somebody is to read them. What can not be unsealed is there as it is. */
static void write_dead_letter(struct outbox *outbox, const struct evp_message *message, const char *reason)
{
  if (outbox->dead_letter < 0) return;
  struct evp_message letter = *message;
  struct evp_buf plain = {0};
  bool sealed = false;
  if (outbox->node->plugin->unseal && !outbox->unsealed) sealed = unseal(outbox, message, &plain) != EVP_OK;
  if (plain.data) {
    letter.data = plain.data;
    letter.size = plain.size;
  }
  dead_letter_write(outbox->node, outbox->dead_letter, &letter, sealed, reason);
  free(plain.data);
}

/* What can not be delivered at all, ever. */
static void give_up(struct outbox *outbox, const struct evp_message *message, const char *reason)
{
  write_dead_letter(outbox, message, reason);
  drop(outbox, message->items, reason);
  engine_status(outbox->node->engine, STATUS_NODE_FAILED);
}

/* From now on the message is plain, in the store, too. True: it can not be made so, and is over. */
static bool make_plain(struct outbox *outbox, struct evp_message *message)
{
  struct evp_buf plain = {0};
  enum evp_status status = unseal(outbox, message, &plain);
  if (status == EVP_OK) {
    outbox->unsealed = true;
    pthread_mutex_lock(&outbox->store_lock);
    store_replace(outbox->store, &plain, message);
    pthread_mutex_unlock(&outbox->store_lock);
    return false;
  }
  if (status != EVP_REJECT) {
    node_fail(outbox->node, "unseal");
    return false;
  }
  give_up(outbox, message, "not_unsealed");
  return true;
}

/* True: the message is over. */
static bool deliver_later(struct outbox *outbox, struct evp_message *message, struct evp_delivery *delivery)
{
  if (delivery->rejected > message->items) delivery->rejected = message->items;
  statistics_add(&outbox->node->statistics.rejected, delivery->rejected);
  message->items -= delivery->rejected;
  if (delivery->delivered >= message->size && message->size) {
    count_delivered(outbox, message, 0);
    return true;
  }
  if (delivery->delivered || delivery->rejected) advance(outbox, message, delivery);
  if (delivery->unseal && outbox->node->plugin->unseal && !outbox->unsealed) return make_plain(outbox, message);
  if (delivery->delivered) {
    message->attempt = 0;
    outbox->first_try = 0;
    return false;
  }
  if (wait_for_retry(outbox, message, delivery)) return false;
  give_up(outbox, message, "given_up");
  return true;
}

/* One attempt; true: the message has left the outbox. */
static bool attempt(struct outbox *outbox, struct evp_message *message)
{
  struct evp_delivery delivery = {0};
  uint64_t begin = time_monotonic();
  enum evp_status status = outbox->node->plugin->deliver(outbox->self, message, &delivery);
  statistics_add(&outbox->node->statistics.busy_ns, time_monotonic() - begin);
  switch (status) {
  case EVP_OK:
    count_delivered(outbox, message, delivery.rejected);
    break;
  case EVP_AGAIN:
    if (!deliver_later(outbox, message, &delivery)) return false;
    break;
  case EVP_REJECT:
    write_dead_letter(outbox, message, "rejected");
    statistics_add(&outbox->node->statistics.rejected, message->items);
    break;
  case EVP_END:
  case EVP_ERROR:
  default:
    node_fail(outbox->node, "deliver");
    return false;
  }
  take_out(outbox);
  return true;
}

static enum store_answer first_message(struct outbox *outbox, struct evp_message *message)
{
  pthread_mutex_lock(&outbox->store_lock);
  enum store_answer answer = store_first(outbox->store, message);
  pthread_mutex_unlock(&outbox->store_lock);
  return answer;
}

/* False: there is none, and none comes. */
static bool wait_for_message(struct outbox *outbox, struct evp_message *message)
{
  while (!over(outbox)) {
    uint64_t seen = outbox_progress(outbox);
    bool closed = atomic_load(&outbox->closed); /* before the look: what was put before is seen */
    enum store_answer answer = first_message(outbox, message);
    if (answer == STORE_OK) return true;
    if (answer == STORE_EMPTY && closed) return false;
    if (answer == STORE_BROKEN) node_fail(outbox->node, "spool");
    if (answer == STORE_DAMAGED) {
      give_up(outbox, message, "damaged_in_spool");
      take_out(outbox);
    } else {
      wait_for_change(outbox, seen, deadline_of(answer));
    }
  }
  return false;
}

static void deliver_all(void *argument)
{
  struct outbox *outbox = argument;
  struct evp_message message;
  while (wait_for_message(outbox, &message)) {
    bool left = false;
    while (!left && !over(outbox)) left = attempt(outbox, &message);
  }
  tell_change(outbox); /* a sink's thread may wait for room that never comes */
  engine_wake(outbox->node->engine);
}

bool outbox_start(struct outbox *outbox)
{
  if (!dead_letter_open(outbox->node, &outbox->dead_letter) || !store_open(outbox->store)) return false;
  if (worker_start(&outbox->worker, deliver_all, outbox)) return true;
  node_log(outbox->node, LOG_LEVEL_ERROR, "no thread to deliver with");
  return false;
}

static void signal_change(struct outbox *outbox, atomic_bool *flag)
{
  pthread_mutex_lock(&outbox->lock);
  atomic_store(flag, true);
  outbox->changes++;
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
