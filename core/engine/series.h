/* series.h: time series, interned: one object for each name and set of labels (and kind, type, bounds, start) that is
 * in use anywhere in the process.
 *
 * Owner    reference counted: by the instances that got it (evp_series_get) and by every metric in a block.
 * Threads  any: lookups take one lock; counting is atomic.
 */
#ifndef EVPIPE_SERIES_H
#define EVPIPE_SERIES_H

#include <evpipe.h>

struct series_table;

struct series_table *series_table_new(void);
void series_table_free(struct series_table *); /* every reference must have come back */

/* The series that `wanted` describes, with the stream's labels added to its own (which win), sorted, values made valid
   UTF-8 and empty ones left out. One reference for the caller. NULL: no memory. */
const struct evp_series *series_get(
  struct series_table *, const struct evp_series *wanted, const struct evp_map *stream_labels);
void series_ref(const struct evp_series *);
void series_unref(const struct evp_series *);

#endif
