#include "engine/queue.h"
#include "engine/engine_state.h"
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
enum { HINTS = 64 };
#define LONG (2 * (uint64_t)NS_PER_MS)

struct slot {
  enum entry_type type; /* ENTRY_NONE: dropped meanwhile */
  bool first, last; /* BATCH: of its group */
  uint64_t group;
  const struct evp_stream *stream;
  struct view *view;
  uint64_t since; /* BATCH: monotonic time at which it came */
};

/* What one stream lost of one signal and was not told yet. */
struct loss {
  const struct evp_stream *stream; /* referenced */
  uint32_t signal;
  uint64_t items;
  bool seeking; /* bytes: skip until a reader may begin */
};

/* A group of which more is to come. */
struct open_group {
  const struct evp_stream *stream;
  const char *origin;
  uint64_t id;
  bool cut; /* its begin was dropped: the rest follows */
};

/* No group of this stream begins before this position: what a sink that stands still holds is not looked through again for
   each batch that is dropped. */
struct hint {
  uint64_t stream, position;
};

struct queue {
  struct node *sink;
  uint64_t limit;
  enum when_full when_full;
  pthread_mutex_t lock;
  struct slot *slots; /* a ring; its room is a power of two */
  size_t room, head, n;
  uint64_t popped; /* slots in all: the position of the first of the n */
  size_t n_dropped; /* slots among the n that are empty */
  struct hint hints[HINTS]; /* by the stream's id; good until the slots move */
  uint64_t bytes;
  struct loss *losses;
  size_t n_losses;
  struct open_group *open;
  size_t n_open;
  uint64_t last_group;
  bool asleep; /* the sink waits on wake_fd */
  atomic_bool news; /* something was pushed while it slept */
  uint64_t news_since; /* monotonic, 0: not looked at yet */
  bool starved; /* a lane found no room */
  int wake_fd;
};

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

static struct slot *slot_at(struct queue *queue, size_t index)
{
  return &queue->slots[(queue->head + index) & (queue->room - 1)];
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

/* ------------------------------------------------------------------------------------------------------ drops */

static struct loss *loss_of(struct queue *queue, const struct evp_stream *stream, uint32_t signal)
{
  for (size_t i = 0; i < queue->n_losses; i++)
    if (queue->losses[i].stream == stream && queue->losses[i].signal == signal) return &queue->losses[i];
  struct loss *losses = realloc(queue->losses, (queue->n_losses + 1) * sizeof *losses);
  if (!losses) return NULL;
  queue->losses = losses;
  losses[queue->n_losses] = (struct loss){.stream = evp_stream_ref(stream), .signal = signal};
  return &losses[queue->n_losses++];
}

/* Under the lock: counts a batch as lost, for the statistics and for the gap. */
static void lose(struct queue *queue, const struct evp_batch *batch, const char *reason)
{
  const struct pipeline_node *config = queue->sink->config;
  struct loss *loss = loss_of(queue, batch->stream, batch->signal);
  if (loss) {
    loss->items += batch->n;
    loss->seeking = batch->signal == EVP_BYTES;
  }
  statistics_drop(&queue->sink->statistics, config->name, config->place, batch->n, reason);
}

static void empty_slot(struct queue *queue, struct slot *slot)
{
  *slot = (struct slot){.type = ENTRY_NONE};
  queue->n_dropped++;
}

static void drop_slot(struct queue *queue, struct slot *slot)
{
  lose(queue, &slot->view->batch, "queue_full");
  queue->bytes -= slot->view->charge;
  block_unref(slot->view->block);
  empty_slot(queue, slot);
}

/* Moves the slots together when most are empty: a sink that stands still pops none, and drops go on. */
static void close_ranks(struct queue *queue)
{
  enum { TOLERATED = 64 };
  if (queue->n_dropped < TOLERATED || queue->n_dropped * 2 < queue->n) return;
  size_t kept = 0;
  for (size_t i = 0; i < queue->n; i++) {
    struct slot slot = *slot_at(queue, i);
    if (slot.type != ENTRY_NONE) *slot_at(queue, kept++) = slot;
  }
  for (size_t i = kept; i < queue->n; i++) *slot_at(queue, i) = (struct slot){.type = ENTRY_NONE};
  queue->n = kept;
  queue->n_dropped = 0;
  memset(queue->hints, 0, sizeof queue->hints);
}

/* The oldest slot at which a group of this stream begins; queue->n: there is none. */
static size_t oldest_group(struct queue *queue, const struct evp_stream *stream)
{
  struct hint *hint = &queue->hints[stream->id % HINTS];
  size_t i =
    hint->stream == stream->id && hint->position > queue->popped ? (size_t)(hint->position - queue->popped) : 0;
  for (; i < queue->n; i++) {
    const struct slot *slot = slot_at(queue, i);
    if (slot->type == ENTRY_BATCH && slot->stream == stream && slot->first) break;
  }
  *hint = (struct hint){stream->id, queue->popped + i};
  return i;
}

/* Drops the oldest group of this stream that is still here as a whole. False: there is none. */
static bool drop_oldest(struct queue *queue, const struct evp_stream *stream)
{
  size_t i = oldest_group(queue, stream);
  if (i == queue->n) return false;
  uint64_t group = slot_at(queue, i)->group;
  for (bool last = false; i < queue->n && !last; i++) {
    struct slot *slot = slot_at(queue, i);
    if (slot->type != ENTRY_BATCH || slot->group != group) continue;
    last = slot->last;
    drop_slot(queue, slot);
  }
  for (size_t k = 0; k < queue->n_open; k++)
    if (queue->open[k].id == group) queue->open[k].cut = true;
  close_ranks(queue);
  return true;
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

static void forget_losses(struct queue *queue, const struct evp_stream *stream)
{
  for (size_t i = queue->n_losses; i-- > 0;) {
    if (queue->losses[i].stream != stream) continue;
    queue->losses[i] = queue->losses[--queue->n_losses];
    evp_stream_unref(stream); /* the caller holds another */
  }
}

/* Under the lock: a stream that begins and ends here, with nothing left in between, is none of the sink's business. Else
   a program that restarts again and again would fill the queue of a sink that stands still. */
static bool was_for_nothing(struct queue *queue, const struct evp_stream *stream)
{
  struct slot *begin = NULL;
  for (size_t i = 0; i < queue->n; i++) {
    struct slot *slot = slot_at(queue, i);
    if (slot->stream != stream || slot->type == ENTRY_NONE) continue;
    if (slot->type != ENTRY_BEGIN) return false;
    begin = slot;
  }
  bool lost = false;
  for (size_t i = 0; i < queue->n_losses; i++) lost = lost || queue->losses[i].stream == stream;
  if (!begin || !lost) return false;
  empty_slot(queue, begin);
  forget_losses(queue, stream);
  evp_stream_unref(stream);
  close_ranks(queue);
  return true;
}

bool queue_push_end(struct queue *queue, const struct evp_stream *stream)
{
  pthread_mutex_lock(&queue->lock);
  bool nothing = was_for_nothing(queue, stream);
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
    while (!fits(queue, view) && drop_oldest(queue, batch->stream)) {}
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
      lose(queue, batch, "no_memory");
    }
  } else {
    lose(queue, batch, "queue_full");
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
    lose(queue, &view->batch, "node_failed");
  else if (!kept)
    lose(queue, &view->batch, "no_memory");
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

/* Under the lock: a gap that must be told before this batch, or a batch of bytes at which a reader can not begin. */
static struct loss *loss_before(struct queue *queue, const struct slot *slot)
{
  for (size_t i = 0; i < queue->n_losses; i++) {
    struct loss *loss = &queue->losses[i];
    if (loss->stream == slot->stream && (slot->type == ENTRY_END || loss->signal == slot->view->batch.signal))
      return loss;
  }
  return NULL;
}

static struct queue_entry take_gap(struct queue *queue, struct loss *loss)
{
  struct queue_entry entry = {.type = ENTRY_GAP, .stream = loss->stream, .signal = loss->signal, .items = loss->items};
  *loss = queue->losses[--queue->n_losses];
  return entry;
}

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
    struct loss *loss = slot->type == ENTRY_BEGIN ? NULL : loss_before(queue, slot);
    if (loss && loss->seeking && slot->type == ENTRY_BATCH && slot->view->batch.sync >= slot->view->batch.n) {
      drop_slot(queue, slot);
      continue;
    }
    if (loss) {
      *finished = loss->stream;
      return take_gap(queue, loss);
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
