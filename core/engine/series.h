/* series.h: time series, interned: one object for each name and set of labels (and kind, type, bounds, start) that is
 * in use anywhere in the process.
 *
 * Owner    counted by the instances that got it (evp_series_get). Metrics in a block do not count: a block of metrics
 *          belongs to the era in which it was made, and a series that nobody holds any more is freed when no block of
 *          its era or of an older one is left. (Counting each metric cost more than all else that is done with it: the
 *          counters went back and forth between the lane's core and the sink's.)
 * Threads  any: one lock, but for leaving an era.
 */
#ifndef EVPIPE_SERIES_H
#define EVPIPE_SERIES_H

#include <evpipe.h>

struct series_table;
struct series_era;

struct series_table *series_table_new(void);
void series_table_free(struct series_table *); /* every reference must have come back */

/* The series that `wanted` describes, with the stream's labels added to its own (which win), sorted, values made valid
   UTF-8 and empty ones left out. One reference for the caller. NULL: no memory. */
const struct evp_series *series_get(
  struct series_table *, const struct evp_series *wanted, const struct evp_map *stream_labels);
void series_unref(struct series_table *, const struct evp_series *);

/* Series that a block made from now on names live until the block leaves again. NULL: no memory. */
struct series_era *series_enter(struct series_table *);
void series_leave(struct series_table *, struct series_era *);

#endif
