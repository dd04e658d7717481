/* outbox.h: sealed messages on their way to a back end: in order, retried, bounded; with a spool on disk before they are
 * delivered, and until they are.
 *
 * Threads  the sink's thread puts messages in and waits while the outbox is full; a thread of its own delivers.
 * Rule     a message leaves when it is delivered, refused for good (rejected), or given up (dropped): always counted.
 *          What has not left at the end stays in the spool; without one it is dropped.
 */
#ifndef EVPIPE_OUTBOX_H
#define EVPIPE_OUTBOX_H

#include "engine/node.h"

struct outbox;

struct outbox *outbox_new(struct node *, void *self);
bool outbox_start(struct outbox *); /* opens spool and dead letters, then the thread; false: reported */
void outbox_free(struct outbox *); /* what is only in memory is spooled, or counted as dropped */
bool outbox_spools(const struct outbox *); /* what is put may be kept although nobody delivers it any more */

/* The buffer's data may be taken over. Waits while the outbox is full and the engine goes on; then false, and it was
   counted. */
bool outbox_put(struct outbox *, struct evp_buf *, uint64_t items, int64_t first_time, int64_t last_time);
void outbox_close(struct outbox *); /* nothing more comes: the thread ends once it is empty */
void outbox_abandon(struct outbox *); /* the time is up: the thread ends after the attempt under way */
bool outbox_join(struct outbox *, uint64_t deadline);
uint64_t outbox_progress(struct outbox *);

#endif
