#include "socket_address.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static bool parse_port(char *port, const char *text)
{
  size_t size = strlen(text);
  if (!size || size >= ADDRESS_PORT_MAX || strspn(text, "0123456789") != size) return false;
  long number = strtol(text, NULL, 10);
  if (number < 1 || number > 65535) return false;
  memcpy(port, text, size + 1);
  return true;
}

const char *tcp_address_parse(struct tcp_address *address, const char *text)
{
  const char *colon = strrchr(text, ':');
  if (!colon) return "has no port; write HOST:PORT";
  const char *host = text, *end = colon;
  if (*host == '[') {
    if (colon == text || colon[-1] != ']') return "has no port; write [ADDRESS]:PORT";
    host++;
    end--;
  } else if (memchr(host, ':', (size_t)(end - host))) {
    return "has more than one colon; write an IPv6 address in brackets, \"[::1]:4242\"";
  }
  size_t size = (size_t)(end - host);
  if (!size) return "has no host; write HOST:PORT, as in localhost:4242";
  if (size >= sizeof address->host) return "has a host name that is too long";
  if (!parse_port(address->port, colon + 1)) return "has no port from 1 to 65535 behind its last colon";
  memcpy(address->host, host, size);
  address->host[size] = 0;
  return NULL;
}

const char *unix_address_parse(struct sockaddr_un *address, socklen_t *size, const char *path)
{
  size_t length = strlen(path);
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (!length) return "is empty; write the path of a socket";
  if (length >= sizeof address->sun_path) return "is longer than the 107 bytes that a socket's path may have";
  memcpy(address->sun_path, path, length);
  if (*path == '@') address->sun_path[0] = 0; /* the abstract name space: unix(7) */
  *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*path != '@'));
  return NULL;
}

bool tcp_address_is_local(const struct tcp_address *address)
{
  struct in_addr four;
  struct in6_addr six;
  if (!strcmp(address->host, "localhost")) return true;
  if (inet_pton(AF_INET, address->host, &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  return inet_pton(AF_INET6, address->host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

bool tcp_is_connected_to_itself(int fd)
{
  struct sockaddr_storage ours = {0}, theirs = {0};
  socklen_t ours_size = sizeof ours, theirs_size = sizeof theirs;
  return !getsockname(fd, (struct sockaddr *)&ours, &ours_size) &&
         !getpeername(fd, (struct sockaddr *)&theirs, &theirs_size) && ours_size == theirs_size &&
         !memcmp(&ours, &theirs, ours_size);
}
