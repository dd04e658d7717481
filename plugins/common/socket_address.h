/* socket_address.h: what `unix` and `tcp` say, as socket addresses. Threads  any; nothing is kept. */
#ifndef EVPIPE_COMMON_SOCKET_ADDRESS_H
#define EVPIPE_COMMON_SOCKET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { ADDRESS_HOST_MAX = 256, ADDRESS_PORT_MAX = 6 };

struct tcp_address {
  char host[ADDRESS_HOST_MAX], port[ADDRESS_PORT_MAX];
};

/* HOST:PORT, [::1]:PORT. NULL, or what is wrong with it. */
const char *tcp_address_parse(struct tcp_address *, const char *text);
/* A path, or @NAME for one in the abstract name space. NULL, or what is wrong with it. */
const char *unix_address_parse(struct sockaddr_un *, socklen_t *size, const char *path);

/* Is it this machine alone that can reach it? localhost, 127.0.0.0/8, ::1; no other name is believed. */
bool tcp_address_is_local(const struct tcp_address *);

/* Two ends of one socket: the kernel chose the port that we ask for as our own. It happens to who tries a port of
   ip_local_port_range that nobody listens on again and again, and keeps the program from ever getting it. */
bool tcp_is_connected_to_itself(int fd);

#endif
