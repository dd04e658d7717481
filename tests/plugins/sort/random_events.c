#include "random_events.h"

#include <evpipe/events.h>
#include <stdlib.h>

/* xorshift32, Marsaglia 2003: the same on every machine. */
uint32_t random_next(uint32_t *seed)
{
  *seed ^= *seed << 13;
  *seed ^= *seed >> 17;
  *seed ^= *seed << 5;
  return *seed;
}

static uint64_t time_of(enum disorder disorder, size_t i, size_t n, uint32_t *seed)
{
  switch (disorder) {
  case ORDERED:
    return i * 10;
  case REVERSED:
    return (n - i) * 10;
  case RANDOM:
    return random_next(seed) % (n * 2 + 1);
  case EQUAL:
    return random_next(seed) % 3;
  default: /* a few buffers, one behind the other, each with steps back as of GC_END */
    return (i % (n / 5 + 1)) * 20 - (i % 7 == 3 && i % (n / 5 + 1) > 2 ? 50 : 0);
  }
}

struct fake_log *random_log(enum disorder disorder, size_t n, uint32_t seed)
{
  struct fake_log *log = fake_log_new(NULL, 0, 0);
  uint8_t payload[600];
  for (size_t i = 0; i < n; i++) {
    uint16_t size = (uint16_t)(8 + (random_next(&seed) % 50 ? random_next(&seed) % 20 : random_next(&seed) % 500));
    memset(payload, (int)i & 0xff, sizeof payload);
    memcpy(payload, &(uint64_t){i}, 8);
    fake_log_add(
      log, time_of(disorder, i, n, &seed), EVP_USER_MSG, (uint16_t)(i % 5), EVP_EVENT_VARIABLE, payload, size);
  }
  return log;
}

static int by_time_and_place(const void *a, const void *b)
{
  const struct evp_event *left = *(const struct evp_event *const *)a, *right = *(const struct evp_event *const *)b;
  if (left->time != right->time) return left->time < right->time ? -1 : 1;
  return left < right ? -1 : 1;
}

const struct evp_event **stable_order(const struct fake_log *log)
{
  const struct evp_event **order = calloc(log->n + 1, sizeof *order);
  for (size_t i = 0; i < log->n; i++) order[i] = &log->events[i];
  qsort(order, log->n, sizeof *order, by_time_and_place);
  return order;
}

void add_marker(struct fake_log *log, uint64_t begin, uint64_t end, uint16_t cap)
{
  uint8_t payload[14] = {0, 0, 0, 24};
  for (int i = 0; i < 8; i++) payload[4 + i] = (uint8_t)(end >> (56 - 8 * i));
  payload[12] = (uint8_t)(cap >> 8);
  payload[13] = (uint8_t)cap;
  fake_log_add(log, begin, EVP_BLOCK_MARKER, cap, 0, payload, sizeof payload);
}

void add_event(struct fake_log *log, uint64_t time, uint16_t cap)
{
  fake_log_add(log, time, EVP_USER_MSG, cap, EVP_EVENT_VARIABLE, &time, sizeof time);
}
