/* queue_state.h: what the files of a queue share: queue.c is the ring, with its pushes and pops; queue_drop.c is what
 * happens when not all fits: which group goes, and how the sink is told of the gap.
 *
 * Owner, threads  as in queue.h; everything declared here is called under the queue's lock. Only these two files know what
 *                 is in here.
 */
#ifndef EVPIPE_QUEUE_STATE_H
#define EVPIPE_QUEUE_STATE_H

#include "engine/queue.h"

enum { HINTS = 64 };

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

static inline struct slot *slot_at(struct queue *queue, size_t index)
{
  return &queue->slots[(queue->head + index) & (queue->room - 1)];
}

/* queue_drop.c. Counts a batch as lost, for the statistics and for the gap. */
void queue_lose(struct queue *, const struct evp_batch *, const char *reason);
/* Drops the batch in this slot, and empties it. Its place in the ring stays. */
void queue_drop_slot(struct queue *, struct slot *);
/* Drops the oldest group of this stream that is still here as a whole. False: there is none. */
bool queue_drop_oldest(struct queue *, const struct evp_stream *);
/* A stream that begins and ends here, with nothing left in between, is none of the sink's business: true, and its begin is
   taken away. Else a program that restarts again and again would fill the queue of a sink that stands still. */
bool queue_was_for_nothing(struct queue *, const struct evp_stream *);
/* The gap that must be told before what is in this slot; NULL: none. */
struct loss *queue_loss_before(struct queue *, const struct slot *);
struct queue_entry queue_take_gap(struct queue *, struct loss *); /* the reference to its stream goes to the caller */

#endif
