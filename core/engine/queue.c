#include "engine/engine_state.h"
#include "engine/queue_state.h"
#include "engine/stream.h"
#include "engine/time.h"
#include "log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* When a sink that sleeps is woken although the source has more at once: a wake costs two switches of context. */
enum { MUCH = 1024 * 1024 };
#define LONG (2 * (uint64_t)NS_PER_MS)

struct queue *queue_new(struct node *sink)
{
  struct queue *queue = calloc(1, sizeof *queue);
  if (!queue) return NULL;
  queue->sink = sink;
  queue->limit = sink->config->sink.queue.max_size;
  queue->when_full = (enum when_full)sink->config->sink.queue.when_full;
  queue->room = 64;
  queue->slots = calloc(queue->room, sizeof *queue->slots);
  queue->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  pthread_mutex_init(&queue->lock, NULL);
  if (queue->slots && queue->wake_fd >= 0) return queue;
  queue_free(queue);
  return NULL;
}

static uint64_t weight(const struct view *view)
{
  return view->batch.n;
}

void queue_free(struct queue *queue)
{
  if (!queue) return;
  struct queue_entry entry;
  while (queue->slots && (entry = queue_pop(queue, false)).type != ENTRY_NONE) {
    if (entry.type == ENTRY_BATCH) {
      const struct pipeline_node *config = queue->sink->config;
      statistics_drop(&queue->sink->statistics, config->name, config->place, weight(entry.view), "shutdown");
      engine_status(queue->sink->engine, STATUS_NODE_FAILED);
      block_unref(entry.view->block);
    } else if (entry.type != ENTRY_GAP) {
      evp_stream_unref(entry.stream);
    }
  }
  for (size_t i = 0; i < queue->n_losses; i++) evp_stream_unref(queue->losses[i].stream);
  free(queue->losses);
  free(queue->open);
  free(queue->slots);
  if (queue->wake_fd >= 0) close(queue->wake_fd);
  pthread_mutex_destroy(&queue->lock);
  free(queue);
}

int queue_wake_fd(const struct queue *queue)
{
  return queue->wake_fd;
}

static bool grow_slots(struct queue *queue)
{
  struct slot *slots = calloc(queue->room * 2, sizeof *slots);
  if (!slots) return false;
  for (size_t i = 0; i < queue->n; i++) slots[i] = *slot_at(queue, i);
  free(queue->slots);
  queue->slots = slots;
  queue->room *= 2;
  queue->head = 0;
  return true;
}

/* Under the lock. */
static bool append(struct queue *queue, struct slot slot)
{
  if (queue->n == queue->room && !grow_slots(queue)) return false;
  *slot_at(queue, queue->n) = slot;
  queue->n++;
  return true;
}

static void wake_sink(struct queue *queue, bool asleep)
{
  if (asleep) eventfd_write(queue->wake_fd, 1);
}

/* ----------------------------------------------------------------------------------------------------- groups */

static struct open_group *find_open(struct queue *queue, const struct evp_batch *batch)
{
  for (size_t i = 0; i < queue->n_open; i++)
    if (queue->open[i].stream == batch->stream && queue->open[i].origin == batch->origin) return &queue->open[i];
  return NULL;
}

/* Without memory a group may be cut in two: said, not hidden. */
static void open_group(struct queue *queue, const struct evp_batch *batch, uint64_t id, bool cut)
{
  struct open_group *larger = realloc(queue->open, (queue->n_open + 1) * sizeof *larger);
  if (!larger) {
    node_log(queue->sink, LOG_LEVEL_ERROR, "no memory to keep a census together");
    return;
  }
  queue->open = larger;
  larger[queue->n_open++] = (struct open_group){batch->stream, batch->origin, id, cut};
}

static void close_group(struct queue *queue, struct open_group *group)
{
  *group = queue->open[--queue->n_open];
}

/* ------------------------------------------------------------------------------------------------------- push */

bool queue_waits(const struct queue *queue, const struct evp_stream *stream)
{
  if (queue->when_full == WHEN_FULL_AUTO) return stream->can_wait;
  return queue->when_full == WHEN_FULL_WAIT;
}

static bool push_mark(struct queue *queue, enum entry_type type, const struct evp_stream *stream)
{
  pthread_mutex_lock(&queue->lock);
  bool ok = append(queue, (struct slot){.type = type, .stream = stream});
  if (ok) evp_stream_ref(stream);
  bool asleep = queue->asleep;
  queue->asleep = false;
  pthread_mutex_unlock(&queue->lock);
  wake_sink(queue, asleep);
  return ok;
}

bool queue_push_begin(struct queue *queue, const struct evp_stream *stream)
{
  return push_mark(queue, ENTRY_BEGIN, stream);
}

bool queue_push_end(struct queue *queue, const struct evp_stream *stream)
{
  pthread_mutex_lock(&queue->lock);
  bool nothing = queue_was_for_nothing(queue, stream);
  pthread_mutex_unlock(&queue->lock);
  return nothing || push_mark(queue, ENTRY_END, stream);
}

static bool fits(const struct queue *queue, const struct view *view)
{
  return !queue->bytes || queue->bytes + view->charge <= queue->limit;
}

/* Under the lock. Makes room by policy; false: the batch is to be dropped. Of a group whose begin the sink already has,
   the rest is kept, over the limit if need be. */
static bool make_room(struct queue *queue, const struct view *view)
{
  const struct evp_batch *batch = &view->batch;
  struct open_group *group = find_open(queue, batch);
  if (group && group->cut) return false;
  if (queue_waits(queue, batch->stream) || fits(queue, view)) return true;
  if (queue->when_full != WHEN_FULL_DROP_NEWEST)
    while (!fits(queue, view) && queue_drop_oldest(queue, batch->stream)) {}
  if (group) return !group->cut;
  return fits(queue, view);
}

/* Under the lock. */
static void enqueue(struct queue *queue, struct view *view)
{
  const struct evp_batch *batch = &view->batch;
  bool kept = make_room(queue, view);
  struct open_group *group = find_open(queue, batch);
  uint64_t id = group ? group->id : ++queue->last_group;
  bool more = batch->flags & EVP_BATCH_MORE;
  if (kept) {
    struct slot slot = {.type = ENTRY_BATCH,
      .first = !group,
      .last = !more,
      .group = id,
      .stream = batch->stream,
      .view = view,
      .since = time_monotonic()};
    kept = append(queue, slot);
    if (kept) {
      block_ref(view->block);
      queue->bytes += view->charge;
    } else {
      queue_lose(queue, batch, "no_memory");
    }
  } else {
    queue_lose(queue, batch, "queue_full");
  }
  if (group && !more) close_group(queue, group);
  if (!group && more) open_group(queue, batch, id, !kept);
  atomic_store_explicit(&queue->sink->statistics.queue_bytes, queue->bytes, memory_order_relaxed);
}

void queue_push(struct queue *queue, struct view *view)
{
  if (atomic_load_explicit(&queue->sink->ended, memory_order_relaxed)) return;
  struct view *kept = view_to_keep(view);
  pthread_mutex_lock(&queue->lock);
  if (atomic_load_explicit(&queue->sink->failed, memory_order_relaxed))
    queue_lose(queue, &view->batch, "node_failed");
  else if (!kept)
    queue_lose(queue, &view->batch, "no_memory");
  else
    enqueue(queue, kept);
  atomic_store_explicit(&queue->news, queue->asleep, memory_order_relaxed);
  pthread_mutex_unlock(&queue->lock);
}

void queue_wake(struct queue *queue, bool more_at_once)
{
  if (!atomic_load_explicit(&queue->news, memory_order_relaxed)) return;
  uint64_t now = more_at_once ? time_monotonic() : 0;
  pthread_mutex_lock(&queue->lock);
  if (more_at_once && !queue->news_since) queue->news_since = now;
  bool worth_it = !more_at_once || queue->bytes >= MUCH || now - queue->news_since >= LONG;
  bool asleep = queue->asleep && worth_it;
  if (worth_it) {
    queue->asleep = false;
    queue->news_since = 0;
    atomic_store_explicit(&queue->news, false, memory_order_relaxed);
  }
  pthread_mutex_unlock(&queue->lock);
  wake_sink(queue, asleep);
}

bool queue_has_room(struct queue *queue)
{
  if (atomic_load(&queue->sink->ended) || atomic_load(&queue->sink->failed)) return true;
  uint64_t limit = queue->limit < QUEUE_WAIT_LIMIT ? queue->limit : QUEUE_WAIT_LIMIT;
  pthread_mutex_lock(&queue->lock);
  bool room = queue->bytes < limit;
  queue->starved = queue->starved || !room;
  pthread_mutex_unlock(&queue->lock);
  return room;
}

/* -------------------------------------------------------------------------------------------------------- pop */

static void forget_head(struct queue *queue)
{
  *slot_at(queue, 0) = (struct slot){.type = ENTRY_NONE};
  queue->head = (queue->head + 1) & (queue->room - 1);
  queue->popped++;
  queue->n--;
}

static bool lanes_to_wake(struct queue *queue)
{
  uint64_t limit = queue->limit < QUEUE_WAIT_LIMIT ? queue->limit : QUEUE_WAIT_LIMIT;
  bool wake = queue->starved && queue->bytes <= limit / 2;
  if (wake) queue->starved = false;
  return wake;
}

/* Under the lock. A gap's stream reference is returned through `finished`, to be let go outside. */
static struct queue_entry take_head(struct queue *queue, const struct evp_stream **finished)
{
  while (queue->n) {
    struct slot *slot = slot_at(queue, 0);
    if (slot->type == ENTRY_NONE) {
      queue->n_dropped--;
      forget_head(queue);
      continue;
    }
    struct loss *loss = slot->type == ENTRY_BEGIN ? NULL : queue_loss_before(queue, slot);
    if (loss && loss->seeking && slot->type == ENTRY_BATCH && slot->view->batch.sync >= slot->view->batch.n) {
      queue_drop_slot(queue, slot);
      continue;
    }
    if (loss) {
      *finished = loss->stream;
      return queue_take_gap(queue, loss);
    }
    struct queue_entry entry = {.type = slot->type, .stream = slot->stream, .view = slot->view, .since = slot->since};
    if (slot->type == ENTRY_BATCH) queue->bytes -= slot->view->charge;
    forget_head(queue);
    return entry;
  }
  return (struct queue_entry){.type = ENTRY_NONE};
}

struct queue_entry queue_pop(struct queue *queue, bool sleep)
{
  const struct evp_stream *finished = NULL;
  pthread_mutex_lock(&queue->lock);
  struct queue_entry entry = take_head(queue, &finished);
  queue->asleep = entry.type == ENTRY_NONE && sleep;
  atomic_store_explicit(&queue->sink->statistics.queue_bytes, queue->bytes, memory_order_relaxed);
  bool wake = lanes_to_wake(queue);
  pthread_mutex_unlock(&queue->lock);
  if (finished) evp_stream_unref(finished); /* the END entry still holds one */
  if (wake) engine_wake_lanes(queue->sink->engine);
  return entry;
}

bool queue_is_empty(struct queue *queue)
{
  pthread_mutex_lock(&queue->lock);
  bool empty = !queue->n;
  pthread_mutex_unlock(&queue->lock);
  return empty;
}

uint64_t queue_since(struct queue *queue)
{
  uint64_t since = 0;
  pthread_mutex_lock(&queue->lock);
  for (size_t i = 0; i < queue->n && !since; i++) since = slot_at(queue, i)->since;
  pthread_mutex_unlock(&queue->lock);
  return since;
}
