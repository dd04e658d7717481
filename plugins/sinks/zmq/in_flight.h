/* in_flight.h: what libzmq holds of what it was given: it lets each message go when no subscriber needs it any more.
 *
 * This is the only way to see a subscriber that stands still. libzmq refuses one message for it, and from then on leaves it
 * out without a word until it has read half of what waits for it. So messages are counted in waves: a new one begins when
 * something was refused, and as long as more than half of a subscriber's room is held by older waves, it stands still.
 *
 * Owner    the outlet; it lives until libzmq's context has ended.
 * Threads  any: libzmq lets go on its own thread.
 */
#ifndef EVPIPE_ZMQ_IN_FLIGHT_H
#define EVPIPE_ZMQ_IN_FLIGHT_H

#include "message.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <zmq.h>

enum { IN_FLIGHT_WAVES = 16 };

struct in_flight {
  _Atomic uint64_t waves[IN_FLIGHT_WAVES]; /* messages, by wave */
  _Atomic uint64_t bytes, items, snapshots; /* in them; snapshots among them */
  unsigned wave; /* that messages are counted in now */
};

/* A message's header, to be given to libzmq as a part of it: it is in flight as long as libzmq holds that part.
   False: no memory. */
bool in_flight_header(struct in_flight *, const struct header *, uint64_t bytes, uint64_t items, zmq_msg_t *part);

/* What comes from now on is newer; false if too many waves are about already: the last one goes on. */
bool in_flight_new_wave(struct in_flight *);
uint64_t in_flight_older(const struct in_flight *); /* messages of older waves */
uint64_t in_flight_messages(const struct in_flight *); /* all */

#endif
