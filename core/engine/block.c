#include "engine/block.h"
#include "engine/series.h"
#include "engine/slab.h"
#include "log.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static uint16_t all_indices[VIEW_ITEMS];
static pthread_once_t all_indices_once = PTHREAD_ONCE_INIT;

static void fill_indices(void)
{
  for (size_t i = 0; i < VIEW_ITEMS; i++) all_indices[i] = (uint16_t)i;
}

const uint16_t *selection_all(void)
{
  pthread_once(&all_indices_once, fill_indices);
  return all_indices;
}

struct block *block_new(const struct evp_stream *stream)
{
  struct block *block = calloc(1, sizeof *block);
  if (!block) return NULL;
  atomic_init(&block->refs, 1);
  block->stream = evp_stream_ref(stream);
  return block;
}

/* Lets go of everything the items point at, but not of the stream. */
static void let_go(struct block *block)
{
  for (struct view *view = block->views; view; view = view->next)
    if (view->compact) block_unref(view->compact->block);
  for (size_t i = 0; i < block->n_kept; i++) evp_batch_unref(block->kept[i]);
  slab_unref(block->slab);
  if (block->era) series_leave(block->series, block->era);
  block->era = NULL;
  block->views = NULL;
  block->n_kept = 0;
  block->slab = NULL;
}

void block_ref(struct block *block)
{
  atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
}

void block_unref(struct block *block)
{
  if (!block || atomic_fetch_sub_explicit(&block->refs, 1, memory_order_acq_rel) != 1) return;
  let_go(block);
  evp_stream_unref(block->stream);
  free(block->kept);
  arena_free(&block->arena);
  free(block);
}

bool block_reuse(struct block *block)
{
  if (atomic_load_explicit(&block->refs, memory_order_acquire) != 1) return false;
  let_go(block);
  arena_reset(&block->arena);
  return true;
}

struct view *block_view(struct block *block, uint32_t signal, const char *origin)
{
  struct view *view = arena_alloc(&block->arena, sizeof *view);
  if (!view) return NULL;
  *view = (struct view){
    .batch = {.signal = signal, .stream = block->stream, .origin = origin}, .block = block, .next = block->views};
  block->views = view;
  return view;
}

bool block_keep(struct block *block, const struct evp_batch *batch)
{
  if (block->n_kept == block->kept_room) {
    size_t room = block->kept_room ? block->kept_room * 2 : 4;
    const struct evp_batch **kept = realloc(block->kept, room * sizeof *kept);
    if (!kept) return false;
    block->kept = kept;
    block->kept_room = room;
  }
  block->kept[block->n_kept++] = batch;
  return true;
}

static size_t selected_bytes(const struct evp_batch *batch)
{
  size_t bytes = batch->n * sizeof(struct evp_event);
  for (uint32_t i = 0; i < batch->n; i++) bytes += batch->events[batch->sel[i]].size;
  return bytes;
}

static struct view *copy_events(const struct view *view, size_t bytes)
{
  const struct evp_batch *batch = &view->batch;
  struct block *block = block_new(batch->stream);
  if (!block) return NULL;
  struct view *copy = block_view(block, EVP_EVENTS, batch->origin);
  struct evp_event *events = arena_alloc(&block->arena, bytes);
  if (!copy || !events) {
    block_unref(block);
    return NULL;
  }
  uint8_t *payload = (uint8_t *)(events + batch->n);
  for (uint32_t i = 0; i < batch->n; i++) {
    events[i] = batch->events[batch->sel[i]];
    if (events[i].size) memcpy(payload, events[i].data, events[i].size);
    events[i].data = payload;
    payload += events[i].size;
  }
  copy->batch = *batch;
  copy->batch.events = events;
  copy->batch.sel = selection_all();
  copy->charge = bytes + sizeof *block + sizeof *copy;
  copy->considered = true;
  return copy;
}

/* A view is worth a copy if it would otherwise pin more than four times what it selects. */
struct view *view_to_keep(struct view *view)
{
  if (view->considered) return view->compact ? view->compact : view;
  if (view->batch.signal == EVP_EVENTS && view->block->slab) {
    size_t bytes = selected_bytes(&view->batch);
    if (bytes * 4 < view->block->span) {
      view->compact = copy_events(view, bytes);
      if (!view->compact) return NULL;
    }
  }
  view->considered = true;
  return view->compact ? view->compact : view;
}

const struct evp_batch *evp_batch_ref(const struct evp_batch *batch)
{
  struct view *view = view_to_keep(view_of(batch));
  if (!view) {
    log_line(LOG_LEVEL_ERROR, NULL, NULL, "no memory to keep a batch of %u items", batch->n);
    return NULL;
  }
  block_ref(view->block);
  return &view->batch;
}

void evp_batch_unref(const struct evp_batch *batch)
{
  if (batch) block_unref(view_of(batch)->block);
}
