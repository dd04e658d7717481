/* listener.h: the sockets that readers connect to: one Unix socket, or one for each address of a TCP host.
 *
 * Owner    the instance. Threads  one at a time.
 */
#ifndef EVPIPE_RELAY_LISTENER_H
#define EVPIPE_RELAY_LISTENER_H

#include "socket_file.h"
#include "tcp_listen.h"
#include <evpipe.h>

#undef unix /* which gnu17 defines as 1; here it is the key of an option */

enum { PEER_MAX = 80 };

struct listener {
  const char *unix, *tcp; /* as configured; one is NULL */
  bool allow_remote;
  unsigned mode; /* of the Unix socket */
  struct evp_ctx *ctx;
  struct sockaddr_un unix_address;
  socklen_t unix_size;
  struct tcp_address tcp_address;
  struct tcp_listen sockets; /* also the Unix socket */
  struct socket_file file;
};

/* Looks at the options `unix`, `tcp`, `allow_remote` and `mode`; false: one is wrong (said). */
bool listener_check(struct listener *, const char *mode);
bool listener_open(struct listener *); /* false: said */
void listener_close(struct listener *); /* removes the file, if it is still ours */
const char *listener_where(const struct listener *);
/* The next connection, non-blocking, and who it is; -1 with errno. */
int listener_accept(struct listener *, int fd, char peer[PEER_MAX]);

#endif
