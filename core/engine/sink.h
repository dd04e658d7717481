/* sink.h: a sink node: its queue, its instance, its thread; and for one that delivers, the outbox.
 *
 * Threads  sink_start and sink_stop run on the main thread, everything else of the instance on the sink's own thread,
 *          but for deliver(), which runs on the outbox's (outbox.h).
 */
#ifndef EVPIPE_SINK_H
#define EVPIPE_SINK_H

#include "engine/node.h"
#include "engine/queue.h"

struct sink;

struct sink *sink_new(struct node *, struct evp_ctx *ctx); /* takes the created instance over; NULL: no memory */
void sink_settle(struct sink *); /* after its threads: stops it, and counts what is left in its queue and outbox */
void sink_free(struct sink *); /* settles it if need be, destroys the instance */

bool sink_start(struct sink *); /* the plugin's start(), then the thread; false: reported */
struct queue *sink_queue(struct sink *);

/* Seals messages as soon as nothing waits, from now on. At rest: all that was pushed before is written or delivered. */
void sink_come_to_rest(struct sink *);
bool sink_is_at_rest(struct sink *);
void sink_read(struct sink *, struct evp_node_statistics *); /* [any] what waits for it */
/* No more will be pushed: the thread runs the queue dry, flushes, seals, and ends. */
void sink_close(struct sink *);
/* Waits for the threads until a monotonic deadline; false: still running. */
bool sink_join(struct sink *, uint64_t deadline);
/* The time is up: what is not delivered yet goes to the spool, without one it is counted as dropped. */
void sink_abandon(struct sink *);
bool sink_spools(const struct sink *);
/* A number that grows with all that is taken and delivered: is there progress? */
uint64_t sink_progress(struct sink *);

#endif
