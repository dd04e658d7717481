/* latency: how long a write into a program's socket takes to reach a ZeroMQ subscriber.
 *
 *   latency probe SOCKET ENDPOINT [PROBES]   a program on a Unix socket that sends its one client a message every
 *                                            millisecond, and a subscriber at the endpoint; prints p50 and p99
 *   latency relay SOCKET ENDPOINT            the yardstick in place of evpipe: reads the socket, publishes what it read
 *
 * A probe is a user message of an eventlog with a mark, a number and the moment of its writing in it. The subscriber looks
 * for the mark in whatever parts a message has, so both ends of the comparison may frame as they like.
 */
#include "ends.h"

#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum { MARK_SIZE = 8, PROBE_SIZE = MARK_SIZE + 16, WARM_UP = 200, PROBES_MAX = 100000 };
static const char mark[MARK_SIZE + 1] = "evpProbe";

static uint64_t now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* ------------------------------------------------------------------------------------------------ the program */

static uint8_t *put(uint8_t *at, uint64_t value, int bytes)
{
  for (int i = bytes - 1; i >= 0; i--) *at++ = (uint8_t)(value >> 8 * i);
  return at;
}

static uint8_t *put_text(uint8_t *at, const char *text)
{
  memcpy(at, text, strlen(text));
  return at + strlen(text);
}

static uint8_t *put_type(uint8_t *at, unsigned number, unsigned size)
{
  at = put_text(at, "etb");
  at = put(at, 0, 1);
  at = put(put(put(at, number, 2), size, 2), 4, 4);
  at = put(put_text(at, "type"), 0, 4);
  return put(put_text(at, "ete"), 0, 1);
}

static void send_header(int client)
{
  uint8_t header[256], *at = put_text(header, "hdrbhetb");
  at = put_type(at, 18, 14);
  at = put_type(at, 19, 0xffff);
  at = put_text(at, "hetehdredatb");
  send_all(client, header, (size_t)(at - header));
}

/* One block with one user message, as a flush of GHC's run-time system would write it. */
static void send_probe(int client, uint64_t number)
{
  enum { RECORD = 12 + PROBE_SIZE, BLOCK = 24 + RECORD };
  uint8_t block[BLOCK], *at = block;
  uint64_t time = number * 1000000;
  at = put(put(at, 18, 2), time, 8);
  at = put(put(put(at, BLOCK, 4), time + 1, 8), 0, 2);
  at = put(put(put(at, 19, 2), time, 8), PROBE_SIZE, 2);
  at = put_text(at, mark);
  at = put(put(at, number, 8), now(), 8);
  send_all(client, block, BLOCK);
}

/* --------------------------------------------------------------------------------------------- the subscriber */

static struct {
  uint64_t delays[PROBES_MAX], n;
  int seen; /* probes, warm-up included; the program waits for the first */
  pthread_mutex_t lock;
} result = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t get(const uint8_t *at)
{
  uint64_t value = 0;
  for (int i = 0; i < 8; i++) value = value << 8 | at[i];
  return value;
}

static void look(const uint8_t *data, size_t size, uint64_t arrival)
{
  const uint8_t *end = data + size, *found = data;
  while ((found = memmem(found, (size_t)(end - found), mark, MARK_SIZE)) && end - found >= PROBE_SIZE) {
    uint64_t number = get(found + MARK_SIZE), sent = get(found + MARK_SIZE + 8);
    pthread_mutex_lock(&result.lock);
    result.seen++;
    if (number >= WARM_UP && result.n < PROBES_MAX) result.delays[result.n++] = arrival - sent;
    pthread_mutex_unlock(&result.lock);
    found += PROBE_SIZE;
  }
}

static void *subscribe(void *subscriber)
{
  zmq_msg_t part;
  zmq_msg_init(&part);
  while (zmq_msg_recv(&part, subscriber, 0) >= 0) look(zmq_msg_data(&part), zmq_msg_size(&part), now());
  zmq_msg_close(&part);
  zmq_close(subscriber);
  return NULL;
}

static int seen(void)
{
  pthread_mutex_lock(&result.lock);
  int n = result.seen;
  pthread_mutex_unlock(&result.lock);
  return n;
}

static int compare(const void *left, const void *right)
{
  uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
  return (a > b) - (a < b);
}

static void sleep_until(uint64_t time)
{
  struct timespec until = {(time_t)(time / 1000000000u), (long)(time % 1000000000u)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* Probes with a number below WARM_UP are sent until one comes through: a subscription takes its time. */
static void send_probes(int client, uint64_t probes)
{
  uint64_t next = now();
  for (int tries = 0; !seen(); tries++) {
    if (tries == 10000) die("no probe came through within ten seconds");
    send_probe(client, 0);
    sleep_until(next += 1000000);
  }
  for (uint64_t number = 1; number < WARM_UP + probes; number++) {
    send_probe(client, number);
    sleep_until(next += 1000000);
  }
  for (int tries = 0; result.n < probes && tries < 1000; tries++) sleep_until(next += 1000000);
}

static int probe(const char *path, const char *endpoint, uint64_t probes)
{
  struct sockaddr_un address;
  void *context = zmq_ctx_new(), *subscriber = zmq_socket(context, ZMQ_SUB);
  if (zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, "", 0) || zmq_connect(subscriber, endpoint)) die(endpoint);
  int listener = open_socket(path, &address);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1)) die(path);
  pthread_t thread;
  if (pthread_create(&thread, NULL, subscribe, subscriber)) die("thread");
  int client = accept(listener, NULL, NULL);
  if (client < 0) die("accept");
  send_header(client);
  send_probes(client, probes);
  zmq_ctx_shutdown(context);
  pthread_join(thread, NULL);
  zmq_ctx_term(context);
  qsort(result.delays, result.n, sizeof *result.delays, compare);
  if (!result.n) die("no probes");
  printf("%llu of %llu probes, p50 %.1f us, p99 %.1f us\n", (unsigned long long)result.n, (unsigned long long)probes,
    (double)result.delays[result.n / 2] / 1000, (double)result.delays[result.n * 99 / 100] / 1000);
  return result.n == probes ? 0 : 1;
}

/* ---------------------------------------------------------------------------------------------- the yardstick */

static int relay(const char *path, const char *endpoint)
{
  static uint8_t buffer[256 * 1024];
  struct sockaddr_un address;
  void *context = zmq_ctx_new(), *publisher = zmq_socket(context, ZMQ_PUB);
  if (zmq_bind(publisher, endpoint)) die(endpoint);
  int fd = open_socket(path, &address);
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) die(path);
  struct pollfd polled = {.fd = fd, .events = POLLIN};
  while (poll(&polled, 1, -1) >= 0) {
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) break;
    zmq_send(publisher, "bytes/", 6, ZMQ_SNDMORE);
    zmq_send(publisher, buffer, (size_t)n, 0);
  }
  close(fd);
  zmq_close(publisher);
  zmq_ctx_term(context);
  return 0;
}

int main(int argc, char **argv)
{
  if (argc >= 4 && !strcmp(argv[1], "probe"))
    return probe(argv[2], argv[3], argc > 4 ? strtoull(argv[4], NULL, 10) : 2000);
  if (argc == 4 && !strcmp(argv[1], "relay")) return relay(argv[2], argv[3]);
  fprintf(stderr, "usage: latency probe SOCKET ENDPOINT [PROBES] | relay SOCKET ENDPOINT\n");
  return 2;
}
