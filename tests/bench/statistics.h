/* statistics.h: for benches: what learn.py found in real logs, and drawing from it. */
#ifndef EVPIPE_BENCH_STATISTICS_H
#define EVPIPE_BENCH_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KINDS = 256, QUANTILES = 33, PAYLOADS_MAX = 32, FOLLOWERS_MAX = 32, CONTEXTS_MAX = 1024 };

struct payload {
  uint8_t *data;
  uint16_t size;
};

struct kind {
  bool declared;
  uint16_t size; /* 0xffff: variable */
  char *description;
  uint64_t steps[QUANTILES]; /* ns since the event before it */
  struct payload payloads[PAYLOADS_MAX];
  uint32_t n_payloads;
};

/* What follows two events. */
struct context {
  uint8_t first, second;
  uint32_t n;
  uint8_t followers[FOLLOWERS_MAX];
  uint32_t up_to[FOLLOWERS_MAX]; /* summed up */
};

struct prelude {
  uint16_t type;
  uint64_t time;
  struct payload payload;
};

struct statistics {
  struct kind kinds[KINDS];
  struct context contexts[CONTEXTS_MAX];
  uint32_t n_contexts;
  uint16_t context_of[KINDS][KINDS]; /* index + 1 */
  uint64_t blocks[QUANTILES]; /* sizes */
  struct prelude *prelude;
  size_t n_prelude;
  char **labels;
  size_t n_labels;
};

/* NULL: can not be read; said on stderr. */
struct statistics *statistics_read(const char *path);
void statistics_free(struct statistics *);

uint64_t draw(uint64_t *random);
uint64_t draw_quantile(uint64_t *random, const uint64_t quantiles[QUANTILES]);
uint8_t draw_follower(uint64_t *random, const struct statistics *, uint8_t first, uint8_t second);

#endif
