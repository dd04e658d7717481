/* block.h: the memory that batches lie in. A block holds the items of one signal of one stream (event descriptors,
 * metrics, logs), the selections and the views (batches) on them, and references to what they point into: a slab, other
 * batches, series, the stream.
 *
 * Owner    reference counted as a whole: one atomic count for all its views. evp_batch_ref() on a view counts the block.
 * Threads  built by one lane; immutable from the moment the first view is handed to a sink.
 */
#ifndef EVPIPE_BLOCK_H
#define EVPIPE_BLOCK_H

#include "engine/arena.h"
#include <evpipe.h>
#include <stdatomic.h>

struct slab;

/* An index of a selection is 16 bits wide. More items are told apart into several views. */
enum { VIEW_ITEMS = 16384 };

struct block;

struct view {
  struct evp_batch batch; /* first: a plugin's pointer to the batch is a pointer to the view */
  struct block *block;
  struct view *compact; /* the copy that is queued in its place, if it used too little of its slab */
  struct view *next; /* all views of a block, newest first */
  size_t charge; /* bytes that a queue answers for while it holds the view */
  bool considered; /* whether it should be compacted was decided */
};

struct block {
  atomic_uint refs;
  struct slab *slab;
  const struct evp_stream *stream;
  struct arena arena;
  struct view *views;
  const struct evp_batch **kept; /* batches whose payload this block's events point into */
  size_t n_kept, kept_room;
  struct series_table *series; /* NULL: the block names no series */
  struct series_era *era; /* in which the series that it names are kept */
  size_t span; /* bytes of input that the events of the block were read from */
};

struct block *block_new(const struct evp_stream *); /* one reference; NULL: no memory */
void block_ref(struct block *);
void block_unref(struct block *); /* NULL is allowed */
/* For the block that a lane decodes into: true if nobody else holds it and it was emptied for the next round. */
bool block_reuse(struct block *);

/* A new view on the block, for the caller to fill: n, sel, items. NULL: no memory. */
struct view *block_view(struct block *, uint32_t signal, const char *origin);
bool block_keep(struct block *, const struct evp_batch *); /* takes over one reference; false: no memory */

/* The view to keep in place of this one: itself, or a compact copy (made once) if it selects little of its memory.
   Not referenced yet. NULL: no memory. */
struct view *view_to_keep(struct view *);

static inline struct view *view_of(const struct evp_batch *batch)
{
  return (struct view *)(uintptr_t)batch;
}

const uint16_t *selection_all(void); /* 0, 1, 2 ... VIEW_ITEMS - 1 */

#endif
