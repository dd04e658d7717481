/* late.h: what subscribers that come late need: of bytes and events the prologue, of metrics the last values. It goes to all
 * who subscribed to the topic, marked as a snapshot.
 *
 * A prologue is right for a reader that begins at one certain place. So when the stream comes to such a place (a sync),
 * what was defined since the prologue was sent is sent as well, and then the message that begins there: its header says
 * how long a prologue it needs, and a late subscriber begins when that is what it has.
 *
 * Threads  the sink's.
 */
#ifndef EVPIPE_ZMQ_LATE_H
#define EVPIPE_ZMQ_LATE_H

#include "publisher.h"

void late_subscribed(struct publisher *, const void *prefix, size_t size); /* somebody did */
void late_missed(struct publisher *, const struct topic *); /* somebody did not get all of it, and may begin anew */
/* Sends what can be sent now. True: more is to be done soon. */
bool late_work(struct publisher *);
/* Before something is packed of which a reader that has the stream's first `prologue` bytes of prologue may begin. */
void late_sync(struct publisher *, struct channel *, uint64_t prologue);

#endif
