/* source.h: an instance of a source node: connects, reads into slabs, has them decoded, hands on; ends a stream and begins
 * the next. A node has one, or with `each` one for every path that there is.
 *
 * Threads  created, started and stopped on the main thread; source_turn() and what it does on the lane's.
 * Waiting  nothing blocks: a source that can not go on says when to look again (source_deadline) or on which fd, and a
 *          queue that has room again wakes all lanes.
 */
#ifndef EVPIPE_SOURCE_H
#define EVPIPE_SOURCE_H

#include "engine/node.h"

struct source;
struct seat;

struct source *source_new(struct node *, struct evp_ctx *ctx); /* takes the created instance over; NULL: no memory */
void source_free(struct source *); /* destroys the instance */
bool source_start(struct source *); /* the plugin's start(); false: reported */

/* Does what can be done now: one step of connecting, reading at most one slab, ending. `readable`: its fd is. */
void source_turn(struct source *, bool readable);
/* What to wait for: the fd and epoll events (0: not this), and a monotonic deadline (0: turn again at once). */
int source_fd(
  const struct source *, uint32_t *events, uint64_t *connection); /* connection: differs for each call of connect() */
uint64_t source_deadline(const struct source *);
/* evpipe is to stop: the next turns end its stream, or its producer is asked to end first (evp_plugin.interrupt). */
void source_interrupt(struct source *, int signal);
bool source_ends_first(const struct source *); /* [any] it has a producer of its own, which ends before it does */
bool source_is_done(const struct source *);
bool source_is_blocked(const struct source *); /* waits for room in a queue */
struct node *source_node(const struct source *);
struct seat *source_seat(struct source *); /* where it sits in its lane (lane.h) */

/* Of `each`. A source leaves its lane when it is done; one whose path is gone is done once it is not connected. */
bool source_leaves(const struct source *);
bool source_was_let_go(const struct source *); /* once it is done: because its path was gone, not by itself */
const char *source_path(const struct source *); /* NULL: not of `each` */
void source_path_is(struct source *, bool there); /* [any] gone, or there again */
void source_try_now(struct source *); /* [any] its path was made anew: not to wait for the end of the delay */

bool source_has_items(const struct source *); /* emits items at ticks, by itself, for ever */

#endif
