/* figures.h: what the filter `gc` shows: its series, the counts and sums behind them.
 *
 * Counters and the histogram are counted by evpipe, from the stream's beginning. Blocks of several capabilities come one
 * after the other, so that times go back and forth where nobody has sorted them: what only grows must not be given a
 * time before that of a smaller count, and keeps the newest time instead.
 *
 * Owner    the filter's instance.
 */
#ifndef EVPIPE_GC_FIGURES_H
#define EVPIPE_GC_FIGURES_H

#include "collections.h"
#include "metrics.h"

#include <evpipe/events.h>

/* -G takes any number, but people use 2, at most a handful; what counts for more is damaged, and not shown. */
enum { GENERATIONS_MAX = 256, GC_GAUGES = 3 };

struct count {
  const struct evp_series *series; /* NULL: not shown yet */
  uint64_t value, time;
};

struct pauses {
  const struct evp_series *series; /* NULL: not shown yet */
  uint64_t counts[METRIC_BOUNDS + 1];
  uint64_t count, nanoseconds, time;
};

struct generation {
  struct count collections;
  struct pauses pauses;
};

struct figures {
  struct evp_ctx *ctx;
  struct generation *generations;
  uint32_t n;
  struct count copied;
  const struct evp_series *gauges[GC_GAUGES];
};

void figures_free(struct figures *);
/* A stream whose generations are not known has one entry, 0, without the label. All: EVP_ERROR if there is no memory
   (reported). */
enum evp_status figures_collection(struct figures *, uint16_t generation, bool known, uint64_t time, struct evp_out *);
enum evp_status figures_pause(struct figures *, const struct pause *, bool known, struct evp_out *);
enum evp_status figures_statistics(struct figures *, const struct evp_gc_stats_ghc *, uint64_t time, struct evp_out *);
/* The stream is over: gauges are taken back. */
enum evp_status figures_end(struct figures *, uint64_t time, struct evp_out *);

#endif
