/* rates.h: what only ever grows, kept as what came in each tenth of a second: bytes allocated, events by class.
 *
 * Buffers of several capabilities tell of the same time one after the other: a tenth of a second is added to whenever
 * something of it comes. The sum over a program's whole life is kept, so that what is left says the total at each time.
 *
 * Owner    a program's history. Threads  that of the sink.
 */
#ifndef EVPIPE_DASHBOARD_RATES_H
#define EVPIPE_DASHBOARD_RATES_H

#include "column.h"

#include <evpipe/events.h>

#define RATE_SLOT INT64_C(100000000)

struct allocation {
  int64_t time; /* of the last in its tenth of a second */
  uint64_t bytes;
};

struct event_counts {
  int64_t time;
  uint64_t counts[EVP_CLASS_COUNT];
};

struct rates {
  struct column allocated; /* of struct allocation */
  struct column events; /* of struct event_counts */
  uint64_t allocated_total, events_total[EVP_CLASS_COUNT];
};

void rates_init(struct rates *, struct budget *);
void rates_free(struct rates *);

/* The total counts it even if there is no room for the row: false. */
bool rates_allocate(struct rates *, int64_t time, uint64_t bytes);
/* Counts the events of a batch; *last is at least the time of the latest then. False: no room. */
bool rates_count(struct rates *, const struct evp_batch *, int64_t *last);

/* Counts what was counted before its time was known. */
bool rates_add(struct rates *, int64_t time, const uint64_t counts[EVP_CLASS_COUNT]);

column_join allocation_add; /* of struct allocation */
column_join event_counts_add; /* of struct event_counts */

#endif
