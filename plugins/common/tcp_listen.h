/* tcp_listen.h: sockets that listen on HOST:PORT: one for each address that the host has on this machine (`localhost` mostly
 * has two).
 *
 * Owner    the caller; begins zeroed, ends with tcp_listen_close().
 * Threads  one at a time. Errors: a text says what is wrong; nothing is open then.
 */
#ifndef EVPIPE_COMMON_TCP_LISTEN_H
#define EVPIPE_COMMON_TCP_LISTEN_H

#include "socket_address.h"

enum { TCP_LISTEN_SOCKETS = 8, TCP_LISTEN_WAITING = 512 /* connections that the kernel keeps for us */ };

struct tcp_listen {
  int fds[TCP_LISTEN_SOCKETS]; /* non-blocking */
  size_t n;
  unsigned port; /* the one that they have: that of the address, or what the kernel chose for port 0 */
};

/* tcp_address_parse(), but port 0 may stand for any. */
const char *tcp_listen_parse(struct tcp_address *, const char *text);
/* NULL, or why it can not listen. An address that the machine lacks (IPv6) is left out. */
const char *tcp_listen_open(struct tcp_listen *, const struct tcp_address *);
void tcp_listen_close(struct tcp_listen *);

#endif
