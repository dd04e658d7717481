/* authenticator.h: answers libzmq, which asks for every CURVE client whether it may come in (ZAP, ZeroMQ RFC 27). Without
 * somebody who answers, libzmq lets every key in.
 *
 * Owner    the outlet. Threads  the sink's: it answers when its fd is readable.
 */
#ifndef EVPIPE_ZMQ_AUTHENTICATOR_H
#define EVPIPE_ZMQ_AUTHENTICATOR_H

#include "key_list.h"
#include "settings.h"

#define AUTHENTICATOR_DOMAIN "evpipe"

struct authenticator {
  struct evp_ctx *ctx;
  void *socket;
  struct key_list allowed;
  bool allow_any;
};

/* Before the socket that it is for is bound. False: reported. */
bool authenticator_open(struct authenticator *, void *context, const struct curve_settings *, struct evp_ctx *);
void authenticator_serve(struct authenticator *); /* answers what is asked now; never waits */
void authenticator_close(struct authenticator *);

#endif
