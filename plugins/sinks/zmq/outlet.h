/* outlet.h: the ZeroMQ socket: what is sent never waits, and what libzmq does not take is counted.
 *
 * A subscriber that stands still costs the others nothing. libzmq can either refuse a message for all because one subscriber
 * is full (ZMQ_XPUB_NODROP), or leave out silently those that are full. We ask the first way, count a refusal, and send
 * again the second way. From then on libzmq leaves that subscriber out without a word until it has read half of what
 * waits for it; in_flight.h knows until when, and what may have been meant for it counts as dropped as well.
 *
 * Owner    the publisher. Threads  open and close: main; else the sink's.
 */
#ifndef EVPIPE_ZMQ_OUTLET_H
#define EVPIPE_ZMQ_OUTLET_H

#include "authenticator.h"
#include "in_flight.h"
#include "socket_file.h"
#include "subscriptions.h"
#include "topic.h"

/* What follows the header: parts one behind the other, each with where it ends. */
struct payload {
  const uint8_t *data;
  const uint32_t *ends;
  size_t n; /* 0: no part */
};

enum sent {
  SENT,
  SENT_PARTLY, /* some subscriber may not have got it: counted */
  REFUSED /* nothing was sent, nothing counted: try again later */
};

struct outlet {
  struct evp_ctx *ctx;
  const struct settings *settings;
  void *context, *socket;
  struct socket_file file; /* of ipc:// */
  int epoll; /* readable when there is something to receive or to authenticate */
  struct authenticator authenticator;
  struct subscriptions subscriptions;
  struct in_flight in_flight;
  uint64_t counted; /* items that were sent last, and counted as dropped although they were */
  const struct topic *stuck; /* a subscriber of this one stands still; NULL: none */
};

bool outlet_open(struct outlet *, const struct settings *, struct evp_ctx *); /* false: reported */
/* Waits at most `linger` for what is in flight, counts what is left. Also after a failed open. */
void outlet_close(struct outlet *);

/* The next subscription that somebody made, or took back (*subscribes false); they are noted already. False: none now. `prefix`
   is to be closed. */
bool outlet_receive(struct outlet *, zmq_msg_t *prefix, bool *subscribes);
/* pub: SENT or SENT_PARTLY; push: SENT or REFUSED. */
enum sent outlet_send(struct outlet *, struct topic *, const struct header *, const struct payload *);
/* pub: SENT or REFUSED; with `insist` it goes to those who have room. */
enum sent outlet_send_snapshot(
  struct outlet *, struct topic *, const struct header *, const struct payload *, bool insist);
/* True once when no subscriber stands still any more. */
bool outlet_caught_up(struct outlet *);
/* A quarter of a subscriber's room is taken, in messages, which may be small: better few large ones now. */
bool outlet_is_crowded(const struct outlet *);
/* push: waits until a message can be sent, until evpipe stops, or for `linger`. */
bool outlet_wait(struct outlet *);

#endif
