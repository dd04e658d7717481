/* pauses.h: the garbage collections of a program, by generation, as the histogram ghc_gc_pause_seconds tells of them: what
 * each emission has more than the one before.
 *
 * Owner    a program's history; what was said last by a run is the run's. Threads  that of the sink.
 */
#ifndef EVPIPE_DASHBOARD_PAUSES_H
#define EVPIPE_DASHBOARD_PAUSES_H

#include "column.h"

#include <evpipe.h>

enum { GENERATIONS_MAX = 8, PAUSE_BOUNDS_MAX = 64 };

struct pause {
  int64_t time; /* of the longest */
  double longest; /* seconds */
  double seconds; /* of all together */
  uint64_t collections;
};

struct generation {
  struct column column; /* of struct pause */
  uint32_t n_bounds;
  double bounds[PAUSE_BOUNDS_MAX];
  uint64_t counts[PAUSE_BOUNDS_MAX + 1]; /* of the whole history, and of what left it */
  uint64_t collections;
};

/* What a run said last. */
struct pause_state {
  uint64_t count;
  double sum;
  uint64_t counts[PAUSE_BOUNDS_MAX + 1];
};

/* The collections since then, if there were any; false: none, or no room (*full). */
bool pauses_add(struct generation *, struct pause_state *, const struct evp_metric *, struct pause *added, bool *full);

column_join pause_add; /* of struct pause */

#endif
