/* socket_pair: the two ends of the socket benchmark.
 *
 *   socket_pair serve PATH FILE [TIMES]   one client on a Unix socket gets the file from memory, written in 64 KiB pieces
 *   socket_pair receive PATH [BUFFERS]    a reader that only receives: reads of 256 KiB, into so many buffers in turn
 *                                         (else into one); prints bytes, seconds
 *
 * With `serve`, the header is sent once and what follows it TIMES times, if TIMES is given.
 */
#include "ends.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int serve(const char *path, const char *file, long times)
{
  struct sockaddr_un address;
  struct stat status;
  int listener = open_socket(path, &address), input = open(file, O_RDONLY | O_CLOEXEC);
  if (input < 0 || fstat(input, &status)) die(file);
  size_t size = (size_t)status.st_size;
  const uint8_t *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, input, 0);
  if (data == MAP_FAILED) die("mmap");
  const uint8_t *records = memmem(data, size < 65536 ? size : 65536, "datb", 4);
  size_t header = records ? (size_t)(records - data) + 4 : 0;
  unlink(path);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1)) die(path);
  int client = accept(listener, NULL, NULL);
  if (client < 0) die("accept");
  send_all(client, data, header);
  for (long i = 0; i < times; i++) send_all(client, data + header, size - header);
  close(client);
  unlink(path);
  return 0;
}

static int receive(const char *path, size_t n_buffers)
{
  enum { READ = 256 * 1024 };
  struct sockaddr_un address;
  int fd = open_socket(path, &address);
  uint8_t *buffers = calloc(n_buffers, READ);
  uint64_t bytes = 0;
  ssize_t n;
  if (!buffers) die("no memory");
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) die(path);
  double begin = now();
  for (size_t i = 0; (n = read(fd, buffers + i % n_buffers * READ, READ)) > 0; i++) bytes += (uint64_t)n;
  printf("%llu bytes %.6f s\n", (unsigned long long)bytes, now() - begin);
  free(buffers);
  return 0;
}

int main(int argc, char **argv)
{
  signal(SIGPIPE, SIG_IGN);
  if (argc >= 4 && !strcmp(argv[1], "serve")) return serve(argv[2], argv[3], argc > 4 ? atol(argv[4]) : 1);
  long buffers = argc == 4 ? atol(argv[3]) : 1;
  if ((argc == 3 || argc == 4) && !strcmp(argv[1], "receive") && buffers > 0) return receive(argv[2], (size_t)buffers);
  fprintf(stderr, "usage: socket_pair serve PATH FILE [TIMES] | receive PATH [BUFFERS]\n");
  return 2;
}
