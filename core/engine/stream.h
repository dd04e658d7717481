/* stream.h: one run of one program, from header to end: what plugins see as struct evp_stream.
 *
 * Owner    reference counted; the lane holds one while the stream is open.
 * Threads  identity is fixed at creation. Facts are written once each, by the lane, and read by any thread.
 */
#ifndef EVPIPE_STREAM_H
#define EVPIPE_STREAM_H

#include "config/pipeline.h"
#include "eventlog/eventlog.h"
#include <evpipe.h>
#include <stdatomic.h>

struct evp_stream {
  atomic_uint refs;
  uint64_t id;
  const char *source; /* lives as long as the pipeline, as do the labels but for those of an instance */
  const struct evp_map *labels;
  struct pipeline_instance *instance; /* of `each`, referenced; else NULL */
  int64_t begin_time;
  bool live;
  bool can_wait; /* the producer waits for us harmlessly */
  _Atomic(const char *) program, rts; /* owned by the eventlog */
  atomic_uint pid, state, dialect;
  atomic_bool header; /* the types may be read */
  struct evp_stream_end end; /* written before the state says that it has ended */
  struct eventlog *eventlog; /* NULL: a stream of items, which has no eventlog */
  struct prologue *prologue; /* NULL: nobody wants it */
  struct command_queue *commands; /* for the program; NULL: it can not be controlled */
};

struct evp_stream *stream_new(const char *source, const struct evp_map *labels, bool live, bool can_wait);
/* Lets others see what the eventlog has learnt by now. Called by the lane after a step that learnt something. */
void stream_publish(struct evp_stream *);
void stream_set_state(struct evp_stream *, enum evp_stream_state);

#endif
