/* store.h: where sealed messages wait for their delivery, in order: in the spool, if the sink has one, else in memory.
 *
 * A message that the disk does not take goes by it, in memory, if nothing else waits: so a full disk holds nothing up
 * while the back end is there, and while it is not, the sink waits and its queue's policy decides.
 *
 * Owner    the outbox; calls are made one at a time, from the sink's thread and the one that delivers.
 * Rule     the statistics' messages, message_bytes, messages_since, spool_items and spool_bytes are what waits.
 * Ids      a message's id is the Unix time at which it was sealed, or the next free number if that is not greater than the
 *          one before: so that it is known how long a message of an earlier process waits.
 */
#ifndef EVPIPE_STORE_H
#define EVPIPE_STORE_H

#include "engine/node.h"

struct store;

enum store_answer {
  STORE_OK,
  STORE_EMPTY, /* no message waits */
  STORE_FULL, /* until something is removed */
  STORE_TROUBLE, /* the disk does not do it now; said */
  STORE_NO_MEMORY, /* of this message: it can not be taken */
  STORE_DAMAGED, /* the first message is not what it was: remove it */
  STORE_BROKEN /* the spool can not go on; said */
};

struct store *store_new(struct node *); /* NULL: no memory */
bool store_open(struct store *); /* the spool, if the configuration names one; false: reported */
void store_free(struct store *); /* what is in memory is gone */

/* What it answers OK for may have been taken out of the buffer. `may_pass`: there will be a delivery for what can only
   wait in memory. OK, FULL, TROUBLE, NO_MEMORY, BROKEN. */
enum store_answer store_put(
  struct store *, struct evp_buf *, uint64_t items, int64_t first_time, int64_t last_time, bool may_pass);
/* The first message; its data is valid until it is replaced or removed. OK, EMPTY, TROUBLE, DAMAGED, BROKEN. */
enum store_answer store_first(struct store *, struct evp_message *);
/* Of the first message so many leading bytes are done, and so many items are left. */
void store_advance(struct store *, size_t delivered, uint64_t items);
/* The first message is from now on these bytes, which are taken over: it may be more than there was room for. What the disk
   does not take of that is said, and goes on in memory. `message`, as store_first() gave it, is told. */
void store_replace(struct store *, struct evp_buf *, struct evp_message *);
void store_remove(struct store *); /* the first message is over */
/* At the end: what is in memory goes to the spool, if there is one that takes it. What remains is store_take_lost()'s. */
void store_keep(struct store *);
/* After store_keep(): forgets the next message that is only in memory, and tells how many items it had; false: none. */
bool store_take_lost(struct store *, uint64_t *items);

#endif
