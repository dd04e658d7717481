/* gauges.h: the sizes that a program says about its memory, each with the times at which it said them.
 *
 * Owner    a program's history. Threads  that of the sink.
 */
#ifndef EVPIPE_DASHBOARD_GAUGES_H
#define EVPIPE_DASHBOARD_GAUGES_H

#include "column.h"

enum gauge { GAUGE_SIZE, GAUGE_LIVE, GAUGE_BLOCKS, GAUGE_CURRENT, GAUGE_NEEDED, GAUGE_RETURNED, GAUGE_COUNT };

struct sample {
  int64_t time;
  int64_t value;
};

extern const char *const gauge_names[GAUGE_COUNT]; /* of the metrics */
extern const char *const gauge_keys[GAUGE_COUNT]; /* in JSON */

column_join gauge_keep_larger; /* of struct sample */

#endif
