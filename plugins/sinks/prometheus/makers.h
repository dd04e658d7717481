/* makers.h: which node makes a metric of a stream. Two heap filters of one program, say, would show the union of their bands, and
 * sums that nobody measured: so each metric is the first one's that has it, as long as the stream lasts.
 *
 * Memory of the sink for each stream (evp_stream_local()), zeroed at its begin. Threads: one at a time.
 */
#ifndef EVPIPE_PROMETHEUS_MAKERS_H
#define EVPIPE_PROMETHEUS_MAKERS_H

#include <evpipe.h>

enum { MAKERS_MAX = 64 }; /* metrics of one stream; any more are not looked after */

struct maker {
  uint64_t metric, node; /* hashes of their names */
};

struct makers {
  struct maker of[MAKERS_MAX];
  uint32_t n;
};

/* Is the node that made the batch the one to be shown? */
bool makers_allow(struct makers *, const struct evp_batch *batch, const struct evp_series *series);

#endif
