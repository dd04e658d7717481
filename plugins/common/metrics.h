/* metrics.h: the one table of the metrics that our filters and sources make: name, unit, kind and type of each.
 *
 * A metric's type is fixed here and never changes: InfluxDB refuses a field that becomes another type.
 * docs/metrics.md says what each means; a test compares the two.
 */
#ifndef EVPIPE_COMMON_METRICS_H
#define EVPIPE_COMMON_METRICS_H

#include <evpipe.h>

enum metric {
  METRIC_PROGRAM_INFO,
  METRIC_HEAP_SIZE,
  METRIC_HEAP_LIVE,
  METRIC_HEAP_BLOCKS,
  METRIC_MEMORY_CURRENT,
  METRIC_MEMORY_NEEDED,
  METRIC_MEMORY_RETURNED,
  METRIC_HEAP_ALLOCATED,
  METRIC_HEAP_CENSUS,
  METRIC_HEAP_PROFILED,
  METRIC_GC_PAUSE,
  METRIC_GC_COLLECTIONS,
  METRIC_GC_COPIED,
  METRIC_GC_SLOP,
  METRIC_GC_FRAGMENTATION,
  METRIC_GC_PAR_THREADS,
  METRIC_NODE_ITEMS,
  METRIC_NODE_BYTES,
  METRIC_NODE_DROPPED,
  METRIC_NODE_REJECTED,
  METRIC_NODE_ERRORS,
  METRIC_NODE_RETRIES,
  METRIC_NODE_QUEUE,
  METRIC_NODE_QUEUE_LIMIT,
  METRIC_NODE_RECOVERED,
  METRIC_NODE_SPOOL_ITEMS,
  METRIC_NODE_SPOOL,
  METRIC_NODE_LAG,
  METRIC_NODE_BUSY,
  METRIC_SOURCE_CONNECTED,
  METRIC_SOURCE_CONNECTS,
  METRIC_SOURCE_SILENT,
  METRIC_SOURCE_LAST_EVENT,
  METRIC_CLOCK_EXACT,
  METRIC_DECODE_ERRORS,
  METRIC_SKIPPED_BYTES,
  METRIC_LATE_EVENTS,
  METRIC_BUILD_INFO,
  METRIC_PROCESS_CPU,
  METRIC_PROCESS_RESIDENT,
  METRIC_PROCESS_START,
  METRIC_PROCESS_OPEN_FDS,
  METRIC_PROCESS_MAX_FDS,
  METRIC_COUNT
};

enum {
  METRIC_BOUNDS = 14, /* of every histogram: all are of seconds, from 0.1 ms to 2.5 s */
  /* As many as GHC ever has (MAX_N_CAPABILITIES is 256); what counts for more is damaged, and not shown. */
  CAPABILITIES_MAX = 1024
};

struct metric_description {
  const char *name, *unit, *help;
  uint16_t kind, type; /* enum evp_metric_kind, enum evp_value_type */
};

extern const struct metric_description metric_descriptions[METRIC_COUNT];

/* The series of a metric with these labels. NULL: no memory (reported). */
const struct evp_series *metric_series(
  struct evp_ctx *, enum metric, const struct evp_label *labels, uint32_t n_labels);

#endif
