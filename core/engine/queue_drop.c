#include "engine/engine_state.h"
#include "engine/queue_state.h"
#include "engine/stream.h"
#include <stdlib.h>
#include <string.h>

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

void queue_lose(struct queue *queue, const struct evp_batch *batch, const char *reason)
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

void queue_drop_slot(struct queue *queue, struct slot *slot)
{
  queue_lose(queue, &slot->view->batch, "queue_full");
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

bool queue_drop_oldest(struct queue *queue, const struct evp_stream *stream)
{
  size_t i = oldest_group(queue, stream);
  if (i == queue->n) return false;
  uint64_t group = slot_at(queue, i)->group;
  for (bool last = false; i < queue->n && !last; i++) {
    struct slot *slot = slot_at(queue, i);
    if (slot->type != ENTRY_BATCH || slot->group != group) continue;
    last = slot->last;
    queue_drop_slot(queue, slot);
  }
  for (size_t k = 0; k < queue->n_open; k++)
    if (queue->open[k].id == group) queue->open[k].cut = true;
  close_ranks(queue);
  return true;
}

static void forget_losses(struct queue *queue, const struct evp_stream *stream)
{
  for (size_t i = queue->n_losses; i-- > 0;) {
    if (queue->losses[i].stream != stream) continue;
    queue->losses[i] = queue->losses[--queue->n_losses];
    evp_stream_unref(stream); /* the caller holds another */
  }
}

bool queue_was_for_nothing(struct queue *queue, const struct evp_stream *stream)
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

struct loss *queue_loss_before(struct queue *queue, const struct slot *slot)
{
  for (size_t i = 0; i < queue->n_losses; i++) {
    struct loss *loss = &queue->losses[i];
    if (loss->stream == slot->stream && (slot->type == ENTRY_END || loss->signal == slot->view->batch.signal))
      return loss;
  }
  return NULL;
}

struct queue_entry queue_take_gap(struct queue *queue, struct loss *loss)
{
  struct queue_entry entry = {.type = ENTRY_GAP, .stream = loss->stream, .signal = loss->signal, .items = loss->items};
  *loss = queue->losses[--queue->n_losses];
  return entry;
}
