/* flow.h: one stream on its way through the graph: an instance of each filter behind its source, the clock, and what is
 * held until the clock is known.
 *
 * Owner    the source whose stream it is; lane thread only. Sinks are reached through their queues alone.
 * Life     flow_new (filters are made, sinks are told of the begin), batches, then flow_end until it is done (filters'
 *          end(), sinks are told of the end), flow_free.
 * Waiting  nothing in here blocks. Before it hands in more, the source asks flow_ready(): is there room where this stream
 *          waits rather than loses, and have the filters emitted all that they held back?
 */
#ifndef EVPIPE_FLOW_H
#define EVPIPE_FLOW_H

#include "engine/block.h"
#include "engine/clock.h"
#include "engine/engine_state.h"
#include "eventlog/eventlog.h"

struct flow;

/* Takes over the reference to the stream. NULL: no memory, or a filter could not be made (reported). */
struct flow *flow_new(struct engine *, struct node *source, struct evp_stream *stream, int64_t modified);
void flow_free(struct flow *);

struct evp_stream *flow_stream(struct flow *);
struct clock *flow_clock(struct flow *);

/* The block to decode the next events into, emptied; its events array has room for DECODE_EVENTS. */
enum { DECODE_EVENTS = 1024 };
struct block *flow_decode_block(struct flow *, struct evp_event **events); /* NULL: no memory */
/* Hands on n events of that block from the first one on, which point into the slab. */
void flow_events(struct flow *, struct slab *, uint32_t first, uint32_t n, size_t span, uint64_t prologue);
/* Hands on bytes of a slab: all that the batch says of them (bytes, n, flags, sync, offset, prologue, secrets, whole, block). */
void flow_bytes(struct flow *, struct slab *, const struct evp_batch *);
/* All that lay in the slab is decoded: lets go of it, so that it can be read into again. */
void flow_forget_decoded(struct flow *);
/* Nothing comes for now: lets go of the block that is decoded into. */
void flow_rest(struct flow *);
/* The turn is over: sinks that sleep are told of what was queued for them. With `more_at_once` the next turn comes at
   once, and a sink is let sleep until it is worth it. */
void flow_wake_sinks(struct flow *, bool more_at_once);
/* An item source's items. */
struct evp_out *flow_source_out(struct flow *);
void flow_source_items(struct flow *);

/* The exact epoch was learnt: what was held goes out under it. */
void flow_exact_clock(struct flow *, int64_t epoch);
/* Looks at the clocks: ticks of filters, items held too long. `newest` is the greatest event time seen, `seen` when. */
void flow_look(struct flow *, uint64_t monotonic, uint64_t newest, uint64_t seen);
uint64_t flow_deadline(const struct flow *); /* monotonic; UINT64_MAX: nothing to look at */

/* May more be handed in? Drives filters that held something back. */
bool flow_ready(struct flow *);
/* One step towards the end; true: all is done and the sinks were told. Call it again when there is room. */
bool flow_end(struct flow *);

uint64_t flow_groups(const struct flow *); /* groups (censuses) that its filters have emitted */

#endif
