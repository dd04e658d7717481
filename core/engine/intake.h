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
  bool restart; /* the stream ended at the begin of another in the same connection */
  uint64_t newest_time, newest_seen; /* greatest event time, and when it was (monotonic) */
  uint64_t pace_begin, pace_time; /* monotonic begin, 0: not begun; event time then */
  uint64_t due; /* under a pace: when the rest of the slab is to be decoded; 0: it is decoded */
};

void intake_init(struct intake *, const struct evp_ctx *);
void intake_free(struct intake *);

/* Begins a stream (its reference is taken over), with what is not decoded yet in the slab. False: reported. */
bool intake_begin(struct intake *, struct evp_stream *, int64_t modified);
/* `size` bytes more lie in the slab. */
void intake_take(struct intake *, size_t size);
/* Decodes what lies in the slab; stops early when it is not due yet or another stream begins. */
void intake_decode(struct intake *);
/* Nothing came for a while: lets go of the memory that is read and decoded into, if no incomplete item lies in it. */
void intake_rest(struct intake *);
/* The input is over: the events that only the end can decide. */
void intake_exhaust(struct intake *);
/* Says how the stream ended, and sets its state. `stopped`: evpipe stopped reading, wherever it stood. True: damaged. */
bool intake_judge(struct intake *, bool stopped);

const struct eventlog_state *intake_state(const struct intake *); /* of the stream */

#endif
