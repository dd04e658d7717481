/* queue.h: what waits for one sink: batches, and the begins and ends of streams, in order, bounded in bytes.
 *
 * Threads  any lane pushes, the sink's thread pops; one lock. A sink is woken only if it sleeps, once a turn; a pop
 *          wakes the lanes only if one found the queue full.
 * Bounds   the batches' charges stay within the limit: a stream whose producer can wait is not read from while the
 *          queue is full; of any other, batches are dropped by policy, a group (census) always whole. Begins and ends
 *          are never dropped, but both at
 *          once if nothing of a stream is left between them.
 * Gaps     what was dropped is told before the next batch of that stream; bytes go on at a place a reader may begin.
 */
#ifndef EVPIPE_QUEUE_H
#define EVPIPE_QUEUE_H

#include "config/pipeline.h"
#include "engine/block.h"
#include "engine/statistics.h"

struct node;
struct queue;

enum entry_type { ENTRY_NONE, ENTRY_BEGIN, ENTRY_BATCH, ENTRY_GAP, ENTRY_END };

struct queue_entry {
  enum entry_type type;
  const struct evp_stream *stream; /* BEGIN, END: one reference that passes to who pops; GAP: borrowed */
  struct view *view; /* BATCH: one reference that passes to who pops */
  uint64_t since; /* BATCH: monotonic time at which it was pushed */
  uint32_t signal; /* GAP */
  uint64_t items; /* GAP */
};

/* Where the producer waits, more than this queued gains nothing. */
#define QUEUE_WAIT_LIMIT (UINT64_C(2) * 1024 * 1024)

struct queue *queue_new(struct node *sink);
void queue_free(struct queue *); /* lets go of what is left, counted as dropped */

int queue_wake_fd(const struct queue *); /* an eventfd, readable once a push found the sink asleep */

bool queue_push_begin(struct queue *, const struct evp_stream *);
bool queue_push_end(struct queue *, const struct evp_stream *);
/* Takes a reference of its own. What does not fit is dropped and counted: it can not fail. A sink that sleeps goes on
   sleeping until queue_wake(), so that it is woken once for all that one turn of a source brings. */
void queue_push(struct queue *, struct view *);
void queue_wake(struct queue *, bool more_at_once); /* with it: only if much waits, or has waited for long */
/* By this sink's policy, does this stream wait rather than lose anything? */
bool queue_waits(const struct queue *, const struct evp_stream *);
/* May a stream whose producer waits be read from? If not, the lanes are woken once it may. Always true for a sink that
   has ended or failed. */
bool queue_has_room(struct queue *);

/* The next entry, ENTRY_NONE if there is none; with `sleep` the next push will make the wake fd readable. */
struct queue_entry queue_pop(struct queue *, bool sleep);
bool queue_is_empty(struct queue *);
uint64_t queue_since(struct queue *); /* [any] monotonic: since when the oldest batch waits; 0: none does */

#endif
