/* intake.h: the bytes of one stream after another, from the slab they were read into to the flow: decoded, annotated,
 * paced, and at the end judged.
 *
 * Owner    the source; lane thread only.
 */
#ifndef EVPIPE_INTAKE_H
#define EVPIPE_INTAKE_H

#include "engine/flow.h"
#include "engine/reader.h"
#include "engine/secrets.h"

enum { INTAKE_BEGINNING = 4096 };

/* What one step of the decoder found, until all of it is handed on. */
struct decoded {
  struct eventlog_step step;
  struct evp_event *events;
  uint32_t handed; /* of the step's events */
  bool pending; /* the step is not done with */
};

struct intake {
  const struct evp_ctx *ctx; /* of the source */
  struct node *node;
  struct reader reader;
  struct secrets secrets; /* in the bytes that are being handed on */
  struct flow *flow; /* NULL: no stream */
  uint64_t offset; /* of the first byte not handed on yet, in its stream */
  struct evp_stream_end end; /* where it would end, if nothing more came */
  uint8_t beginning[INTAKE_BEGINNING]; /* of the stream: what is no eventlog is told by it */
  size_t n_beginning;
  struct decoded decoded;
  bool finished; /* the end of the input was decoded, too */
  bool stopped; /* by us: nothing more is decoded */
  uint64_t counted_damages, counted_skipped; /* of the stream, what the node's statistics have already */
  bool restart; /* the stream ended at the begin of another in the same connection */
  uint64_t newest_time, newest_seen; /* greatest event time, and when it was (monotonic) */
  uint64_t pace_begin, pace_time; /* monotonic begin, 0: not begun; event time then */
  uint64_t due; /* under a pace: when the next event is to be handed on; 0: the slab is decoded, and all is handed on */
};

void intake_init(struct intake *, const struct evp_ctx *);
void intake_free(struct intake *);

/* Begins a stream (its reference is taken over), with what is not decoded yet in the slab. False: reported. */
bool intake_begin(struct intake *, struct evp_stream *, int64_t modified);
/* `size` bytes more lie in the slab. */
void intake_take(struct intake *, size_t size);
/* Decodes what lies in the slab and hands it on; stops early when it is not due yet or another stream begins. `finish`:
   the input is over, so the last events are decided, too. */
void intake_decode(struct intake *, bool finish);
/* Nothing more is wanted. What is decoded goes out, due or not (64 events at most), so that events and bytes end at one
   place. */
void intake_stop(struct intake *);
/* Nothing came for a while: lets go of the memory that is read and decoded into, if no incomplete item lies in it. */
void intake_rest(struct intake *);
/* Says how the stream ended, and sets its state. `stopped`: evpipe stopped reading, wherever it stood. True: damaged. */
bool intake_judge(struct intake *, bool stopped);

const struct eventlog_state *intake_state(const struct intake *); /* of the stream */

#endif
