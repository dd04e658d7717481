#include "ends.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void die(const char *what)
{
  perror(what);
  exit(1);
}

int open_socket(const char *path, struct sockaddr_un *address)
{
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (fd < 0 || strlen(path) >= sizeof address->sun_path) die("socket");
  memcpy(address->sun_path, path, strlen(path));
  return fd;
}

void send_all(int fd, const uint8_t *data, size_t size)
{
  while (size) {
    ssize_t n = write(fd, data, size < 65536 ? size : 65536);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die("write");
    data += n;
    size -= (size_t)n;
  }
}
