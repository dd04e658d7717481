/* gauges.h: what the RTS says about its heap after each collection, as metrics: sizes, live data, memory, allocation.
 *
 * Owner    the filter's instance.
 */
#ifndef EVPIPE_HEAP_GAUGES_H
#define EVPIPE_HEAP_GAUGES_H

#include "metrics.h"

struct gauges {
  struct evp_ctx *ctx;
  const struct evp_series *series[METRIC_COUNT]; /* NULL: not seen yet */
  const struct evp_series **allocated; /* by capability */
  uint32_t n_allocated;
};

void gauges_init(struct gauges *, struct evp_ctx *); /* wants their events */
void gauges_free(struct gauges *);
/* OK also for an event that is none of theirs. */
enum evp_status gauges_event(struct gauges *, const struct evp_event *, uint32_t dialect, struct evp_out *);

#endif
