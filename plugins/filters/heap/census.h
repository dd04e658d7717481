/* census.h: one heap census after the other: adds rows up by band, and emits each census whole.
 *
 * What was shown is always taken back: a band that vanished is emitted once as 0, all are when the stream ends. All
 * that belongs to a census is emitted as one group, with the time at which it was taken.
 *
 * Owner    the filter's instance. Order of what is emitted: that of the rows in the stream, whatever the hashes are.
 */
#ifndef EVPIPE_HEAP_CENSUS_H
#define EVPIPE_HEAP_CENSUS_H

#include "bands.h"

struct census_settings {
  uint32_t top; /* 0: all */
  uint32_t max_bands;
};

struct numbers {
  uint32_t *items;
  uint32_t n, capacity;
};

struct census {
  struct evp_ctx *ctx;
  struct census_settings settings;
  struct bands bands;
  uint32_t generation; /* number of censuses begun */
  bool open;
  bool unnamed; /* a band that is new may have no series yet */
  uint64_t time;
  struct numbers present; /* bands of the open census, in order of appearance; each list has room for every band */
  struct numbers shown; /* bands whose last value was not taken back */
  struct numbers largest; /* a heap, while the top is looked for */
  const struct evp_series *sums[BREAKDOWN_COUNT]; /* NULL: not shown yet */
  bool sum_shown[BREAKDOWN_COUNT];
  uint64_t merged; /* rows of the open census that went into (other), for there were too many bands */
  bool warned_bands, warned_merged;
};

void census_init(struct census *, struct evp_ctx *, struct census_settings);
void census_free(struct census *);

/* Opens one; it must not be open. May renumber the bands: true if numbers known before are void. */
bool census_begin(struct census *, uint64_t time);

/* The band of that name; (other) when there are already max_bands. BAND_NONE: no memory. */
uint32_t census_band(struct census *, const struct band_name *);

static inline uint64_t census_sum(uint64_t a, uint64_t b)
{
  return a + b < a ? UINT64_MAX : a + b;
}

/* Adds rows to the open census: what of it is needed for that, for who adds many. The hottest functions of a heap profile: so
   they are here. */
struct adder {
  struct band *bands;
  uint32_t *present; /* where the next band that comes up goes: there is room for every band */
  uint32_t generation;
};

static inline struct adder census_adder(const struct census *census)
{
  return (struct adder){census->bands.items, census->present.items + census->present.n, census->generation};
}

static inline void adder_add(struct adder *adder, uint32_t number, uint64_t bytes)
{
  struct band *band = &adder->bands[number];
  if (band->generation == adder->generation) {
    band->bytes = census_sum(band->bytes, bytes);
    return;
  }
  band->generation = adder->generation;
  band->bytes = bytes;
  *adder->present++ = number;
}

static inline void census_added(struct census *census, const struct adder *adder)
{
  census->present.n = (uint32_t)(adder->present - census->present.items);
}

static inline void census_add(struct census *census, uint32_t number, uint64_t bytes)
{
  struct adder adder = census_adder(census);
  adder_add(&adder, number, bytes);
  census_added(census, &adder);
}

/* Emits the open census and closes it. `breakdown`: what a census without rows is one of. An incomplete one says
   nothing of the bands that are not in it. */
enum evp_status census_finish(struct census *, enum breakdown breakdown, bool complete, struct evp_out *);
/* The stream is over: everything is taken back. */
enum evp_status census_end(struct census *, uint64_t time, struct evp_out *);

#endif
