/* out.h: where an instance emits: items are staged here during a call, and become a block and its batches at the end of
 * the call, or at a group's end when there are many. Whole groups may share a batch: what is kept or dropped as one is
 * never less than a group.
 *
 * Owner    the stage (or item source) it belongs to; lane thread only. Times are event times until the flow stamps them.
 */
#ifndef EVPIPE_OUT_H
#define EVPIPE_OUT_H

#include "engine/block.h"
#include "engine/node.h"

struct out_events {
  struct evp_event *events;
  uint32_t n;
};

struct ending {
  const struct evp_series *series;
  uint64_t before; /* it ended before the metric at this place in the call */
  bool marked; /* its last item was found */
};

struct evp_out {
  struct node *node;
  const struct evp_stream *stream;
  uint64_t prologue; /* its greatest length before a batch that came in */
  struct block *block; /* of what is staged now; NULL: nothing yet */
  struct evp_metric *metrics; /* staged, in the block: their times are event times; NULL: none */
  size_t n_metrics, metrics_room;
  size_t metrics_before, metrics_earlier; /* how many the block before had, and the one before that */
  uint64_t staged; /* metrics of this call in finished views */
  struct evp_log *logs;
  size_t n_logs, logs_room;
  struct out_events *events;
  size_t n_events, events_room;
  struct view **ready; /* finished views in order, each with a reference to its block */
  size_t n_ready, ready_room;
  struct ending *ending; /* series that ended in this call, for the mark on their last items */
  size_t n_ending, ending_room;
  uint64_t groups; /* ended ones, so far */
  bool grouped; /* a group ended in what is staged: its views stay together */
  bool failed; /* no memory: said, and everything emitted from then on in this call fails */
};

void out_init(struct evp_out *, struct node *, const struct evp_stream *);
void out_free(struct evp_out *);
/* The series ends: its last item, if one was emitted in this call, says so. */
void out_end_series(struct evp_out *, const struct evp_series *);
/* The call is over: makes views of what is staged. The caller takes the `n_ready` views and sets it to 0. */
void out_finish(struct evp_out *);

#endif
