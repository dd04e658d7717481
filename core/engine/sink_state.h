/* sink_state.h: what the files of a sink share: sink.c is its life, its thread and what it calls of the plugin; sink_message.c
 * makes messages of batches for one that delivers.
 *
 * Owner, threads  as in sink.h. Only these two files know what is in here.
 */
#ifndef EVPIPE_SINK_STATE_H
#define EVPIPE_SINK_STATE_H

#include "engine/outbox.h"
#include "engine/sink.h"
#include "engine/worker.h"

struct local {
  struct local *next;
  const struct evp_stream *stream; /* referenced until stream_end */
  bool begun; /* stream_begin() was called: stream_end() is owed */
  _Alignas(max_align_t) unsigned char memory[];
};

struct sink {
  struct node *node;
  const struct evp_plugin *plugin;
  struct evp_ctx *ctx;
  struct queue *queue;
  struct outbox *outbox; /* NULL: a sink that writes */
  struct local *locals;
  struct worker worker;
  bool started;
  atomic_bool closed;
  atomic_bool resting; /* wanted: messages are sealed as soon as nothing more waits */
  atomic_bool idle; /* the thread sleeps, and holds nothing that it took */
  _Atomic uint64_t working_since, message_since; /* monotonic: when what is being written, the first item of the message
                                                    came into the queue; 0: nothing */

  /* Of the sink's thread. */
  uint64_t now; /* monotonic, as of the last wait or batch: the clock is read once for each batch */
  uint64_t drops_seen; /* of those that the plugin counted, how many were taken off what was delivered */
  uint64_t overdrawn; /* items that it dropped after it had taken them, not yet taken off */
  struct queue_entry refused; /* a batch that write() wants to be offered again */
  uint64_t offer_again; /* monotonic */
  uint64_t watch_due; /* monotonic: when the watched fd is looked at, though nothing was waited for */
  uint64_t flush_due; /* UINT64_MAX: nothing was written since the last flush */
  struct evp_buf message;
  uint64_t message_items, seal_due;
  int64_t first_time, last_time;
};

/* Neither failed nor ended. */
static inline bool sink_usable(const struct sink *sink)
{
  return !atomic_load(&sink->node->failed) && !atomic_load(&sink->node->ended);
}

void sink_drop_items(struct sink *, uint64_t items, const char *reason); /* counted */

/* sink_message.c. Into the message, which is sealed whenever it is large enough; what can not be encoded is counted. */
enum evp_status sink_encode_batch(struct sink *, const struct evp_batch *);
void sink_seal(struct sink *); /* the message goes to the outbox, if there is anything in it */

#endif
