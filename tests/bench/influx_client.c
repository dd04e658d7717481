/* influx_client: the least that a client of InfluxDB can do: one connection that is kept, one request at a time.
 *
 *   influx_client PORT TARGET BODY...     POSTs each file BODY, gzipped line protocol, to 127.0.0.1:PORT TARGET
 *
 * All bodies are read before the clock starts. Prints requests, bytes and seconds; an answer other than 204 is an error,
 * because a server that refuses is faster than one that stores.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct body {
  char *data;
  size_t size;
};

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void die(const char *what)
{
  perror(what);
  exit(1);
}

static struct body load(const char *path)
{
  FILE *file = fopen(path, "rb");
  struct stat status;
  if (!file || fstat(fileno(file), &status)) die(path);
  struct body body = {.data = malloc((size_t)status.st_size + 1), .size = (size_t)status.st_size};
  if (!body.data) die(path);
  if (fread(body.data, 1, body.size, file) != body.size) die(path);
  fclose(file);
  return body;
}

static int connect_to(uint16_t port)
{
  struct sockaddr_in address = {
    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void send_all(int fd, struct iovec *parts, int n)
{
  while (n) {
    ssize_t sent = writev(fd, parts, n);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) die("write");
    size_t rest = (size_t)sent;
    for (; n && rest >= parts->iov_len; parts++, n--) rest -= parts->iov_len;
    if (!n) break;
    parts->iov_base = (char *)parts->iov_base + rest;
    parts->iov_len -= rest;
  }
}

/* An answer 204 has no body (RFC 9110, 15.3.5): the blank line ends it. */
static void expect_204(int fd)
{
  static char answer[16384];
  size_t size = 0;
  do {
    ssize_t n = read(fd, answer + size, sizeof answer - 1 - size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      fprintf(stderr, "influx_client: the server closed the connection before it answered\n");
      exit(1);
    }
    size += (size_t)n;
    answer[size] = 0;
  } while (!strstr(answer, "\r\n\r\n") && size < sizeof answer - 1);
  if (size >= 12 && !strncmp(answer, "HTTP/1.1 204", 12)) return;
  fprintf(stderr, "influx_client: %.*s\n", (int)strcspn(answer, "\r\n"), answer);
  exit(1);
}

static void post(int fd, const char *target, const struct body *body)
{
  char head[1024];
  int size = snprintf(head, sizeof head,
    "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", target, body->size);
  struct iovec parts[] = {{.iov_base = head, .iov_len = (size_t)size}, {.iov_base = body->data, .iov_len = body->size}};
  send_all(fd, parts, 2);
  expect_204(fd);
}

int main(int argc, char **argv)
{
  long port = argc > 3 ? strtol(argv[1], NULL, 10) : 0;
  if (port < 1 || port > 65535 || argv[2][0] != '/' || strlen(argv[2]) > 800) {
    fprintf(stderr, "usage: influx_client PORT TARGET BODY...\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  size_t n = (size_t)argc - 3, bytes = 0;
  struct body *bodies = calloc(n, sizeof *bodies);
  if (!bodies) die("influx_client");
  for (size_t i = 0; i < n; i++) bodies[i] = load(argv[3 + i]);
  double begin = now();
  int fd = connect_to((uint16_t)port);
  for (size_t i = 0; i < n; i++) {
    post(fd, argv[2], &bodies[i]);
    bytes += bodies[i].size;
  }
  printf("%zu requests %zu bytes %.6f s\n", n, bytes, now() - begin);
  close(fd);
  for (size_t i = 0; i < n; i++) free(bodies[i].data);
  free(bodies);
  return 0;
}
