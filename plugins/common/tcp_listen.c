#include "tcp_listen.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OTHER_PORTS = 20 /* that are tried */ };

static const char TAKEN[] = "somebody else listens on that port";

static unsigned port_of(int fd)
{
  struct sockaddr_storage address = {0};
  socklen_t size = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &size)) return 0;
  return ntohs(address.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)(const void *)&address)->sin6_port
                                             : ((const struct sockaddr_in *)(const void *)&address)->sin_port);
}

/* The same port as the sockets before have, whatever the address says: for port 0 that is what the first one got. */
static void set_port(struct sockaddr *address, unsigned port)
{
  if (address->sa_family == AF_INET6)
    ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons((uint16_t)port);
  else if (address->sa_family == AF_INET)
    ((struct sockaddr_in *)(void *)address)->sin_port = htons((uint16_t)port);
}

static const char *listen_on(struct tcp_listen *sockets, int fd)
{
  if (listen(fd, TCP_LISTEN_WAITING)) {
    int error = errno;
    close(fd);
    return error == EADDRINUSE ? TAKEN : strerror(error);
  }
  sockets->fds[sockets->n++] = fd;
  sockets->port = port_of(fd);
  return NULL;
}

static const char *open_address(struct tcp_listen *sockets, const struct addrinfo *address)
{
  int on = 1, fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno == EAFNOSUPPORT ? NULL : strerror(errno);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (sockets->n) set_port(address->ai_addr, sockets->port);
  if (!bind(fd, address->ai_addr, address->ai_addrlen)) return listen_on(sockets, fd);
  int error = errno;
  close(fd);
  if (error == EADDRNOTAVAIL && address->ai_family == AF_INET6) return NULL;
  return error == EADDRINUSE ? TAKEN : strerror(error);
}

const char *tcp_listen_parse(struct tcp_address *address, const char *text)
{
  size_t size = strlen(text);
  if (size < 2 || strcmp(text + size - 2, ":0") != 0) return tcp_address_parse(address, text);
  char with_port[ADDRESS_HOST_MAX + ADDRESS_PORT_MAX + 4];
  if (size >= sizeof with_port) return "has a host name that is too long";
  snprintf(with_port, sizeof with_port, "%.*s1", (int)(size - 1), text);
  const char *wrong = tcp_address_parse(address, with_port);
  if (!wrong) snprintf(address->port, sizeof address->port, "0");
  return wrong;
}

static const char *open_all(struct tcp_listen *sockets, const struct addrinfo *found)
{
  const char *wrong = NULL;
  for (const struct addrinfo *each = found; !wrong && each && sockets->n < TCP_LISTEN_SOCKETS; each = each->ai_next)
    wrong = open_address(sockets, each);
  if (!wrong && !sockets->n) wrong = "is no address of this machine";
  if (wrong) tcp_listen_close(sockets);
  return wrong;
}

const char *tcp_listen_open(struct tcp_listen *sockets, const struct tcp_address *address)
{
  const struct addrinfo hints = {
    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
  struct addrinfo *found;
  int error = getaddrinfo(address->host, address->port, &hints, &found);
  if (error) return gai_strerror(error);
  const char *wrong = open_all(sockets, found);
  /* Any port: what the kernel chose for the first address may be taken at the next one. */
  for (int more = OTHER_PORTS; wrong == TAKEN && !strcmp(address->port, "0") && more; more--)
    wrong = open_all(sockets, found);
  freeaddrinfo(found);
  return wrong;
}

void tcp_listen_close(struct tcp_listen *sockets)
{
  while (sockets->n) close(sockets->fds[--sockets->n]);
}
