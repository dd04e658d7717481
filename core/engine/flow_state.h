/* flow_state.h: what the files of a flow share: flow.c makes it, takes in what its source hands on, and ends it;
 * flow_route.c brings batches through the filters to the sinks' queues, and holds what waits for the clock.
 *
 * Owner, threads  as in flow.h. Only these two files know what is in here.
 */
#ifndef EVPIPE_FLOW_STATE_H
#define EVPIPE_FLOW_STATE_H

#include "engine/flow.h"
#include "engine/out.h"

/* A filter's instance for this stream. */
struct stage {
  struct evp_ctx ctx;
  struct node *node;
  struct evp_out out;
  bool usable; /* created and not failed */
  bool holds_more; /* its last call said AGAIN */
  bool ended; /* end() was called */
};

/* An item that waits for the clock. */
struct held {
  struct node *from;
  struct view *view; /* holds a reference to its block */
};

struct flow {
  struct engine *engine;
  struct node *source;
  struct evp_stream *stream;
  struct stage *stages; /* in the pipeline's order: each after all that it takes from */
  unsigned n_stages;
  struct stage **stage_of; /* by index of the node; NULL: not on this stream's way */
  struct node **sinks; /* that it reaches */
  unsigned n_sinks;
  struct clock clock;
  struct block *decoding; /* used again as long as nobody keeps a batch of it */
  const struct evp_event *decoded; /* its events */
  struct evp_out source_out;
  struct held *held;
  size_t n_held, held_room, held_bytes;
  uint64_t held_since; /* monotonic */
  uint64_t newest_time;
  uint64_t clock_now, looked; /* the filters' clock when it was last looked at, and that moment (monotonic) */
};

/* flow_route.c. A node's batch goes to all that take it: a filter works on it at once, for a sink a reference of it is
   queued. The caller keeps its own reference. */
void flow_route(struct flow *, struct node *producer, struct view *);
/* What an instance emitted goes on its way, stamped, or is held until it can be. */
void flow_take_out(struct flow *, struct node *from, struct evp_out *);
/* After a call of a filter's plugin: what its status means, then what it emitted. */
void flow_after_call(struct flow *, struct stage *, enum evp_status, const char *what);
void flow_fail_stage(struct stage *, const char *what); /* says so */
/* Monotonic: until when what is held may wait; UINT64_MAX: nothing is held, or it may wait for ever. */
uint64_t flow_hold_deadline(const struct flow *);
void flow_settle_for_estimate(struct flow *); /* what is held goes out, under an estimated epoch if none is known */
void flow_drop_held(struct flow *); /* its time never came: the engine was told to end at once */

#endif
